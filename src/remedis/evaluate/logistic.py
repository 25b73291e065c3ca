"""Logistic regression on embeddings, its L2 strength chosen inside the training part."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from remedis.evaluate.folds import Fold
from remedis.evaluate.knn import standard
from remedis.evaluate.metrics import Floats, Integers

Features = NDArray[np.float32]

STRENGTHS: tuple[float, ...] = tuple(float(f"1e{power}") for power in range(-6, 5))
"""Values of C, the inverse of the L2 penalty, in units of standardised features and of the summed loss."""

_PATIENCE = 2
"""The validation loss rises for good once C is too large; so many rises in a row end the search."""

_SEARCH_TOLERANCE, _FINAL_TOLERANCE = 1e-4, 1e-7
_MOST_ITERATIONS = 20_000


@dataclass(frozen=True)
class Logistic:
    """A fitted logistic regression, in the space of the embeddings.

    Attributes:
        coefficients: (1, D) for two classes, (K, D) for K; they belong to standardised features.
        intercept: (1,) or (K,).
        mean: (D,) of the training rows.
        scale: (D,) their standard deviation.
        strength: C.
        converged: False where the solver gave up.
    """

    coefficients: Floats
    intercept: Floats
    mean: Floats
    scale: Floats
    strength: float
    converged: bool = True

    def scores(self, features: Features) -> Floats:
        """Return (n,) the probability of the second class of two, or (n, K) those of K classes."""
        weights = self.coefficients / self.scale
        logits = features @ weights.T + (self.intercept - weights @ self.mean)
        return np.asarray(expit(logits[:, 0]) if len(weights) == 1 else softmax(logits, axis=1))


def choose_strength(
    features: Features, codes: Integers, folds: Sequence[Fold], *, classes: int
) -> tuple[float, dict[float, float]]:
    """Return the C with the smallest log loss on the folds' test parts, and the losses looked at.

    Log loss, because it is proper: it also punishes probabilities that are too sure, and it does not jump where a
    validation part is small, as an AUROC would. C is tried from the strongest penalty on; each fit starts from the
    one before.

    Args:
        features: (N, D).
        codes: (N,) classes, 0 … classes-1.
        folds: Row numbers to fit and to look at; one fold is a validation part.
        classes: How many classes there are.
    """
    rotated = [_Rotation(features[fold.train]) for fold in folds]
    paths = [_Path(rotation.rows, codes[fold.train]) for rotation, fold in zip(rotated, folds, strict=True)]
    looked_at = [rotation.apply(features[fold.test]) for rotation, fold in zip(rotated, folds, strict=True)]
    losses: dict[float, float] = {}
    for strength in STRENGTHS:
        total = 0.0
        for path, fold, rows in zip(paths, folds, looked_at, strict=True):
            path.fit(strength)
            total += log_loss(path.probabilities(rows, classes), codes[fold.test])
        losses[strength] = total / sum(len(fold.test) for fold in folds)
        if _risen(list(losses.values())):
            break
    return min(losses, key=lambda strength: losses[strength]), losses


def fit(features: Features, codes: Integers, strength: float) -> Logistic:
    """Return the logistic regression of standardised features with the L2 penalty 1/C.

    Args:
        features: (N, D) training rows.
        codes: (N,) classes, 0 … K-1, all there.
        strength: C.
    """
    rotation = _Rotation(features)
    path = _Path(rotation.rows, codes, tolerance=_FINAL_TOLERANCE)
    converged = path.fit(strength)
    # in one memory layout, so that a probe read from its file multiplies in the same order to the last bit
    coefficients = np.ascontiguousarray(rotation.unrotate(path.model.coef_))
    return Logistic(coefficients, path.model.intercept_, rotation.mean, rotation.scale, strength, converged)


def log_loss(probabilities: Floats, codes: Integers) -> float:
    """Return the summed negative log-probability of the rows' own classes."""
    own = probabilities[np.arange(len(codes)), codes]
    return float(-np.log(np.maximum(own, np.finfo(np.float64).tiny)).sum())


class _Rotation:
    """Standardised training rows in as few dimensions as they span.

    With fewer rows than features the coefficients of an L2-penalised fit lie in the span of the rows; turning the
    axes into it changes neither their length nor the scores, and makes every step of the solver cheaper.
    """

    def __init__(self, features: Features) -> None:
        self.mean, self.scale = standard(features)
        rows = (features - self.mean) / self.scale
        if len(rows) >= rows.shape[1]:
            self._axes, self.rows = None, rows
            return
        squares, vectors = np.linalg.eigh(rows @ rows.T)
        kept = squares > squares[-1] * 1e-12
        lengths = np.sqrt(squares[kept])
        self._axes = rows.T @ (vectors[:, kept] / lengths)  # (D, r), orthonormal columns
        self.rows = vectors[:, kept] * lengths  # (N, r), equal to rows @ axes

    def apply(self, features: Features) -> Floats:
        """Return (n, r) other rows on the same axes."""
        rows = (features - self.mean) / self.scale
        return np.asarray(rows if self._axes is None else rows @ self._axes)

    def unrotate(self, coefficients: Floats) -> Floats:
        """Return (K, D) the coefficients of the standardised features."""
        return np.asarray(coefficients if self._axes is None else coefficients @ self._axes.T)


class _Path:
    """One data set's fits at growing C, each starting where the last ended."""

    def __init__(self, rows: Floats, codes: Integers, *, tolerance: float = _SEARCH_TOLERANCE) -> None:
        self._rows, self._codes = rows, codes
        self.model = LogisticRegression(tol=tolerance, max_iter=_MOST_ITERATIONS, warm_start=True)

    def fit(self, strength: float) -> bool:
        """Fit with C = `strength`; return whether the solver converged."""
        self.model.set_params(C=strength)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", ConvergenceWarning)
            self.model.fit(self._rows, self._codes)
        return not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)

    def probabilities(self, rows: Floats, classes: int) -> Floats:
        """Return (n, classes); a class that the training rows lack gets 0."""
        found = np.zeros((len(rows), classes))
        found[:, self.model.classes_] = self.model.predict_proba(rows)
        return found


def _risen(losses: list[float]) -> bool:
    """Return whether the last `_PATIENCE` losses each rose."""
    last = losses[-_PATIENCE - 1 :]
    return len(last) > _PATIENCE and all(later > earlier for earlier, later in itertools.pairwise(last))
