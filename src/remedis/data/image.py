"""What a reader gives: the picture, where it came from, and what each step did to the range of its values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy.typing as npt


@dataclass(frozen=True)
class Step:
    """One step between the stored values and the picture.

    Attributes:
        name: Short name: `stored`, `rescale`, `window`, `invert`, `to 16 bits` …
        low: Smallest value after the step, over every frame that was read; padding pixels are left out.
        high: Largest value after the step.
        detail: What was done, with its numbers; says so where values were limited, and how many pixels.
    """

    name: str
    low: float
    high: float
    detail: str


@dataclass(frozen=True)
class Image:
    """One picture, or the frames of one file, as a profile made it. Never resized.

    Attributes:
        pixels: (H, W, 3), or (F, H, W, 3) where the file holds several frames and no single one was asked for; uint8 or
            uint16. The full range of the type is black to white: pixels / 255 or / 65535 is in [0, 1].
        source: The file's path as it was given, or the name of the bytes.
        profile: Name of the profile that made the pixels.
        steps: What each step did to the range, in order.
        facts: What was found in the file, as plain values: format, size, bits, photometric interpretation, window used
            … Names, birth dates and identifiers of the patient are never among them.
        frames: How many frames the file holds.
        spacing_mm: (between rows, between columns) in millimetres, where the file says so.
    """

    pixels: npt.NDArray[Any]
    source: str
    profile: str
    steps: tuple[Step, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)
    frames: int = 1
    spacing_mm: tuple[float, float] | None = None
