"""How MIMIC-CXR-JPG 2.0.0 made its pictures (PhysioNet, Methods), before JPEG compression.

Smallest value subtracted, divided by the largest, times 255, fraction cut off; MONOCHROME1 inverted; OpenCV's
equalizeHist, here written out: with the lowest level i0 occupied by h[i0] of n pixels, level i becomes round(255 / (n -
h[i0]) · (h[i0+1] + … + h[i])) in single precision, halves to even, and i0 becomes 0; a picture of one level stays as it
is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt


def equalize_hist(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """OpenCV 4, modules/imgproc/src/histogram.cpp, as a formula."""
    counts = [int((pixels == level).sum()) for level in range(256)]
    lowest = next(level for level in range(256) if counts[level])
    rest = pixels.size - counts[lowest]
    if rest == 0:
        return pixels
    scale, total, table = np.float32(255) / np.float32(rest), 0, {lowest: 0}
    for level in range(lowest + 1, 256):
        total += counts[level]
        table[level] = min(255, int(np.rint(np.float32(total) * scale)))
    return np.array([[table[int(x)] for x in row] for row in pixels], np.uint8)


def of_dicom(stored: npt.NDArray[Any], *, monochrome1: bool = False) -> npt.NDArray[np.uint8]:
    """(H, W) uint8."""
    shifted = stored.astype(np.float64) - float(stored.min())
    scaled = (shifted / (shifted.max() or 1.0) * 255).astype(np.uint8)
    return equalize_hist(255 - scaled if monochrome1 else scaled)
