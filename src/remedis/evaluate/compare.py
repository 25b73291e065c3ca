"""Two models on the same rows: the difference of a metric, its interval, and how likely it is by chance.

Everything takes arrays: truth (N,), the two models' scores (N,), and each row's unit, 0 … units-1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, rankdata

from remedis.evaluate.delong import delong
from remedis.evaluate.intervals import DRAWS, LEVEL, Interval, bootstrap, interval, plain
from remedis.evaluate.metrics import Booleans, Floats, Integers, Ranking, SquaredError, Statistic

METRICS = ("auroc", "average_precision", "brier")
_SAME = 1e-12
_BLOCK = 256


@dataclass(frozen=True)
class Tested:
    """A difference of two AUROCs by DeLong's test.

    Attributes:
        difference: The first model's AUROC less the second's.
        low: Lower limit of the normal interval.
        high: Upper limit.
        p: Two-sided; 1 where the scores order the rows alike, NaN where a class has a single row.
    """

    difference: float
    low: float
    high: float
    p: float


def delong_paired(truth: Booleans, one: Floats, other: Floats, level: float = LEVEL) -> Tested:
    """Return DeLong's test of two correlated AUROCs, for rows that are independent of each other.

    Source: DeLong et al., Biometrics 44:837 (1988). Where the variance of the difference is 0, p is 1 for equal
    AUROCs and 0 for others.
    """
    aurocs, covariance = delong(truth, np.stack([one, other]))
    difference = float(aurocs[0] - aurocs[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if np.isnan(variance):
        return Tested(difference, np.nan, np.nan, np.nan)
    error = float(np.sqrt(max(variance, 0.0)))
    if error < _SAME:
        return Tested(difference, difference, difference, 1.0 if abs(difference) < _SAME else 0.0)
    half = float(norm.ppf(0.5 + level / 2)) * error
    return Tested(difference, difference - half, difference + half, float(2 * norm.sf(abs(difference) / error)))


def statistic_of(metrics: Sequence[str], truth: Booleans, scores: Floats, units: Integers, count: int) -> Statistic:
    """Return some of `METRICS` of (N,) scores, or of (N, K): the classes' mean, for the Brier score their sum.

    A class that no row has, or every row, makes no part of a mean.
    """
    wanted = tuple(metric for metric in metrics if metric != "brier")
    parts: list[Statistic] = [_ranked(wanted, truth, scores, units)] if wanted else []
    if "brier" in metrics:
        parts.append(SquaredError(truth, scores, units, count))
    return lambda counts: {name: values for part in parts for name, values in part(counts).items()}


def _ranked(metrics: tuple[str, ...], truth: Booleans, scores: Floats, units: Integers) -> Statistic:
    columns = scores.reshape(len(scores), -1).T
    truths = truth.reshape(len(truth), -1).T
    told = [pair for pair in zip(truths, columns, strict=True) if 0 < pair[0].sum() < len(truth)]
    rankings = [Ranking(of, values, units, metrics) for of, values in told]

    def mean(counts: Floats) -> dict[str, Floats]:
        found = [ranking(counts) for ranking in rankings]
        nothing = np.full(counts.shape[1], np.nan)
        return {metric: np.mean([each[metric] for each in found] or [nothing], axis=0) for metric in metrics}

    return mean


@dataclass(frozen=True)
class Paired:
    """Two models' values of a metric, and their difference with its interval (first less second)."""

    one: float
    other: float
    difference: Interval


def paired_bootstrap(
    truth: Booleans,
    one: Floats,
    other: Floats,
    units: Integers,
    *,
    metrics: Sequence[str] = METRICS,
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[str, Paired]:
    """Return each metric's difference with percentile limits; both models share every draw of units.

    Args:
        truth: (N,) True for the positive class, or (N, K).
        one: Scores of the first model, of the same shape.
        other: Scores of the second.
        units: (N,) what is drawn as a whole.
        metrics: Which of `METRICS`.
        draws: Bootstrap draws.
        seed: Of the draws.
    """
    count = int(units.max()) + 1
    statistics = {
        name: statistic_of(metrics, truth, scores, units, count) for name, scores in (("one", one), ("other", other))
    }
    values = {name: plain(statistic, count) for name, statistic in statistics.items()}
    drawn = bootstrap(statistics, count, draws=draws, seed=seed)
    found = {}
    for metric in metrics:
        first, second = (float(values[name][metric]) for name in ("one", "other"))
        differences = drawn["one"][metric] - drawn["other"][metric]
        found[metric] = Paired(first, second, interval(first - second, differences))
    return found


def permutation(
    truth: Booleans,
    one: Floats,
    other: Floats,
    units: Integers,
    *,
    metric: str = "auroc",
    rounds: int = DRAWS,
    seed: int = 0,
) -> float:
    """Return the two-sided p of a permutation test: the two models' scores are swapped in whole units.

    Each round swaps each unit's rows with probability one half. For a rank metric each model's scores are first
    replaced by their mid-ranks, so that models of another scale can be compared (Venkatraman and Begg, Biometrika
    83:835, 1996). p = (1 + rounds at least as far from 0) / (1 + rounds) (Phipson and Smyth, arXiv:1603.05766).

    Args:
        truth: (N,) True for the positive class, or (N, K).
        one: Scores of the first model, of the same shape.
        other: Scores of the second.
        units: (N,) what is swapped as a whole.
        metric: One of `METRICS`.
        rounds: How often it is swapped.
        seed: Decides the swaps.

    Returns:
        p; exactly 1 for identical scores, NaN where the metric is undefined.
    """
    count = int(units.max()) + 1
    if metric != "brier":
        one, other = rankdata(one, axis=0), rankdata(other, axis=0)
    # each unit twice, as the first model scores it and as the second does: a swap is a change of counts
    both = statistic_of(
        (metric,), np.concatenate([truth, truth]), np.concatenate([one, other]), np.r_[units, units + count], 2 * count
    )

    def difference(swapped: Floats) -> Floats:
        kept = 1 - swapped
        return np.asarray(both(np.concatenate([kept, swapped]))[metric] - both(np.concatenate([swapped, kept]))[metric])

    observed = abs(float(difference(np.zeros((count, 1)))[0]))
    if np.isnan(observed):
        return float("nan")
    farther = sum(
        int((np.abs(difference(swapped)) >= observed - _SAME).sum()) for swapped in _swaps(count, rounds, seed)
    )
    return (1 + farther) / (1 + rounds)


def _swaps(units: int, rounds: int, seed: int) -> Iterator[Floats]:
    random = np.random.default_rng(seed)
    for start in range(0, rounds, _BLOCK):
        yield random.integers(0, 2, (units, min(_BLOCK, rounds - start))).astype(np.float64)


def holm(p: Sequence[float]) -> list[float]:
    """Return p values adjusted for their number (Holm, Scand J Stat 6:65, 1979); NaN stays and does not count."""
    values = np.asarray(p, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(values))
    order = known[np.argsort(values[known], kind="stable")]
    adjusted = np.full(len(values), np.nan)
    factors = len(order) - np.arange(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * values[order]), 1.0)
    return [float(value) for value in adjusted]
