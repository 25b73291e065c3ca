"""What torchxrayvision's utils.py makes of stored values: `read_xray_dcm` and `load_image`, then `normalize`.

No modality LUT, no window; MONOCHROME1 is (2^BitsStored - 1) - x; the result is (2 x / maxval - 1) · 1024.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def normalize(values: npt.NDArray[Any], maxval: int) -> npt.NDArray[np.float64]:
    """-1024 … 1024; a value above `maxval` is an error there."""
    assert values.max() <= maxval
    return (2 * (values.astype(np.float64) / maxval) - 1) * 1024


def of_dicom(stored: npt.NDArray[Any], bits: int, photometric: str) -> npt.NDArray[np.float64]:
    """(H, W) of a grey DICOM."""
    top = 2**bits - 1
    values = top - stored.astype(np.int64) if photometric == "MONOCHROME1" else stored
    return normalize(values, top)


def of_picture(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """(H, W) of an 8-bit picture: its first channel."""
    scaled = normalize(pixels, 255)
    return scaled[..., 0] if scaled.ndim == 3 else scaled
