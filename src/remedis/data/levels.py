"""The distinct stored values of one grey frame, so that a curve is computed once a value and not once a pixel.

Every grey step (rescale, LUT, window, inversion, equalisation) is a function of the stored value alone. A frame of
millions of pixels has at most some thousand values, so the steps run on those in float64 and are exact and quick.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

TABLE_LIMIT = 1 << 20
"""Widest range of values for which a table is kept; wider ones (32-bit, float) are sorted instead."""


@dataclass(frozen=True)
class Levels:
    """The distinct finite values of a frame.

    Attributes:
        values: (K,) float64 or int64, rising.
        counts: (K,) int64, pixels that have each value.
        places: (H, W) number of each pixel's value; -1 where it is not finite.
    """

    values: npt.NDArray[Any]
    counts: npt.NDArray[np.int64]
    places: npt.NDArray[np.int32]

    def paint(self, curve: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return (H, W): `curve` (K,) looked up for every pixel; a pixel that is not finite becomes 0."""
        return np.append(curve, np.zeros(1, curve.dtype))[self.places]

    def pixels_where(self, mask: npt.NDArray[np.bool_]) -> int:
        """Return how many pixels have a value for which `mask` (K,) holds."""
        return int(self.counts[mask].sum())


def levels_of(pixels: npt.NDArray[Any]) -> Levels:
    """Return the distinct values of `pixels` (H, W), integer or float."""
    if np.issubdtype(pixels.dtype, np.floating):
        return _sorted_levels(pixels)
    low, high = int(pixels.min()), int(pixels.max())
    if high - low >= TABLE_LIMIT:
        return _sorted_levels(pixels)
    offsets = pixels.astype(np.int64) - low if pixels.dtype.itemsize > 2 or low < 0 else pixels - pixels.dtype.type(low)
    counts = np.bincount(offsets.ravel(), minlength=high - low + 1)
    present = counts > 0
    table = (np.cumsum(present) - 1).astype(np.int32)
    return Levels(values=np.flatnonzero(present) + low, counts=counts[present], places=table[offsets])


def _sorted_levels(pixels: npt.NDArray[Any]) -> Levels:
    finite = np.isfinite(pixels)
    values, inverse, counts = np.unique(pixels[finite], return_inverse=True, return_counts=True)
    places = np.full(pixels.shape, -1, np.int32)
    places[finite] = inverse.astype(np.int32)
    return Levels(values=values, counts=counts.astype(np.int64), places=places)
