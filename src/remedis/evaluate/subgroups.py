"""Metrics in groups that images come with, each group against the rest, and the gap between best and worst."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from remedis.errors import UsageError
from remedis.evaluate.intervals import DRAWS, FEW_UNITS, Interval, bootstrap, interval, plain
from remedis.evaluate.metrics import Booleans, Floats, Integers, Statistic
from remedis.evaluate.targets import UNKNOWN, values_of

COLUMNS = ("sex", "age", "site", "view")
AGE_BANDS = (0, 18, 40, 60, 80)
FEWEST_UNITS, FEWEST_OF_A_CLASS, MOST_GROUPS = FEW_UNITS, 5, 20
NOT_GIVEN = "not given"
HIGHER_IS_WORSE = ("brier", "ece")

Build = Callable[[Integers], Statistic]
"""From row numbers to the statistic of these rows, over the units of all rows."""


@dataclass(frozen=True)
class Group:
    """One group of rows.

    Attributes:
        name: The value that they share.
        rows: Their numbers.
        units: Patients (clusters, images) among them.
        skipped: Why it has no figures; empty where it has.
    """

    name: str
    rows: Integers
    units: int
    skipped: str = ""


@dataclass(frozen=True)
class Compared:
    """A figure of a group (`kind` group), a difference from the rest (rest), or of two groups (gap).

    Attributes:
        kind: group, rest or gap.
        group: The group; of a gap the better one.
        against: Empty, `rest`, or the worse group.
        metric: The metric.
        interval: Value, or difference (group less against), with its limits.
    """

    kind: str
    group: str
    against: str
    metric: str
    interval: Interval


def age_bands(edges: Sequence[int]) -> list[tuple[float, float, str]]:
    """Return (from, below, name) for bands of age in years, the last without end: `18 to 39`, `80 and over`.

    Raises:
        UsageError: The edges do not rise.
    """
    if len(edges) < 2 or list(edges) != sorted(set(edges)) or edges[0] < 0:
        given = ",".join(str(edge) for edge in edges)
        raise UsageError(f"--age-bands {given}: two ages or more that rise were expected, such as 0,18,40,60,80")
    bands: list[tuple[float, float, str]] = [
        (low, high, f"{low} to {high - 1}") for low, high in itertools.pairwise(edges)
    ]
    return [*bands, (edges[-1], float("inf"), f"{edges[-1]} and over")]


def values_in(table: pa.Table, column: str, bands: Sequence[int] = AGE_BANDS) -> list[tuple[str, Integers]]:
    """Return a column's values with their rows, ages (as numbers) in bands; the rows without a value come last.

    Raises:
        ManifestError: There is no such column.
    """
    if column == "age" and column in table.column_names:
        try:
            ages = table["age"].cast(pa.float64()).to_numpy(zero_copy_only=False)
        except pa.ArrowInvalid:  # words such as "adult"
            ages = None
        if ages is not None:
            found = [(f"under {bands[0]}", np.flatnonzero(ages < bands[0]))]
            found += [(name, np.flatnonzero((ages >= low) & (ages < high))) for low, high, name in age_bands(bands)]
            return _with_unknown(found, np.flatnonzero(np.isnan(ages)))
    texts, codes = values_of(table, column)
    return _with_unknown(
        [(text, np.flatnonzero(codes == place)) for place, text in enumerate(texts)], np.flatnonzero(codes == UNKNOWN)
    )


def _with_unknown(found: list[tuple[str, Integers]], unknown: Integers) -> list[tuple[str, Integers]]:
    known = [(name, rows) for name, rows in found if len(rows)]
    return known + ([(NOT_GIVEN, unknown)] if len(unknown) and known else [])


def groups_of(
    values: Sequence[tuple[str, Integers]], truth: Booleans, units: Integers, *, unit: str = "patients"
) -> list[Group]:
    """Return the values as groups, those with too few patients named so.

    Args:
        values: From `values_in`.
        truth: (N,) True for the positive class, or (N, K).
        units: (N,) each row's unit.
        unit: What they are called, in the plural.
    """
    return [_group(name, rows, truth.reshape(len(truth), -1)[rows], units[rows], unit) for name, rows in values]


def _group(name: str, rows: Integers, truth: Booleans, units: Integers, unit: str) -> Group:
    count = len(np.unique(units))
    kinds = (truth, ~truth) if truth.shape[1] == 1 else (truth,)
    of_class = min(len(np.unique(units[column])) for kind in kinds for column in kind.T)
    skipped = ""
    if count < FEWEST_UNITS:
        skipped = f"{count} {unit}, fewer than {FEWEST_UNITS}"
    elif of_class < FEWEST_OF_A_CLASS:
        skipped = f"{of_class} {unit} of a class, fewer than {FEWEST_OF_A_CLASS}"
    return Group(name, rows, count, skipped)


def compare_groups(
    groups: Sequence[Group], build: Build, units: Integers, *, draws: int = DRAWS, seed: int = 0
) -> list[Compared]:
    """Return every metric of every group that is large enough, with differences from the same draws.

    The rest are all rows of the other groups, small ones too. The gap is between the groups that came out best and
    worst: they were chosen by looking, so a gap above 0 is no finding by itself. Rows whose value is not given have
    figures, and take no part in either.

    Args:
        groups: Disjoint, from `groups_of`.
        build: Makes the statistic of some rows; every metric it gives is compared.
        units: (N,) each row's unit, 0 … units-1, drawn as a whole over all rows.
        draws: Bootstrap draws.
        seed: Of the draws.
    """
    measured = [group for group in groups if not group.skipped]
    if not measured:
        return []
    count = int(units.max()) + 1
    statistics: dict[str, Statistic] = {group.name: build(group.rows) for group in measured}
    rests = {group.name: _others(group, groups) for group in measured if group.name != NOT_GIVEN}
    statistics |= {f"\0{name}": build(rows) for name, rows in rests.items() if len(rows)}
    values = {name: plain(statistic, count) for name, statistic in statistics.items()}
    drawn = bootstrap(statistics, count, draws=draws, seed=seed)
    found = []
    for metric in values[measured[0].name]:
        of = {name: float(own[metric]) for name, own in values.items()}
        draw = {name: own[metric] for name, own in drawn.items()}
        names = [group.name for group in measured]
        found += [Compared("group", name, "", metric, interval(of[name], draw[name])) for name in names]
        found += [
            Compared("rest", name, "rest", metric, _difference(name, f"\0{name}", of, draw))
            for name in names
            if f"\0{name}" in of
        ]
        known = [name for name in names if name != NOT_GIVEN and not np.isnan(of[name])]
        if len(known) > 1:
            ordered = sorted(known, key=lambda name: of[name], reverse=metric not in HIGHER_IS_WORSE)
            best, worst = ordered[0], ordered[-1]
            found.append(Compared("gap", best, worst, metric, _difference(best, worst, of, draw)))
    return found


def _others(group: Group, groups: Sequence[Group]) -> Integers:
    others = [other.rows for other in groups if other.name not in (group.name, NOT_GIVEN)]
    return np.sort(np.concatenate(others or [group.rows[:0]]))


def _difference(one: str, other: str, of: Mapping[str, float], draw: Mapping[str, Floats]) -> Interval:
    return interval(of[one] - of[other], draw[one] - draw[other])
