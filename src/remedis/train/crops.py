"""The laws that random crops are drawn from: TensorFlow's and torchvision's, for many images of any size at once."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from remedis.train.augmentation import Augmentation
from remedis.train.keys import uniforms

_TENSORFLOW_ATTEMPTS, _TORCHVISION_ATTEMPTS = 100, 10
_FIRST_ATTEMPTS = 10  # nearly always enough, and a tenth of the work
_NUMBERS = 4  # drawn for an attempt: aspect, size, row, column
_LEAST_COVERED = 0.1  # min_object_covered: SimCLR's data_util.distorted_bounding_box_crop
_KERNEL_EPS = 1e-7


def crops(heights: Tensor, widths: Tensor, keys: Tensor, stream: int, how: Augmentation) -> Tensor:
    """Return a random crop of each image.

    Args:
        heights: (n,) int64, rows of each image.
        widths: (n,) int64, its columns.
        keys: (n,) int64.
        stream: The stream of random numbers.
        how: The law and its limits.

    Returns:
        (n, 4) float64 of whole numbers: top, left, height, width.
    """
    law, most, otherwise = {
        "tensorflow": (_tensorflow, _TENSORFLOW_ATTEMPTS, _whole),
        "torchvision": (_torchvision, _TORCHVISION_ATTEMPTS, _central),
    }[how.crop_law]
    h, w = heights.double(), widths.double()
    found = otherwise(h, w, how)
    waiting = torch.arange(len(keys))
    for attempts in sorted({_FIRST_ATTEMPTS, most}):
        drawn = uniforms(keys[waiting], stream, _NUMBERS * attempts).reshape(-1, attempts, _NUMBERS)
        box, good = law(h[waiting, None], w[waiting, None], drawn, how)
        first = good.long().argmax(1)
        some = good.any(1)
        chosen = box[torch.arange(len(waiting)), first]
        found[waiting[some]] = chosen[some]
        waiting = waiting[~some]
    return found


def _tensorflow(h: Tensor, w: Tensor, drawn: Tensor, how: Augmentation) -> tuple[Tensor, Tensor]:
    # GenerateRandomCrop of tensorflow/core/kernels/image/sample_distorted_bounding_box_op.cc: aspect and height are
    # uniform (not their logarithms), and the last offset is never drawn
    least, most = how.area[0] * h * w, how.area[1] * h * w
    aspect = how.aspect[0] + drawn[..., 0] * (how.aspect[1] - how.aspect[0])
    highest = (most / aspect).sqrt().round()
    too_wide = (highest * aspect).round() > w
    highest = torch.where(too_wide, ((w + 0.5 - _KERNEL_EPS) / aspect).floor(), highest).minimum(h)
    lowest = (least / aspect).sqrt().round().minimum(highest)
    height = lowest + (drawn[..., 1] * (highest - lowest + 1)).floor()
    height = height + (height * (height * aspect).round() < least).double()
    height = height - (height * (height * aspect).round() > most).double()
    width = (height * aspect).round()
    area = height * width
    good = (area >= least) & (area <= most) & (width <= w) & (height <= h) & (width > 0) & (height > 0)
    good &= area >= _LEAST_COVERED * h * w
    top = (drawn[..., 2] * (h - height).clamp(min=1)).floor()
    left = (drawn[..., 3] * (w - width).clamp(min=1)).floor()
    return torch.stack((top, left, height, width), -1), good


def _torchvision(h: Tensor, w: Tensor, drawn: Tensor, how: Augmentation) -> tuple[Tensor, Tensor]:
    # RandomResizedCrop.get_params: area and the logarithm of the aspect are uniform
    area = (how.area[0] + drawn[..., 1] * (how.area[1] - how.area[0])) * h * w
    low, high = math.log(how.aspect[0]), math.log(how.aspect[1])
    aspect = (low + drawn[..., 0] * (high - low)).exp()
    width, height = (area * aspect).sqrt().round(), (area / aspect).sqrt().round()
    good = (width > 0) & (width <= w) & (height > 0) & (height <= h)
    top = (drawn[..., 2] * (h - height + 1)).floor()
    left = (drawn[..., 3] * (w - width + 1)).floor()
    return torch.stack((top, left, height, width), -1), good


def _whole(h: Tensor, w: Tensor, how: Augmentation) -> Tensor:
    return torch.stack((torch.zeros_like(h), torch.zeros_like(h), h, w), 1)


def _central(h: Tensor, w: Tensor, how: Augmentation) -> Tensor:
    width = torch.minimum(w, (h * how.aspect[1]).round())
    height = torch.minimum(h, (w / how.aspect[0]).round())
    return torch.stack((((h - height) / 2).floor(), ((w - width) / 2).floor(), height, width), 1)
