"""BiT against timm's `resnetv2_*_bit`, against numpy in float64, and against the published parameter counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import timm
import torch
from torch import Tensor, nn

from references import bit as reference
from remedis.models.architectures import TIMM_BIT, architecture, build_empty, parameters_count
from remedis.models.bit import BiT, standardise
from remedis.models.contract import Contract
from remedis.models.staged import Staged

Network = Callable[..., Staged]
Noise = Callable[..., Tensor]
Distance = Callable[[Tensor, Tensor], float]

PARAMETERS = {  # w = 1, 2, 3, 4; computed from the layer table of arXiv:1912.11370
    26: (13_938_496, 55_688_832, 125_251_008, 222_625_024),
    50: (23_500_352, 93_891_712, 211_174_080, 375_347_456),
    101: (42_492_480, 169_755_776, 381_789_888, 678_594_816),
    152: (58_136_128, 232_238_208, 522_306_240, 928_340_224),
}
TENSORS = {26: 79, 50: 151, 101: 304, 152: 457}


def timms(name: str, weights: Mapping[str, Tensor]) -> nn.Module:
    """Return timm's network with these weights and the original's eps."""
    with torch.device("meta"):  # no time for weights that are replaced
        network = timm.create_model(name, num_classes=0)
    network.load_state_dict(dict(weights), assign=True)
    convolutions = [module for module in network.modules() if type(module).__name__ == "StdConv2d"]
    assert len(convolutions) == sum("conv" in key for key in weights)
    for module in convolutions:
        module.eps = 1e-10
    return network.eval()


@torch.inference_mode()
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_r50x1_equals_timm_at_224(
    shaken: Network, images: Noise, distance: Distance, dtype: torch.dtype, tolerance: float
) -> None:
    ours, x = shaken("bit-r50x1", dtype=dtype), images(224, dtype=dtype)
    theirs = timms("resnetv2_50x1_bit", ours.state_dict())
    map_ = theirs.forward_features(2 * x - 1)
    assert distance(ours.features(x), map_) < tolerance
    assert distance(ours(x), theirs.forward_head(map_, pre_logits=True)) < tolerance


@torch.inference_mode()
@pytest.mark.parametrize("name", ["bit-r50x1", "bit-r101x1"])
def test_sizes_of_timm_that_fit_a_small_machine(shaken: Network, images: Noise, distance: Distance, name: str) -> None:
    _equals_timm(shaken, images, distance, name)


@pytest.mark.slow
@torch.inference_mode()
@pytest.mark.parametrize("name", ["bit-r50x3", "bit-r101x3", "bit-r152x2", "bit-r152x4"])
def test_large_sizes_of_timm(shaken: Network, images: Noise, distance: Distance, name: str) -> None:
    _equals_timm(shaken, images, distance, name)


def _equals_timm(shaken: Network, images: Noise, distance: Distance, name: str) -> None:
    ours, x = shaken(name), images(33, 48)
    theirs = timms(name.replace("bit-r", "resnetv2_") + "_bit", ours.state_dict())
    assert distance(ours(x), theirs(2 * x - 1)) < 1e-4


@pytest.mark.parametrize(("depth", "factor"), sorted(TIMM_BIT))
def test_names_and_shapes_are_timms(depth: int, factor: int) -> None:
    ours = build_empty(architecture(f"bit-r{depth}x{factor}"), Contract())
    with torch.device("meta"):
        theirs = timm.create_model(f"resnetv2_{depth}x{factor}_bit", num_classes=0)
    shapes = {name: weight.shape for name, weight in theirs.state_dict().items()}
    assert {name: weight.shape for name, weight in ours.state_dict().items()} == shapes


def test_timm_has_no_other_size() -> None:
    names = {f"resnetv2_{depth}x{factor}_bit" for depth, factor in TIMM_BIT}
    assert names == set(timm.list_models("resnetv2_*x*_bit"))


@torch.inference_mode()
@pytest.mark.parametrize(("height", "width"), [(40, 40), (41, 34)])
def test_every_stage_equals_the_formulas_in_float64(shaken: Network, images: Noise, height: int, width: int) -> None:
    ours, x = shaken("bit-r26x1", dtype=torch.float64), images(height, width, 2, dtype=torch.float64)
    weights = {name: weight.numpy() for name, weight in ours.state_dict().items()}
    expected = reference.stages(x.numpy(), weights, 26)
    found = ours.outputs(x)
    assert list(found) == ["stem", "stage1", "stage2", "stage3", "stage4", "map", "embedding"]
    for name, output in found.items():
        assert output.shape == expected[name].shape
        np.testing.assert_allclose(output.numpy(), expected[name], rtol=1e-9, atol=1e-9 * expected[name].std())
    torch.testing.assert_close(ours.features(x), found["map"], rtol=0, atol=0)
    torch.testing.assert_close(ours(x), found["embedding"], rtol=0, atol=0)


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e-5])
def test_kernels_are_standardised_with_the_originals_eps(scale: float) -> None:
    kernels = scale * torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = standardise(kernels).numpy()
    np.testing.assert_allclose(found, reference.standardised(kernels.numpy()), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("depth", sorted(PARAMETERS))
def test_parameters_and_tensors_are_as_many_as_published(depth: int) -> None:
    for factor, expected in enumerate(PARAMETERS[depth], start=1):
        network = architecture(f"bit-r{depth}x{factor}")
        whole = build_empty(network, Contract())
        assert parameters_count(whole) == expected
        assert len(whole.state_dict()) == TENSORS[depth]
        headless = build_empty(network, Contract(map="before-norm"))
        assert parameters_count(headless) == expected - 2 * 2048 * factor
        assert len(headless.state_dict()) == TENSORS[depth] - 2


def test_stages_have_the_shapes_of_the_paper_at_224() -> None:
    with torch.device("meta"):
        outputs = BiT(50, 1).outputs(torch.empty(2, 3, 224, 224))
    assert {name: tuple(output.shape[1:]) for name, output in outputs.items()} == {
        "stem": (64, 56, 56),
        "stage1": (256, 56, 56),
        "stage2": (512, 28, 28),
        "stage3": (1024, 14, 14),
        "stage4": (2048, 7, 7),
        "map": (2048, 7, 7),
        "embedding": (2048,),
    }


@torch.inference_mode()
def test_the_map_before_the_norm_is_the_last_blocks_sum(shaken: Network, images: Noise) -> None:
    whole, x = shaken("bit-r26x1"), images(48)
    kept = build_empty(architecture("bit-r26x1"), Contract(map="before-norm"), final_norm=True)
    kept.load_state_dict(whole.state_dict(), assign=True)
    torch.testing.assert_close(kept.features(x), whole.outputs(x)["stage4"], rtol=0, atol=0)
    torch.testing.assert_close(kept(x), whole.outputs(x)["stage4"].mean(dim=(2, 3)), rtol=0, atol=0)


@torch.inference_mode()
def test_what_the_first_convolution_sees_follows_the_contract(shaken: Network, images: Noise) -> None:
    usual, x = shaken("bit-r26x1", dtype=torch.float64), images(40, dtype=torch.float64)
    for contract, seen in (
        (Contract(range=(-1.0, 1.0)), 2 * x - 1),
        (Contract(range=(0.0, 255.0)), 255 * x),
        (Contract(inside=(0.0, 1.0)), x),
    ):
        other = build_empty(architecture("bit-r26x1"), contract)
        other.load_state_dict(usual.state_dict(), assign=True)
        torch.testing.assert_close(other.scaled(seen), x if contract.inside else 2 * x - 1)
        same = torch.allclose(other(seen), usual(x), rtol=1e-9)
        assert same is (contract.inside is None)


def test_training_reaches_every_weight(shaken: Network, images: Noise) -> None:
    network = shaken("bit-r26x1").train()
    network(images(48)).square().sum().backward()
    assert all(weight.grad is not None and bool(weight.grad.any()) for weight in network.parameters())
