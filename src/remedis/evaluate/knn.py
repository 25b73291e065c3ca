"""Nearest neighbours as a probe without training: what the closest known images are called."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from remedis.evaluate.metrics import Floats, Integers
from remedis.evaluate.targets import one_hot

NEIGHBOURS = 20
TEMPERATURE = 0.07
_BLOCK = 1024


def knn_scores(
    train: NDArray[np.float32],
    codes: Integers,
    test: NDArray[np.float32],
    *,
    classes: int,
    k: int = NEIGHBOURS,
) -> Floats:
    """Return (n, classes) the neighbours' votes for each class, which sum to one.

    Features are centred and scaled by the training rows, then compared by cosine similarity s; each of the k nearest
    votes with weight exp(s / 0.07), as in Wu et al., arXiv:1805.01978, section 3.4.

    Args:
        train: (N, D) known rows.
        codes: (N,) their classes, 0 … classes-1.
        test: (n, D) rows to be scored.
        classes: How many classes there are.
        k: Neighbours that vote; all known rows where there are fewer.
    """
    mean, scale = standard(train)
    known = _directions(train, mean, scale)
    votes = one_hot(codes, classes)
    k = min(k, len(known))
    scores = np.empty((len(test), classes))
    for start in range(0, len(test), _BLOCK):
        similar = _directions(test[start : start + _BLOCK], mean, scale) @ known.T
        nearest = np.argsort(-similar, axis=1, kind="stable")[:, :k]
        nearness = np.take_along_axis(similar, nearest, axis=1)
        weights = np.exp((nearness - nearness[:, :1]) / TEMPERATURE)
        weights /= weights.sum(axis=1, keepdims=True)
        scores[start : start + _BLOCK] = np.einsum("nk,nkc->nc", weights, votes[nearest])
    return np.clip(scores, 0.0, 1.0)


def standard(features: NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Return each feature's mean and standard deviation (1 where it is constant), both (D,) float64."""
    mean = features.mean(axis=0, dtype=np.float64)
    scale = features.std(axis=0, dtype=np.float64)
    return mean, np.where(scale > 1e-7 * np.abs(mean), scale, 1.0)


def _directions(features: NDArray[np.float32], mean: Floats, scale: Floats) -> Floats:
    centred = (features - mean) / scale
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(lengths, 1e-12))
