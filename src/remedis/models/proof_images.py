"""The images that a proof is made with: noise and two photographs, of any size, the same everywhere."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch
from sklearn.datasets import load_sample_image
from torch import Tensor

from remedis.data.resize import resize

Pixels = np.ndarray[Any, np.dtype[np.uint8]]

KINDS = ("random", "real", "real")
PHOTOGRAPHS = ("china.jpg", "flower.jpg")  # both CC BY, they come with scikit-learn


def proof_images(size: int) -> Pixels:
    """Return (3, size, size, 3) uint8: noise of a fixed seed and two photographs, the centres of those two.

    Photographs matter beside noise: they have flat regions, edges and slopes, where group norms divide by small
    deviations.
    """
    noise = np.random.default_rng(size).integers(0, 256, (size, size, 3), dtype=np.uint8)
    return np.stack([noise, *(np.asarray(resize(_photograph(name), size, "crop")) for name in PHOTOGRAPHS)])


@cache
def _photograph(name: str) -> Pixels:
    photograph: Pixels = load_sample_image(name)
    return photograph


def as_input(pixels: Pixels, low_high: tuple[float, float]) -> Tensor:
    """Return images (N, S, S, 3) as float64 (N, 3, S, S), black at the low end of the range and white at the high."""
    low, high = low_high
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).to(torch.float64) / 255 * (high - low) + low
