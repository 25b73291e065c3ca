"""BiT's ResNet-v2 in numpy, float64: Big Transfer (arXiv:1912.11370), big_transfer's bit_pytorch/models.py.

Weights come by timm's names; nothing of remedis is used.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from references.layers import Array, conv, max_pool, pad, per_channel, relu

UNITS = {26: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def standardised(kernels: Array) -> Array:
    """Each output channel's kernel: mean 0 and variance 1 (population), 1e-10 under the root."""
    flat = kernels.reshape(len(kernels), -1)
    mean = flat.sum(axis=1) / flat.shape[1]
    variance = ((flat - mean[:, None]) ** 2).sum(axis=1) / flat.shape[1]
    return ((flat - mean[:, None]) / np.sqrt(variance + 1e-10)[:, None]).reshape(kernels.shape)


def group_norm_relu(x: Array, gamma: Array, beta: Array) -> Array:
    """32 groups of neighbouring channels, eps 1e-5, then ReLU."""
    count, channels, height, width = x.shape
    groups = x.reshape(count, 32, -1)
    mean = groups.mean(axis=2, keepdims=True)
    deviation = np.sqrt(((groups - mean) ** 2).mean(axis=2, keepdims=True) + 1e-5)
    normal = ((groups - mean) / deviation).reshape(count, channels, height, width)
    return relu(normal * per_channel(gamma) + per_channel(beta))


def unit(x: Array, weights: Mapping[str, Array], name: str, stride: int) -> Array:
    """Pre-activation bottleneck: the projection, where there is one, starts from the normalised input."""

    def norm(y: Array, number: int) -> Array:
        return group_norm_relu(y, weights[f"{name}.norm{number}.weight"], weights[f"{name}.norm{number}.bias"])

    def convolved(y: Array, which: str, stride: int = 1, border: int = 0) -> Array:
        return conv(y, standardised(weights[f"{name}.{which}.weight"]), stride, border)

    active = norm(x, 1)
    projects = f"{name}.downsample.conv.weight" in weights
    shortcut = convolved(active, "downsample.conv", stride) if projects else x
    y = norm(convolved(active, "conv1"), 2)
    y = norm(convolved(y, "conv2", stride, 1), 3)
    return shortcut + convolved(y, "conv3")


def stages(images: Array, weights: Mapping[str, Array], depth: int) -> dict[str, Array]:
    """Outputs of all stages for images in [0, 1]."""
    stem = conv(2.0 * images - 1.0, standardised(weights["stem.conv.weight"]), 2, 3)
    outputs = {"stem": max_pool(pad(stem, 1, 1, 1, 1), 3, 2)}
    x = outputs["stem"]
    for number, units in enumerate(UNITS[depth]):
        for index in range(units):
            stride = 2 if number > 0 and index == 0 else 1
            x = unit(x, weights, f"stages.{number}.blocks.{index}", stride)
        outputs[f"stage{number + 1}"] = x
    outputs["map"] = group_norm_relu(x, weights["norm.weight"], weights["norm.bias"])
    outputs["embedding"] = outputs["map"].mean(axis=(2, 3))
    return outputs
