"""DICOM's grey transformations on distinct stored values.

The windows are pydicom's (3.0), which is handed a small data set with the elements of the window alone: with the
rescale elements it would answer in the units of the rescale, upside down where the slope is negative; without them the
answer lies in the output range, whatever the slope. Tables are looked up here: pydicom keeps the inputs of a VOI LUT in
the type of the *outputs*, which overflows, and knows no modality LUT of 12 bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.data.stored import Meaning, Table

FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")
Floats = npt.NDArray[np.float64]


def modality(values: npt.NDArray[Any], meaning: Meaning) -> Floats:
    """Return values in the modality's units, Hounsfield for a CT, through its LUT or rescale (PS3.3 C.11.1)."""
    if meaning.modality_table is not None:
        return look_up(values, meaning.modality_table)
    if meaning.rescale is None:
        return values.astype(np.float64)
    from pydicom.dataset import Dataset
    from pydicom.pixels import apply_rescale

    dataset = Dataset()
    dataset.RescaleSlope, dataset.RescaleIntercept = meaning.rescale
    result: Floats = apply_rescale(values, dataset)
    return result


def modality_range(meaning: Meaning) -> tuple[float, float]:
    """Return the nominal (lowest, highest) value in the modality's units that the stored bits can give."""
    if meaning.modality_table is not None:
        return 0.0, float(2**meaning.modality_table.bits - 1)
    low, high = stored_range(meaning)
    slope, intercept = meaning.rescale or (1.0, 0.0)
    ends = (low * slope + intercept, high * slope + intercept)
    return min(ends), max(ends)


def stored_range(meaning: Meaning) -> tuple[int, int]:
    """Return the (lowest, highest) value that the stored bits can hold."""
    if meaning.signed:
        return -(2 ** (meaning.bits - 1)), 2 ** (meaning.bits - 1) - 1
    return 0, 2**meaning.bits - 1


def look_up(values: npt.NDArray[Any], table: Table) -> Floats:
    """Return a table's outputs (PS3.3 C.11.1.1): inputs before the first give the first, after the last the last.

    Inputs that are no whole numbers (after a rescale by a fraction) are rounded, halves to even.
    """
    last = table.first + len(table.entries) - 1
    inputs = np.clip(np.rint(values), table.first, last).astype(np.int64) - table.first
    outputs: Floats = table.entries[inputs].astype(np.float64)
    return outputs


def window(values: Floats, meaning: Meaning, index: int = 0) -> Floats:
    """Return values in [0, 1] through a window (PS3.3 C.11.2.1.2 and C.11.2.1.3): LINEAR, LINEAR_EXACT or SIGMOID.

    Args:
        values: In the modality's units.
        meaning: Has the windows and their function.
        index: Which window.

    Raises:
        ValueError: The function is not known, or the width is too small for it (1 for LINEAR, above 0 for the others).
    """
    from pydicom.dataset import Dataset
    from pydicom.pixels import apply_windowing

    if meaning.function not in FUNCTIONS:  # not repeated: a damaged file may have anything there, a name included
        raise ValueError(f"(0028,1056) VOI LUT Function is none of {', '.join(FUNCTIONS)}; use another profile")

    dataset = Dataset()
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsStored, dataset.PixelRepresentation = 16, 0
    dataset.WindowCenter, dataset.WindowWidth = meaning.windows[index]
    dataset.VOILUTFunction = meaning.function
    with np.errstate(over="ignore"):  # far below a narrow SIGMOID the exponential is infinite and the answer 0
        result: Floats = apply_windowing(values, dataset)
    return result / 65535.0


def window_limits(meaning: Meaning, index: int = 0) -> tuple[float, float]:
    """Return the values beyond which a window gives black or white; infinite for SIGMOID."""
    centre, width = meaning.windows[index]
    if meaning.function == "SIGMOID":
        return -np.inf, np.inf
    if meaning.function == "LINEAR":
        centre, width = centre - 0.5, width - 1
    return centre - width / 2, centre + width / 2


def equalise(levels: npt.NDArray[np.uint8], counts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Return 8-bit values with a flat histogram, as OpenCV's equalizeHist makes them.

    The lowest level becomes 0, the highest 255, and one between them the share of pixels above the lowest that are not
    brighter than it, in single precision and rounded as there.

    Args:
        levels: (K,) 8-bit values, in any order, repeats allowed.
        counts: (K,) pixels of each.
    """
    histogram = np.bincount(levels, weights=counts, minlength=256).astype(np.int64)
    lowest = int(np.flatnonzero(histogram)[0])
    rest = int(histogram.sum() - histogram[lowest])
    if rest == 0:
        return levels.copy()
    histogram[: lowest + 1] = 0
    scale = np.float32(255.0) / np.float32(rest)
    table: npt.NDArray[np.uint8] = np.rint(np.cumsum(histogram).astype(np.float32) * scale).astype(np.uint8)
    return np.asarray(table[levels])
