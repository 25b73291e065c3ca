"""Calibration intercept and slope: how a logistic regression of the outcome on the scores' logits turns out."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, logit

from remedis.evaluate.metrics import Booleans, Floats, Integers
from remedis.evaluate.temperature import CLIP

_STEPS = 60
_CLOSE = 1e-8
_FARTHEST = 50.0
_CELLS = 2**21


class CalibrationLine:
    """Intercept and slope of calibration, which are 0 and 1 for probabilities that are right.

    The slope is b of logit P(y) = a + b * logit(score): below 1 the scores are too sure. The intercept is a of
    logit P(y) = a + logit(score), calibration in the large: below 0 the scores are too high (Cox, Biometrika 45:562,
    1958; the two as in Van Calster et al., BMC Med 17:230, 2019). Both by maximum likelihood.

    Args:
        truth: (N,) True for the positive class.
        scores: (N,) its probabilities; nearer than 2^-24 to 0 or 1 they count as this near.
        units: (N,) each row's unit.
        count: How many units there are.
    """

    def __init__(self, truth: Booleans, scores: Floats, units: Integers, count: int) -> None:
        logits = logit(np.clip(scores, CLIP, 1 - CLIP))
        self._powers = np.stack([np.ones_like(logits), logits, logits**2])
        self._truth = truth.astype(np.float64)
        self._units = units
        self._shift = self._begin(np.array([[0.0], [1.0]]), count, both=False)
        self._line = self._begin(np.zeros((2, 1)), count, both=True)

    def __call__(self, counts: Floats) -> dict[str, Floats]:
        """Return `calibration_intercept` and `calibration_slope` of each draw; NaN where there is no finite one."""
        width = max(_CELLS // len(self._truth), 1)
        parts = [counts[:, start : start + width] for start in range(0, counts.shape[1], width)]
        shifts, lines = (
            np.concatenate([self._climb(part, start, both=both) for part in parts], axis=1)
            for start, both in ((self._shift, False), (self._line, True))
        )
        return {"calibration_intercept": shifts[0], "calibration_slope": lines[1]}

    def _begin(self, start: Floats, count: int, *, both: bool) -> Floats:
        """Return what the rows themselves have, where draws begin; where they have no finite line, the start."""
        own = self._climb(np.ones((count, 1)), start, both=both)
        return np.where(np.isnan(own), start, own)

    def _climb(self, counts: Floats, start: Floats, *, both: bool) -> Floats:
        """Return (2, B) intercepts and slopes of the largest likelihood, NaN where Newton's steps do not settle.

        A step that goes past the top, so that the likelihood falls steeply along it, is halved.

        Args:
            counts: (units, B).
            start: (2, 1) intercept and slope to begin with.
            both: Whether the slope is free too.
        """
        weights, y = counts[self._units], self._truth[:, None]
        line = np.tile(start, counts.shape[1])
        step, rise = np.zeros_like(line), np.zeros(counts.shape[1])
        newton = step
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # where there is no finite line
            for _ in range(_STEPS):
                p = expit(line[0] + line[1] * self._powers[1][:, None])
                gradient, moments = self._powers[:2] @ (weights * (y - p)), self._powers @ (weights * p * (1 - p))
                newton = _newton(gradient, moments, both=both)
                if (np.abs(newton) < _CLOSE).all():
                    break
                past = (gradient * step).sum(axis=0) < -0.5 * rise
                line = line + np.where(past, -step / 2, newton)
                rise = np.where(past, rise / 2, (gradient * newton).sum(axis=0))
                step = np.where(past, step / 2, newton)
        settled = (np.abs(newton) < _CLOSE).all(axis=0) & (np.abs(line) < _FARTHEST).all(axis=0)
        return np.where(settled, line, np.nan)


def _newton(gradient: Floats, moments: Floats, *, both: bool) -> Floats:
    """Return (2, B) steps from the likelihood's slopes (2, B) and the weighted moments (3, B) of the logits."""
    if not both:
        return np.stack([gradient[0] / moments[0], np.zeros_like(gradient[0])])
    area = moments[0] * moments[2] - moments[1] ** 2
    first = moments[2] * gradient[0] - moments[1] * gradient[1]
    second = moments[0] * gradient[1] - moments[1] * gradient[0]
    return np.asarray(np.where(area > 0, np.stack([first, second]) / area, np.nan))
