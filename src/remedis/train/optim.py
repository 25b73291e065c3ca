"""The optimisers of contrastive training: LARS as Google wrote it, and torch's own with the program's weight decay."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal, overload

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

OptimizerName = Literal["lars", "momentum", "sgd", "adam", "adamw"]
Rule = Literal["norms-and-biases", "official"]

ETA = 0.001  # LARS: the length of an update as a share of the weights' length

_NORMS = (_BatchNorm, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm, nn.modules.instancenorm._InstanceNorm)


class LARS(Optimizer):
    """Stochastic gradient descent whose step is a fixed share of each tensor's length.

    With w a tensor of weights and g its gradient:

        g ← g + λw
        τ = η‖w‖ / ‖g‖, or 1 where either length is 0
        v ← μv + lr·τ·g
        w ← w - v, or w - (μv + lr·τ·g) with `nesterov`

    The learning rate stands inside v: a change of it does not scale what has gathered there. A group with
    `trust: False` has τ = 1. ‖g‖ is the length of the sum g + λw; timm and lightly add two lengths. Nothing waits for
    the device, on which all tensors of a group lie.

    Args:
        params: Tensors or groups.
        lr: Learning rate; a float, changed between steps by `set_learning_rate`.
        momentum: μ.
        weight_decay: λ.
        eta: η.
        nesterov: See above.
        trust: Whether τ is computed.

    Source: arXiv:1708.03888; google-research/simclr lars_optimizer.py, the classic momentum.
    """

    def __init__(
        self,
        params: Iterable[Tensor] | Iterable[dict[str, Any]],
        lr: float,
        *,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        eta: float = ETA,
        nesterov: bool = False,
        trust: bool = True,
    ) -> None:
        defaults = {
            "lr": lr, "momentum": momentum, "weight_decay": weight_decay,
            "eta": eta, "nesterov": nesterov, "trust": trust,
        }  # fmt: skip
        super().__init__(params, defaults)

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Make one update from the gradients; tensors without one stay as they are."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with torch.no_grad():
            for group in self.param_groups:
                self._update(group)
        return loss

    def _update(self, group: dict[str, Any]) -> None:
        weights = [weight for weight in group["params"] if weight.grad is not None]
        if not weights:
            return
        gradients = [weight.grad for weight in weights]
        if group["weight_decay"] != 0:
            gradients = list(torch._foreach_add(gradients, weights, alpha=group["weight_decay"]))
        if group["trust"]:
            gradients = list(torch._foreach_mul(gradients, _trust_ratios(weights, gradients, group["eta"])))
        velocities = [self._velocity(weight) for weight in weights]
        torch._foreach_mul_(velocities, group["momentum"])
        torch._foreach_add_(velocities, gradients, alpha=group["lr"])
        torch._foreach_sub_(weights, velocities, alpha=group["momentum"] if group["nesterov"] else 1.0)
        if group["nesterov"]:
            torch._foreach_sub_(weights, gradients, alpha=group["lr"])

    def _velocity(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(weight)
        velocity: Tensor = state["momentum_buffer"]
        return velocity


def _trust_ratios(weights: list[Tensor], gradients: list[Tensor], eta: float) -> list[Tensor]:
    """Return τ of each tensor, a scalar on its device."""
    w = torch.stack(torch._foreach_norm(weights))
    g = torch.stack(torch._foreach_norm(gradients))
    return list(torch.where((w > 0) & (g > 0), eta * w / g, 1.0).unbind())


def excluded(module: nn.Module, rule: Rule = "norms-and-biases") -> set[str]:
    """Return the names of the parameters that get no weight decay, and no trust ratio from LARS.

    Args:
        module: Whose `named_parameters` are asked.
        rule: `norms-and-biases`: every bias and every norm's scale and offset. `official`: what Google's patterns
            `batch_normalization` and `bias` match; a group norm's are `gamma` and `beta`, so they decay.
    """
    names = set()
    for path, owner in module.named_modules():
        norm = isinstance(owner, _NORMS)
        for name, _ in owner.named_parameters(recurse=False):
            if rule == "official":
                out = isinstance(owner, _BatchNorm) or (name == "bias" and not norm)
            else:
                out = norm or name == "bias"
            if out:
                names.add(f"{path}.{name}" if path else name)
    return names


def make_optimizer(
    name: OptimizerName,
    named_parameters: Iterable[tuple[str, Tensor]],
    *,
    learning_rate: float,
    momentum: float,
    weight_decay: float,
    excluded: Collection[str],
) -> Optimizer:
    """Return an optimiser with two groups, the weights that decay and those that do not.

    Args:
        name: `lars`; `momentum`: Nesterov's; `sgd`: the plain one; `adam`: the decay is part of the gradient, as an L2
            term of the loss makes it; `adamw`: the decay is apart from it. Both with β 0.9 and 0.999, ε 1e-8;
            TensorFlow adds ε before the correction of the bias, which shows only on gradients of about that size.
        named_parameters: As `nn.Module.named_parameters` gives them; those that need no gradient are left out.
        learning_rate: Of the first step.
        momentum: Of `lars`, `momentum` and `sgd`.
        weight_decay: λ; the L2 term is λ/2 ‖w‖².
        excluded: Whole names, no patterns.
    """
    groups: tuple[list[Tensor], list[Tensor]] = ([], [])
    for parameter_name, parameter in named_parameters:
        if parameter.requires_grad:
            groups[parameter_name in excluded].append(parameter)
    params: list[dict[str, Any]] = [
        {"params": groups[0], "weight_decay": weight_decay},
        {"params": groups[1], "weight_decay": 0.0},
    ]
    if name == "lars":
        params[1]["trust"] = False
        return LARS(params, learning_rate, momentum=momentum)
    if name in ("momentum", "sgd"):
        return torch.optim.SGD(params, learning_rate, momentum=momentum, nesterov=name == "momentum" and momentum > 0)
    kind = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return kind(params, learning_rate, betas=(0.9, 0.999), eps=1e-8)


def set_learning_rate(optimizer: Optimizer, value: float) -> None:
    """Give every group the same learning rate."""
    for group in optimizer.param_groups:
        group["lr"] = value


def memory_of(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return what an optimiser remembers, as tensors whose names `remember` knows."""
    return {
        f"optimizer.{number}.{name}": torch.as_tensor(value)
        for number, memory in optimizer.state_dict()["state"].items()
        for name, value in memory.items()
    }


def remember(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimiser back what `memory_of` took from it; other tensors are passed over."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, number, key = name.split(".", 2)
            state.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
