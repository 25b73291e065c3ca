"""Decision curves: what acting on a score is worth against acting on everybody, or on nobody."""

from __future__ import annotations

import numpy as np

from remedis.evaluate.metrics import Booleans, Floats, Integers

THRESHOLDS: tuple[float, ...] = tuple(percent / 100 for percent in range(1, 100))


class NetBenefit:
    """Net benefit at threshold probabilities t: TP/N - FP/N * t/(1-t).

    Source: Vickers and Elkin, Med Decis Making 26:565 (2006).

    Args:
        truth: (N,) True for the positive class.
        scores: (N,) its probabilities, 0 … 1; a row is acted on where its score is at least t.
        units: (N,) each row's unit.
        count: How many units there are.
        thresholds: T probabilities, above 0 and below 1.
    """

    def __init__(
        self,
        truth: Booleans,
        scores: Floats,
        units: Integers,
        count: int,
        thresholds: tuple[float, ...] = THRESHOLDS,
    ) -> None:
        self._odds = np.array([t / (1 - t) for t in thresholds])[:, None]
        # the number of thresholds that a row reaches tells all of them
        reached = np.searchsorted(np.array(thresholds), scores, side="right")
        self._hits = _reaching(reached[truth], units[truth], len(thresholds), count)
        self._alarms = _reaching(reached[~truth], units[~truth], len(thresholds), count)
        self._positives = np.bincount(units[truth], minlength=count).astype(np.float64)
        self._rows = np.bincount(units, minlength=count).astype(np.float64)

    def __call__(self, counts: Floats) -> dict[str, Floats]:
        """Return (T, B) `net_benefit`, and `treat_all`, that of acting on every row; acting on none has 0."""
        rows = np.maximum(self._rows @ counts, 1)
        positives = (self._positives @ counts) / rows
        return {
            "net_benefit": (self._hits @ counts - self._odds * (self._alarms @ counts)) / rows,
            "treat_all": positives - self._odds * (1 - positives),
        }


def _reaching(reached: Integers, units: Integers, thresholds: int, count: int) -> Floats:
    """Return (T, units) how many rows of each unit reach each threshold."""
    cells = np.bincount(reached * count + units, minlength=(thresholds + 1) * count).reshape(thresholds + 1, count)
    return np.asarray(cells[::-1].cumsum(axis=0)[::-1][1:], dtype=np.float64)
