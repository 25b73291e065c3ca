"""DeLong's variance as the paper writes it: every pair of a positive and a negative row, one at a time.

DeLong, DeLong, Clarke-Pearson, Biometrics 44:837 (1988), equations 3 to 5.
"""

from __future__ import annotations

import numpy as np


def delong_by_pairs(positives: np.ndarray, negatives: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (models,) AUROCs and their (models, models) covariance; inputs (models, m) and (models, n)."""
    models, m = positives.shape
    n = negatives.shape[1]
    v10, v01 = np.zeros((models, m)), np.zeros((models, n))
    for r in range(models):
        for i in range(m):
            for j in range(n):
                x, y = positives[r, i], negatives[r, j]
                won = 1.0 if x > y else 0.5 if x == y else 0.0
                v10[r, i] += won / n
                v01[r, j] += won / m
    area = v10.mean(axis=1)
    covariance = np.zeros((models, models))
    for r in range(models):
        for s in range(models):
            s10 = sum((v10[r] - area[r]) * (v10[s] - area[s])) / (m - 1)
            s01 = sum((v01[r] - area[r]) * (v01[s] - area[s])) / (n - 1)
            covariance[r, s] = s10 / m + s01 / n
    return area, covariance
