"""SimCLR's ResNet-v1 as a TensorFlow 1 graph, and hub modules as TensorFlow 1 writes them.

Source: SimCLR (arXiv:2002.05709), google-research/simclr resnet.py and run.py. Variables are numbered in the order in
which layers are made: the stem, then in every block the projection, if any, and its convolutions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import forms
import tensorflow as tf
from tf_keras.src.legacy_tf_layers import convolutional, normalization
from variants import Variant

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
v1 = tf.compat.v1


def numbered(kind: str, number: int) -> str:
    """Return TensorFlow 1's name of the number-th layer of a kind: `conv2d`, `conv2d_1`, ..."""
    return f"{kind}_{number}" if number else kind


def blocks(variant: Variant) -> Iterator[tuple[int | None, list[tuple[int, int]]]]:
    """Yield for every block the step whose stride the projection has (None: no projection), and (size, stride)s."""
    for group, count in enumerate(BLOCKS[variant.depth], start=1):
        for index in range(count):
            stride = 2 if group > 1 and index == 0 else 1
            basic = variant.depth < 50
            steps = [(3, stride), (3, 1)] if basic else [(1, 1), (3, stride), (1, 1)]
            yield ((0 if basic else 1) if index == 0 else None), steps


def widths(variant: Variant) -> Iterator[tuple[int, int]]:
    """Yield (middle channels, channels out) of every block."""
    for group, count in enumerate(BLOCKS[variant.depth]):
        middle = 64 * variant.width * 2**group
        yield from [(middle, middle if variant.depth < 50 else 4 * middle)] * count


class Graph:
    """A ResNet-v1 in the default graph, evaluation mode or training mode.

    Args:
        variant: Depth, stem, and whether the batch norm is fused.
        training: Batch statistics instead of the moving ones.
    """

    def __init__(self, variant: Variant, training: bool) -> None:
        self.v = variant
        self.training = training

    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        x = images
        found = {}
        with v1.variable_scope("base_model"):
            width = 64 * self.v.width
            x = self.layer(x, width, 3 if self.v.cifar else 7, 1 if self.v.cifar else 2)
            x = found["initial_conv"] = tf.identity(x, "initial_conv")
            x = tf.nn.relu(x)
            x = x if self.v.cifar else tf.nn.max_pool2d(x, 3, 2, "SAME")
            x = found["initial_max_pool"] = tf.identity(x, "initial_max_pool")
            every = zip(blocks(self.v), widths(self.v), strict=True)
            ends = {sum(BLOCKS[self.v.depth][: group + 1]): group + 1 for group in range(4)}
            for index, ((project, steps), (middle, out)) in enumerate(every, start=1):
                x = self.block(x, project, steps, middle, out)
                if index in ends:
                    name = f"block_group{ends[index]}"
                    x = found[name] = tf.identity(x, name)
            found["final_avg_pool"] = tf.identity(tf.reduce_mean(x, [1, 2]), "final_avg_pool")
        return found

    def block(self, x, project, steps, middle, out):
        """Post-activation block; the shortcut is projected in every group's first block."""
        shortcut = x if project is None else self.layer(x, out, 1, steps[project][1])
        for index, (size, stride) in enumerate(steps):
            last = index == len(steps) - 1
            x = self.layer(x, out if last else middle, size, stride)
            x = x if last else tf.nn.relu(x)
        return tf.nn.relu(x + shortcut)

    def layer(self, x, channels, size, stride):
        """Convolution, padded alike on all sides where it has a stride, and batch norm."""
        if stride > 1 and size > 1:
            x = forms.pad_plain(x, size // 2)
        x = convolutional.conv2d(x, channels, size, stride, padding="same" if stride == 1 else "valid", use_bias=False)
        return normalization.batch_normalization(
            x, epsilon=self.v.norm_eps, momentum=0.9, training=self.training, fused=self.v.norm == "fused"
        )


class Reading(Graph):
    """The same for TensorFlow 2: variables are given by name, and a layer's trace is its operations.

    Args:
        variant: See `Graph`.
        training: See `Graph`.
        read: Gives a variable by its canonical name.
    """

    def __init__(self, variant: Variant, training: bool, read: Callable[[str], tf.Tensor]) -> None:
        super().__init__(variant, training)
        self.read = read
        self.number = 0

    def layer(self, x, channels, size, stride):
        """Convolution and batch norm, see `Graph.layer`; numbered as TensorFlow 1 numbers them."""
        conv, norm = numbered("conv2d", self.number), numbered("batch_normalization", self.number)
        self.number += 1
        x = x if stride == 1 or size == 1 else forms.pad_plain(x, size // 2)
        x = tf.nn.conv2d(x, self.read(f"base_model/{conv}/kernel"), stride, "SAME" if stride == 1 else "VALID")
        gamma, beta, mean, variance = (
            self.read(f"base_model/{norm}/{part}") for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        if self.training:
            mean, variance = tf.nn.moments(x, [0, 1, 2])
        return tf.nn.batch_normalization(x, mean, variance, beta, gamma, self.v.norm_eps)


@contextmanager
def graph(resource: bool) -> Iterator[tf.Graph]:
    """A fresh default graph, its variables resources or, as TensorFlow 1 had them, references."""
    fresh = tf.Graph()
    with fresh.as_default(), v1.variable_scope(v1.get_variable_scope(), use_resource=resource):
        yield fresh
