"""How far probabilities are from observed shares: the expected calibration error and the reliability table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from remedis.evaluate.intervals import LEVEL, Interval
from remedis.evaluate.metrics import Booleans, Floats, Integers

BINS = 15
_STEEPEST = 64.0
_HALVINGS = 25


class CalibrationGaps:
    """Each bin's share of rows times the distance of its share of positives from its mean probability, with sign.

    The sum of their absolute values is the expected calibration error with equal-width bins (Guo et al.,
    arXiv:1706.04599, eq. 3). The bins are [0, 1/15], (1/15, 2/15] …

    Args:
        truth: (N,) True for rows of the class.
        scores: (N,) its probabilities, 0 … 1.
        units: (N,) each row's unit.
        count: How many units there are.
    """

    def __init__(self, truth: Booleans, scores: Floats, units: Integers, count: int) -> None:
        cells = bins_of(scores) * count + units
        gaps = np.bincount(cells, weights=truth - scores, minlength=BINS * count)
        self._gaps = gaps.reshape(BINS, count)
        self._rows = np.bincount(units, minlength=count).astype(np.float64)

    def __call__(self, counts: Floats) -> dict[str, Floats]:
        """Return (15, B) under the name `gaps`."""
        return {"gaps": self._gaps @ counts / np.maximum(self._rows @ counts, 1)}


def calibration_interval(gaps: Floats, drawn: Floats, *, level: float = LEVEL) -> Interval:
    """Return the expected calibration error with limits that are freed of the bias of resampling.

    Absolute differences do not average out: a sample's error lies above the true one, and that of a draw from the
    sample above the sample's, so that plain percentile limits can lie above the value, and far above the truth.
    Therefore the draws give only the noise of each bin, and the limits are a test turned round: were the true
    differences t times the observed ones, the errors |t · gap + noise| would be seen; the lower limit is the
    smallest t for which the observed error is not too large to be seen, the upper the largest for which it is not
    too small. A well calibrated model's lower limit is 0, as it should be.

    Args:
        gaps: (bins,) the sample's own, from `CalibrationGaps`.
        drawn: (bins, draws) those of the bootstrap draws.
        level: Share between the limits.
    """
    value = float(np.abs(gaps).sum())
    noise = drawn - gaps[:, None]

    def seen(scale: float, share: float) -> float:
        return float(np.quantile(np.abs(scale * gaps[:, None] + noise).sum(axis=0), share))

    tail = (1 - level) / 2
    low = _largest(lambda scale: seen(scale, 1 - tail) < value, 1.0)
    high = _largest(lambda scale: seen(scale, tail) <= value, _STEEPEST)
    return Interval(value, low * value, min(max(high, 1.0) * value, 1.0), 0)


def _largest(holds: Callable[[float], bool], most: float) -> float:
    """Return the largest scale, at most `most`, for which `holds`; 0 where it never does."""
    if not holds(0.0):
        return 0.0
    below, above = 0.0, most
    if holds(most):
        return most
    for _ in range(_HALVINGS):
        middle = (below + above) / 2
        below, above = (middle, above) if holds(middle) else (below, middle)
    return below


def bins_of(scores: Floats, bins: int = BINS) -> Integers:
    """Return each probability's bin, 0 … bins-1; a value on an edge belongs to the bin below it."""
    edges = np.linspace(0.0, 1.0, bins + 1)
    return np.searchsorted(edges[1:-1], scores, side="left").astype(np.int64)


@dataclass(frozen=True)
class Reliability:
    """What a reliability diagram draws, an entry for each bin; mean and share are NaN in an empty bin.

    Attributes:
        count: (bins,) rows.
        mean: (bins,) mean probability.
        share: (bins,) observed share of positives.
    """

    count: Integers
    mean: Floats
    share: Floats


def reliability(truth: Booleans, scores: Floats, bins: int = BINS) -> Reliability:
    """Return counts, mean probabilities and observed shares in equal-width bins."""
    index = bins_of(scores, bins)
    count = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(index, weights=scores, minlength=bins) / count
        share = np.bincount(index, weights=truth.astype(np.float64), minlength=bins) / count
    return Reliability(count, mean, share)
