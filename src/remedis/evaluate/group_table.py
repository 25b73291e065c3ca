"""One label's table of subgroups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from remedis.evaluate.compare import METRICS, statistic_of
from remedis.evaluate.label_tables import VALIDATION, Frozen, Point, limits_of
from remedis.evaluate.metrics import Floats, Integers, Statistic
from remedis.evaluate.operating import Confusion
from remedis.evaluate.subgroups import MOST_GROUPS, Build, Group, compare_groups, groups_of, values_in
from remedis.evaluate.tested_rows import Rows

Plain = dict[str, Any]


def subgroup_table(
    rows: Rows, frozen: Frozen, columns: Sequence[str], bands: Sequence[int], *, draws: int, seed: int
) -> tuple[list[Plain], list[str]]:
    """Return the rows of `subgroups.csv` of a label, and cautions.

    Args:
        rows: The tested rows.
        frozen: Its operating points; those chosen on validation give sensitivity and specificity.
        columns: What to group by; each must be there.
        bands: Edges of age bands.
        draws: Bootstrap draws.
        seed: Of the draws.

    Raises:
        ManifestError: A column is missing.
    """
    found: list[Plain] = []
    cautions: list[str] = []
    small: list[str] = []
    label = rows.target.label
    for column in columns:
        values = values_in(rows.table, column, bands)
        if len(values) > MOST_GROUPS:
            cautions.append(
                f"{label}: {column} has {len(values)} values, more than {MOST_GROUPS}; it is not grouped by"
            )
            continue
        if len(values) < 2:
            cautions.append(f"{label}: all tested rows have one {column}, there is nothing to compare")
            continue
        groups = groups_of(values, rows.truth, rows.units, unit=rows.unit_name)
        small += [f"{column} {group.name} ({group.skipped})" for group in groups if group.skipped]
        found += [
            _about(rows, column, group) | {"kind": "group", "skipped": group.skipped}
            for group in groups
            if group.skipped
        ]
        found += _compared(rows, frozen, column, groups, draws=draws, seed=seed)
    if small:
        cautions.append(f"{label}: groups without figures: {'; '.join(small)}")
    return found, cautions


def _compared(
    rows: Rows, frozen: Frozen, column: str, groups: Sequence[Group], *, draws: int, seed: int
) -> list[Plain]:
    named = {group.name: group for group in groups}
    found = []
    for each in compare_groups(groups, _build(rows, frozen), rows.units, draws=draws, seed=seed):
        about = _about(rows, column, named[each.group]) | {"kind": each.kind, "against": each.against}
        found.append(about | limits_of(each.metric, each.interval))
    return found


def _about(rows: Rows, column: str, group: Group) -> Plain:
    truth = rows.truth[group.rows]
    positives = int(truth.sum()) if truth.ndim == 1 else None
    return {
        "label": rows.target.label, "column": column, "group": group.name, "n": len(group.rows),
        "n_patients": group.units, "n_positive": positives,
    }  # fmt: skip


def _build(rows: Rows, frozen: Frozen) -> Build:
    """Return what makes the statistic of some rows: discrimination, Brier score, and the frozen points' shares."""
    truth, scores, units, count = rows.truth, rows.scores, rows.units, rows.count
    points = [point for point in frozen.points if not point.name and point.chosen_on == VALIDATION]

    def build(chosen: Integers) -> Statistic:
        own = truth[chosen], scores[chosen], units[chosen]
        parts = [statistic_of(METRICS, *own, count)]
        parts += [_shares(point, Confusion(own[0], own[1] >= point.threshold, own[2], count)) for point in points]
        return lambda counts: {name: values for part in parts for name, values in part(counts).items()}

    return build


def _shares(point: Point, confusion: Confusion) -> Statistic:
    """Return sensitivity and specificity under names that tell their rule."""

    def named(counts: Floats) -> dict[str, Floats]:
        found = confusion(counts)
        return {
            f"{metric} at {point.rule.words}": np.asarray(found[metric]) for metric in ("sensitivity", "specificity")
        }

    return named
