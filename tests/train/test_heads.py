"""The heads' forms against the official program's, and their values against numpy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from remedis.train.heads import Classifier, Mode, ProjectionHead, ScaleNorm, Style

W, D = 6, 4


def embeddings(n: int = 9, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, W, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def head(mode: Mode = "nonlinear", layers: int = 1, style: Style = "v1") -> ProjectionHead:
    made = ProjectionHead(mode, W, D, layers, style).double()
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel())))
    return made


def dense_and_norm(h: np.ndarray, layer: Any) -> np.ndarray:
    """A dense layer without bias, then batch normalisation with the batch's own biased variance."""
    x = h @ layer.dense.weight.detach().numpy().T
    x = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5) * layer.norm.weight.detach().numpy()
    return x if layer.norm.bias is None else x + layer.norm.bias.detach().numpy()


# Each layer's widths, and whether its norm has an offset: model_util.py of both programs.
FORMS = [
    ("none", 1, "v1", []),
    ("linear", 1, "v1", [(W, D, False)]),
    ("linear", 3, "v2", [(W, D, False)]),
    ("nonlinear", 1, "v1", [(W, W, True), (W, D, False)]),
    ("nonlinear", 2, "v1", [(W, W, True), (W, D, False), (D, D, False)]),
    ("nonlinear", 1, "v2", [(W, W, True), (W, D, False)]),
    ("nonlinear", 2, "v2", [(W, W, True), (W, W, True), (W, D, False)]),
]
IDS = [f"{mode}-{layers}-{style}" for mode, layers, style, _ in FORMS]


@pytest.mark.parametrize(("mode", "layers", "style", "form"), FORMS, ids=IDS)
def test_layers_widths_and_offsets(mode: Mode, layers: int, style: Style, form: list[tuple[int, int, bool]]) -> None:
    made = head(mode, layers, style)
    names, count = [], 0
    for number, (width_in, width, offset) in enumerate(form):
        prefix = f"layers.{number}"
        names += [f"{prefix}.dense.weight", f"{prefix}.norm.weight"] + [f"{prefix}.norm.bias"] * offset
        count += width_in * width + width * (1 + offset)
    assert [name for name, _ in made.named_parameters()] == names
    assert sum(parameter.numel() for parameter in made.parameters()) == count
    assert made(embeddings()).shape == (9, made.width)
    assert made.width == (W if mode == "none" else D)


@pytest.mark.parametrize(("mode", "layers", "style", "form"), FORMS, ids=IDS)
def test_values_are_those_of_the_formula(mode: Mode, layers: int, style: Style, form: list[Any]) -> None:
    made = head(mode, layers, style)
    h = embeddings()
    expected = [h.numpy()]
    for number, layer in enumerate(made.layers, start=1):
        x = dense_and_norm(expected[-1], layer)
        expected.append(np.maximum(x, 0) if number < len(form) else x)
    np.testing.assert_allclose(made(h).detach().numpy(), expected[-1], rtol=1e-10, atol=1e-12)
    for number, value in enumerate(expected):
        np.testing.assert_allclose(made.hidden(h, number).detach().numpy(), value, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(made.hidden(h, -1).detach().numpy(), expected[-1], rtol=1e-10, atol=1e-12)


def test_a_layer_that_is_not_there_is_no_answer() -> None:
    with pytest.raises(IndexError):
        head().hidden(embeddings(), 3)


def test_projections_have_mean_0_as_their_norm_has_no_offset() -> None:
    z = head()(embeddings(50))
    assert z.mean(0).abs().max() < 1e-12
    assert z.shape == (50, D)


def test_the_default_is_the_official_head() -> None:
    made = ProjectionHead("nonlinear", 2048)
    assert sum(parameter.numel() for parameter in made.parameters()) == 2048 * 2048 + 2 * 2048 + 2048 * 128 + 128
    norms = [module for module in made.modules() if isinstance(module, nn.BatchNorm1d)]
    assert [(norm.eps, norm.momentum) for norm in norms] == [(1e-5, 0.1)] * 2


def test_a_norm_without_offset_is_otherwise_torchs() -> None:
    ours, torchs = ScaleNorm(W).double(), nn.BatchNorm1d(W).double()
    with torch.no_grad():
        ours.weight.copy_(torch.arange(1, W + 1))
        torchs.weight.copy_(ours.weight)
    x = embeddings() * 3 + 5
    for _ in range(2):
        torch.testing.assert_close(ours(x), torchs(x), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(ours.eval()(x), torchs.eval()(x), rtol=1e-12, atol=1e-12)
    assert set(ours.state_dict()) == set(torchs.state_dict()) - {"bias"}


def test_initial_kernels_are_normal_of_a_hundredth_and_norms_the_identity() -> None:
    made = ProjectionHead("nonlinear", 300, 200)
    with torch.no_grad():
        for tensor in [*made.parameters(), *(b for b in made.buffers() if b.is_floating_point())]:
            tensor.fill_(7.0)
    made.initialise(torch.Generator().manual_seed(0))
    for layer in made.layers:
        kernel = layer.dense.weight
        assert kernel.mean().item() == pytest.approx(0, abs=4 * 0.01 / kernel.numel() ** 0.5)
        assert kernel.std().item() == pytest.approx(0.01, rel=4 / (2 * kernel.numel()) ** 0.5)
        assert kernel.abs().max() > 0.035  # not cut off
        assert set(layer.norm.weight.tolist()) == {1.0}
        assert set(layer.norm.running_mean.tolist()) == {0.0}
        assert set(layer.norm.running_var.tolist()) == {1.0}
    assert set(made.layers[0].norm.bias.tolist()) == {0.0}


def test_only_the_generator_decides_the_kernels() -> None:
    def drawn(seed: int) -> torch.Tensor:
        made = ProjectionHead("nonlinear", W, D)
        made.initialise(torch.Generator().manual_seed(seed))
        return torch.cat([layer.dense.weight.flatten() for layer in made.layers])

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


def test_the_classifier_is_linear_with_a_bias_of_0() -> None:
    made = Classifier(300, 200)
    made.initialise(torch.Generator().manual_seed(0))
    assert [(name, tuple(p.shape)) for name, p in made.named_parameters()] == [("weight", (200, 300)), ("bias", (200,))]
    assert made.weight.std().item() == pytest.approx(0.01, rel=4 / 120_000**0.5)
    assert set(made.bias.tolist()) == {0.0}
    h = torch.randn(2, 300)
    torch.testing.assert_close(made(h), h @ made.weight.T)
