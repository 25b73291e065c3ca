"""Discrimination and Brier score of weighted rows, for one value and for thousands of bootstrap draws alike.

A draw is a column of counts: how often each unit (patient, cluster, image) was drawn. All rows of a unit share its
count, and the metric of a draw is the metric of the rows repeated that often. The counts of ones give the plain
value, so that value and interval come from the same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]
Statistic = Callable[[Floats], Mapping[str, Floats]]
"""From counts (units, draws) to each metric's values (draws,); NaN where a draw lacks a class."""

METRICS = ("auroc", "average_precision", "sensitivity_at_95_specificity", "brier", "ece")
RANK_METRICS = METRICS[:3]
MAX_FALSE_POSITIVE_RATE = 0.05


class Ranking:
    """Rows ordered from the highest score to the lowest, equal scores as one step, ready for any counts.

    Args:
        truth: (N,) True for rows of the positive class.
        scores: (N,) higher means more likely positive; finite.
        units: (N,) each row's unit, 0 … units-1.
        metrics: Which of `RANK_METRICS` are wanted; fewer are faster.
    """

    def __init__(
        self, truth: Booleans, scores: Floats, units: Integers, metrics: tuple[str, ...] = RANK_METRICS
    ) -> None:
        self._metrics = metrics
        self._positives = units[truth]
        self._negatives = units[~truth]
        self._steps = _steps(truth, scores, units)

    def __call__(self, counts: Floats) -> dict[str, Floats]:
        """Return each wanted metric of each draw; counts (units, B) gives (B,), NaN where a class is absent."""
        positives = _total(counts, self._positives)
        negatives = _total(counts, self._negatives)
        defined = (positives > 0) & (negatives > 0)
        walk = _walk_rank if self._metrics != ("auroc",) else _walk_area
        sums = walk(self._steps, counts, np.floor(MAX_FALSE_POSITIVE_RATE * negatives))
        with np.errstate(invalid="ignore", divide="ignore"):
            values = {
                "auroc": sums["area"] / (positives * negatives),
                "average_precision": sums.get("precision", np.nan) / positives,
                "sensitivity_at_95_specificity": sums.get("sensitivity", np.nan) / positives,
            }
        return {name: np.where(defined, values[name], np.nan) for name in self._metrics}


class SquaredError:
    """Mean squared error of probabilities, the Brier score (Brier 1950).

    Args:
        truth: (N,) or, for several classes, (N, K) True where the row is of the class.
        scores: Probabilities in the same shape; the errors of several classes are summed.
        units: (N,) each row's unit.
        count: How many units there are.
    """

    def __init__(self, truth: Booleans, scores: Floats, units: Integers, count: int) -> None:
        errors = np.square(scores - truth).reshape(len(units), -1).sum(axis=1)
        self._errors = np.bincount(units, weights=errors, minlength=count)
        self._rows = np.bincount(units, minlength=count).astype(np.float64)

    def __call__(self, counts: Floats) -> dict[str, Floats]:
        """Return the Brier score of each draw under the name `brier`."""
        return {"brier": (self._errors @ counts) / np.maximum(self._rows @ counts, 1)}


Step = tuple[Integers, Integers]
"""The units of the positive and of the negative rows that share one score."""


def _steps(truth: Booleans, scores: Floats, units: Integers) -> list[Step]:
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    groups = np.split(order, starts[1:])
    return [(units[rows[truth[rows]]], units[rows[~truth[rows]]]) for rows in groups]


def _total(counts: Floats, units: Integers) -> Floats:
    """Sum the counts of the rows whose units are given; one row is returned as it is."""
    if len(units) == 1:
        return np.asarray(counts[units[0]])
    if len(units) > len(counts):
        rows = np.bincount(units, minlength=len(counts)).astype(np.float64)
        return np.asarray(rows @ counts)
    return np.asarray(counts[units].sum(axis=0))


def _walk_area(steps: list[Step], counts: Floats, _: Floats) -> dict[str, Floats]:
    """Walk down the scores once, all draws side by side, adding the ROC curve's area (in pairs) only."""
    area, above = np.zeros((2, counts.shape[1]))
    product = np.empty(counts.shape[1])
    for positives, negatives in steps:
        if len(negatives):
            false = _total(counts, negatives)
            area += np.multiply(false, above, out=product)
        if len(positives):
            true = _total(counts, positives)
            if len(negatives):  # a tied pair counts one half
                area += 0.5 * false * true
            above += true
    return {"area": area}


def _walk_rank(steps: list[Step], counts: Floats, allowed: Floats) -> dict[str, Floats]:
    """Walk down the scores once, adding area, precision at each hit, and the hits within the allowed false alarms."""
    area, precision, sensitivity, hits, alarms = np.zeros((5, counts.shape[1]))
    for positives, negatives in steps:
        false = _total(counts, negatives) if len(negatives) else 0.0
        area += false * hits
        alarms += false
        if len(positives):
            true = _total(counts, positives)
            area += 0.5 * false * true
            hits += true
            precision += true * hits / np.maximum(hits + alarms, 1)
            np.copyto(sensitivity, hits, where=alarms <= allowed)
    return {"area": area, "precision": precision, "sensitivity": sensitivity}
