"""Images, sizes and keys that several tests of the augmentations use."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from remedis.train.keys import keys_of

Array = np.ndarray[Any, np.dtype[Any]]


def figures() -> dict[str, Array]:
    """Return what TensorFlow computed (`make_augmentation_figures.py`)."""
    with np.load(Path(__file__).with_name("augmentation_figures.npz")) as stored:
        return dict(stored)


def some_keys(count: int, *, seed: int = 5, epoch: int = 0, view: int = 0) -> Tensor:
    """Return the keys of the first images of a data set."""
    return keys_of(seed, torch.full((count,), epoch), torch.arange(count), view)


def smooth(height: int, width: int, seed: int = 0) -> Array:
    """Return (height, width, 3) uint8: a few random waves, so that a small shift changes little."""
    draw = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    picture = np.zeros((height, width, 3))
    for channel in range(3):
        for _ in range(4):
            turns = draw.uniform(-1.5, 1.5, 2) / max(height, width)
            picture[..., channel] += np.sin(2 * np.pi * (turns[0] * rows + turns[1] * columns + draw.random()))
    return np.uint8(np.clip(127.5 + 31.8 * picture, 0, 255))


def batch(pictures: list[Array], *, more_rows: int = 0, more_columns: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pictures padded with noise at bottom and right, and their heights and widths."""
    heights = torch.tensor([len(picture) for picture in pictures])
    widths = torch.tensor([picture.shape[1] for picture in pictures])
    shape = (len(pictures), int(heights.max()) + more_rows, int(widths.max()) + more_columns, 3)
    images = torch.from_numpy(np.random.default_rng(more_rows).integers(0, 256, shape, dtype=np.uint8))
    for image, picture in zip(images, pictures, strict=True):
        image[: len(picture), : picture.shape[1]] = torch.from_numpy(picture)
    return images, heights, widths


def noise(*sizes: tuple[int, int], seed: int = 1) -> list[Array]:
    """Return an (H, W, 3) uint8 picture of noise for each size."""
    draw = np.random.default_rng(seed)
    return [draw.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
