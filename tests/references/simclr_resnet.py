"""SimCLR's ResNet-v1 in numpy, float64, in evaluation mode: arXiv:2002.05709, arXiv:2006.10029, google-research/simclr.

`padding="tf"` is TensorFlow's SAME in the stem's pool. Weights come by torchvision's names; nothing of remedis is used.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from references.layers import Array, conv, max_pool, pad, per_channel, relu, windows

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}
Weights = Mapping[str, Array]


def batch_norm(x: Array, weights: Weights, name: str) -> Array:
    """By the running statistics, eps 1e-5."""
    scale = weights[f"{name}.weight"] / np.sqrt(weights[f"{name}.running_var"] + 1e-5)
    return (x - per_channel(weights[f"{name}.running_mean"])) * per_channel(scale) + per_channel(
        weights[f"{name}.bias"]
    )


def pool_same(x: Array) -> Array:
    """3x3 max of stride 2, TensorFlow's SAME: what is missing is added at the end first, and never wins."""
    needed = [max((-(-side // 2) - 1) * 2 + 3 - side, 0) for side in x.shape[2:]]
    (top, bottom), (left, right) = ((total // 2, total - total // 2) for total in needed)
    return max_pool(pad(x, top, bottom, left, right, -np.inf), 3, 2)


def pool_torch(x: Array) -> Array:
    """3x3 max of stride 2 with a border of one on every side, which never wins."""
    return max_pool(pad(x, 1, 1, 1, 1, -np.inf), 3, 2)


def average_for_shortcut(x: Array, stride: int) -> Array:
    """2x2 average. Stride 2: a row and a column of zeros count; stride 1: only the pixels that exist count."""
    padded = pad(x, 0, 1, 0, 1)
    if stride == 2:
        return windows(padded, 2, 2).mean(axis=(4, 5))
    exists = pad(np.ones_like(x), 0, 1, 0, 1)
    return windows(padded, 2, 1).sum(axis=(4, 5)) / windows(exists, 2, 1).sum(axis=(4, 5))


def selective(x: Array, weights: Weights, name: str, stride: int) -> Array:
    """Two 3x3 streams, mixed channel by channel by a softmax over the two."""
    both = relu(batch_norm(conv(x, weights[f"{name}.conv.weight"], stride, 1), weights, f"{name}.bn"))
    half = both.shape[1] // 2
    streams = np.stack([both[:, :half], both[:, half:]])
    pooled = streams.sum(axis=0).mean(axis=(2, 3), keepdims=True)
    middle = relu(batch_norm(conv(pooled, weights[f"{name}.squeeze.weight"]), weights, f"{name}.squeeze_bn"))
    logits = conv(middle, weights[f"{name}.mix.weight"])
    logits = np.stack([logits[:, :half], logits[:, half:]])
    share = np.exp(logits - logits.max(axis=0))
    return (streams * share / share.sum(axis=0)).sum(axis=0)


def shortcut(x: Array, weights: Weights, name: str, stride: int) -> Array:
    """The projection of a group's first block, whatever the depth; none in the others."""
    if f"{name}.downsample.0.weight" in weights:
        return batch_norm(conv(x, weights[f"{name}.downsample.0.weight"], stride), weights, f"{name}.downsample.1")
    if f"{name}.downsample.1.weight" in weights:  # selective kernels: the average pool comes first
        pooled = average_for_shortcut(x, stride)
        return batch_norm(conv(pooled, weights[f"{name}.downsample.1.weight"]), weights, f"{name}.downsample.2")
    return x


def block(x: Array, weights: Weights, name: str, stride: int) -> Array:
    """Post-activation block, basic or bottleneck, the stride on the (first) 3x3 convolution."""

    def step(y: Array, number: int, stride: int = 1) -> Array:
        kernels = weights[f"{name}.conv{number}.weight"]
        return batch_norm(conv(y, kernels, stride, kernels.shape[-1] // 2), weights, f"{name}.bn{number}")

    if f"{name}.conv3.weight" not in weights:
        y = step(relu(step(x, 1, stride)), 2)
    elif f"{name}.conv2.weight" in weights:
        y = step(relu(step(relu(step(x, 1)), 2, stride)), 3)
    else:
        y = step(selective(relu(step(x, 1)), weights, f"{name}.conv2", stride), 3)
    return relu(y + shortcut(x, weights, name, stride))


def stem(x: Array, weights: Weights, *, padding: str, small: bool) -> Array:
    """7x7 of stride 2 (three 3x3 with selective kernels), norm, ReLU, pool; for small images 3x3, norm, ReLU."""
    if small:
        return relu(batch_norm(conv(x, weights["conv1.weight"], 1, 1), weights, "bn1"))
    if "conv1.weight" in weights:
        x = conv(x, weights["conv1.weight"], 2, 3)
    else:
        x = relu(batch_norm(conv(x, weights["conv1.0.weight"], 2, 1), weights, "conv1.1"))
        x = relu(batch_norm(conv(x, weights["conv1.3.weight"], 1, 1), weights, "conv1.4"))
        x = conv(x, weights["conv1.6.weight"], 1, 1)
    x = relu(batch_norm(x, weights, "bn1"))
    return pool_same(x) if padding == "tf" else pool_torch(x)


def stages(
    images: Array, weights: Weights, depth: int, *, padding: str = "torch", small: bool = False
) -> dict[str, Array]:
    """Outputs of all stages for images as the first convolution sees them."""
    outputs = {"stem": stem(images, weights, padding=padding, small=small)}
    x = outputs["stem"]
    for number, blocks in enumerate(BLOCKS[depth], start=1):
        for index in range(blocks):
            x = block(x, weights, f"layer{number}.{index}", 2 if number > 1 and index == 0 else 1)
        outputs[f"stage{number}"] = x
    outputs["map"] = x
    outputs["embedding"] = x.mean(axis=(2, 3))
    return outputs
