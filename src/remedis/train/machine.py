"""What computes a training: the device's precision and the processes that read."""

from __future__ import annotations

import os

import torch

from remedis.errors import UsageError
from remedis.models.accelerate import has_bf16


def precision_of(wished: str | None, device: str) -> str:
    """Return `fp32` or `bf16`: what was wished for, else bfloat16 where the device computes it itself.

    Raises:
        UsageError: Another word.
    """
    if wished not in (None, "fp32", "bf16"):
        raise UsageError(f"--precision is {wished!r}, fp32 or bf16 was expected")
    able = torch.cuda.is_bf16_supported() if device.startswith("cuda") else has_bf16()
    return wished or ("bf16" if able else "fp32")


def workers_of(wished: int | None) -> int:
    """Return how many processes read: as wished, else one less than the processors."""
    return max(1, (os.cpu_count() or 2) - 1) if wished is None else max(0, wished)
