"""One examination as a picture with its truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from remedis.data.phantoms import acquisition, findings
from remedis.data.phantoms.anatomy import Body, Chest, chest, pose_of
from remedis.data.phantoms.beam import changed, line_integral
from remedis.data.phantoms.geometry import FIELD_MM, Grid, Mask, field, ramp
from remedis.data.phantoms.population import Exam, generator
from remedis.data.phantoms.skeleton import bones
from remedis.data.phantoms.vessels import vessels
from remedis.errors import UsageError

SMALLEST, LARGEST = 32, 4096
DEFAULT_SIZE = 256


@dataclass(frozen=True)
class Phantom:
    """A simulated chest radiograph and everything that is true of it.

    Attributes:
        exam: Who and how.
        pixels: (N, N) uint8 as shown, 0 black: air is black, bone is white.
        stored: (N, N) uint16 of 12 bits (0 to 4095) from which a window makes `pixels`.
        window: Its centre and width (DICOM PS3.3 C.11.2.1.2.1, LINEAR).
        pixel_mm: Side of a pixel on the detector.
        severities: For each finding, 0 where it is absent.
        masks: For each finding that is there (N, N) where it alone changes the beam by 3% or more.
        lungs: (N, N) lung fields above the diaphragm and beside heart and mediastinum, whatever covers them.
        heart: (N, N) the heart's shadow.
    """

    exam: Exam
    pixels: npt.NDArray[np.uint8]
    stored: npt.NDArray[np.uint16]
    window: tuple[float, float]
    pixel_mm: float
    severities: dict[str, float]
    masks: dict[str, Mask]
    lungs: Mask
    heart: Mask


def render(exam: Exam, size: int = DEFAULT_SIZE) -> Phantom:
    """Return the picture of an examination; the same for the same arguments, on any machine, up to rounding.

    Args:
        exam: Of a population.
        size: N, side of the picture in pixels, 32 to 4096.

    Raises:
        UsageError: The size is out of its range.
    """
    check_size(size)
    _keep_memory()
    severities = exam.patient.severities
    body, grid = Body.of(exam), Grid.of(size, pose_of(exam))
    inside = chest(grid, body, severities.get("cardiomegaly", 0.0))
    masks = {"cardiomegaly": changed(inside.usual_lung, inside.air, inside)} if severities.get("cardiomegaly") else {}
    _aerate(inside)
    masks |= findings.add(inside, severities)
    stored = acquisition.photographed(line_integral(inside, bones(inside)), body)
    window = acquisition.SITES[exam.patient.site].window
    return Phantom(
        exam=exam,
        pixels=through_window(stored, window),
        stored=stored,
        window=window,
        pixel_mm=FIELD_MM / size,
        severities=dict(severities),
        masks=masks,
        lungs=inside.lungs,
        heart=inside.heart,
    )


def check_size(size: int) -> None:
    """Refuse a size out of range.

    Raises:
        UsageError: It is smaller than 32 or larger than 4096.
    """
    if not SMALLEST <= size <= LARGEST:
        raise UsageError(f"--size is {size}, {SMALLEST} to {LARGEST} pixels was expected")


@lru_cache(maxsize=1)
def _keep_memory() -> None:
    """Let the C library keep what is freed: a picture is twice as fast.

    glibc gives each large block back to the system and gets it anew, page by page, until it has seen a larger one freed
    (mallopt(3), M_MMAP_THRESHOLD, at most 32 MiB). The block is never touched. Elsewhere this does nothing.
    """
    np.empty(31 << 20, np.uint8)


def _aerate(inside: Chest) -> None:
    """Let vessels run through the lungs, and air fill them unevenly."""
    patient, size = inside.body.exam.patient, inside.grid.size
    random = generator(patient.seed, patient.number, "texture")
    uneven = 0.025 * field(random, size, 30.0) + 0.02 * field(random, size, 6.5)
    inside.blood = vessels(inside) * ramp(inside.lung / 90)
    inside.blood = np.minimum(inside.blood, 0.8 * inside.lung)
    inside.lung = inside.lung * (0.95 + np.clip(uneven, -0.2, 0.05)) - 0.95 * inside.blood


def through_window(stored: npt.NDArray[np.uint16], window: tuple[float, float]) -> npt.NDArray[np.uint8]:
    """Return what a linear window shows in 8 bits (DICOM PS3.3 C.11.2.1.2.1, equation C.11-2)."""
    centre, width = window
    levels = np.arange(acquisition.TOP + 1)
    shown = np.clip((levels - (centre - 0.5)) / (width - 1) + 0.5, 0, 1)
    return np.rint(255 * shown).astype(np.uint8)[stored]
