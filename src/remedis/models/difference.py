"""How far two results are from each other, as every proof states it."""

from __future__ import annotations

import torch
from torch import Tensor


def relative(found: Tensor, expected: Tensor) -> float:
    """Return the largest ‖found − expected‖₂ / ‖expected‖₂ over the images (first axis), in float64.

    Infinite where the shapes differ or a value is not finite.
    """
    if found.shape != expected.shape:
        return float("inf")
    a, b = (one.detach().to("cpu", torch.float64).reshape(len(one), -1) for one in (found, expected))
    if not (bool(a.isfinite().all()) and bool(b.isfinite().all())):
        return float("inf")
    distance, length = (a - b).norm(dim=1), b.norm(dim=1)
    return float((distance / length.clamp_min(torch.finfo(torch.float64).tiny)).max()) if len(a) else 0.0


def absolute(found: Tensor, expected: Tensor) -> float:
    """Return the largest |found − expected|, in float64."""
    return float((found.detach().to("cpu", torch.float64) - expected.detach().to("cpu", torch.float64)).abs().max())
