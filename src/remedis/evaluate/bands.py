"""Curves with the band that resampling patients gives: ROC, precision-recall, and shares for calibration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from remedis.evaluate.calibration import bins_of
from remedis.evaluate.intervals import LEVEL, counts_of_draws
from remedis.evaluate.metrics import Booleans, Floats, Integers

GRID = np.linspace(0.0, 1.0, 101)
FEWEST_UNITS = 10
_CELLS = 2**22


@dataclass(frozen=True)
class Curve:
    """A curve through every distinct score and a pointwise band.

    Attributes:
        x: (P,) false-positive rate, or recall.
        y: (P,) true-positive rate, or precision.
        threshold: (P,) rows with at least this score are called positive; infinite where none is.
        grid: (G,) where the band is given.
        low: (G,) its lower limit.
        high: (G,) its upper limit.
    """

    x: Floats
    y: Floats
    threshold: Floats
    grid: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Steps:
    """Rows from the highest score to the lowest.

    Attributes:
        truth: (N,) 1.0 for positive rows.
        units: (N,) their units.
        last: (P,) the place of the last row of each distinct score.
        scores: (P,) the distinct scores.
    """

    truth: Floats
    units: Integers
    last: Integers
    scores: Floats


def steps(truth: Booleans, scores: Floats, units: Integers) -> Steps:
    """Return the rows in falling order of score, equal scores as one step."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    last = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    return Steps(truth[order].astype(np.float64), units[order], last, ordered[last])


def roc(truth: Booleans, scores: Floats, units: Integers, *, draws: int, seed: int = 0) -> Curve:
    """Return the ROC curve; its band holds the true-positive rate at each false-positive rate.

    Args:
        truth: (N,) True for positive rows; both classes are there.
        scores: (N,) finite.
        units: (N,) what is drawn as a whole, 0 … units-1.
        draws: Bootstrap draws; those with one class are left out.
        seed: Of the draws, the same as of the intervals in results.csv.
    """
    walk = steps(truth, scores, units)
    true, false = _cumulated(walk, np.ones((int(units.max()) + 1, 1)))
    x, y = false[:, 0] / false[-1, 0], true[:, 0] / true[-1, 0]
    drawn = [
        np.interp(GRID, np.r_[0.0, alarms / alarms[-1]], np.r_[0.0, hits / hits[-1]])
        for hits, alarms in _defined(walk, units, draws, seed)
    ]
    low, high = _limits(drawn, len(GRID))
    return Curve(np.r_[0.0, x], np.r_[0.0, y], np.r_[np.inf, walk.scores], GRID, low, high)


def precision_recall(truth: Booleans, scores: Floats, units: Integers, *, draws: int, seed: int = 0) -> Curve:
    """Return precision over recall; the band holds the precision where a recall is first reached.

    Arguments as `roc`.
    """
    walk = steps(truth, scores, units)
    true, false = _cumulated(walk, np.ones((int(units.max()) + 1, 1)))
    recall, precision = true[:, 0] / true[-1, 0], true[:, 0] / (true[:, 0] + false[:, 0])
    drawn = []
    for hits, alarms in _defined(walk, units, draws, seed):
        place = np.searchsorted(hits / hits[-1], np.maximum(GRID, 1e-9), side="left")
        drawn.append((hits / np.maximum(hits + alarms, 1))[np.minimum(place, len(hits) - 1)])
    low, high = _limits(drawn, len(GRID))
    return Curve(recall, precision, walk.scores, GRID, low, high)


def reliability_band(
    truth: Booleans, scores: Floats, units: Integers, *, bins: int, draws: int, seed: int = 0
) -> tuple[Floats, Floats]:
    """Return the limits of the observed share in each equal-width bin, (bins,) each.

    NaN where a bin has rows of fewer than ten units: draws from so few can be all alike.
    """
    count = int(units.max()) + 1
    cells = bins_of(scores, bins) * count + units
    rows = np.bincount(cells, minlength=bins * count).reshape(bins, count).astype(np.float64)
    hits = np.bincount(cells, weights=truth.astype(np.float64), minlength=bins * count).reshape(bins, count)
    shares = []
    for counts in counts_of_draws(count, draws, seed):
        with np.errstate(invalid="ignore"):
            shares.append((hits @ counts) / (rows @ counts))
    drawn = np.concatenate(shares, axis=1)
    low, high = np.full((2, bins), np.nan)
    for number in np.flatnonzero((rows > 0).sum(axis=1) >= FEWEST_UNITS):
        low[number], high[number] = np.nanquantile(drawn[number], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return low, high


def thinned(curve: Curve, most: int = 400) -> Curve:
    """Return the curve without points on straight stretches, and with at most about `most` of the others."""
    kept = np.ones(len(curve.x), dtype=bool)
    if len(curve.x) > 2:
        steps_x, steps_y = np.diff(curve.x), np.diff(curve.y)
        kept[1:-1] = ~np.isclose(steps_x[1:] * steps_y[:-1], steps_x[:-1] * steps_y[1:], rtol=0, atol=1e-15)
    return fewer(_at(curve, np.flatnonzero(kept)), most)


def fewer(curve: Curve, most: int = 500) -> Curve:
    """Return at most `most` points of a curve, its ends and others evenly."""
    if len(curve.x) <= most:
        return curve
    return _at(curve, np.linspace(0, len(curve.x) - 1, most).round().astype(np.int64))


def _at(curve: Curve, places: Integers) -> Curve:
    return Curve(curve.x[places], curve.y[places], curve.threshold[places], curve.grid, curve.low, curve.high)


def _cumulated(walk: Steps, counts: Floats) -> tuple[Floats, Floats]:
    """Return true and false positives at each step of each draw, (P, B) both."""
    weights = counts[walk.units]
    true = np.cumsum(weights * walk.truth[:, None], axis=0)[walk.last]
    everything = np.cumsum(weights, axis=0)[walk.last]
    return true, everything - true


def _defined(walk: Steps, units: Integers, draws: int, seed: int) -> Iterator[tuple[Floats, Floats]]:
    """Yield each draw's true and false positives where it has both classes."""
    width = max(1, _CELLS // len(walk.truth))
    for counts in counts_of_draws(int(units.max()) + 1, draws, seed):
        for start in range(0, counts.shape[1], width):
            true, false = _cumulated(walk, counts[:, start : start + width])
            for column in np.flatnonzero((true[-1] > 0) & (false[-1] > 0)):
                yield true[:, column], false[:, column]


def _limits(drawn: list[Floats], size: int) -> tuple[Floats, Floats]:
    if not drawn:
        return np.full(size, np.nan), np.full(size, np.nan)
    low, high = np.quantile(np.stack(drawn), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return low, high
