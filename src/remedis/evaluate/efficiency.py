"""Label-efficiency curves: AUROC by share of labels, with intervals over draws of labels and over tested patients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from remedis.evaluate.intervals import DRAWS, LEVEL, counts_of_draws, interval
from remedis.evaluate.metrics import Booleans, Floats, Integers, Ranking

MARGIN = 0.01
"""A loss of AUROC up to this much counts as no loss."""


@dataclass(frozen=True)
class Curve:
    """The mean AUROC of one encoder at each share of labels.

    Attributes:
        fractions: (F,) shares of the labels, ascending.
        values: (F,) mean over the draws of labels; NaN where the tested rows have one class only.
        low: (F,) lower limit over draws of labels and patients.
        high: (F,) upper limit.
        drawn: (F, B) the means in each bootstrap draw; NaN where undefined.
    """

    fractions: Floats
    values: Floats
    low: Floats
    high: Floats
    drawn: Floats


@dataclass(frozen=True)
class Difference:
    """One curve minus another at the shares that both have.

    Attributes:
        fractions: (F,) ascending.
        values: (F,) difference of the means.
        low: (F,) lower limit of the paired difference.
        high: (F,) upper limit.
    """

    fractions: Floats
    values: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Match:
    """The smallest share of labels that reaches a baseline.

    Attributes:
        fraction: The share; infinite where the curve does not reach the value.
        low: Lower limit; an infinite limit means that the share may never reach it.
        high: Upper limit.
        reached: Share of the bootstrap draws in which the curve reaches the baseline; NaN without a defined draw.
        at_most: True where the smallest share tested reaches the value already: `fraction` is that share, and the
            true one may lie below.
    """

    fraction: float
    low: float
    high: float
    reached: float
    at_most: bool


def curve(
    scores: Mapping[float, Sequence[NDArray[np.floating]]],
    truth: Booleans,
    units: Integers,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Curve:
    """Return the curve of one encoder with its two-level bootstrap.

    A bootstrap draw resamples the patients once, for all shares, and at each share the draws of labels. What is
    resampled depends on `seed`, the number of patients and the number of draws of labels alone: curves of several
    encoders of the same tested rows are paired, and so are the shares of one curve.

    Args:
        scores: Share of labels to the tested rows' scores, an array for each draw of labels: (n,), or (n, K) of K
            classes.
        truth: (n,) True for the positive class, or (n, K); with K classes the AUROC is the mean of the classes
            against the rest, over the classes that a tested row has.
        units: (n,) each row's patient, as whole numbers.
        draws: Bootstrap draws, B.
        seed: Decides the resamples.
    """
    owners, rows_of = np.unique(units, return_inverse=True)
    fractions = np.array(sorted(scores), dtype=np.float64)
    rankings = [[_Auroc(truth, each, rows_of) for each in scores[share]] for share in sorted(scores)]
    shares_of_draws = [_resampled(len(each), draws, seed) for each in rankings]
    ones = np.ones((len(owners), 1))
    values = np.array([np.mean([ranking(ones)[0] for ranking in each]) for each in rankings])
    drawn = np.empty((len(fractions), draws))
    start = 0
    for counts in counts_of_draws(len(owners), draws, seed):
        part = slice(start, start + counts.shape[1])
        for row, (each, weights) in enumerate(zip(rankings, shares_of_draws, strict=True)):
            drawn[row, part] = (weights[:, part] * np.stack([ranking(counts) for ranking in each])).sum(axis=0)
        start = part.stop
    return Curve(fractions, values, *_limits(values, drawn), drawn)


def difference(first: Curve, second: Curve) -> Difference:
    """Return `first` minus `second`, paired by their shared bootstrap draws.

    Both must come from the same tested rows, seed and number of bootstrap draws.
    """
    fractions, ours, theirs = np.intersect1d(first.fractions, second.fractions, return_indices=True)
    values = first.values[ours] - second.values[theirs]
    return Difference(fractions, values, *_limits(values, first.drawn[ours] - second.drawn[theirs]))


def non_inferior(found: Difference, margin: float = MARGIN) -> Booleans:
    """Return (F,) whether the lower limit of the difference lies above -margin; False where it is undefined."""
    return np.asarray(found.low > -margin)


def match(found: Curve, line: Floats, value: float) -> Match:
    """Return the smallest share of labels whose mean reaches a baseline.

    The curve is made monotone by isotonic regression, for the noise of one share must not decide, and read off
    linearly in the logarithm of the share. The interval comes from doing the same in each bootstrap draw, with
    that draw's baseline.

    Args:
        found: The curve.
        line: (B,) the baseline in the bootstrap draws that the curve has, such as `drawn[-1]` of another curve.
        value: The baseline's value.
    """
    fraction = float(_crossings(found.fractions, found.values[:, None], np.array([value]))[0])
    crossed = _crossings(found.fractions, found.drawn, line)
    defined = np.sort(crossed[~np.isnan(crossed)])
    if np.isnan(fraction) or not len(defined):
        return Match(fraction, float("nan"), float("nan"), float("nan"), at_most=False)
    tail = (1 - LEVEL) / 2 * (len(defined) - 1)
    low, high = defined[int(np.floor(tail))], defined[-1 - int(np.floor(tail))]  # infinite ones cannot be averaged
    reached = float(np.isfinite(defined).mean())
    return Match(fraction, float(low), float(high), reached, at_most=bool(fraction == found.fractions[0]))


class _Auroc:
    """The AUROC of one array of scores for any counts of patients; several classes as their mean."""

    def __init__(self, truth: Booleans, scores: NDArray[np.floating], units: Integers) -> None:
        columns = np.asarray(truth, dtype=np.bool_).reshape(len(truth), -1)
        values = np.asarray(scores, dtype=np.float64).reshape(len(truth), -1)
        if values.shape != columns.shape:
            raise ValueError(f"scores of shape {np.shape(scores)} do not fit truth of shape {np.shape(truth)}")
        present = columns.any(axis=0) if columns.shape[1] > 1 else [True]
        self._rankings = [
            Ranking(columns[:, column], values[:, column], units, ("auroc",)) for column in np.flatnonzero(present)
        ]

    def __call__(self, counts: Floats) -> Floats:
        """Return (B,) from counts (units, B); NaN where a class is absent."""
        return np.asarray(np.mean([ranking(counts)["auroc"] for ranking in self._rankings], axis=0))


def _resampled(count: int, draws: int, seed: int) -> Floats:
    """Return (count, draws) the weight of each draw of labels in each bootstrap draw; a column sums to one."""
    drawn = np.random.default_rng([seed, count]).integers(0, count, size=(draws, count))
    cells = drawn * draws + np.arange(draws)[:, None]
    return np.bincount(cells.ravel(), minlength=count * draws).reshape(count, draws) / count


def _limits(values: Floats, drawn: Floats) -> tuple[Floats, Floats]:
    limits = [interval(float(value), row) for value, row in zip(values, drawn, strict=True)]
    return np.array([each.low for each in limits]), np.array([each.high for each in limits])


def _isotonic(values: Floats) -> Floats:
    """Return the closest rising curves to (F, B), by the max-min formula of isotonic regression."""
    count = len(values)
    means = np.full((count, count, values.shape[1]), np.nan)  # of the shares first … last
    for first in range(count):
        for last in range(first, count):
            means[first, last] = values[first : last + 1].mean(axis=0)
    return np.stack(
        [np.max([means[first, place:].min(axis=0) for first in range(place + 1)], axis=0) for place in range(count)]
    )


def _crossings(fractions: Floats, values: Floats, lines: Floats) -> Floats:
    """Return (B,) the share at which each curve of (F, B) reaches its line; infinite if never, NaN if undefined."""
    rising = _isotonic(values)
    reached = rising >= lines
    place = reached.argmax(axis=0)
    columns = np.arange(len(lines))
    above, below = rising[place, columns], rising[np.maximum(place - 1, 0), columns]
    with np.errstate(invalid="ignore", divide="ignore"):
        way = np.where(place > 0, (lines - below) / (above - below), 1.0)
    logs = np.log(fractions)
    before = logs[np.maximum(place - 1, 0)]
    shares = np.where(way == 1.0, fractions[place], np.exp(before + way * (logs[place] - before)))
    shares = np.where(reached.any(axis=0), shares, np.inf)
    return np.where(np.isnan(values).any(axis=0) | np.isnan(lines), np.nan, shares)
