"""Here against elsewhere: how much a model's figures differ between two sets of patients, at frozen choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from remedis.evaluate.compare import statistic_of
from remedis.evaluate.intervals import Interval, bootstrap, interval, plain
from remedis.evaluate.label_tables import Frozen, key_of, kinds_of, known, limits_of, statistics_of
from remedis.evaluate.metrics import Floats, Statistic
from remedis.evaluate.results import MACRO
from remedis.evaluate.tested_rows import Rows

Plain = dict[str, Any]
_RANK = ("auroc", "average_precision")
_CALIBRATION = ("brier", "ece", "calibration_intercept", "calibration_slope")


def independent_difference(one: Floats, other: Floats, drawn_one: Floats, drawn_other: Floats) -> Interval:
    """Return other less one with percentile limits, from draws of two sets that share no patient.

    Args:
        one: () value of the first set.
        other: () value of the second.
        drawn_one: (draws,) its values in the draws; these and the other's must come of different seeds.
        drawn_other: (draws,) those of the second.
    """
    return interval(float(other - one), drawn_other - drawn_one)


def second_seed(seed: int) -> int:
    """Return the seed of the second set's draws: sets of the same size would share their draws under one."""
    return int(np.random.SeedSequence([seed, 1]).generate_state(1)[0])


def shift_table(here: Rows, there: Rows, frozen: Frozen, *, draws: int, seed: int) -> list[Plain]:
    """Return every metric's value here and there, and there less here.

    The calibration error has no limits: those of its draws would be biased, see `calibration_interval`.

    Args:
        here: Tested rows in distribution.
        there: Those of the other site, scored by the same model.
        frozen: The thresholds and the temperature chosen here.
        draws: Bootstrap draws of each set.
        seed: Of the draws here; the draws there get their own.
    """
    common = [name for name in _told(here) if name in _told(there)]
    built = [_statistics(rows, frozen, common) for rows in (here, there)]
    seeds = (seed, second_seed(seed))
    drawn = [
        bootstrap(statistics, rows.count, draws=draws, seed=own)
        for statistics, rows, own in zip(built, (here, there), seeds, strict=True)
    ]
    values = [
        {key: plain(statistic, rows.count) for key, statistic in statistics.items()}
        for statistics, rows in zip(built, (here, there), strict=True)
    ]
    sizes = {
        "n_in": len(here.units), "n_patients_in": here.patients,
        "n_out": len(there.units), "n_patients_out": there.patients,
    }  # fmt: skip
    found = []
    for about, key, metrics in _wanted(here, frozen):
        if key not in built[0] or key not in built[1]:
            continue
        for metric in metrics:
            row = _row(metric, [each[key] for each in values], [each[key] for each in drawn])
            found.append({"label": here.target.label} | about | row | sizes)
    return found


def _wanted(rows: Rows, frozen: Frozen) -> list[tuple[Plain, str, tuple[str, ...]]]:
    """Return what a row says of itself, its statistic, and the metrics of it."""
    names = [name for name, _, _ in rows.columns]
    found: list[tuple[Plain, str, tuple[str, ...]]] = [({"class": name}, f"ranks {name}", _RANK) for name in names]
    if len(names) > 1:
        found.append(({"class": MACRO}, f"ranks {MACRO}", _RANK))
    for point in frozen.points:
        about = {"class": point.name, "rule": point.rule.words, "threshold": point.threshold}
        found.append((about, key_of(point), ("sensitivity", "specificity", "ppv", "npv", "prevalence")))
    for kind in kinds_of(frozen):
        found += [({"class": name, "scores": kind}, f"calibration {kind} {name}", _CALIBRATION) for name in names]
    return found


def _told(rows: Rows) -> list[str]:
    """Return the classes that some rows have and others lack."""
    return [name for name, truth, _ in rows.columns if 0 < truth.sum() < len(truth)]


def _statistics(rows: Rows, frozen: Frozen, common: Sequence[str]) -> dict[str, Statistic]:
    """Return every statistic; means over classes are of those that both sets have."""
    found = {key: value for key, value in statistics_of(rows, frozen).items() if not key.startswith("decision")}
    for name, truth, scores in rows.columns:
        if name in common:
            found[f"ranks {name}"] = statistic_of(_RANK, truth, scores, rows.units, rows.count)
    if rows.truth.ndim == 2 and common:
        places = [rows.target.classes.index(name) for name in common]
        found[f"ranks {MACRO}"] = statistic_of(
            _RANK, rows.truth[:, places], rows.scores[:, places], rows.units, rows.count
        )
    return found


def _row(metric: str, values: list[Mapping[str, Floats]], drawn: list[Mapping[str, Floats]]) -> Plain:
    if metric == "ece":
        one, other = (float(np.abs(each["gaps"]).sum()) for each in values)
        limits = Interval(other - one, float("nan"), float("nan"), 0)
    else:
        one, other = (float(each[metric]) for each in values)
        limits = independent_difference(values[0][metric], values[1][metric], drawn[0][metric], drawn[1][metric])
    row = limits_of(metric, limits)
    return {"metric": metric, "in": known(one), "out": known(other), "difference": row.pop("value")} | row
