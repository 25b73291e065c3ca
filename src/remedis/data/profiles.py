"""Profiles: named, versioned ways from stored pixels to the picture a network sees.

A profile is two functions, for a grey frame and for one in colour. To add one: write them (`display` and `foreign` have
examples), and give them a line in `PROFILES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.data import display, foreign
from remedis.data.frame import Frame, Painted, range_step, to_16_bits
from remedis.data.image import Step
from remedis.data.stored import Stored
from remedis.errors import UsageError, nearest

DEFAULT = "dicom-display"


@dataclass(frozen=True)
class Profile:
    """A way from stored pixels to uint8 or uint16.

    Attributes:
        name: What `--profile` takes.
        version: Rises when the same file would give other pixels.
        doc: What it does, in a line.
        source: Where that is written.
        grey: From a grey frame to (H, W).
        colour: From a colour frame to (H, W) or (H, W, 3).
        background: What shines through transparent pixels: 0 black, 1 white.
    """

    name: str
    version: int
    doc: str
    source: str
    grey: Callable[[Frame], Painted]
    colour: Callable[[Frame], Painted]
    background: float = 0.0


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            name="dicom-display",
            version=1,
            doc="as a workstation shows it: rescale, VOI LUT or first window, inverted at most once",
            source="DICOM PS3.3 C.7.6.3, C.11.1, C.11.2, C.11.6",
            grey=display.grey,
            colour=display.colour,
        ),
        Profile(
            name="remedis-cxr",
            version=1,
            doc="dicom-display in 8 bits, as the chest X-ray encoders of REMEDIS were fed",
            source="medical-ai-research-foundations README (RGB in [0, 1]), trained on 8-bit JPEG",
            grey=display.grey_8_bits,
            colour=display.colour_8_bits,
        ),
        Profile(
            name="remedis-path",
            version=1,
            doc="dicom-display in 8 bits with transparent pixels on white, for the pathology encoders",
            source="medical-ai-research-foundations README (RGB in [0, 1])",
            grey=display.grey_8_bits,
            colour=display.colour_8_bits,
            background=1.0,
        ),
        Profile(
            name="xrv",
            version=1,
            doc="stored values over their nominal range; no rescale, no window",
            source="torchxrayvision utils.py, read_xray_dcm and normalize",
            grey=foreign.xrv_grey,
            colour=foreign.xrv_colour,
        ),
        Profile(
            name="cxr-foundation",
            version=1,
            doc="rescale, first window by its own formula, stretched to 16 bits; 8 bits as stored",
            source="Google-Health/imaging-research cxr_foundation/example_generator_lib.py",
            grey=foreign.cxr_foundation_grey,
            colour=foreign.cxr_foundation_colour,
        ),
        Profile(
            name="mimic-jpg",
            version=1,
            doc="stretched to 8 bits and histogram-equalised, as MIMIC-CXR-JPG was made",
            source="MIMIC-CXR-JPG 2.0.0 (PhysioNet), Methods; OpenCV equalizeHist",
            grey=foreign.mimic_jpg_grey,
            colour=foreign.mimic_jpg_colour,
        ),
    )
}


def profile(name: str | None) -> Profile:
    """Return the profile of that name; `dicom-display` for None.

    Raises:
        UsageError: There is none; names the nearest.
    """
    if name is None:
        return PROFILES[DEFAULT]
    if name not in PROFILES:
        raise UsageError(f"there is no profile {name!r}; {nearest(name, PROFILES)}")
    return PROFILES[name]


def render(stored: Stored, chosen: Profile) -> tuple[npt.NDArray[Any], tuple[Step, ...], dict[str, Any]]:
    """Return (H, W, 3) or (F, H, W, 3) pixels, the steps over all frames, and what the profile decided.

    Every frame is treated by itself: `frame=k` alone gives the same pixels as the k-th of all.

    Raises:
        ReadError: The profile cannot take such a file.
    """
    opaque, first = _on_background(stored, chosen.background)
    make = chosen.colour if stored.is_colour else chosen.grey
    painted = [
        make(Frame(opaque[number], stored.meaning(number), stored.medical)) for number in range(len(stored.pixels))
    ]
    deepest = max((picture.pixels.dtype for picture in painted), key=lambda kind: kind.itemsize)
    pixels = np.empty((*stored.pixels.shape[:3], 3), deepest)
    for target, picture in zip(pixels, painted, strict=True):
        whole = picture.pixels if picture.pixels.dtype == deepest else to_16_bits(picture.pixels)
        target[...] = whole if whole.ndim == 3 else whole[..., None]
    steps = (*first, *_joined([picture.steps for picture in painted]))
    return pixels if stored.several else pixels[0], steps, painted[0].used


def _on_background(stored: Stored, background: float) -> tuple[npt.NDArray[Any], tuple[Step, ...]]:
    """Return the pixels with transparent ones laid over the background, on their own scale."""
    if stored.alpha is None:
        return stored.pixels, ()
    top = 2 ** stored.meaning(0).bits - 1
    share = stored.alpha[..., None] / top if stored.is_colour else stored.alpha / top
    pixels = np.rint(stored.pixels * share + background * top * (1.0 - share)).astype(stored.pixels.dtype)
    through = int(np.count_nonzero(stored.alpha < top))
    detail = f"{through:,} pixels are transparent: laid over {'white' if background else 'black'}"
    return pixels, (range_step("alpha", pixels, detail),)


def _joined(frames: Sequence[tuple[Step, ...]]) -> tuple[Step, ...]:
    """Return steps with the range over all frames, in the first one's words; says where others differ."""
    if len(frames) == 1 or len({len(steps) for steps in frames}) > 1:
        return frames[0]
    joined = []
    for same in zip(*frames, strict=True):
        detail = same[0].detail
        if any(step.detail != detail for step in same):
            detail += f" (first of {len(same)} frames, the others differ)"
        low, high = min(step.low for step in same), max(step.high for step in same)
        joined.append(Step(same[0].name, low, high, detail))
    return tuple(joined)
