"""Temperature scaling: one number that makes probabilities less or more sure, and (but for rounding) changes no order.

Guo et al., arXiv:1706.04599, section 4.2: logits are divided by T, which minimises the log loss of validation rows.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit, softmax

from remedis.evaluate.metrics import Booleans, Floats

CLIP = 2.0**-24
"""Probabilities nearer to 0 or 1 count as this near where a logit is fitted, for 0 and 1 have none that is finite; it
is the step of float32 below 1, in which most scores were computed."""

BOUNDS = (0.01, 100.0)
"""T is looked for between these; validation rows that are told apart without error have no smallest loss."""


def fit_temperature(truth: Booleans, scores: Floats) -> float:
    """Return the T that minimises the log loss; an end of `BOUNDS` where the loss falls beyond it.

    Args:
        truth: (N,) True for the positive class, or (N, K) True where the row is of the class.
        scores: Probabilities of the same shape.
    """
    logits = logit(_clipped(scores)) if truth.ndim == 1 else np.log(_clipped(scores))

    def slope(inverse: float) -> float:  # of the log loss over 1/T, in which it is convex
        if truth.ndim == 1:
            return float(np.sum((expit(inverse * logits) - truth) * logits))
        return float(np.sum((softmax(inverse * logits, axis=1) - truth) * logits))

    low, high = 1 / BOUNDS[1], 1 / BOUNDS[0]
    if slope(low) >= 0:
        return BOUNDS[1]
    if slope(high) <= 0:
        return BOUNDS[0]
    return float(1 / brentq(slope, low, high, xtol=1e-12))


def scaled(scores: Floats, temperature: float) -> Floats:
    """Return probabilities with their logits divided by a temperature, (N,) or (N, K) as they came."""
    if scores.ndim == 1:
        with np.errstate(divide="ignore"):
            return np.asarray(expit(logit(scores) / temperature), dtype=np.float64)
    return np.asarray(softmax(np.log(_clipped(scores)) / temperature, axis=1), dtype=np.float64)


def _clipped(scores: Floats) -> Floats:
    return np.clip(scores, CLIP, 1 - CLIP)
