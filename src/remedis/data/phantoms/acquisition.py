"""The two sites: exposure, scatter, detector, display and collimation, and a picture of a line integral.

Sites differ as hospitals do: one has a flat-panel detector behind a grid, the other storage plates, mostly without.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from remedis.data.phantoms import markers
from remedis.data.phantoms.anatomy import Body
from remedis.data.phantoms.beam import LUNG_PER_MM, SOFT_PER_MM, counted, exposed
from remedis.data.phantoms.geometry import FIELD_MM, Array, blur, detector, ramp, wide_blur
from remedis.data.phantoms.population import Exam

BITS = 12
TOP = 2**BITS - 1


@dataclass(frozen=True)
class Site:
    """How a hospital makes its pictures.

    Attributes:
        name: As in the population.
        quanta_per_mm2: Counted behind a lung. Far fewer than a film has (some 10^4), so that the noise of a small
            picture, whose pixels are averages of hundreds, can still be measured.
        scatter: Factor of scatter in PA films; `scatter_bedside` in AP.
        scatter_bedside: There is no grid at the bedside.
        blur_mm: Standard deviation of the detector's point spread.
        compression: Share of the coarse contrast that the display takes out, as unsharp masking does.
        centre: Of the display curve: logarithm of the attenuation behind a lung that becomes mid grey.
        slope: Of the display curve; larger is flatter.
        margin_mm: Of the collimated border, at most.
        shutter: Whether the border is blackened; else it stays as bright as what no beam reached.
        lead: Whether the side marker is lead in the beam; else it is written into the picture.
        inverted: Whether DICOM files are stored as MONOCHROME1.
        window: Centre and width in stored values (0 to 4095, bright is high).
    """

    name: str
    quanta_per_mm2: float
    scatter: float
    scatter_bedside: float
    blur_mm: float
    compression: float
    centre: float
    slope: float
    margin_mm: float
    shutter: bool
    lead: bool
    inverted: bool
    window: tuple[float, float]


SITES = {
    site.name: site
    for site in (
        Site(
            name="site-a",
            quanta_per_mm2=4000,
            scatter=0.08,
            scatter_bedside=0.2,
            blur_mm=0.25,
            compression=0.22,
            centre=0.5,
            slope=0.55,
            margin_mm=9.0,
            shutter=True,
            lead=False,
            inverted=False,
            window=(2048.0, 3600.0),
        ),
        Site(
            name="site-b",
            quanta_per_mm2=900,
            scatter=0.2,
            scatter_bedside=0.34,
            blur_mm=0.55,
            compression=0.1,
            centre=0.42,
            slope=0.62,
            margin_mm=14.0,
            shutter=False,
            lead=True,
            inverted=True,
            window=(1950.0, 3300.0),
        ),
    )
}


def chart(body: Body) -> float:
    """Return the line integral that the exposure is set by: a technique chart goes by the patient's thickness."""
    soft = 0.96 * body.depth - 0.9 * body.lung_depth
    return SOFT_PER_MM * soft + LUNG_PER_MM * 0.9 * body.lung_depth


def photographed(integral: Array, body: Body) -> npt.NDArray[np.uint16]:
    """Return (N, N) stored values of 12 bits, bright is high, of a line integral."""
    exam, size = body.exam, len(integral)
    site = SITES[exam.patient.site]
    bedside = exam.projection == "AP"
    luck = exam.generator("exposure").standard_normal()
    reference = chart(body)
    if site.lead:
        integral = integral + 5 * markers.side(exam, size, lead=True)
    energy = exposed(integral, site.scatter_bedside if bedside else site.scatter, reference)
    field = beam_field(exam, size)
    energy = blur(energy * (0.03 + 0.97 * field), float(np.hypot(site.blur_mm, 0.4 * FIELD_MM / size)))
    quanta = site.quanta_per_mm2 * (FIELD_MM / size) ** 2 * float(np.exp(0.2 * luck)) * (0.7 if bedside else 1)
    seen = -np.log(counted(energy, quanta, exam.generator("noise")))
    return _displayed(seen, field, exam)


def _displayed(seen: Array, field: Array, exam: Exam) -> npt.NDArray[np.uint16]:
    """Return stored values: coarse contrast compressed, a sigmoid curve, the shutter, the letters."""
    site, size = SITES[exam.patient.site], len(seen)
    taste = exam.generator("display").standard_normal(2)
    coarse = wide_blur(seen, 22.0)
    seen = seen - np.float32(site.compression) * (coarse - np.float32(site.centre))
    slope, centre = site.slope * (1 + 0.05 * taste[0]), site.centre + 0.06 * taste[1]
    curve = 1 / (1 + np.exp((np.float32(centre) - seen) / np.float32(slope)))
    if site.shutter:
        curve = curve * (field > 0.5)
    written = markers.written(exam, size, with_side=not site.lead)
    curve = curve * (1 - markers.label(size))
    curve = curve + written * (np.float32(0.99) - curve)
    result: npt.NDArray[np.uint16] = np.rint(np.float32(TOP) * curve).astype(np.uint16)
    return result


def beam_field(exam: Exam, size: int) -> Array:
    """Return (N, N) 1 inside the collimated field, 0 outside, with a penumbra of some millimetres."""
    site = SITES[exam.patient.site]
    margins = site.margin_mm * (2 * exam.generator("collimation").random(4) - 0.7)
    x, y = detector(size)
    half = FIELD_MM / 2
    left, right, top, bottom = (
        ramp((half - np.float32(margin) + away) / 3) for margin, away in zip(margins, (x, -x, y, -y), strict=True)
    )
    result: Array = (top * bottom) * (left * right)
    return result
