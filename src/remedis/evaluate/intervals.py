"""Percentile bootstrap over units: patients, clusters or images, all rows of a drawn unit kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from remedis.evaluate.metrics import Floats, Statistic

DRAWS = 2000
LEVEL = 0.95
FEW_UNITS = 20
"""With fewer units than this the percentile bootstrap is too narrow to be believed."""

CELLS = 2**24
"""Counts held at once: 128 MiB of float64."""


@dataclass(frozen=True)
class Interval:
    """A value with its limits.

    Attributes:
        value: The metric of all rows; NaN where a class is absent.
        low: Lower limit, NaN where no draw had a value.
        high: Upper limit.
        undefined: Draws left out because they had one class only.
    """

    value: float
    low: float
    high: float
    undefined: int


def counts_of_draws(units: int, draws: int, seed: int) -> Iterator[Floats]:
    """Yield blocks of counts (units, B): how often each unit stands in each draw of `units` with replacement.

    The draws depend on `units` and `seed` alone, so that labels and models that share rows share their draws.
    """
    random = np.random.default_rng(seed)
    block = int(np.clip(CELLS // units, 32, 1024))
    for start in range(0, draws, block):
        width = min(block, draws - start)
        counts = np.empty((width, units), dtype=np.float64)
        for draw in range(width):  # one at a time: counting stays within the processor's cache
            counts[draw] = np.bincount(random.integers(0, units, size=units), minlength=units)
        yield np.ascontiguousarray(counts.T)


def bootstrap(
    statistics: Mapping[str, Statistic], units: int, *, draws: int = DRAWS, seed: int = 0
) -> dict[str, dict[str, Floats]]:
    """Return every statistic's metrics over the same draws: name, metric, values (…, draws)."""
    found: dict[str, dict[str, list[Floats]]] = {name: {} for name in statistics}
    for counts in counts_of_draws(units, draws, seed):
        for name, statistic in statistics.items():
            for metric, values in statistic(counts).items():
                found[name].setdefault(metric, []).append(values)
    return {
        name: {metric: np.concatenate(parts, axis=-1) for metric, parts in metrics.items()}
        for name, metrics in found.items()
    }


def plain(statistic: Statistic, units: int) -> dict[str, Floats]:
    """Return the statistic's metrics of the rows as they are, each without the axis of draws."""
    return {metric: values[..., 0] for metric, values in statistic(np.ones((units, 1))).items()}


def interval(value: float, drawn: Floats, *, level: float = LEVEL) -> Interval:
    """Return a value with the percentile limits that its draws give.

    Args:
        value: The metric of all rows.
        drawn: (draws,) its values in the draws, NaN where undefined.
        level: Share of the distribution between the limits.
    """
    defined = drawn[~np.isnan(drawn)]
    undefined = len(drawn) - len(defined)
    if np.isnan(value) or not len(defined):
        return Interval(value, float("nan"), float("nan"), undefined)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), undefined)
