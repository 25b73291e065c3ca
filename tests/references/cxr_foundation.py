"""What CXR Foundation's reader makes of a DICOM (imaging-research, example_generator_lib.py), from its description.

Modality rescale; the first window alone (its two numbers cut to integers where there are several), clipped to centre -
width/2 … centre - 1 + width/2 and spread over 0 … 65535; MONOCHROME1 as largest - x; shifted to unsigned (floats lose
their fraction); and all but 8-bit images stretched from smallest … largest to 0 … 65535, fraction lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

_TOP = 65535


def of_dicom(
    stored: npt.NDArray[Any],
    *,
    rescale: tuple[float, float] | None = None,
    windows: Sequence[tuple[float, float]] = (),
    monochrome1: bool = False,
) -> npt.NDArray[Any]:
    """(H, W) uint8 or uint16."""
    values = stored if rescale is None else stored.astype(np.float64) * rescale[0] + rescale[1]
    if windows:
        centre, width = windows[0]
        if len(windows) > 1:
            centre, width = int(centre), int(width)
        low, high = centre - width / 2, centre - 1 + width / 2
        values = np.interp(np.clip(values, low, high), (low, high), (0, _TOP))
    if monochrome1:
        values = values.max() - values
    values = _unsigned(values)
    if values.dtype == np.uint8:
        return values
    return np.interp(values, (values.min(), values.max()), (0, _TOP)).astype(np.uint16)


def _unsigned(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype.kind == "u":
        return values
    if values.dtype.kind == "i":
        wide = values.astype(np.int64)
        return (wide - wide.min()).astype(f"u{values.dtype.itemsize}")
    values = values - values.min()
    if values.max() > _TOP:
        values = np.minimum(values * (_TOP / values.max()), _TOP)
    return values.astype(np.uint16)
