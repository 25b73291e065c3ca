"""Two normal classes of unit variance, and what metrics are worth in the whole population, by integration.

With x ~ N(0, 1) for negatives and N(d, 1) for positives of prevalence p, the score is the true probability
P(positive | x) = 1 / (1 + (1-p)/p exp(d²/2 - d x)).
"""

from __future__ import annotations

import numpy as np
from scipy.integrate import quad
from scipy.special import expit, logit
from scipy.stats import norm


def distance(auroc: float) -> float:
    """Return d, for AUROC = Phi(d / sqrt 2)."""
    return float(np.sqrt(2) * norm.ppf(auroc))


def probability(x: np.ndarray, d: float, prevalence: float) -> np.ndarray:
    """Return the probability of the positive class at x."""
    return np.asarray(expit(logit(prevalence) + d * x - d * d / 2))


def average_precision(d: float, prevalence: float) -> float:
    """Return the integral of precision over recall: positives' density times precision at each threshold."""

    def integrand(x: float) -> float:
        hits, alarms = prevalence * norm.sf(x - d), (1 - prevalence) * norm.sf(x)
        return float(norm.pdf(x - d) * hits / (hits + alarms))

    return float(quad(integrand, -10, 10 + d, epsabs=1e-10)[0])


def brier(d: float, prevalence: float) -> float:
    """Return the mean of p (1 - p), which a true probability's squared error is."""

    def integrand(x: float) -> float:
        density = prevalence * norm.pdf(x - d) + (1 - prevalence) * norm.pdf(x)
        p = probability(np.float64(x), d, prevalence)
        return float(density * p * (1 - p))

    return float(quad(integrand, -10, 10 + d, epsabs=1e-10)[0])


def calibration_error(d: float, prevalence: float, scale: float, bins: int = 15) -> float:
    """Return the population's binned calibration error of scores expit(scale * logit p)."""
    edges = logit(np.linspace(0, 1, bins + 1)) / scale
    places = (edges - logit(prevalence) + d * d / 2) / d  # x at which the score crosses each edge
    total = 0.0
    for low, high in zip(np.clip(places[:-1], -12, 12), np.clip(places[1:], -12, 12), strict=True):

        def integrand(x: float) -> float:
            density = prevalence * norm.pdf(x - d) + (1 - prevalence) * norm.pdf(x)
            p = probability(np.float64(x), d, prevalence)
            return float(density * (p - expit(scale * logit(p))))

        total += abs(quad(integrand, low, high, epsabs=1e-12)[0])
    return total
