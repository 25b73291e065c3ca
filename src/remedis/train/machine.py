"""What computes a training: the device's precision and the processes that read."""

from __future__ import annotations

import os

import torch

from remedis.errors import UsageError
from remedis.models.accelerate import has_amx


def precision_of(wished: str | None, device: str) -> str:
    """Return `fp32` or `bf16`: what was wished for, else bfloat16 on GPUs that have it and processors with AMX.

    Processors with AVX512-BF16 alone compute it too, and train more slowly than in float32 (docs/performance.md).

    Raises:
        UsageError: Another word.
    """
    if wished not in (None, "fp32", "bf16"):
        raise UsageError(f"--precision is {wished!r}, fp32 or bf16 was expected")
    able = torch.cuda.is_bf16_supported() if device.startswith("cuda") else has_amx()
    return wished or ("bf16" if able else "fp32")


def workers_of(wished: int | None) -> int:
    """Return how many processes read: as wished, else one less than the processors."""
    return max(1, (os.cpu_count() or 2) - 1) if wished is None else max(0, wished)
