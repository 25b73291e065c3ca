"""The objective of L2-penalised logistic regression and its gradient, written out row by row.

C · Σ_i -log p(y_i | x_i) + ½ Σ w², with p = softmax of x·w_c + b_c over the classes c. Two classes have one row of
coefficients, w, which is the softmax with 0 and w.
"""

from __future__ import annotations

import math

import numpy as np


def objective(
    features: np.ndarray, codes: np.ndarray, strength: float, coefficients: np.ndarray, intercepts: np.ndarray
) -> float:
    loss = 0.0
    for row, code in zip(features, codes, strict=True):
        logits = _logits(row, coefficients, intercepts)
        highest = max(logits)
        loss += highest + math.log(sum(math.exp(each - highest) for each in logits)) - logits[code]
    return strength * loss + float((coefficients**2).sum()) / 2


def gradient(
    features: np.ndarray, codes: np.ndarray, strength: float, coefficients: np.ndarray, intercepts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the gradients with respect to the coefficients (k, D) and the intercepts (k,)."""
    of_coefficients, of_intercepts = coefficients.copy(), np.zeros(len(intercepts))
    for row, code in zip(features, codes, strict=True):
        logits = _logits(row, coefficients, intercepts)
        highest = max(logits)
        parts = [math.exp(each - highest) for each in logits]
        for place in range(len(coefficients)):
            own = place + 1 if len(coefficients) == 1 else place
            wrong = parts[own] / sum(parts) - (code == own)
            of_coefficients[place] += strength * wrong * row
            of_intercepts[place] += strength * wrong
    return of_coefficients, of_intercepts


def _logits(row: np.ndarray, coefficients: np.ndarray, intercepts: np.ndarray) -> list[float]:
    logits = [float(row @ own + shift) for own, shift in zip(coefficients, intercepts, strict=True)]
    return [0.0, *logits] if len(logits) == 1 else logits
