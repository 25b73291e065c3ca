"""Several processes that train one network: started by `torchrun`, or one process alone.

Every process holds n of the global batch's M images, the same n in each, in the order of the ranks.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from remedis.errors import UsageError

TIMEOUT = timedelta(minutes=15)  # longer than a slow storage may keep one process; a dead one is noticed by then


def start(device: str) -> None:
    """Join the processes that `torchrun` started; does nothing for a process alone.

    Args:
        device: Where the tensors will lie. `cuda`: over NCCL, and this process takes the device of its local rank;
            anything else: over gloo.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or dist.is_initialized():
        return
    nccl = device.startswith("cuda")
    if nccl:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if nccl else "gloo", timeout=TIMEOUT)


def stop() -> None:
    """Leave the other processes."""
    if _joined():
        dist.destroy_process_group()


def rank() -> int:
    """Return this process's number, from 0."""
    return dist.get_rank() if _joined() else 0


def world() -> int:
    """Return the number of processes, 1 for a process alone."""
    return dist.get_world_size() if _joined() else 1


def gather(x: Tensor) -> Tensor:
    """Return the x of all processes one after the other, (n, ...) to (M, ...), n the same in each.

    The gradient of an x is the sum of what all processes ask of it. A gather without gradient would lose the
    part in which this process's images are the others' negatives.
    """
    if world() == 1:
        return x
    gathered: Tensor = _Gather.apply(x)
    return gathered


def largest(value: int) -> int:
    """Return the largest of all processes' values; the way to stop all of them when one must."""
    if world() == 1:
        return value
    x = torch.tensor(value, device=device())
    dist.all_reduce(x, dist.ReduceOp.MAX)
    return int(x)


def mean(x: Tensor) -> Tensor:
    """Return the mean of all processes' x, without gradient."""
    x = x.detach()
    return x if world() == 1 else _sum(x) / world()


def synchronised(module: nn.Module) -> nn.Module:
    """Return the module with batch norms whose statistics are those of the global batch.

    Parameters, buffers and their names stay, so that optimisers and checkpoints do not notice. Statistics are
    computed in float32, or in float64 for float64 input; the running variance is the unbiased one of the global
    batch, as torch's is of one process's. (Google's program keeps the biased one where norms are global.)
    Call it after `start`. Works in place save where the module is itself a norm. A process alone gets the module
    as it is.

    Raises:
        UsageError: A batch norm of another library does more than a batch norm.
    """
    if world() == 1:
        return module
    if isinstance(module, _BatchNorm):
        return module if isinstance(module, nn.SyncBatchNorm) else _synchronised_norm(module)
    for name, child in module.named_children():
        setattr(module, name, synchronised(child))
    return module


class GlobalBatchNorm1d(nn.BatchNorm1d):
    """Batch normalisation (N, C) or (N, C, L) over all processes."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        self._check_input_dim(x)
        return _normalised(self, x) if _by_batch(self) else super().forward(x)


class GlobalBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation (N, C, H, W) over all processes, then what timm's `BatchNormAct2d` does after it."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        self._check_input_dim(x)
        x = _normalised(self, x) if _by_batch(self) else super().forward(x)
        for child in self.children():
            x = child(x)
        return x


def _synchronised_norm(norm: _BatchNorm) -> _BatchNorm:
    plain = type(norm).forward is _BatchNorm.forward and isinstance(norm, nn.BatchNorm1d | nn.BatchNorm2d)
    after = dict(norm.named_children())
    if not plain and list(after) != ["drop", "act"]:
        raise UsageError(
            f"the network has a norm {type(norm).__name__}, a plain batch norm was expected; train it in one process"
        )
    kind = GlobalBatchNorm1d if isinstance(norm, nn.BatchNorm1d) else GlobalBatchNorm2d
    made = kind(norm.num_features, norm.eps, norm.momentum, affine=False, track_running_stats=False)
    made.affine, made.track_running_stats = norm.affine, norm.track_running_stats
    for name in ("weight", "bias"):
        made.register_parameter(name, getattr(norm, name))
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        made.register_buffer(name, getattr(norm, name))
    for name, child in after.items():
        made.add_module(name, child)
    return made.train(norm.training)


def _by_batch(norm: _BatchNorm) -> bool:
    return norm.training or norm.running_mean is None


def _normalised(norm: _BatchNorm, x: Tensor) -> Tensor:
    """Return what the norm gives in training, and let its running statistics follow."""
    wide = torch.float64 if x.dtype == torch.float64 else torch.float32
    axes = [axis for axis in range(x.ndim) if axis != 1]
    with torch.no_grad():
        variance, mean_ = torch.var_mean(x.to(wide), axes, correction=0)
        count = torch.full_like(mean_, x.numel() / x.shape[1])
        counts, means, variances = _gathered(torch.stack((count, mean_, variance))[None]).unbind(1)
        total = counts.sum(0)
        mean_ = (counts * means).sum(0) / total
        variance = (counts * (variances + (means - mean_).square())).sum(0) / total
        _follow(norm, mean_, variance * total / (total - 1))
    normalised: Tensor = _Normalise.apply(x, norm.weight, norm.bias, mean_, variance, total, norm.eps)
    return normalised


def _follow(norm: _BatchNorm, mean_: Tensor, variance: Tensor) -> None:
    if not norm.training or norm.running_mean is None or norm.running_var is None or norm.num_batches_tracked is None:
        return
    norm.num_batches_tracked.add_(1)
    share = 1 / int(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
    norm.running_mean.lerp_(mean_.to(norm.running_mean.dtype), share)
    norm.running_var.lerp_(variance.to(norm.running_var.dtype), share)


class _Normalise(torch.autograd.Function):
    """Normalisation by statistics of the global batch, whose gradient knows that they depend on every x."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean_: Tensor,
        variance: Tensor,
        total: Tensor,
        eps: float,
    ) -> Tensor:
        ctx.save_for_backward(x, weight, mean_, (variance + eps).rsqrt(), total)
        return F.batch_norm(x, mean_, variance, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean_, inverse, total = ctx.saved_tensors
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [1, -1] + [1] * (x.ndim - 2)
        g = gradients[0].to(mean_.dtype)
        standard = (x.to(mean_.dtype) - mean_.view(shape)) * inverse.view(shape)
        sums = torch.stack((g.sum(axes), (g * standard).sum(axes)))
        of_bias, of_weight = sums
        shift, slope = _sum(sums) / total
        scale = inverse if weight is None else inverse * weight
        of_x = (g - shift.view(shape) - standard * slope.view(shape)) * scale.view(shape)
        needs = ctx.needs_input_grad
        return of_x.to(x.dtype), of_weight if needs[1] else None, of_bias if needs[2] else None, None, None, None, None


class _Gather(torch.autograd.Function):
    """All processes' rows; backward sums over the processes and takes this one's rows."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.rows = len(x)
        return _gathered(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        first = rank() * ctx.rows
        return _sum(gradients[0])[first : first + ctx.rows]


def _gathered(x: Tensor) -> Tensor:
    parts = [torch.empty_like(x, memory_format=torch.contiguous_format) for _ in range(world())]
    dist.all_gather(parts, x.contiguous())
    return torch.cat(parts)


def _sum(x: Tensor) -> Tensor:
    x = x.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(x)
    return x


def _joined() -> bool:
    return dist.is_available() and dist.is_initialized()


def device() -> str:
    """Return the device that tensors must lie on to be sent: `cuda` over NCCL, else `cpu`."""
    return "cuda" if dist.get_backend() == "nccl" else "cpu"
