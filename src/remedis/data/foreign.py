"""What other projects' readers do to the same file, step by step, in their own arithmetic.

They are here so that an encoder trained behind one of them can be fed as it was, and so that `remedis inspect` can show
how far two readers are apart. Where they depart from the standard they do so here too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.data import lut
from remedis.data.frame import Frame, Painted, quantised, range_step
from remedis.data.image import Step
from remedis.errors import ReadError


def xrv_grey(frame: Frame) -> Painted:
    """Return stored / (2^bits - 1), MONOCHROME1 inverted first: [0, 1] here is torchxrayvision's [-1024, 1024].

    No rescale, no window, no padding. uint8 for 8 stored bits, else uint16.

    Raises:
        ReadError: A stored value is above the nominal range, or is a floating-point number; refused there too.

    Source: torchxrayvision utils.py, `read_xray_dcm` and `normalize`.
    """
    meaning, levels = frame.meaning, frame.levels
    if frame.pixels.dtype.kind == "f":
        raise ReadError("the profile xrv takes whole numbers, found floating-point ones; use dicom-display")
    top = 2**meaning.bits - 1
    steps = [range_step("stored", frame.pixels, f"{meaning.bits} bits{', signed' * meaning.signed}")]
    values = levels.values.astype(np.float64)
    if meaning.monochrome1:
        values = top - values
        steps.append(range_step("invert", values, f"MONOCHROME1: {top} - x"))
    if values.size and values.max() > top:
        raise ReadError(f"the profile xrv takes values up to {top}, found {values.max():g}; use dicom-display")
    below = levels.pixels_where(values < 0)
    limited = f"; {below:,} pixels below 0 (under -1024 there) cannot be stored and become 0" if below else ""
    bits = 8 if meaning.bits == 8 else 16
    curve = quantised(np.maximum(values, 0.0) / top, bits)
    detail = f"/ {top} × {2**bits - 1}, rounded: torchxrayvision's -1024 … 1024{limited}"
    steps.append(range_step(f"to {bits} bits", curve, detail))
    return Painted(levels.paint(curve), tuple(steps), {"inverted": meaning.monochrome1})


def xrv_colour(frame: Frame) -> Painted:
    """Return the first channel of an ordinary picture, treated as grey.

    Raises:
        ReadError: A DICOM file in colour, which torchxrayvision refuses too.
    """
    if frame.medical:
        raise ReadError("the profile xrv takes grey DICOM only, found colour; use dicom-display")
    painted = xrv_grey(Frame(np.ascontiguousarray(frame.pixels[..., 0]), frame.meaning, medical=False))
    step = range_step("first channel", frame.pixels[..., 0], "green and blue are left out")
    return Painted(painted.pixels, (step, *painted.steps), painted.used)


def cxr_foundation_grey(frame: Frame) -> Painted:
    """Return what the reader of CXR Foundation makes: uint8 for 8-bit pictures, else stretched to all 16 bits.

    Rescale, then the first window by its own formula (linear over centre - width/2 … centre - 1 + width/2, whatever the
    VOI LUT function), MONOCHROME1 inverted at the largest value, shifted to start at 0, cut to whole numbers, stretched
    from its smallest to its largest value. VOI LUTs and padding play no part.

    Raises:
        ReadError: A window of width 1 or less, or integers of 32 bits, for which that reader defines nothing.

    Source: Google-Health/imaging-research cxr_foundation/example_generator_lib.py, `_apply_pydicom_prep`.
    """
    meaning, levels = frame.meaning, frame.levels
    kind = frame.pixels.dtype
    steps = [range_step("stored", frame.pixels, f"{meaning.bits} bits{', signed' * meaning.signed}")]
    values: npt.NDArray[Any] = levels.values.astype(np.float64)
    if meaning.modality_table is not None or meaning.rescale is not None:
        values = lut.modality(levels.values, meaning)
        kind = np.dtype(np.float64) if meaning.modality_table is None else np.dtype(np.uint16)
        steps.append(range_step("rescale", values, "modality LUT or rescale"))
    if meaning.windows:
        values, step = _cxr_foundation_window(values, frame)
        kind = np.dtype(np.float64)
        steps.append(step)
    if meaning.monochrome1:
        values = values.max() - values
        steps.append(range_step("invert", values, "MONOCHROME1: largest value - x"))
    curve, last = _cxr_foundation_integers(values, kind)
    return Painted(levels.paint(curve), (*steps, *last), {"inverted": meaning.monochrome1})


def _cxr_foundation_window(values: npt.NDArray[Any], frame: Frame) -> tuple[npt.NDArray[Any], Step]:
    centre, width = frame.meaning.windows[0]
    if len(frame.meaning.windows) > 1:
        centre, width = int(centre), int(width)
    low, high = centre - width / 2, centre - 1 + width / 2
    if high <= low:
        raise ReadError(f"the profile cxr-foundation needs a window wider than 1, found {width:g}; use dicom-display")
    below = frame.levels.pixels_where(values < low)
    above = frame.levels.pixels_where(values > high)
    result = np.interp(np.clip(values, low, high), (low, high), (0.0, 65535.0))
    detail = f"{low:g} … {high:g} becomes 0 … 65535; {below:,} pixels below and {above:,} above it become its ends"
    return result, range_step("window", result, detail)


def _cxr_foundation_integers(values: npt.NDArray[Any], kind: np.dtype[Any]) -> tuple[npt.NDArray[Any], list[Step]]:
    """Shift to 0, cut to whole numbers, stretch: as numpy does it there for values of the type `kind`."""
    if kind not in (np.uint8, np.int8, np.uint16, np.int16, np.float64):
        raise ReadError(f"the profile cxr-foundation takes 8 or 16 bits, found {kind}; use dicom-display")
    steps = []
    if kind.kind != "u":
        values = values - values.min()
        if kind.kind == "f" and values.max() > 65535:
            values = values * (65535.0 / values.max())
        values = np.minimum(np.trunc(values), 65535.0)
        steps.append(range_step("shift", values, "smallest value to 0, cut to whole numbers"))
    if kind.itemsize == 1:
        return values.astype(np.uint8), [*steps, range_step("as stored", values, "8 bits are not stretched")]
    curve = np.interp(values, (values.min(), values.max()), (0.0, 65535.0)).astype(np.uint16)
    return curve, [
        *steps,
        range_step("to 16 bits", curve, "smallest … largest becomes 0 … 65535, cut to whole numbers"),
    ]


def cxr_foundation_colour(frame: Frame) -> Painted:
    """Return the luma of an ordinary colour picture, treated as grey.

    Raises:
        ReadError: A DICOM file in colour, which that reader refuses too.
    """
    return _of_luma(frame, cxr_foundation_grey, "cxr-foundation")


def mimic_jpg_grey(frame: Frame) -> Painted:
    """Return 8 bits as the files of MIMIC-CXR-JPG were made, before their JPEG compression of quality 95.

    (stored - smallest) / largest of that × 255, cut to whole numbers; MONOCHROME1 inverted; histogram equalised. No
    rescale, no window, no padding.

    Source: MIMIC-CXR-JPG 2.0.0 on PhysioNet, "Methods"; the equalisation is OpenCV's equalizeHist.
    """
    levels = frame.levels
    values = levels.values.astype(np.float64)
    steps = [range_step("stored", frame.pixels, f"{frame.meaning.bits} bits{', signed' * frame.meaning.signed}")]
    values = values - values.min() if values.size else values
    largest = values.max() if values.size else 0.0
    curve = np.floor(values / (largest or 1.0) * 255.0).astype(np.uint8)
    steps.append(range_step("stretch", curve, "(x - smallest) / largest × 255, cut to whole numbers"))
    if frame.meaning.monochrome1:
        curve = 255 - curve
        steps.append(range_step("invert", curve, "MONOCHROME1: 255 - x"))
    if curve.size:
        curve = lut.equalise(curve, levels.counts)
    steps.append(range_step("equalise", curve, "histogram made flat, as OpenCV's equalizeHist"))
    return Painted(levels.paint(curve), tuple(steps), {"inverted": frame.meaning.monochrome1})


def mimic_jpg_colour(frame: Frame) -> Painted:
    """Return the luma of an ordinary colour picture, treated as grey.

    Raises:
        ReadError: A DICOM file in colour; MIMIC-CXR has none.
    """
    return _of_luma(frame, mimic_jpg_grey, "mimic-jpg")


def _of_luma(frame: Frame, grey: Any, name: str) -> Painted:
    if frame.medical:
        raise ReadError(f"the profile {name} takes grey DICOM only, found colour; use dicom-display")
    luma = luma_of(frame.pixels)
    painted: Painted = grey(Frame(luma, frame.meaning, medical=False))
    step = range_step("luma", luma, "0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601), rounded")
    return Painted(painted.pixels, (step, *painted.steps), painted.used)


def luma_of(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return (H, W) brightness of (H, W, 3), same type, in Pillow's fixed-point weights (ITU-R BT.601)."""
    weights = np.array([19595, 38470, 7471], np.uint64)  # sum 65536
    return ((pixels.astype(np.uint64) @ weights + 0x8000) >> 16).astype(pixels.dtype)
