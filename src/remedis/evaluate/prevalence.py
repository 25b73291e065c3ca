"""Predictive values where the disease is as common as one says, from sensitivity and specificity by Bayes' rule."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from remedis.evaluate.metrics import Floats


def ppv(sensitivity: npt.ArrayLike, specificity: npt.ArrayLike, prevalence: npt.ArrayLike) -> Floats:
    """Return the share of the called positive that are positive; NaN where none is called.

    Args:
        sensitivity: 0 … 1, of any shape (drawn values too).
        specificity: 0 … 1.
        prevalence: Share of positives in the population, 0 … 1; broadcast against the others.
    """
    hits = np.multiply(sensitivity, prevalence)
    alarms = np.multiply(np.subtract(1.0, specificity), np.subtract(1.0, prevalence))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(hits / (hits + alarms), dtype=np.float64)


def npv(sensitivity: npt.ArrayLike, specificity: npt.ArrayLike, prevalence: npt.ArrayLike) -> Floats:
    """Return the share of the called negative that are negative; arguments as for `ppv`."""
    return ppv(specificity, sensitivity, np.subtract(1.0, prevalence))
