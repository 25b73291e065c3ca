"""What is drawn for each view before a pixel is touched, from its key alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from enum import IntEnum

import torch
from torch import Tensor

from remedis.train.augmentation import Augmentation
from remedis.train.crops import crops
from remedis.train.keys import normals, uniforms

SIGMAS = (0.1, 2.0)  # SimCLR's data_util.random_blur
_EVEN = 0.5


class Stream(IntEnum):
    """Which operation asks for random numbers; a number is never given to another operation."""

    EQUALISE = 0
    ELASTIC = 1
    ROTATION = 2
    CROP = 3
    FLIP = 4
    JITTER = 5
    ORDER = 6
    DISTORT = 7
    GREY = 8
    BLUR = 9
    SIGMA = 10


@dataclass(frozen=True)
class Draws:
    """The parameters of n views, on the CPU; numbers are float64."""

    equalised: Tensor  # (n,) bool
    bends: Tensor  # (n, 2, K, K) displacement down and to the right at the knots, in sides of the image
    angles: Tensor  # (n,) radians, counter-clockwise
    crops: Tensor  # (n, 4) top, left, height, width in pixels
    flipped: Tensor  # (n,) bool
    jittered: Tensor  # (n,) bool
    order: Tensor  # (n, 4) int64: which of brightness, contrast, saturation, hue comes first, second, ...
    factors: Tensor  # (n, 4) the factors of brightness, contrast, saturation; the shift of hue in turns
    greyed: Tensor  # (n,) bool
    blurred: Tensor  # (n,) bool
    sigmas: Tensor  # (n,) of the blur, pixels of the view

    def of(self, part: slice) -> Draws:
        """Return the parameters of some of the views."""
        return Draws(**{field.name: getattr(self, field.name)[part] for field in fields(self)})


def draw(heights: Tensor, widths: Tensor, keys: Tensor, how: Augmentation) -> Draws:
    """Return what is drawn for each view.

    Args:
        heights: (n,) int64, rows of each image without padding.
        widths: (n,) int64, its columns.
        keys: (n,) int64, of `keys_of`.
        how: The ranges.
    """
    heights, widths, keys = heights.cpu(), widths.cpu(), keys.cpu()
    n, knots = len(keys), knots_of(how)
    turn = math.radians(how.rotation_range)
    strength = how.color_jitter_strength
    maxima = torch.tensor(
        [how.max_brightness_distort, how.max_contrast_distort, how.max_saturation_distort], dtype=torch.float64
    )
    distort = uniforms(keys, Stream.DISTORT, 4)
    low, high = (1 - strength * maxima).clamp(min=0), 1 + strength * maxima
    hue = strength * how.max_hue_distort
    return Draws(
        equalised=_chosen(keys, Stream.EQUALISE, _EVEN if how.equalize_histogram else 0.0),
        bends=how.elastic_strength * normals(keys, Stream.ELASTIC, 2 * knots * knots).reshape(n, 2, knots, knots),
        angles=_between(keys, Stream.ROTATION, -turn, turn),
        crops=crops(heights, widths, keys, Stream.CROP, how),
        flipped=_chosen(keys, Stream.FLIP, _EVEN if how.flip else 0.0),
        jittered=_chosen(keys, Stream.JITTER, how.jitter_probability if how.color_distort else 0.0),
        order=uniforms(keys, Stream.ORDER, 4).argsort(dim=1, stable=True),
        factors=torch.cat((low + distort[:, :3] * (high - low), hue * (2 * distort[:, 3:] - 1)), 1),
        greyed=_chosen(keys, Stream.GREY, how.grey_probability if how.color_distort else 0.0),
        blurred=_chosen(keys, Stream.BLUR, _EVEN if how.use_blur else 0.0),
        sigmas=_between(keys, Stream.SIGMA, *SIGMAS),
    )


def knots_of(how: Augmentation) -> int:
    """Return K, the knots of the elastic field along a side; 0 where there is none."""
    return math.ceil(1 / how.elastic_smoothness) + 1 if how.use_elastic_deform else 0


def _chosen(keys: Tensor, stream: Stream, probability: float) -> Tensor:
    return uniforms(keys, stream, 1)[:, 0] < probability


def _between(keys: Tensor, stream: Stream, low: float, high: float) -> Tensor:
    return low + (high - low) * uniforms(keys, stream, 1)[:, 0]
