"""The views that contrastive pretraining learns from, and the one view of an evaluation.

A view depends on its image, its key and the settings alone: bit for bit the same in whatever batch, order or padding.
"""

from __future__ import annotations

import torch
from torch import Tensor

from remedis.errors import UsageError
from remedis.train.augmentation import Augmentation
from remedis.train.blur import blur, radius_of
from remedis.train.colour import grey, jitter
from remedis.train.draws import Draws, draw
from remedis.train.equalise import equalise
from remedis.train.warp import Geometry, framed, warp

__all__ = ["Augmentation", "augment", "centre_view"]

_CENTRE = 0.875  # CROP_PROPORTION of SimCLR's data_util
_NEVER_CROPPED = 32  # pixels; SimCLR's data_util.preprocess_image
_PIXELS_AT_ONCE = {"cpu": 2**19}  # what caches hold
_PIXELS_ON_A_DEVICE = 2**24  # 200 MB a copy


def augment(images: Tensor, heights: Tensor, widths: Tensor, keys: Tensor, how: Augmentation) -> Tensor:
    """Return a random view of each image.

    In order: equalise; bend, rotate, crop, resize and flip, as one warp; jitter colours, grey, clip; blur, clip.
    Unlike the official program, rotation acts, and each view has a blur of its own (there one width a batch).

    Args:
        images: (n, H, W, 3) uint8, padded at bottom and right.
        heights: (n,) int64, rows of each image without padding.
        widths: (n,) int64, its columns.
        keys: (n,) int64, of `keys_of`.
        how: What is drawn, from which range.

    Returns:
        (n, 3, S, S) float32 in [0, 1] on the images' device.

    Raises:
        UsageError: The images are not (n, H, W, 3) uint8, or a size is none of theirs.

    Source: SimCLR, arXiv:2002.05709, appendix A; REMEDIS's `data_util.preprocess_for_train`.
    """
    _check(images, heights, widths)
    drawn = draw(heights, widths, keys, how)
    views = torch.empty((len(images), 3, how.size, how.size), device=images.device)
    for part in _parts(images, how.size):
        views[part] = _augmented(images[part], heights[part], widths[part], drawn.of(part), how)
    return views


def centre_view(images: Tensor, heights: Tensor, widths: Tensor, how: Augmentation) -> Tensor:
    """Return the middle of each image: the view of an evaluation.

    A square of 0.875 of the shorter side; for S of at most 32 the whole image, squashed to a square.

    Args:
        images: (n, H, W, 3) uint8, padded at bottom and right.
        heights: (n,) int64, rows of each image without padding.
        widths: (n,) int64, its columns.
        how: Size and interpolation.

    Returns:
        (n, 3, S, S) float32 in [0, 1] on the images' device.

    Raises:
        UsageError: The images are not (n, H, W, 3) uint8, or a size is none of theirs.

    Source: SimCLR's `data_util.center_crop`. (REMEDIS's swaps width and height, and stops at an undefined name.)
    """
    _check(images, heights, widths)
    views = torch.empty((len(images), 3, how.size, how.size), device=images.device)
    for part in _parts(images, how.size):
        h, w = (sides[part].to(images.device) for sides in (heights, widths))
        geometry = Geometry(h.double(), w.double(), _middle(h, w, how.size), torch.zeros_like(h, dtype=torch.bool))
        views[part] = warp(framed(images[part], h, w), geometry, how.size, how.interpolation).clamp_(0, 1)
    return views


def _augmented(images: Tensor, heights: Tensor, widths: Tensor, drawn: Draws, how: Augmentation) -> Tensor:
    device = images.device
    heights, widths = heights.to(device), widths.to(device)
    some = drawn.equalised.nonzero()[:, 0].to(device)
    if len(some):
        images = images.clone()
        images[some] = equalise(images[some], heights[some], widths[some])
    x = warp(framed(images, heights, widths), _geometry(heights, widths, drawn, how), how.size, how.interpolation)
    some = drawn.jittered.nonzero()[:, 0]
    if len(some):
        x[some.to(device)] = jitter(x[some.to(device)], drawn.order[some], drawn.factors[some].to(x))
    some = drawn.greyed.nonzero()[:, 0].to(device)
    x[some] = grey(x[some])
    x.clamp_(0, 1)
    some = drawn.blurred.nonzero()[:, 0]
    if len(some) and radius_of(how.size):
        x[some.to(device)] = blur(x[some.to(device)], drawn.sigmas[some]).clamp_(0, 1)
    return x


def _geometry(heights: Tensor, widths: Tensor, drawn: Draws, how: Augmentation) -> Geometry:
    device = heights.device
    angles = torch.stack((drawn.angles.cos(), drawn.angles.sin()), 1).to(device) if how.rotation_range else None
    bends = drawn.bends.to(device) if how.use_elastic_deform else None
    crops, flipped = drawn.crops.to(device), drawn.flipped.to(device)
    return Geometry(heights.double(), widths.double(), crops, flipped, angles, bends)


def _middle(heights: Tensor, widths: Tensor, size: int) -> Tensor:
    h, w = heights.double(), widths.double()
    if size <= _NEVER_CROPPED:
        return torch.stack((torch.zeros_like(h), torch.zeros_like(w), h, w), 1)
    side = (_CENTRE * torch.minimum(h, w)).round()
    return torch.stack((((h - side + 1) / 2).floor(), ((w - side + 1) / 2).floor(), side, side), 1)


def _parts(images: Tensor, size: int) -> list[slice]:
    n, height, width = images.shape[:3]
    pixels = _PIXELS_AT_ONCE.get(images.device.type, _PIXELS_ON_A_DEVICE)
    step = max(1, pixels // max(height * width, size * size))
    return [slice(start, start + step) for start in range(0, n, step)]


def _check(images: Tensor, heights: Tensor, widths: Tensor) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[3] != 3:
        found = f"{str(images.dtype).removeprefix('torch.')} {tuple(images.shape)}"
        raise UsageError(f"the images are {found}, expected uint8 (n, H, W, 3); convert them first")
    for name, sides, padded in (("heights", heights, images.shape[1]), ("widths", widths, images.shape[2])):
        if sides.shape != (len(images),) or bool(((sides < 1) | (sides > padded)).any()):
            raise UsageError(f"found {sides.tolist()}, expected {len(images)} from 1 to {padded}", where=name)
