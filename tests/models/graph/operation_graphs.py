"""Small whole graphs, as writers of SavedModels make them; TensorFlow alone.

Constants named `variable_*` are stored as variables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

Function = Callable[[tf.Tensor], tf.Tensor]
GROUPS = 4


def variable(name: str, *shape: int, dtype: tf.DType, low: float = -1.0, high: float = 1.0) -> tf.Tensor:
    """Return fixed numbers as a variable."""
    numbers = np.random.default_rng(sum(map(ord, name))).uniform(low, high, shape).astype("float32")
    return tf.constant(numbers, dtype, name=f"variable_{name}")


def affine(x: tf.Tensor) -> tf.Tensor:
    channels = x.shape[-1]
    return x * variable("gamma", channels, dtype=x.dtype, low=0.5) + variable("beta", channels, dtype=x.dtype)


def grouped(x: tf.Tensor) -> tf.Tensor:
    """Return (N, H, W, C) as (N, H, W, G, C/G), sizes taken from the image as it comes."""
    shape = tf.shape(x)
    return tf.reshape(x, [shape[0], shape[1], shape[2], GROUPS, x.shape[-1] // GROUPS])


def norm_by_moments(x: tf.Tensor) -> tf.Tensor:
    groups = grouped(x)
    mean, variance = tf.nn.moments(groups, [1, 2, 4], keepdims=True)
    return affine(tf.reshape((groups - mean) * tf.math.rsqrt(variance + 1e-5), tf.shape(x)))


def norm_by_squared_difference(x: tf.Tensor) -> tf.Tensor:
    groups = grouped(x)
    mean = tf.reduce_mean(groups, [1, 2, 4], keepdims=True)
    variance = tf.reduce_mean(tf.math.squared_difference(groups, tf.stop_gradient(mean)), [1, 2, -1], keepdims=True)
    return affine(tf.reshape((groups - mean) / tf.sqrt(variance + 1e-5), tf.shape(x)))


def norm_by_square(x: tf.Tensor) -> tf.Tensor:
    """E[x²] - E[x]², as some write it, and a scale that is folded into the offset (tf.nn.batch_normalization)."""
    groups = grouped(x)
    mean = tf.reduce_mean(groups, [1, 2, 4], keepdims=True)
    variance = tf.maximum(tf.reduce_mean(tf.square(groups), [1, 2, 4], keepdims=True) - tf.square(mean), 0.0)
    return affine(tf.reshape(tf.nn.batch_normalization(groups, mean, variance, None, None, 1e-5), tf.shape(x)))


def norm_by_fused(x: tf.Tensor) -> tf.Tensor:
    """Each group of each image as a channel of one image, (1, N·G, pixels·C/G, 1) in NCHW, as Keras norms layers."""
    shape = tf.shape(x)
    channels_first = tf.transpose(x, [0, 3, 1, 2])
    count = shape[0] * GROUPS
    rows = tf.reshape(channels_first, [1, count, -1, 1])
    ones, zeros = tf.ones([count], x.dtype), tf.zeros([count], x.dtype)
    normed, _, _ = tf.compat.v1.nn.fused_batch_norm(rows, ones, zeros, epsilon=1e-5, data_format="NCHW")
    return affine(tf.transpose(tf.reshape(normed, tf.shape(channels_first)), [0, 2, 3, 1]))


def standardised(kernels: tf.Tensor) -> tf.Tensor:
    mean, variance = tf.nn.moments(kernels, [0, 1, 2], keepdims=True)
    return (kernels - mean) / tf.sqrt(variance + 1e-10)


def stem(x: tf.Tensor) -> tf.Tensor:
    """Scale, pad, convolve with standardised kernels, pad with zeros, pool."""
    x = tf.pad(x * 2.0 - 1.0, [[0, 0], [3, 3], [3, 3], [0, 0]])
    x = tf.nn.conv2d(x, standardised(variable("stem", 7, 7, 3, 8, dtype=x.dtype)), 2, "VALID")
    x = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    return tf.nn.max_pool2d(x, 3, 2, "VALID")


def unit(x: tf.Tensor) -> tf.Tensor:
    """One bottleneck with a projection, then the mean over all pixels."""
    x = stem(x)
    y = tf.nn.relu(norm_by_moments(x))
    shortcut = tf.nn.conv2d(y, standardised(variable("proj", 1, 1, 8, 16, dtype=x.dtype)), 2, "SAME")
    y = tf.nn.conv2d(
        tf.pad(y, [[0, 0], [1, 1], [1, 1], [0, 0]]), standardised(variable("b", 3, 3, 8, 8, dtype=x.dtype)), 2, "VALID"
    )
    y = tf.nn.conv2d(
        tf.nn.relu(norm_by_squared_difference(y)), standardised(variable("c", 1, 1, 8, 16, dtype=x.dtype)), 1, "SAME"
    )
    return tf.reduce_mean(tf.nn.relu(norm_by_moments(y + shortcut)), [1, 2])


def resized(x: tf.Tensor) -> tf.Tensor:
    """Resize to a fixed size and cut the middle out, as some put before a network."""
    x = tf.image.resize(x, [12, 12], method="bilinear")
    return tf.image.central_crop(x, 0.5)


def GRAPHS() -> Iterator[tuple[str, Function, np.ndarray[Any, Any]]]:
    """Yield each graph's name, its function and an image, in float64 and float32; the norms see the same image."""
    for function, shape in (
        (norm_by_moments, (2, 5, 4, 8)),
        (norm_by_squared_difference, (2, 5, 4, 8)),
        (norm_by_square, (2, 5, 4, 8)),
        (norm_by_fused, (2, 5, 4, 8)),
        (stem, (1, 17, 18, 3)),
        (unit, (2, 23, 24, 3)),
        (resized, (1, 9, 10, 3)),
    ):
        image = np.random.default_rng(1).integers(0, 17, shape) / 16
        for precision in ("float64", "float32"):
            if precision == "float64" and function in (norm_by_fused, resized):  # TensorFlow has no such kernel
                continue
            yield function.__name__, function, image.astype(precision)
