"""Mixup: two images and what is wanted of them, mixed (Zhang et al., arXiv:1710.09412)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from remedis.train.labels import Asked


def share_of(alpha: float, seed: int, step: int) -> float:
    """Return λ of a step, drawn from Beta(α, α); one for the whole batch, as BiT has it."""
    return float(np.random.default_rng([seed, step, 9]).beta(alpha, alpha))


def mixed(images: Tensor, asked: Asked, share: float) -> tuple[Tensor, Asked]:
    """Return each image as λ of itself and 1 - λ of its neighbour.

    Neighbours are rows 2k and 2k + 1; as the order of a batch is drawn, so are the pairs, and they are the same however
    a batch is shared out among processes (in even parts). The last of an odd number stays as it is. Where either label
    of a pair is unknown, the pair's is.

    Args:
        images: (n, 3, S, S).
        asked: What is wanted of them.
        share: λ.
    """
    other = torch.arange(len(images), device=images.device) ^ 1
    other[other == len(images)] -= 1
    weights = share * asked.weights + (1 - share) * asked.weights[other]
    known = (asked.weights > 0) & (asked.weights[other] > 0)
    wanted = share * asked.wanted + (1 - share) * asked.wanted[other]
    return share * images + (1 - share) * images[other], Asked(wanted, torch.where(known, weights, 0.0))
