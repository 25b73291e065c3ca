"""One frame on its way through a profile, and what the profile makes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.data.image import Step
from remedis.data.levels import Levels, levels_of
from remedis.data.stored import Meaning


@dataclass(frozen=True)
class Frame:
    """Stored values of one frame.

    Attributes:
        pixels: (H, W) grey or (H, W, 3) colour.
        meaning: What the values mean.
        medical: Whether it came from DICOM.
    """

    pixels: npt.NDArray[Any]
    meaning: Meaning
    medical: bool

    @cached_property
    def levels(self) -> Levels:
        """The distinct values of a grey frame."""
        return levels_of(self.pixels)


@dataclass(frozen=True)
class Painted:
    """What a profile made of one frame.

    Attributes:
        pixels: (H, W) or (H, W, 3), uint8 or uint16 over the full range of the type.
        steps: What each step did to the range.
        used: Facts that the profile decided: the window that was used, whether it inverted.
    """

    pixels: npt.NDArray[Any]
    steps: tuple[Step, ...]
    used: dict[str, Any] = field(default_factory=dict)


def range_step(name: str, values: npt.NDArray[Any], detail: str) -> Step:
    """Return the step whose range is that of `values`; of nothing (every pixel is padding) it is 0 … 0."""
    if values.size == 0:
        return Step(name, 0.0, 0.0, detail)
    return Step(name, float(values.min()), float(values.max()), detail)


def quantised(shares: npt.NDArray[np.float64], bits: int) -> npt.NDArray[Any]:
    """Return shares in [0, 1] as whole numbers of `bits` (8 or 16) bits, to the nearest, halves to even."""
    result: npt.NDArray[Any] = np.rint(shares * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    return result


def to_8_bits(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Return 8-bit pixels: 16-bit ones divided by 257, to the nearest; 8-bit ones as they are."""
    if pixels.dtype == np.uint8:
        return pixels
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def to_16_bits(pixels: npt.NDArray[Any]) -> npt.NDArray[np.uint16]:
    """Return 16-bit pixels: 8-bit ones times 257, so that v / 255 stays the same number."""
    if pixels.dtype == np.uint16:
        return pixels
    return pixels.astype(np.uint16) * np.uint16(257)
