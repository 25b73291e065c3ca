"""The same networks in float64, written once more and plainly: what a float32 graph is judged by.

Norms are numpy's, only the convolutions are TensorFlow's. What is added under a root is the float32 number that the
graph holds: 1e-10 is 1.3e-8 more there, and channels whose variance is 1e-10 show it (1e-8 of the map).

Sources: Big Transfer (arXiv:1912.11370), SimCLR (arXiv:2002.05709).
"""

from __future__ import annotations

from collections.abc import Callable

import bit
import forms
import numpy as np
import resnet_v1
import tensorflow as tf
from variants import Variant

Read = Callable[[str], np.ndarray]


def truth(variant: Variant, read: Read, images: np.ndarray) -> dict[str, np.ndarray]:
    """Return `map` (N, h, w, C) and `embedding` (N, C) in float64 for images (N, H, W, 3)."""
    x = images.astype(np.float64)
    if variant.dtype == "uint8":
        x = x / 255.0
    if variant.resize:
        x = bilinear(x, variant.resize)
    scale, shift = forms.SCALE_AND_SHIFT.get(variant.scaling, (2.0, -1.0))
    x = x * scale + shift
    x = bit_map(variant, read, x) if variant.network == "bit" else resnet_map(variant, read, x)
    return {"map": x, "embedding": x.mean(axis=(1, 2))}


def bit_map(v: Variant, read: Read, x: np.ndarray) -> np.ndarray:
    """BiT from the scaled image to the map."""

    def convolved(y: np.ndarray, name: str, stride: int = 1, border: int = 0) -> np.ndarray:
        kernel = read(f"{name}/standardized_conv2d/kernel").astype(np.float64)
        if v.kernel_norm != "ready":
            mean, variance = kernel.mean(axis=(0, 1, 2)), kernel.var(axis=(0, 1, 2))
            kernel = (kernel - mean) / np.sqrt(variance + float(np.float32(v.kernel_eps)))
        return conv(y, kernel, stride, border)

    def normed(y: np.ndarray, name: str) -> np.ndarray:
        count, height, width, channels = y.shape
        parts = y.reshape(count, height * width, 32, channels // 32)
        mean, variance = parts.mean(axis=(1, 3), keepdims=True), parts.var(axis=(1, 3), keepdims=True)
        parts = ((parts - mean) / np.sqrt(variance + float(np.float32(v.norm_eps)))).reshape(y.shape)
        return np.maximum(parts * read(f"{name}/gamma") + read(f"{name}/beta"), 0.0)

    x = max_pool(border_of(convolved(x, "root_block", 2, 3), 1))
    for name, channels, middle, stride in bit.units(v):
        h = normed(x, f"{name}/a/group_norm")
        shortcut = convolved(h, f"{name}/a/proj", stride) if stride != 1 or channels != 4 * middle else x
        h = normed(convolved(h, f"{name}/a"), f"{name}/b/group_norm")
        h = normed(convolved(h, f"{name}/b", stride, 1), f"{name}/c/group_norm")
        x = convolved(h, f"{name}/c") + shortcut
    return normed(x, "group_norm") if v.map == "after-norm" else x


def resnet_map(v: Variant, read: Read, x: np.ndarray) -> np.ndarray:
    """ResNet-v1 in evaluation mode from the scaled image to the map; layers are numbered as they are made."""
    number = 0

    def layer(y: np.ndarray, size: int, stride: int) -> np.ndarray:
        nonlocal number
        conv_name, norm_name = resnet_v1.numbered("conv2d", number), resnet_v1.numbered("batch_normalization", number)
        number += 1
        y = conv(y, read(f"base_model/{conv_name}/kernel").astype(np.float64), stride, size // 2)
        gamma, beta, mean, variance = (
            read(f"base_model/{norm_name}/{part}").astype(np.float64)
            for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return (y - mean) / np.sqrt(variance + float(np.float32(v.norm_eps))) * gamma + beta

    x = np.maximum(layer(x, 3 if v.cifar else 7, 1 if v.cifar else 2), 0.0)
    x = x if v.cifar else pool_same(x)
    for project, steps in resnet_v1.blocks(v):
        shortcut = layer(x, 1, steps[project][1]) if project is not None else x
        h = x
        for index, (size, stride) in enumerate(steps):
            h = layer(h, size, stride)
            h = np.maximum(h, 0.0) if index < len(steps) - 1 else h
        x = np.maximum(h + shortcut, 0.0)
    return x


def conv(x: np.ndarray, kernel: np.ndarray, stride: int, border: int) -> np.ndarray:
    """Cross-correlation with `border` zeros around."""
    return tf.nn.conv2d(border_of(x, border), kernel, stride, "VALID").numpy()


def border_of(x: np.ndarray, width: int, value: float = 0.0) -> np.ndarray:
    """Return x with a border."""
    return np.pad(x, ((0, 0), (width, width), (width, width), (0, 0)), constant_values=value)


def max_pool(x: np.ndarray) -> np.ndarray:
    """3x3 of stride 2, without a border."""
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))[:, ::2, ::2]
    return windows.max(axis=(4, 5))


def pool_same(x: np.ndarray) -> np.ndarray:
    """3x3 max of stride 2, SAME: an even side gets one row at its end, an odd side one at each end; they never win."""
    top, left = x.shape[1] % 2, x.shape[2] % 2
    return max_pool(np.pad(x, ((0, 0), (top, 1), (left, 1), (0, 0)), constant_values=-np.inf))


def bilinear(x: np.ndarray, side: int) -> np.ndarray:
    """Resize to `side` by linear interpolation between pixel centres, the border repeated."""
    for axis in (1, 2):
        old = x.shape[axis]
        centre = np.clip((np.arange(side) + 0.5) * old / side - 0.5, 0, old - 1)
        below = np.floor(centre).astype(int)
        above = np.minimum(below + 1, old - 1)
        share = np.expand_dims(centre - below, tuple(d for d in range(4) if d != axis))
        x = np.take(x, below, axis) * (1 - share) + np.take(x, above, axis) * share
    return x
