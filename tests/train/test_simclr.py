"""One step: chunks give the gradients of the whole batch, and the classifier leaves the encoder alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from remedis.models.architectures import architecture, build_empty, build_random
from remedis.models.bit import NormReLU, StdConv2d, Stem, Unit
from remedis.models.contract import Contract
from remedis.models.staged import fill_like_simclr
from remedis.train.heads import Classifier, ProjectionHead
from remedis.train.simclr import NO_LABEL, Objective, SimCLR, loss_and_gradients


class SmallBiT(nn.Module):
    """The parts of a BiT, few of them."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = nn.Sequential(Stem(3, 32), Unit(32, 128, 2), Unit(128, 128, 1), NormReLU(128))
        for module in self.modules():
            if isinstance(module, StdConv2d):
                fill_like_simclr(module.weight, torch.Generator().manual_seed(0))

    def forward(self, x: Tensor) -> Tensor:
        return self.parts(x).mean(dim=(2, 3))


def _model(backbone: nn.Module | None = None, *, width: int = 128, classes: int = 0) -> SimCLR:
    head = ProjectionHead("nonlinear", width, 16)
    head.initialise(torch.Generator().manual_seed(1))
    classifier = Classifier(width, classes) if classes else None
    if classifier is not None:
        classifier.initialise(torch.Generator().manual_seed(2))
    return SimCLR(backbone or SmallBiT(), head, classifier).to(torch.float64).train()


def _views(n: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    made = torch.rand(2, n, 3, 32, 32, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return made[0], made[1]


def _gradients(model: SimCLR, objective: Objective, labels: Tensor | None = None) -> tuple[float, dict[str, Tensor]]:
    model.zero_grad(set_to_none=True)
    values = loss_and_gradients(model, _views(6), torch.arange(6), labels, objective)
    return float(values["loss"]), {name: w.grad for name, w in model.named_parameters() if w.grad is not None}


def _distance(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    assert one.keys() == other.keys()
    difference = sum(float((one[name] - other[name]).square().sum()) for name in one) ** 0.5
    return difference / sum(float(g.square().sum()) for g in other.values()) ** 0.5


@pytest.mark.parametrize("chunk", [1, 5, 12])
def test_chunks_give_loss_and_gradients_of_the_whole_batch(chunk: int) -> None:
    _chunks_change_nothing(_model(), chunk)


@pytest.mark.slow
def test_chunks_change_nothing_in_a_whole_network() -> None:
    backbone = build_random(architecture("bit-r26x1"), Contract(size=32), 0)
    _chunks_change_nothing(_model(backbone, width=backbone.width), 5)


def _chunks_change_nothing(model: SimCLR, chunk: int) -> None:
    loss, whole = _gradients(model, Objective(0.2))
    chunked_loss, chunked = _gradients(model, Objective(0.2, chunk=chunk))
    assert chunked_loss == pytest.approx(loss, rel=1e-12)
    assert _distance(chunked, whole) < 1e-9


def test_the_network_is_told_from_the_one_that_needs_the_whole_batch() -> None:
    assert _model(build_empty(architecture("resnet18-cifar"), Contract())).has_batch_norm()
    assert not _model(
        build_empty(architecture("bit-r26x1"), Contract())
    ).has_batch_norm()  # the head has batch norms; it always sees the whole batch


def test_the_classifier_learns_and_the_encoder_does_not_notice() -> None:
    labels = torch.tensor([0, 1, 2, NO_LABEL, 1, 0])
    without, plain = _gradients(_model(), Objective(0.2))
    model = _model(classes=3)
    with_labels, gradients = _gradients(model, Objective(0.2), labels)
    assert with_labels == without
    assert all(torch.equal(gradients[name], plain[name]) for name in plain)
    assert gradients["classifier.weight"].abs().sum() > 0


def test_the_classifiers_gradient_is_softmax_minus_one_hot_over_the_labelled() -> None:
    labels = torch.tensor([0, 1, 2, NO_LABEL, 1, 0])
    model = _model(classes=3)
    _, gradients = _gradients(model, Objective(0.2), labels)
    with torch.no_grad():
        h = model.backbone(torch.cat(_views(6)))
        p = (h @ model.classifier.weight.T + model.classifier.bias).softmax(1)  # type: ignore[union-attr]
    twice = torch.cat([labels, labels])
    known = twice != NO_LABEL
    one_hot = torch.zeros(12, 3, dtype=torch.float64)
    one_hot[known, twice[known]] = 1
    expected = ((p - one_hot)[known].T @ h[known]) / 10
    assert torch.allclose(gradients["classifier.weight"], expected, rtol=1e-9, atol=1e-12)


def test_no_label_at_all_costs_nothing() -> None:
    loss, gradients = _gradients(_model(classes=3), Objective(0.2), torch.full((6,), NO_LABEL))
    assert loss == loss
    assert not gradients["classifier.weight"].any()
