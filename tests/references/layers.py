"""Layers of convolutional networks in numpy, float64, written from their definitions; images are (N, C, H, W)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

Array = npt.NDArray[Any]


def pad(x: Array, top: int, bottom: int, left: int, right: int, value: float = 0.0) -> Array:
    """Return x with a border of `value`."""
    return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)


def windows(x: Array, size: int, stride: int) -> Array:
    """Return every window that lies wholly inside, (N, C, h, w, size, size)."""
    return sliding_window_view(x, (size, size), axis=(2, 3))[:, :, ::stride, ::stride]


def conv(x: Array, kernels: Array, stride: int = 1, border: int = 0) -> Array:
    """Return the cross-correlation of x, with zeros around it, and kernels (out, in, k, k)."""
    seen = windows(pad(x, border, border, border, border), kernels.shape[-1], stride)
    return np.moveaxis(np.tensordot(seen, kernels, axes=([1, 4, 5], [1, 2, 3])), 3, 1)


def max_pool(x: Array, size: int, stride: int) -> Array:
    """Return the largest value of each window, without a border."""
    return windows(x, size, stride).max(axis=(4, 5))


def relu(x: Array) -> Array:
    """Return x where it is positive, else 0."""
    return np.maximum(x, 0.0)


def per_channel(values: Array) -> Array:
    """Return (C,) so that it multiplies or adds to (N, C, H, W)."""
    return values[None, :, None, None]
