"""Operations of a TensorFlow graph that look at an image through a window (convolutions, pooling) or norm its channels.

Sources: the pages of `tf.raw_ops` (https://www.tensorflow.org/api_docs/python/tf/raw_ops), by the names of the table;
SAME and VALID as in the notes at https://www.tensorflow.org/api_docs/python/tf/nn (padding). `data_format` may be NHWC
or NCHW; inside, all is (N, C, H, W).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from remedis.errors import ConvertError
from remedis.models.dataflow import Node
from remedis.models.graph.context import Context, Operation, allow

Pair = tuple[int, int]


class _Window(NamedTuple):
    """Where a window stands, each pair for rows and columns."""

    size: Pair
    strides: Pair
    dilations: Pair
    widths: tuple[Pair, Pair]  # before and after


def _channels_first(node: Node, x: Tensor) -> Tensor:
    """Return an image as (N, C, H, W)."""
    if x.ndim != 4:
        raise ConvertError(f"the input has {x.ndim} dimensions, 4 were expected")
    return x.permute(0, 3, 1, 2) if _format(node) == "NHWC" else x


def _as_before(node: Node, x: Tensor) -> Tensor:
    """Return (N, C, H, W) in the layout of the node."""
    return x.permute(0, 2, 3, 1) if _format(node) == "NHWC" else x


def _format(node: Node) -> str:
    """Return the layout, NHWC or NCHW."""
    found = str(node.attributes.get("data_format", "NHWC"))
    if found not in ("NHWC", "NCHW"):
        raise ConvertError(f"the data format is {found}, NHWC or NCHW was expected")
    return found


def _rows_and_columns(node: Node, attribute: str) -> Pair:
    """Return what one of the attributes with a number for each dimension says of rows and columns."""
    found = node.attributes.get(attribute, (1, 1, 1, 1)) if attribute == "dilations" else node.attributes[attribute]
    numbers = [int(number) for number in found]
    by_letter = dict(zip(_format(node), numbers, strict=True))
    rows, columns = by_letter["H"], by_letter["W"]
    if by_letter["N"] != 1 or by_letter["C"] != 1 or min(rows, columns) < 1:
        raise ConvertError(f"{attribute} is {numbers}, numbers from 1, and 1 for images and channels were expected")
    return rows, columns


def _window(node: Node, x: Tensor, size: Pair) -> _Window:
    """Return the window of a node over x, (N, C, H, W), with the padding that it asks for."""
    strides, dilations = _rows_and_columns(node, "strides"), _rows_and_columns(node, "dilations")
    padding = node.attributes["padding"]
    if padding == "VALID":
        widths = [(0, 0), (0, 0)]
    elif padding == "SAME":
        widths = [
            _same(side, strides[dim], (size[dim] - 1) * dilations[dim] + 1) for dim, side in enumerate(x.shape[2:])
        ]
    elif padding == "EXPLICIT":
        widths = _explicit(node)
    else:
        raise ConvertError(f"the padding is {padding}, SAME, VALID or EXPLICIT was expected")
    return _Window(size, strides, dilations, (widths[0], widths[1]))


def _same(side: int, stride: int, reach: int) -> Pair:
    """Return the padding that gives ⌈side / stride⌉ places to a window of `reach` pixels; the odd one comes after."""
    total = max((math.ceil(side / stride) - 1) * stride + reach - side, 0)
    return total // 2, total - total // 2


def _explicit(node: Node) -> list[Pair]:
    """Return the padding that the node lists, before and after each dimension."""
    flat = [int(width) for width in node.attributes["explicit_paddings"]]
    by_letter = dict(zip(_format(node), zip(flat[::2], flat[1::2], strict=True), strict=True))
    if by_letter["N"] != (0, 0) or by_letter["C"] != (0, 0) or min(flat) < 0:
        raise ConvertError(f"explicit_paddings is {flat}, numbers from 0, and 0 for images and channels were expected")
    return [by_letter["H"], by_letter["W"]]


def _padded(x: Tensor, window: _Window, value: float = 0.0) -> Tensor:
    """Return (N, C, H, W) with the window's padding around it."""
    (top, bottom), (left, right) = window.widths
    if not any((top, bottom, left, right)):
        return x
    allow((*x.shape[:2], x.shape[2] + top + bottom, x.shape[3] + left + right), x)
    return F.pad(x, (left, right, top, bottom), value=value)


def _convolve(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return x under kernels (h, w, C / groups, D) (tf.raw_ops.Conv2D); the shapes say how many groups there are."""
    x, kernels = _channels_first(node, inputs[0]), inputs[1].permute(3, 2, 0, 1)
    if x.shape[1] % kernels.shape[1]:
        raise ConvertError(f"{x.shape[1]} channels meet kernels for {kernels.shape[1]}, a multiple was expected")
    return _convolved(node, x, kernels, x.shape[1] // kernels.shape[1])


def _convolve_depthwise(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return each channel under its own kernels, (h, w, C, M) (tf.raw_ops.DepthwiseConv2dNative)."""
    x, (height, width, channels, count) = _channels_first(node, inputs[0]), inputs[1].shape
    kernels = inputs[1].permute(2, 3, 0, 1).reshape(channels * count, 1, height, width)
    return _convolved(node, x, kernels, channels)


def _convolved(node: Node, x: Tensor, kernels: Tensor, groups: int) -> Tensor:
    """Return (N, C, H, W) under kernels (D, C / groups, h, w), in the layout of the node."""
    window = _window(node, x, (kernels.shape[2], kernels.shape[3]))
    x = _padded(x, window)
    allow((len(x), len(kernels), *_places(x, window)), x)
    found = F.conv2d(x, kernels, stride=window.strides, dilation=window.dilations, groups=groups)
    return _as_before(node, found)


def _places(x: Tensor, window: _Window) -> list[int]:
    """Return on how many rows and columns of a padded image the window has a place."""
    reach = [(size - 1) * dilation + 1 for size, dilation in zip(window.size, window.dilations, strict=True)]
    return [max((x.shape[2 + i] - reach[i]) // window.strides[i] + 1, 0) for i in (0, 1)]


def _largest(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return the largest number in each window; padding never wins (tf.raw_ops.MaxPool)."""
    x = _channels_first(node, inputs[0])
    window = _window(node, x, _rows_and_columns(node, "ksize"))
    return _as_before(node, F.max_pool2d(_padded(x, window, -math.inf), window.size, window.strides))


def _average(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return the average of each window, without its padding (tf.raw_ops.AvgPool)."""
    x = _channels_first(node, inputs[0])
    window = _window(node, x, _rows_and_columns(node, "ksize"))
    found = F.avg_pool2d(_padded(x, window), window.size, window.strides)
    inside = F.avg_pool2d(_padded(torch.ones_like(x[:1, :1]), window), window.size, window.strides)
    return _as_before(node, found / inside)


def _batch_norm(node: Node, inputs: Sequence[Tensor], context: Context) -> tuple[Tensor, ...]:
    """Return the normed x, the mean and the variance of each channel (tf.raw_ops.FusedBatchNorm, V2, V3).

    While training, x is normed by its own mean and biased variance, and what comes out is moved towards that mean and
    the unbiased variance by `exponential_avg_factor`; else x is normed by the given ones, which come out again. Further
    outputs serve the gradient alone and are not computed.
    """
    x, (scale, offset, mean, variance) = _channels_first(node, inputs[0]), inputs[1:]
    new_mean, new_variance = mean, variance
    if node.attributes.get("is_training", True):
        variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
        count = x.numel() // max(x.shape[1], 1)
        new_mean = _moved(node, new_mean, mean)
        new_variance = _moved(node, new_variance, variance * (count / max(count - 1, 1)))
    if {tuple(numbers.shape) for numbers in (scale, offset, mean, variance)} != {(x.shape[1],)}:
        raise ConvertError(f"scale, offset, mean or variance has no number for each of {x.shape[1]} channels")
    factor = scale * torch.rsqrt(variance + node.attributes.get("epsilon", 1e-4))
    normed = (x - mean.reshape(-1, 1, 1)) * factor.reshape(-1, 1, 1) + offset.reshape(-1, 1, 1)
    return _as_before(node, normed), new_mean, new_variance


def _moved(node: Node, old: Tensor, now: Tensor) -> Tensor:
    """Return a statistic after one step of training; the old one may be empty where it does not count."""
    share = node.attributes.get("exponential_avg_factor", 1.0)
    return now if share == 1 else (1 - share) * old + share * now


WINDOWS: dict[str, Operation] = {
    "AvgPool": _average,
    "Conv2D": _convolve,
    "DepthwiseConv2dNative": _convolve_depthwise,
    "FusedBatchNorm": _batch_norm,
    "FusedBatchNormV2": _batch_norm,
    "FusedBatchNormV3": _batch_norm,
    "MaxPool": _largest,
}
