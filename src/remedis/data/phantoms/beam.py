"""From thicknesses to what reaches the detector: Beer-Lambert's law, scatter, quanta.

Attenuation coefficients: NIST, J. H. Hubbell and S. M. Seltzer, NISTIR 5632, table 4 (ICRU-44 soft tissue, lung and
cortical bone), at 60 keV, about the mean energy of a filtered 120 kV beam behind a chest.
"""

from __future__ import annotations

import numpy as np

from remedis.data.phantoms.anatomy import Chest
from remedis.data.phantoms.geometry import Array, Mask, wide_blur

SOFT_PER_MM = 0.2048 * 1.06 / 10  # cm^2/g times g/cm^3
LUNG_PER_MM = 0.2053 * 0.26 / 10
BONE_PER_MM = 0.3148 * 1.92 / 10
SCATTER_MM = 26.0
VISIBLE = 0.03  # a change of the line integral that counts as belonging to a finding: 1.4 mm of water


def line_integral(chest: Chest, bone: Array) -> Array:
    """Return (N, N) the attenuation's line integral; bone and lung are parts of the body, air is nothing."""
    soft = chest.total - chest.lung - chest.air
    result: Array = SOFT_PER_MM * soft + LUNG_PER_MM * chest.lung + (BONE_PER_MM - SOFT_PER_MM) * bone
    return result


def changed(lung: Array, air: Array, chest: Chest) -> Mask:
    """Return where the line integral has changed visibly since the chest had this much lung and air."""
    change = (SOFT_PER_MM - LUNG_PER_MM) * (lung - chest.lung) + SOFT_PER_MM * (air - chest.air)
    result: Mask = np.abs(change) >= VISIBLE
    return result


def exposed(integral: Array, scatter: float, reference: float) -> Array:
    """Return (N, N) the energy at the detector, 1 where the line integral is `reference` and nothing scatters.

    Scatter is the forward-scatter potential p exp(-p) of the line integral p, convolved with a wide kernel (B.
    Ohnesorge, T. Flohr and K. Klingenbeck-Regn, Eur. Radiol. 9 (1999) 563, there for tomography), with one Gaussian.

    Args:
        integral: The line integral p.
        scatter: Factor of the scattered part; about 0.1 behind a grid, 0.35 without.
        reference: The technique chart's line integral, which the exposure is chosen by.
    """
    primary: Array = np.exp(np.float32(reference) - integral)
    primary += np.float32(scatter) * np.maximum(wide_blur(primary * integral, SCATTER_MM), 0)
    return primary


def counted(energy: Array, quanta: float, random: np.random.Generator) -> Array:
    """Return the energy as counted: Poisson's law in its Gaussian limit, with the detector's own noise of two quanta.

    Args:
        energy: (N, N), 1 at the chart's level.
        quanta: Expected in a pixel at that level.
        random: Of this picture's noise.
    """
    expected = np.float32(quanta) * energy
    noise = random.standard_normal(energy.shape, dtype=np.float32) * np.sqrt(expected + 4)
    result: Array = np.maximum(expected + noise, np.float32(0.002 * quanta) + 1) / np.float32(quanta)
    return result
