"""Brightness, contrast, saturation, hue and grey as TensorFlow defines them, each image with its own number.

Sums over an image are folded in a fixed order, since a view may not depend on how many images a reduction sees.
"""

from __future__ import annotations

import torch
from torch import Tensor

GREY = (0.2989, 0.5870, 0.1140)  # tf.image.rgb_to_grayscale; they sum to 0.9999


def brightness(x: Tensor, factors: Tensor) -> Tensor:
    """Return the images multiplied by their factors.

    Args:
        x: (n, 3, H, W) float.
        factors: (n,) of the same type, at least 0.

    Source: SimCLR's `data_util.random_brightness`, implementation `simclrv2`, which REMEDIS uses.
    """
    return x * factors[:, None, None, None]


def contrast(x: Tensor, factors: Tensor) -> Tensor:
    """Return the images stretched about the mean of each channel.

    Args:
        x: (n, 3, H, W) float.
        factors: (n,) of the same type, at least 0; 0 leaves the mean.

    Source: `tf.image.adjust_contrast`. (torchvision's stretches about the grey mean.)
    """
    mean = _mean(x)[:, :, None, None]
    return (x - mean).mul_(factors[:, None, None, None]).add_(mean)


def saturation(x: Tensor, factors: Tensor) -> Tensor:
    """Return the images with their HSV saturation multiplied and clipped to at most 1.

    Args:
        x: (n, 3, H, W) float.
        factors: (n,) of the same type, at least 0; 0 leaves the greatest channel, not the luma.

    Source: `tf.image.adjust_saturation`. Value and hue stay, so each channel's distance to the greatest one is
    multiplied, by no more than makes the least channel 0.
    """
    value, spread = _value_and_spread(x)
    most = torch.where(spread > 0, value / spread, 1.0)
    factor = torch.minimum(most, factors[:, None, None])[:, None]
    return value[:, None] - (value[:, None] - x).mul_(factor)


def hue(x: Tensor, shifts: Tensor) -> Tensor:
    """Return the images with their HSV hue shifted.

    Args:
        x: (n, 3, H, W) float.
        shifts: (n,) of the same type, in turns: 1/3 makes red green.

    Source: `tf.image.adjust_hue`.
    """
    red, green, blue = x.unbind(1)
    value, spread = _value_and_spread(x)
    safe = torch.where(spread > 0, spread, 1.0)  # of a grey pixel every difference is 0
    after_red = (green - blue).div_(safe)
    after_green = (blue - red).div_(safe).add_(2)
    after_blue = (red - green).div_(safe).add_(4)
    sixths = torch.where(value == red, after_red, torch.where(value == green, after_green, after_blue))
    sixths += 6 * shifts[:, None, None]
    sixths -= (sixths / 6).floor_().mul_(6)
    least = value - spread
    shifted = torch.empty_like(x)
    shifted[:, 0] = (sixths - 3).abs_().sub_(1).clamp_(0, 1).mul_(spread).add_(least)
    shifted[:, 1] = (sixths - 2).abs_().neg_().add_(2).clamp_(0, 1).mul_(spread).add_(least)
    shifted[:, 2] = (sixths - 4).abs_().neg_().add_(2).clamp_(0, 1).mul_(spread).add_(least)
    return shifted


OPERATIONS = (brightness, contrast, saturation, hue)


def jitter(x: Tensor, order: Tensor, factors: Tensor) -> Tensor:
    """Return the images after the four operations, each image in its own order, clipped to [0, 1] after each.

    Args:
        x: (n, 3, H, W) float.
        order: (n, 4) int64 on the CPU: places in `OPERATIONS`, first to last.
        factors: (n, 4) on the images' device: the number of each operation, in the order of `OPERATIONS`.

    Source: SimCLR, arXiv:2002.05709, appendix A, and `data_util.color_jitter_rand`.
    """
    x, factors = x.clone(), factors.to(x)
    for step in range(len(OPERATIONS)):
        for number, operation in enumerate(OPERATIONS):
            some = (order[:, step] == number).nonzero()[:, 0].to(x.device)
            if len(some):
                x[some] = operation(x[some], factors[some, number]).clamp_(0, 1)
    return x


def grey(x: Tensor) -> Tensor:
    """Return the images (n, 3, H, W) as three equal channels (`tf.image.rgb_to_grayscale`)."""
    red, green, blue = x.unbind(1)
    return (GREY[0] * red + GREY[1] * green + GREY[2] * blue)[:, None].expand(-1, 3, -1, -1)


def _value_and_spread(x: Tensor) -> tuple[Tensor, Tensor]:
    red, green, blue = x.unbind(1)
    value = torch.maximum(red, green).maximum(blue)
    return value, value - torch.minimum(red, green).minimum(blue)


def _mean(x: Tensor) -> Tensor:
    n, channels, height, width = x.shape
    rest = x.reshape(n, channels, height * width)
    while rest.shape[2] > 1:
        half = rest.shape[2] // 2
        folded = rest[:, :, :half] + rest[:, :, half : 2 * half]
        rest = torch.cat((folded, rest[:, :, 2 * half :]), 2) if rest.shape[2] % 2 else folded
    return rest[:, :, 0] / (height * width)
