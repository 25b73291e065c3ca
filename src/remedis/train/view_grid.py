"""A picture of a step's first pairs of views: what the network is asked to call the same."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from remedis.data.files import write_atomic

_GAP = 2  # pixels between the two views of a pair; pairs are twice as far apart
_COLUMNS = 6


def grid(first: Tensor, second: Tensor, path: Path, most: int = 24) -> None:
    """Write a PNG of pairs, the two views of each side by side.

    Args:
        first: (n, 3, S, S) in [0, 1].
        second: (n, 3, S, S), the other view of the same images.
        path: Where; `.png`.
        most: Pairs that are shown.
    """
    count = min(most, len(first))
    side = first.shape[-1]
    columns = min(_COLUMNS, count)
    rows = -(-count // columns)
    wide, high = 2 * side + 3 * _GAP, side + 2 * _GAP
    canvas = torch.full((rows * high, columns * wide, 3), 255, dtype=torch.uint8)
    for place in range(count):
        top, left = place // columns * high + _GAP, place % columns * wide + _GAP
        for view, images in enumerate((first, second)):
            x = left + view * (side + _GAP)
            pixels = (images[place].clamp(0, 1) * 255).round().to(torch.uint8)
            canvas[top : top + side, x : x + side] = pixels.permute(1, 2, 0).cpu()
    with write_atomic(path) as temporary:
        Image.fromarray(canvas.numpy()).save(temporary, format="PNG")
