"""What a decoder hands to a profile: stored values, and what the file says of their meaning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Table:
    """A lookup table of a DICOM file (PS3.3 C.11.1.1 and C.11.2.1.1).

    Attributes:
        entries: (n,) int64 outputs.
        first: The input that maps to the first entry; lower inputs map there too, higher than the last to the last.
        bits: Bits of an output: its nominal range is 0 … 2^bits - 1.
    """

    entries: npt.NDArray[np.int64]
    first: int
    bits: int


@dataclass(frozen=True)
class Meaning:
    """What the values of one frame mean. The defaults are those of an ordinary picture: brightness, black at 0.

    Attributes:
        bits: Stored bits of a sample.
        signed: Whether stored values are in two's complement.
        inverted: The lowest value is meant to be white (MONOCHROME1, or Presentation LUT Shape INVERSE).
        monochrome1: The photometric interpretation alone, for readers that look at nothing else.
        rescale: (slope, intercept) of the modality transformation.
        modality_table: The modality LUT, which replaces the rescale.
        voi_table: The first VOI LUT; preferred to windows.
        windows: (centre, width) of every window, in the file's order.
        function: VOI LUT function: LINEAR, LINEAR_EXACT or SIGMOID.
        padding: (lowest, highest) stored value that only fills the frame, both included.
    """

    bits: int = 8
    signed: bool = False
    inverted: bool = False
    monochrome1: bool = False
    rescale: tuple[float, float] | None = None
    modality_table: Table | None = None
    voi_table: Table | None = None
    windows: tuple[tuple[float, float], ...] = ()
    function: str = "LINEAR"
    padding: tuple[float, float] | None = None


@dataclass(frozen=True)
class Stored:
    """The decoded frames of one file.

    Attributes:
        pixels: (F, H, W) grey or (F, H, W, 3) red, green, blue; any integer type, or float where the file holds floats.
        meanings: What the values of each frame mean; one, where it is the same for all.
        alpha: (F, H, W) opacity on the scale of `pixels`, where a picture is transparent somewhere.
        medical: Whether it came from DICOM.
        facts: What was found, as plain values.
        frames_in_file: How many frames the file holds, the ones not decoded included.
        several: Whether the result keeps its axis of frames.
        spacing_mm: (between rows, between columns), where known.
    """

    pixels: npt.NDArray[Any]
    meanings: tuple[Meaning, ...]
    alpha: npt.NDArray[Any] | None = None
    medical: bool = False
    facts: dict[str, Any] = field(default_factory=dict)
    frames_in_file: int = 1
    several: bool = False
    spacing_mm: tuple[float, float] | None = None

    def meaning(self, frame: int) -> Meaning:
        """Return what the values of the `frame`-th decoded frame mean."""
        return self.meanings[frame if len(self.meanings) > 1 else 0]

    @property
    def is_colour(self) -> bool:
        """Whether a pixel is red, green and blue."""
        return self.pixels.ndim == 4
