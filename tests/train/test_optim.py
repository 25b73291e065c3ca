"""The optimisers against numpy, tensor by tensor, and which parameters they leave out of the decay."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from references import lars as reference
from remedis.models.architectures import architecture, build_random
from remedis.models.contract import Contract
from remedis.train.heads import Classifier, ProjectionHead
from remedis.train.optim import LARS, OptimizerName, excluded, make_optimizer, set_learning_rate

RATES = [0.0, 0.3, 0.6, 0.6, 0.05, 2.0]  # a warm-up that begins with 0, and jumps
OPTIMIZERS: list[OptimizerName] = ["lars", "momentum", "adam", "adamw"]


def tensors(seed: int = 0) -> tuple[dict[str, Tensor], dict[str, list[np.ndarray]]]:
    """Weights and a gradient for every step: usual ones, zero weights, a zero gradient, and left out ones."""
    random = np.random.default_rng(seed)
    start = {name: random.normal(size=(4, 3)) for name in ("usual", "still", "out", "zero", "dead")}
    start["zero"] *= 0
    start["dead"] *= 0
    gradients = {name: [random.normal(size=(4, 3)) for _ in RATES] for name in start}
    gradients["still"] = [g * (step % 2) for step, g in enumerate(gradients["still"])]
    gradients["dead"] = [g * 0 for g in gradients["dead"]]
    return {name: torch.from_numpy(value).clone().requires_grad_() for name, value in start.items()}, gradients


def run(optimizer: torch.optim.Optimizer, weights: dict[str, Tensor], gradients: dict[str, list[np.ndarray]]) -> None:
    for step, rate in enumerate(RATES):
        set_learning_rate(optimizer, rate)
        for name, weight in weights.items():
            weight.grad = torch.from_numpy(gradients[name][step].copy())
        optimizer.step()


def made(
    name: OptimizerName, weights: dict[str, Tensor], *, decay: float = 0.01, momentum: float = 0.9
) -> torch.optim.Optimizer:
    return make_optimizer(
        name, weights.items(), learning_rate=0.1, momentum=momentum, weight_decay=decay, excluded={"out"}
    )


@pytest.mark.parametrize(("decay", "momentum"), [(0.0, 0.9), (0.02, 0.7)])
def test_lars_is_googles(decay: float, momentum: float) -> None:
    weights, gradients = tensors()
    expected = {
        name: reference.lars(
            value.detach().numpy().copy(),
            gradients[name],
            RATES,
            momentum=momentum,
            decay=decay,
            excluded=name == "out",
        )
        for name, value in weights.items()
    }
    optimizer = made("lars", weights, decay=decay, momentum=momentum)
    for step, rate in enumerate(RATES):
        set_learning_rate(optimizer, rate)
        for name, weight in weights.items():
            weight.grad = torch.from_numpy(gradients[name][step].copy())
        optimizer.step()
        for name, weight in weights.items():
            np.testing.assert_allclose(weight.detach().numpy(), expected[name][step], rtol=1e-12, atol=1e-15)


def test_nesterov_lars_is_googles() -> None:
    weights, gradients = tensors(1)
    start = {name: weight.detach().numpy().copy() for name, weight in weights.items()}
    run(LARS(list(weights.values()), 0.1, momentum=0.8, weight_decay=0.02, nesterov=True), weights, gradients)
    for name, weight in weights.items():
        expected = reference.lars(start[name], gradients[name], RATES, momentum=0.8, decay=0.02, nesterov=True)
        np.testing.assert_allclose(weight.detach().numpy(), expected[-1], rtol=1e-12, atol=1e-15)


def test_a_first_lars_step_is_a_thousandth_of_the_weights_times_the_rate() -> None:
    weight = torch.randn(5, 7, dtype=torch.float64, requires_grad=True)
    before = weight.detach().clone()
    weight.grad = torch.randn(5, 7, dtype=torch.float64) * 1e6
    LARS([weight], 0.4).step()
    moved = (weight.detach() - before).norm()
    assert moved.item() == pytest.approx(0.4 * 0.001 * before.norm().item(), rel=1e-12)


def test_lars_has_the_papers_momentum_where_none_is_given() -> None:
    weight = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = LARS([weight], 1.0, trust=False)
    for gradient in (1.0, 0.0):
        weight.grad = torch.full((2,), gradient, dtype=torch.float64)
        optimizer.step()
    assert weight.tolist() == pytest.approx([-1.9] * 2, rel=1e-12)


def test_lars_keeps_the_rate_of_a_step_in_its_momentum() -> None:
    weight = torch.ones(3, dtype=torch.float64, requires_grad=True)
    optimizer = LARS([weight], 0.4, momentum=0.5, trust=False)
    weight.grad = torch.ones(3, dtype=torch.float64)
    optimizer.step()
    set_learning_rate(optimizer, 1000.0)
    weight.grad.zero_()
    optimizer.step()
    assert weight.tolist() == pytest.approx([1 - 0.4 - 0.2] * 3, rel=1e-12)


class Waiting(TorchDispatchMode):
    """Counts what makes the host wait for the device."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.calls += "_local_scalar_dense" in str(func)
        return func(*args, **(kwargs or {}))


def test_a_lars_step_does_not_wait_for_the_device() -> None:
    weights, gradients = tensors()
    optimizer = made("lars", weights)
    with Waiting() as waiting:
        run(optimizer, weights, gradients)
        assert waiting.calls == 0
        weights["usual"].sum().item()
    assert waiting.calls == 1


def test_momentum_is_tensorflows_nesterov() -> None:
    weights, gradients = tensors(2)
    start = {name: weight.detach().numpy().copy() for name, weight in weights.items()}
    run(made("momentum", weights), weights, gradients)
    for name, weight in weights.items():
        decay = 0.0 if name == "out" else 0.01
        expected = reference.nesterov(start[name], gradients[name], RATES, 0.9, decay)
        np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=1e-12, atol=1e-15)


def test_without_momentum_it_is_plain_descent() -> None:
    weight = torch.ones(2, requires_grad=True)
    optimizer = make_optimizer(
        "momentum", [("w", weight)], learning_rate=0.5, momentum=0.0, weight_decay=0.0, excluded=()
    )
    weight.grad = torch.ones(2)
    for _ in range(2):
        optimizer.step()
    assert weight.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_is_the_papers_and_nearly_tensorflows(name: OptimizerName) -> None:
    weights, gradients = tensors(3)
    start = {name: weight.detach().numpy().copy() for name, weight in weights.items()}
    run(made(name, weights), weights, gradients)
    for tensor, weight in weights.items():
        decay = 0.0 if tensor == "out" else 0.01
        paper, tensorflow = (
            reference.adam(
                start[tensor], gradients[tensor], RATES, decay, apart=name == "adamw", eps_inside=inside
            )
            for inside in (False, True)
        )  # fmt: skip
        np.testing.assert_allclose(weight.detach().numpy(), paper, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(weight.detach().numpy(), tensorflow, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_is_left_out_does_not_decay(name: OptimizerName) -> None:
    weights = {part: torch.ones(3, requires_grad=True) for part in ("in", "out")}
    optimizer = made(name, weights, decay=0.1)
    for _ in range(2):
        for weight in weights.values():
            weight.grad = torch.zeros(3)
        optimizer.step()
    assert weights["out"].tolist() == [1.0] * 3
    assert (weights["in"] < 1).all()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_stored_state_goes_on_as_if_nothing_had_happened(name: OptimizerName) -> None:
    whole, gradients = tensors(4)
    parted, _ = tensors(4)
    run(made(name, whole), whole, gradients)
    optimizer = made(name, parted)
    for step, rate in enumerate(RATES):
        if step == 3:
            state = optimizer.state_dict()
            optimizer = made(name, parted)
            optimizer.load_state_dict(state)
        set_learning_rate(optimizer, rate)
        for part, weight in parted.items():
            weight.grad = torch.from_numpy(gradients[part][step].copy())
        optimizer.step()
    for part, weight in whole.items():
        assert torch.equal(parted[part], weight)


def test_frozen_weights_and_those_without_gradient_stay() -> None:
    frozen, unused, used = (torch.ones(2, requires_grad=flag) for flag in (False, True, True))
    optimizer = make_optimizer(
        "lars", [("a", frozen), ("b", unused), ("c", used)],
        learning_rate=1.0, momentum=0.9, weight_decay=0.5, excluded=(),
    )  # fmt: skip
    assert [len(group["params"]) for group in optimizer.param_groups] == [2, 0]
    used.grad = torch.ones(2)
    optimizer.step()
    assert (frozen.tolist(), unused.tolist()) == ([1.0, 1.0], [1.0, 1.0])
    assert (used < 1).all()


def test_a_step_with_a_closure_returns_its_loss() -> None:
    weight = torch.tensor([3.0], requires_grad=True)
    optimizer = LARS([weight], 0.1)

    def closure() -> float:
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 9.0
    assert weight.item() == pytest.approx(3 - 0.1 * 0.001 * 3, rel=1e-6)
    assert LARS([weight], 0.1).step() is None


@pytest.mark.parametrize(("name", "norms"), [("bit-r26x1", 25), ("resnet18", 21)])
def test_every_norm_and_bias_is_left_out_and_no_kernel(name: str, norms: int) -> None:
    encoder = build_random(architecture(name), Contract(), seed=0)
    network = nn.ModuleDict(
        {"encoder": encoder, "head": ProjectionHead("nonlinear", encoder.width), "top": Classifier(encoder.width, 3)}
    )
    names = excluded(network)
    shapes = {parameter_name: parameter.ndim for parameter_name, parameter in network.named_parameters()}
    assert names <= shapes.keys()
    assert {shapes[left_out] for left_out in names} == {1}
    assert {shapes[kept] for kept in shapes.keys() - names} == {2, 4}
    assert len(names) == 2 * norms + 3 + 1  # a head of two norms, one without offset, and the classifier's bias


def test_f12_the_official_patterns_miss_group_norms_and_them_alone() -> None:
    encoder = build_random(architecture("bit-r26x1"), Contract(), seed=0)
    head = ProjectionHead("nonlinear", encoder.width)
    network = nn.ModuleDict({"encoder": encoder, "head": head, "top": Classifier(encoder.width, 3)})
    missed = excluded(network) - excluded(network, "official")
    group_norms = [path for path, module in network.named_modules() if isinstance(module, nn.GroupNorm)]
    assert missed == {f"{path}.{part}" for path in group_norms for part in ("weight", "bias")}
    assert excluded(network, "official") == {f"head.{part}" for part in excluded(head)} | {"top.bias"}


def test_f12_under_the_official_rule_a_group_norm_decays_and_an_offset_of_zeros_moves_at_the_raw_rate() -> None:
    norm = nn.GroupNorm(2, 4).double()
    optimizer = make_optimizer(
        "lars", norm.named_parameters(), learning_rate=0.5, momentum=0.9, weight_decay=0.1,
        excluded=excluded(norm, "official"),
    )  # fmt: skip
    norm.weight.grad, norm.bias.grad = torch.zeros(4).double(), torch.full((4,), 0.25).double()
    optimizer.step()
    assert norm.weight.tolist() == pytest.approx([1 - 0.5 * 0.001] * 4)  # ‖w‖ / ‖0.1 w‖ · 0.1 w = w
    assert norm.bias.tolist() == pytest.approx([-0.125] * 4)


def test_f27_names_are_whole_names() -> None:
    weights = {name: torch.ones(2, requires_grad=True) for name in ("head", "head_new", "a.head", "head.weight")}
    optimizer = make_optimizer(
        "lars", weights.items(), learning_rate=1.0, momentum=0.9, weight_decay=0.0, excluded={"head"}
    )
    for weight in weights.values():
        weight.grad = torch.full((2,), 100.0)
    optimizer.step()
    moved = {name: 1 - weight[0].item() for name, weight in weights.items()}
    assert moved == pytest.approx({"head": 100.0, "head_new": 0.001, "a.head": 0.001, "head.weight": 0.001}, rel=1e-3)


def test_a_norm_that_is_asked_itself_names_its_own_parameters() -> None:
    assert excluded(nn.LayerNorm(3)) == {"weight", "bias"}
    assert excluded(nn.Linear(3, 2), "official") == {"bias"}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_group_gets_the_rate(name: OptimizerName) -> None:
    weights, _ = tensors()
    optimizer = made(name, weights)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.1]
    set_learning_rate(optimizer, 0.7)
    assert [group["lr"] for group in optimizer.param_groups] == [0.7, 0.7]
