"""Elastic bending, rotation, crop, resize and flip as one warp with one resampling.

The warp is computed backwards: from a pixel of the view to its crop, through flip and rotation, to a position in the
image. Positions are rounded to 1/1024 pixel (TensorFlow's bicubic weights have the same step) and the images' sides are
padded to powers of two: `grid_sample` then does its arithmetic of positions without any rounding, and a view has the
same bits whatever the padding of its batch.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from remedis.errors import UsageError

_STEPS = 1024
_LONGEST = 2**14  # of a side: above, float32 does not hold every 1/1024 pixel


@dataclass(frozen=True)
class Geometry:
    """Where the pixels of n views come from; all on one device, numbers float64."""

    heights: Tensor  # (n,) rows of the image without padding
    widths: Tensor  # (n,) its columns
    crops: Tensor  # (n, 4) top, left, height, width in pixels
    flipped: Tensor  # (n,) bool, left to right
    angles: Tensor | None = None  # (n, 2) cosine and sine; positive angles are counter-clockwise
    bends: Tensor | None = None  # (n, 2, K, K) displacement down and to the right at the knots, in sides of the image

    def of(self, some: Tensor | slice) -> Geometry:
        """Return the geometry of some of the views."""
        angles = None if self.angles is None else self.angles[some]
        bends = None if self.bends is None else self.bends[some]
        return Geometry(self.heights[some], self.widths[some], self.crops[some], self.flipped[some], angles, bends)


def framed(images: Tensor, heights: Tensor, widths: Tensor) -> Tensor:
    """Return the images as the warp reads them.

    Args:
        images: (n, H, W, 3) uint8, padded at bottom and right.
        heights: (n,) rows that are image.
        widths: (n,) columns that are image.

    Returns:
        (n, 3, P, Q) float32 in [0, 255]; P and Q are powers of two, and the last row and column of each image are
        repeated in its padding, so that interpolation at its edge reads no padding.

    Raises:
        UsageError: A side is longer than 16,384 pixels.
    """
    n, height, width = images.shape[:3]
    if max(height, width) > _LONGEST:
        raise UsageError(f"an image has {height} × {width} pixels, at most {_LONGEST} a side are possible; reduce it")
    frames = images.new_empty((n, 3, _power_of_two(height), _power_of_two(width)), dtype=torch.float32)
    frames[:, :, :height, :width] = images.permute(0, 3, 1, 2)
    _repeat_edge(frames, heights)
    _repeat_edge(frames.transpose(2, 3), widths)
    return frames


def warp(frames: Tensor, geometry: Geometry, size: int, interpolation: str) -> Tensor:
    """Return the views.

    A view that is k times smaller than its crop, rounded up, is the mean of k × k bilinear samples a pixel: without
    that, fine structure would alias (the official program has no antialiasing).

    Args:
        frames: (n, 3, P, Q) float32 in [0, 255], of `framed`.
        geometry: Of the same n views.
        size: S.
        interpolation: Where a view is not smaller than its crop: `bilinear`, or `bicubic` with a = -0.75 and pixel
            centres at halves. The official programs have -0.75 without the halves
            (`tf.compat.v1.image.resize_bicubic`) and -0.5 (`tf.image.resize`).

    Returns:
        (n, 3, S, S) float32. Bicubic overshoots [0, 1] at edges. Black where a rotation brings in what is outside of
        the image; at the edge of the crop and where bending looks outside the last pixel is repeated.
    """
    finer = (geometry.crops[:, 2:].amax(1) / size).ceil().long().cpu()
    views = frames.new_empty((len(frames), 3, size, size))
    for k in sorted(set(finer.tolist())):
        some = (finer == k).nonzero()[:, 0].to(frames.device)
        chosen = frames if len(some) == len(frames) else frames[some]  # spares a copy of large images
        part = geometry.of(some)
        offsets = [(step + 0.5) / k for step in range(k)]
        mode = interpolation if k == 1 else "bilinear"  # a mean of bicubic ones is hardly sharper and costs four times
        total = torch.zeros((), device=frames.device)
        for offset in itertools.product(offsets, offsets):
            total = total + _sampled(chosen, part, size, offset, mode)
        views[some] = total / k**2
    return views.mul_(1 / 255)  # as tf.image.convert_image_dtype does


def _sampled(frames: Tensor, part: Geometry, size: int, offset: tuple[float, float], interpolation: str) -> Tensor:
    y, x = _in_crop(part, size, offset)  # (n, S) each, then (n, S, 1) and (n, 1, S), or (n, S, S)
    y, x = y[:, :, None], x[:, None, :]
    covered = None
    if part.angles is not None:
        y, x = _turned(y, x, part, part.angles)
        covered = _covered(y, part.heights) * _covered(x, part.widths)
    if part.bends is not None:
        y, x = _bent(y, x, part, part.bends)
    grid = frames.new_empty((len(frames), size, size, 2))
    grid[..., 0] = _as_grid(x, part.widths, frames.shape[3])
    grid[..., 1] = _as_grid(y, part.heights, frames.shape[2])
    views = grid_sample(frames, grid, mode=interpolation, padding_mode="border", align_corners=False)
    return views if covered is None else views.mul_(covered[:, None])


def _in_crop(part: Geometry, size: int, offset: tuple[float, float]) -> tuple[Tensor, Tensor]:
    steps = torch.arange(size, dtype=torch.float64, device=part.crops.device)
    top, left, height, width = (part.crops[:, i, None] for i in range(4))
    y = top + ((steps + offset[0]) / size * height - 0.5).clamp(min=0).minimum(height - 1)
    x = left + ((steps + offset[1]) / size * width - 0.5).clamp(min=0).minimum(width - 1)
    return y, torch.where(part.flipped[:, None], x.flip(1), x)


def _turned(y: Tensor, x: Tensor, part: Geometry, angles: Tensor) -> tuple[Tensor, Tensor]:
    # about the image's middle; products on rows and columns alone, in float64, then one float32 sum a pixel
    middle_y, middle_x = ((sides - 1)[:, None, None] / 2 for sides in (part.heights, part.widths))
    cosine, sine = angles[:, 0, None, None], angles[:, 1, None, None]
    y, x = y - middle_y, x - middle_x
    turned_y = (sine * x).float() + (cosine * y + middle_y).float()
    return turned_y, (cosine * x + middle_x).float() - (sine * y).float()


def _covered(position: Tensor, sides: Tensor) -> Tensor:
    # the share of bilinear weights that fall on pixels of the image: with it, zeros are outside
    return torch.minimum(position + 1, sides[:, None, None].float() - position).clamp_(0, 1)


def _bent(y: Tensor, x: Tensor, part: Geometry, bends: Tensor) -> tuple[Tensor, Tensor]:
    size = x.shape[2]
    y, x = (positions.float().expand(-1, size, size) for positions in (y, x))
    heights, widths = part.heights[:, None, None].float(), part.widths[:, None, None].float()
    grid = torch.stack(((2 * x + 1) / widths - 1, (2 * y + 1) / heights - 1), -1)
    field = grid_sample(bends.float(), grid, mode="bicubic", padding_mode="border", align_corners=True)
    return y + field[:, 0] * heights, x + field[:, 1] * widths


def _as_grid(position: Tensor, sides: Tensor, side: int) -> Tensor:
    # grid_sample's -1 … 1; every step after the rounding is exact, since `side` is a power of two
    inside = position.minimum((sides - 1)[:, None, None].to(position)).clamp_(min=0)
    return inside.mul_(_STEPS).round_().mul_(2 / _STEPS / side).add_(1 / side - 1)


def _repeat_edge(frames: Tensor, sides: Tensor) -> None:
    longest = int(sides.max()) if len(sides) else 0
    if bool((sides < longest).any()):
        rows = torch.arange(longest, device=frames.device)
        outside = (rows >= sides[:, None])[:, None, :, None]
        last = frames[torch.arange(len(frames), device=frames.device), :, sides.long() - 1][:, :, None]
        frames[:, :, :longest] = torch.where(outside, last, frames[:, :, :longest])
    if 0 < longest < frames.shape[2]:
        frames[:, :, longest:] = frames[:, :, longest - 1 : longest]


def _power_of_two(side: int) -> int:
    return 1 << (side - 1).bit_length()
