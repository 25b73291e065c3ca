"""A small network of another family: 3x3 convolutions and pools, after VGG (arXiv:1409.1556)."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import tensorflow as tf

CHANNELS = (3, 32, 64, 128)


def shapes() -> dict[str, tuple[int, ...]]:
    """Return the shape of every variable by name."""
    found: dict[str, tuple[int, ...]] = {}
    for block, (before, after) in enumerate(itertools.pairwise(CHANNELS), start=1):
        found |= {f"block{block}_conv1/kernel": (3, 3, before, after), f"block{block}_conv1/bias": (after,)}
    return found


def forward(x: tf.Tensor, read: Callable[[str], tf.Tensor]) -> tf.Tensor:
    """Images (N, H, W, 3) to a map (N, H / 8, W / 8, 128)."""
    for block in range(1, len(CHANNELS)):
        x = tf.nn.conv2d(x, read(f"block{block}_conv1/kernel"), 1, "SAME")
        x = tf.nn.relu(tf.nn.bias_add(x, read(f"block{block}_conv1/bias")))
        x = tf.nn.max_pool2d(x, 2, 2, "VALID")
    return x
