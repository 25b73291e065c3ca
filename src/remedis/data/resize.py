"""Resizing a picture to the square that a network takes, with antialiasing and without losing bits.

The filter is the triangle (bilinear, widened by the factor of reduction). It never goes above the brightest or below
the darkest pixel around, so nothing is clipped; bicubic and Lanczos overshoot at edges, and a network is not fed their
halos. It is what `torch.nn.functional.interpolate(mode="bilinear", antialias=True)` computes.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from remedis.errors import UsageError, nearest

Fit = Literal["squash", "pad", "crop"]
FITS = ("squash", "pad", "crop")


def resize(pixels: npt.NDArray[Any], size: int, fit: str = "squash") -> npt.NDArray[Any]:
    """Return (size, size, 3) of the same type, antialiased; pixels of that size already are returned as they are.

    Args:
        pixels: (H, W, 3) uint8 or uint16.
        size: S, side of the square in pixels.
        fit: `squash` resizes the whole picture, whatever its aspect; `pad` keeps the aspect and fills with black on
            both sides; `crop` keeps the aspect and takes the middle square.

    Returns:
        (S, S, 3). Against the exact filter uint8 is within 1 (two roundings), uint16 within 1.

    Raises:
        UsageError: There is no such fit, or the size is not positive.
    """
    if fit not in FITS:
        raise UsageError(f"there is no fit {fit!r}; {nearest(fit, FITS)}")
    if size < 1:
        raise UsageError(f"the size is {size} pixels, at least 1 is needed")
    height, width = pixels.shape[:2]
    if (height, width) == (size, size):
        return pixels
    if fit == "crop":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        return _resized(pixels[top : top + side, left : left + side], size, size)
    if fit == "squash":
        return _resized(pixels, size, size)
    longest = max(height, width)
    inner = _resized(pixels, max(1, round(height * size / longest)), max(1, round(width * size / longest)))
    square = np.zeros((size, size, 3), pixels.dtype)
    top, left = (size - inner.shape[0]) // 2, (size - inner.shape[1]) // 2
    square[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return square


def shrink(pixels: npt.NDArray[Any], shortest: int) -> npt.NDArray[Any]:
    """Return (h, w, 3) of the same aspect whose shorter side is at most `shortest` pixels, antialiased."""
    height, width = pixels.shape[:2]
    factor = shortest / min(height, width)
    if factor >= 1:
        return pixels
    return _resized(pixels, max(1, round(height * factor)), max(1, round(width * factor)))


def _resized(pixels: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    from PIL import Image

    filter_ = Image.Resampling.BILINEAR
    if pixels.shape[:2] == (height, width):
        return np.ascontiguousarray(pixels)
    if pixels.dtype == np.uint8:
        if _is_grey(pixels):
            grey = np.asarray(Image.fromarray(np.ascontiguousarray(pixels[..., 0])).resize((width, height), filter_))
            return np.repeat(grey[..., None], 3, axis=2)
        return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).resize((width, height), filter_))
    channels = [pixels[..., 0]] if _is_grey(pixels) else [pixels[..., channel] for channel in range(3)]
    # float32 holds every whole number below 2^24, so 16 bits go through Pillow's floating-point mode whole
    resized = [
        np.rint(np.asarray(Image.fromarray(channel.astype(np.float32)).resize((width, height), filter_)))
        for channel in channels
    ]
    whole = np.stack(resized * (3 // len(resized)), axis=2)
    return np.asarray(np.clip(whole, 0, 65535), np.uint16)


def _is_grey(pixels: npt.NDArray[Any]) -> bool:
    first = pixels[..., 0]
    return np.array_equal(first, pixels[..., 1]) and np.array_equal(first, pixels[..., 2])
