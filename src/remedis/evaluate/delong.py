"""DeLong's variance of the AUROC, for rows that are independent of each other."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm, rankdata

from remedis.evaluate.metrics import Booleans, Floats


def delong(truth: Booleans, scores: Floats) -> tuple[Floats, Floats]:
    """Return the AUROC of each model and the covariance of these AUROCs.

    Args:
        truth: (N,) True for the positive class; both classes must be there.
        scores: (N,) or (models, N), all of the same rows.

    Returns:
        (models,) and (models, models). The covariance is zero where an AUROC is 0 or 1, and NaN where a class
        has a single row.

    Source: DeLong et al., Biometrics 44:837 (1988), by mid-ranks as in Sun and Xu, IEEE Signal Processing
    Letters 21:1389 (2014), algorithm 2.
    """
    scores = np.atleast_2d(scores)
    m, n = int(truth.sum()), int((~truth).sum())
    pooled = rankdata(scores, axis=1)
    own_positive = rankdata(scores[:, truth], axis=1)
    own_negative = rankdata(scores[:, ~truth], axis=1)
    of_positives = (pooled[:, truth] - own_positive) / n  # share of negatives below each positive
    of_negatives = 1 - (pooled[:, ~truth] - own_negative) / m  # share of positives above each negative
    covariance = _covariance(of_positives) / m + _covariance(of_negatives) / n
    return of_positives.mean(axis=1), covariance


def delong_interval(truth: Booleans, scores: Floats, level: float = 0.95) -> tuple[float, float]:
    """Return the limits of the AUROC's normal interval with DeLong's variance, cut at 0 and 1.

    The interval has no width where the AUROC is 0 or 1, and its limits are NaN where a class has a single row.
    """
    auroc, covariance = delong(truth, scores)
    half = norm.ppf(0.5 + level / 2) * np.sqrt(covariance[0, 0])
    return float(max(auroc[0] - half, 0.0)), float(min(auroc[0] + half, 1.0))


def _covariance(shares: Floats) -> Floats:
    if shares.shape[1] < 2:
        return np.full((len(shares), len(shares)), np.nan)
    return np.atleast_2d(np.cov(shares))
