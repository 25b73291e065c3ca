"""Which images to look at: surest right, surest wrong, nearest to the threshold, and their neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remedis.evaluate.knn import standard
from remedis.evaluate.metrics import Floats, Integers

THRESHOLD = 0.5
NEIGHBOURS = 5


@dataclass(frozen=True)
class Chosen:
    """Places among the tested rows, the most telling first.

    Attributes:
        right: Right and surest, taken in turn from each class.
        wrong: Wrong and surest.
        nearest: Nearest to the threshold of two classes; of several, those with the smallest lead.
    """

    right: list[int]
    wrong: list[int]
    nearest: list[int]


def predicted(scores: Floats) -> tuple[Integers, Floats, Floats]:
    """Return each row's predicted class, its probability, and how far it is from being called otherwise.

    Args:
        scores: (n,) probability of the second class of two, or (n, K).
    """
    if scores.ndim == 1:
        called = (scores >= THRESHOLD).astype(np.int64)
        return called, np.where(called == 1, scores, 1 - scores), np.abs(scores - THRESHOLD)
    ordered = np.sort(scores, axis=1)
    return scores.argmax(axis=1), ordered[:, -1], ordered[:, -1] - ordered[:, -2]


def choose(scores: Floats, codes: Integers, units: Integers, *, count: int) -> Chosen:
    """Return up to `count` rows of each kind, no two of a kind from one patient.

    Args:
        scores: (n,) or (n, K) probabilities.
        codes: (n,) true classes.
        units: (n,) patients.
        count: Wanted of each kind.
    """
    called, surety, lead = predicted(scores)
    right, wrong = called == codes, called != codes
    by_class = [_first(np.flatnonzero(right & (codes == code)), -surety, units, count) for code in np.unique(codes)]
    turns = max((len(rows) for rows in by_class), default=0)
    in_turn = [rows[turn] for turn in range(turns) for rows in by_class if turn < len(rows)]
    return Chosen(
        right=_one_a_unit(in_turn, units, count),
        wrong=_first(np.flatnonzero(wrong), -surety, units, count),
        nearest=_first(np.arange(len(codes)), lead, units, count),
    )


def _first(rows: Integers, order: Floats, units: Integers, count: int) -> list[int]:
    ordered = rows[np.argsort(order[rows], kind="stable")]
    return _one_a_unit([int(row) for row in ordered], units, count)


def _one_a_unit(rows: list[int], units: Integers, count: int) -> list[int]:
    seen: set[int] = set()
    kept: list[int] = []
    for row in rows:
        if int(units[row]) not in seen and len(kept) < count:
            seen.add(int(units[row]))
            kept.append(row)
    return kept


def neighbours(
    query: NDArray[np.float32], known: NDArray[np.float32], allowed: NDArray[np.bool_] | None = None
) -> tuple[Integers, Floats]:
    """Return the nearest known rows of each query and their cosine similarities, (q, 5) both.

    The measure is the kNN probe's: features centred and scaled by the known rows.

    Args:
        query: (q, D).
        known: (N, D).
        allowed: (q, N) False where a row must not be named, such as one of the same patient.
    """
    mean, scale = standard(known)
    similar = _directions(query, mean, scale) @ _directions(known, mean, scale).T
    if allowed is not None:
        similar = np.where(allowed, similar, -np.inf)
    nearest = np.argsort(-similar, axis=1, kind="stable")[:, :NEIGHBOURS]
    return nearest, np.take_along_axis(similar, nearest, axis=1)


def _directions(features: NDArray[np.float32], mean: Floats, scale: Floats) -> Floats:
    centred = (features - mean) / scale
    return np.asarray(centred / np.maximum(np.linalg.norm(centred, axis=1, keepdims=True), 1e-12))
