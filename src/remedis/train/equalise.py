"""Histogram equalisation of 8-bit images, exact in whole numbers."""

from __future__ import annotations

import torch
from torch import Tensor

_LEVELS = 256
_GREY = (2989, 5870, 1140)  # ten thousandths; tf.image.rgb_to_grayscale


def equalise(images: Tensor, heights: Tensor, widths: Tensor) -> Tensor:
    """Return the images grey and with an even histogram.

    Args:
        images: (n, H, W, 3) uint8, padded at bottom and right.
        heights: (n,) int64 rows that are image.
        widths: (n,) int64 columns that are image.

    Returns:
        (n, H, W, 3) uint8 with three equal channels; the padding is of no meaning.
    """
    n, height, width = images.shape[:3]
    red, green, blue = images.int().unbind(3)
    grey = (_GREY[0] * red + _GREY[1] * green + _GREY[2] * blue + 5000).div(10000, rounding_mode="floor").long()
    rows, columns = torch.arange(height, device=images.device), torch.arange(width, device=images.device)
    valid = (rows < heights[:, None])[:, :, None] & (columns < widths[:, None])[:, None, :]
    counts = torch.zeros((n, _LEVELS), dtype=torch.int64, device=images.device)
    counts.scatter_add_(1, grey.reshape(n, -1), valid.reshape(n, -1).long())
    levels = _levels(counts).gather(1, grey.reshape(n, -1)).reshape(n, height, width, 1)
    return levels.expand(-1, -1, -1, 3)


def _levels(counts: Tensor) -> Tensor:
    below = counts.cumsum(1)
    darkest = torch.where(counts > 0, below, below[:, -1:]).amin(1, keepdim=True)
    spread = below[:, -1:] - darkest
    levels = ((below - darkest) * 2 * (_LEVELS - 1) + spread).div(2 * spread.clamp(min=1), rounding_mode="floor")
    same = torch.arange(_LEVELS, device=counts.device)
    # levels below the darkest come out negative; no pixel has them
    return torch.where(spread > 0, levels, same).to(torch.uint8)
