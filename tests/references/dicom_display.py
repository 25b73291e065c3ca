"""The grey display of a DICOM image, written out value by value in float64 from PS3.3, for tests to hold ours against.

Modality: C.11.1.1 (table) and C.7.6.16.2.9 / C.11.1 (rescale). VOI: C.11.2.1.1 (table), C.11.2.1.2.1 (LINEAR),
C.11.2.1.3.1 (SIGMOID), C.11.2.1.3.2 (LINEAR_EXACT). Polarity: C.7.6.3.1.2 and C.11.6. Padding: C.7.5.1.1.2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Lut:
    """A lookup table: outputs, the input of the first of them, and bits of an output."""

    entries: Sequence[int]
    first: int
    bits: int


@dataclass(frozen=True)
class Header:
    """What the header of the image says."""

    bits: int
    signed: bool = False
    monochrome1: bool = False
    inverse: bool = False
    slope: float | None = None
    intercept: float = 0.0
    modality_lut: Lut | None = None
    voi_lut: Lut | None = None
    window: tuple[float, float] | None = None
    function: str = "LINEAR"
    padding: tuple[int, int] | None = None


def looked_up(x: float, lut: Lut) -> int:
    """The entry for an input: the first one's below the table, the last one's above."""
    place = round(x) - lut.first
    if place < 0:
        return lut.entries[0]
    if place >= len(lut.entries):
        return lut.entries[-1]
    return lut.entries[place]


def linear(x: float, c: float, w: float) -> float:
    """C.11.2.1.2.1 with y from 0 to 1."""
    if x <= c - 0.5 - (w - 1) / 2:
        return 0.0
    if x > c - 0.5 + (w - 1) / 2:
        return 1.0
    return (x - (c - 0.5)) / (w - 1) + 0.5


def linear_exact(x: float, c: float, w: float) -> float:
    """C.11.2.1.3.2 with y from 0 to 1."""
    if x <= c - w / 2:
        return 0.0
    if x > c + w / 2:
        return 1.0
    return (x - c) / w + 0.5


def sigmoid(x: float, c: float, w: float) -> float:
    """C.11.2.1.3.1 with y from 0 to 1; far to the left the exponential is beyond float64 and the value is 0."""
    exponent = -4 * (x - c) / w
    return 0.0 if exponent > 700 else 1 / (1 + math.exp(exponent))


FUNCTIONS = {"LINEAR": linear, "LINEAR_EXACT": linear_exact, "SIGMOID": sigmoid}


def modality(x: int, header: Header) -> float:
    """Stored value to the modality's units: the table where there is one, else slope and intercept."""
    if header.modality_lut is not None:
        return looked_up(x, header.modality_lut)
    if header.slope is None:
        return x
    return header.slope * x + header.intercept


def is_padding(x: int, header: Header) -> bool:
    """Padding values are stored values, both ends included."""
    return header.padding is not None and header.padding[0] <= x <= header.padding[1]


def _ends(values: Sequence[float], header: Header) -> tuple[float, float]:
    """Black and white where the file has neither table nor window, which the standard leaves open.

    As `dicom-display` documents it: up to 8 bits the whole nominal range, above it the range of the picture.
    """
    if header.bits > 8:
        return min(values), max(values)
    lowest = -(2 ** (header.bits - 1)) if header.signed else 0
    ends = [modality(lowest, header), modality(lowest + 2**header.bits - 1, header)]
    return min(ends), max(ends)


def display(stored: npt.NDArray[np.integer], header: Header) -> npt.NDArray[np.float64]:
    """Return, of the same shape, 0 black to 1 white; padding is black."""
    pixels = [int(x) for x in stored.ravel()]
    picture = [modality(x, header) for x in pixels if not is_padding(x, header)]
    shown = []
    for x in pixels:
        if is_padding(x, header):
            shown.append(0.0)
            continue
        value = modality(x, header)
        if header.voi_lut is not None:
            share = looked_up(value, header.voi_lut) / (2**header.voi_lut.bits - 1)
        elif header.window is not None:
            share = FUNCTIONS[header.function](value, *header.window)
        else:
            low, high = _ends(picture, header)
            share = (value - low) / (high - low) if high > low else 0.0
        shown.append(1 - share if header.monochrome1 or header.inverse else share)
    return np.array(shown, np.float64).reshape(stored.shape)
