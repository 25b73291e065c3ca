"""The clustered bootstrap the plain way: the rows of every drawn unit, written out as often as it was drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def repeated_rows(units: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the row numbers of one draw, in which unit u stands `counts[u]` times with all its rows."""
    return np.array(
        [row for unit, times in enumerate(counts) for _ in range(int(times)) for row in np.flatnonzero(units == unit)],
        dtype=np.int64,
    )  # fmt: skip


def statistic_of_draws(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    truth: np.ndarray,
    scores: np.ndarray,
    units: np.ndarray,
    counts: np.ndarray,
) -> np.ndarray:
    """Return (draws,) the statistic of each draw of counts (units, draws)."""
    found = []
    for column in counts.T:
        rows = repeated_rows(units, column)
        found.append(statistic(truth[rows], scores[rows]))
    return np.array(found)
