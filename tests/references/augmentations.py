"""SimCLR's augmentations in numpy, float64, one image and one pixel at a time, written from their definitions."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_WORD = 2**64


def splitmix64(state: int, count: int) -> list[int]:
    """Return SplitMix64's outputs from a state: Vigna's splitmix64.c, in whole numbers without a limit."""
    outputs = []
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) % _WORD
        z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) % _WORD
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) % _WORD
        outputs.append(z ^ (z >> 31))
    return outputs


def tensorflow_crop(height: int, width: int, numbers: Array, area: tuple[float, float]) -> tuple[int, ...] | None:
    """Return (top, left, height, width) of one attempt of sample_distorted_bounding_box_op.cc, or None."""
    least, most = area[0] * height * width, area[1] * height * width
    aspect = 3 / 4 + numbers[0] * (4 / 3 - 3 / 4)
    low, high = round(math.sqrt(least / aspect)), round(math.sqrt(most / aspect))
    if round(high * aspect) > width:
        high = int((width + 0.5 - 1e-7) / aspect)
    high = min(high, height)
    low = min(low, high)
    rows = low + int(numbers[1] * (high - low + 1))
    columns = round(rows * aspect)
    if rows * columns < least:
        rows, columns = rows + 1, round((rows + 1) * aspect)
    if rows * columns > most:
        rows, columns = rows - 1, round((rows - 1) * aspect)
    if not least <= rows * columns <= most or not 0 < rows <= height or not 0 < columns <= width:
        return None
    if rows * columns < 0.1 * height * width:
        return None
    top = int(numbers[2] * (height - rows)) if rows < height else 0
    left = int(numbers[3] * (width - columns)) if columns < width else 0
    return top, left, rows, columns


def weight(distance: float, interpolation: str) -> float:
    """Return the interpolation's kernel: a triangle, or Keys's cubic with a = -0.75."""
    t, a = abs(distance), -0.75
    if interpolation == "bilinear":
        return max(0.0, 1 - t)
    if t <= 1:
        return ((a + 2) * t - (a + 3)) * t * t + 1
    return a * (((t - 5) * t + 8) * t - 4) if t < 2 else 0.0


def value_at(image: Array, y: float, x: float, interpolation: str) -> Array:
    """Return the image (H, W, C) at a position, its last rows and columns repeated outside."""
    height, width = image.shape[:2]
    total = np.zeros(image.shape[2])
    for row in range(math.floor(y) - 1, math.floor(y) + 3):
        for column in range(math.floor(x) - 1, math.floor(x) + 3):
            pixel = image[min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
            total += weight(y - row, interpolation) * weight(x - column, interpolation) * pixel
    return total


def inside(position: float, side: int) -> float:
    """Return how much of a bilinear kernel lies on the pixels of a side."""
    return sum(max(0.0, 1 - abs(position - pixel)) for pixel in range(side))


def position(image: Array, y: float, x: float, angle: float, bends: Array | None) -> tuple[float, float, float]:
    """Return where a pixel of the turned and bent image comes from, and how much of it is image."""
    height, width = image.shape[:2]
    middle = complex((width - 1) / 2, (height - 1) / 2)
    # counter-clockwise as one sees it, with y downwards: what is at the bottom comes to the right
    source = (complex(x, y) - middle) * complex(math.cos(angle), math.sin(angle)) + middle
    y, x = source.imag, source.real
    covered = inside(y, height) * inside(x, width)
    if bends is not None:
        knots = bends.shape[-1] - 1
        at = np.clip([(y + 0.5) / height * knots, (x + 0.5) / width * knots], 0, knots)
        down, right = value_at(np.moveaxis(bends, 0, -1), *at, "bicubic")
        y, x = y + down * height, x + right * width
    return min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0), covered


def warped(
    image: Array, crop: Array, flipped: bool, angle: float, bends: Array | None, size: int, interpolation: str
) -> Array:
    """Return (S, S, C): the image bent, turned, cropped, resized and flipped; k × k samples where it shrinks."""
    top, left, height, width = (float(number) for number in crop)
    k = max(1, math.ceil(max(height, width) / size))
    interpolation = interpolation if k == 1 else "bilinear"
    view = np.zeros((size, size, image.shape[2]))
    for i, j, a, b in np.ndindex(size, size, k, k):
        y = top + min(max((i + (a + 0.5) / k) / size * height - 0.5, 0.0), height - 1)
        x = left + min(max((j + (b + 0.5) / k) / size * width - 0.5, 0.0), width - 1)
        y, x, covered = position(image, y, x, angle, bends)
        view[i, size - 1 - j if flipped else j] += covered * value_at(image, y, x, interpolation) / k**2
    return view


def equalised(image: Array) -> Array:
    """Return the 8-bit image (H, W, 3) grey and equalised: (cdf - cdf_min) / (N - cdf_min) of 255, rounded."""
    grey = np.floor(image.astype(np.float64) @ [0.2989, 0.5870, 0.1140] + 0.5).astype(int)
    pixels = np.sort(grey.ravel())
    darkest = np.sum(pixels == pixels[0])
    if darkest == pixels.size:
        return np.repeat(grey[..., None], 3, axis=2)
    below = np.searchsorted(pixels, grey, side="right")
    even = np.floor((below - darkest) * 255 / (pixels.size - darkest) + 0.5).astype(int)
    return np.repeat(even[..., None], 3, axis=2)


def brightness(x: Array, factor: float) -> Array:
    """Return x (H, W, 3) times the factor."""
    return x * factor


def contrast(x: Array, factor: float) -> Array:
    """Return x about its channels' means."""
    mean = x.mean((0, 1))
    return (x - mean) * factor + mean


def _by_hsv(x: Array, change: Callable[[float, float, float], tuple[float, float, float]]) -> Array:
    pixels = [colorsys.hsv_to_rgb(*change(*colorsys.rgb_to_hsv(*pixel))) for pixel in x.reshape(-1, 3).tolist()]
    return np.array(pixels).reshape(x.shape)


def saturation(x: Array, factor: float) -> Array:
    """Return x with its saturation multiplied, at most 1."""
    return _by_hsv(x, lambda h, s, v: (h, min(s * factor, 1.0), v))


def hue(x: Array, shift: float) -> Array:
    """Return x with its hue shifted by a part of a turn."""
    return _by_hsv(x, lambda h, s, v: ((h + shift) % 1.0, s, v))


def grey(x: Array) -> Array:
    """Return x as three equal channels."""
    return np.repeat((x @ [0.2989, 0.5870, 0.1140])[..., None], 3, axis=2)


def blurred(x: Array, sigma: float, radius: int) -> Array:
    """Return x under a Gaussian of 2 radius + 1 pixels a side, its border repeated."""
    steps = np.arange(-radius, radius + 1)
    kernel = np.exp(-(steps**2) / (2 * sigma**2))
    kernel = np.outer(kernel, kernel) / kernel.sum() ** 2
    wide = np.pad(x, ((radius, radius), (radius, radius), (0, 0)), mode="edge")
    height, width = x.shape[:2]
    shifted = [kernel[i, j] * wide[i : i + height, j : j + width] for i, j in np.ndindex(kernel.shape)]
    return np.sum(shifted, axis=0)
