"""One pass over all pixels of a manifest, and the little of each picture that an audit keeps: no picture stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import dctn

from remedis.console import QUIET, Console
from remedis.data.manifest import Manifest, Source
from remedis.data.readers import read_source
from remedis.data.resize import resize
from remedis.errors import ReadError

Floats = npt.NDArray[np.float32]

THUMBNAIL = 24
"""Side in pixels of the thumbnails that are correlated."""

BLACK, WHITE = 12, 243
"""Grey levels of 255 up to which, and from which on, a pixel counts as black or white: five hundredths of the range."""

_HASHED, _KEPT = 32, 8
_ROWS_AT_ONCE = 4096


@dataclass(frozen=True)
class Decoded:
    """What is kept of each picture that could be decoded, P in all; rows that name the same picture share it.

    Attributes:
        sources: (P) where each picture lies.
        of_row: (N,) number of each row's picture, -1 where it could not be decoded.
        thumbnails: (P, 24, 24, 3) uint8, antialiased, whatever the aspect.
        hashes: (P,) uint64, see `perceptual_hash`.
        brightness: (P, 4) mean and standard deviation of the grey levels, shares of black and of white pixels; all
            in [0, 1].
        sizes: (P, 2) width and height in pixels.
        unreadable: Place and reason of each picture that could not be decoded.
    """

    sources: tuple[Source, ...]
    of_row: npt.NDArray[np.int64]
    thumbnails: npt.NDArray[np.uint8]
    hashes: npt.NDArray[np.uint64]
    brightness: Floats
    sizes: npt.NDArray[np.int64]
    unreadable: tuple[tuple[Source, str], ...]

    def among(self, rows: npt.NDArray[np.int64]) -> Decoded:
        """Return what is kept of the pictures of some rows, numbered in their order."""
        places = self.of_row[rows]
        there = places >= 0
        pictures, of_there = np.unique(places[there], return_inverse=True)
        of_row = np.full(len(rows), -1, np.int64)
        of_row[there] = of_there.reshape(-1)
        return Decoded(
            sources=tuple(self.sources[picture] for picture in pictures),
            of_row=of_row,
            thumbnails=self.thumbnails[pictures],
            hashes=self.hashes[pictures],
            brightness=self.brightness[pictures],
            sizes=self.sizes[pictures],
            unreadable=(),
        )


@dataclass(frozen=True)
class _Glance:
    """What one picture leaves."""

    thumbnail: npt.NDArray[np.uint8]
    hash: int
    brightness: tuple[float, float, float, float]
    size: tuple[int, int]


def decode_all(rows: Manifest, console: Console = QUIET) -> Decoded:
    """Decode every picture of a manifest once, as `dicom-display` shows it; of several frames the first.

    Args:
        rows: The manifest.
        console: Where progress is shown.
    """
    places: dict[Source, int] = {}
    sources: list[Source] = []
    glances: list[_Glance] = []
    unreadable: list[tuple[Source, str]] = []
    of_row = np.full(len(rows), -1, np.int64)
    with console.track(len(rows), "images", "decoding") as track:
        for row, source in _enumerated(rows):
            if source not in places:
                places[source] = len(glances)
                found = _glance(source)
                if isinstance(found, str):
                    places[source] = -1
                    unreadable.append((source, found))
                else:
                    sources.append(source)
                    glances.append(found)
            of_row[row] = places[source]
            track.advance()
    return Decoded(
        sources=tuple(sources),
        of_row=of_row,
        thumbnails=_stacked(glances, lambda each: each.thumbnail, (THUMBNAIL, THUMBNAIL, 3), np.uint8),
        hashes=_stacked(glances, lambda each: each.hash, (), np.uint64),
        brightness=_stacked(glances, lambda each: each.brightness, (4,), np.float32),
        sizes=_stacked(glances, lambda each: each.size, (2,), np.int64),
        unreadable=tuple(unreadable),
    )


def _enumerated(rows: Manifest) -> Any:
    """Yield (row, source), so many rows at a time that a long table is never a list."""
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = range(start, min(start + _ROWS_AT_ONCE, len(rows)))
        yield from zip(part, rows.sources(part), strict=True)


def _stacked(glances: list[_Glance], part: Callable[[_Glance], Any], shape: tuple[int, ...], kind: Any) -> Any:
    return np.array([part(each) for each in glances], dtype=kind).reshape(len(glances), *shape)


def _glance(source: Source) -> _Glance | str:
    """Return what is kept of a picture, or why it cannot be decoded."""
    try:
        pixels = read_source(source).pixels
    except ReadError as error:
        return str(error)
    if pixels.ndim == 4:
        pixels = pixels[0]
    if pixels.dtype != np.uint8:
        pixels = (pixels >> 8).astype(np.uint8)
    grey = grey_of(pixels)
    height, width = grey.shape
    return _Glance(resize(pixels, THUMBNAIL), perceptual_hash(grey), brightness(grey), (width, height))


def grey_of(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Return (H, W) the luma of (H, W, 3) pixels, ITU-R BT.601 as Pillow computes it."""
    from PIL import Image

    return np.asarray(Image.fromarray(np.ascontiguousarray(pixels)).convert("L"))


def brightness(grey: npt.NDArray[np.uint8]) -> tuple[float, float, float, float]:
    """Return mean, standard deviation, share of black and share of white of (H, W) grey levels, all in [0, 1]."""
    shares = np.bincount(grey.ravel(), minlength=256) / grey.size
    levels = np.arange(256) / 255
    mean = float(shares @ levels)
    spread = float(np.sqrt(shares @ np.square(levels - mean)))
    return mean, spread, float(shares[: BLACK + 1].sum()), float(shares[WHITE:].sum())


def perceptual_hash(grey: npt.NDArray[np.uint8]) -> int:
    """Return 64 bits that change little where a picture is resized, recompressed or made lighter.

    Bit (u, v) says whether that coefficient of the cosine transform of the 32 × 32 picture, of the 8 × 8 lowest, is
    above their median; the first bit is the highest. Same bits as `imagehash.phash`.

    Source: Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions (2010), 3.2.1, with the median
    over the 64 kept coefficients.
    """
    from PIL import Image

    small = np.asarray(Image.fromarray(grey).resize((_HASHED, _HASHED), Image.Resampling.LANCZOS), np.float64)
    lowest = dctn(small, type=2)[:_KEPT, :_KEPT]
    bits = (lowest > np.median(lowest)).ravel()
    return int.from_bytes(np.packbits(bits).tobytes(), "big")
