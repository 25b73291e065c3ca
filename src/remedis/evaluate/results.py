"""Rows of results.csv: every metric of every label and class, with its interval and what it is counted on."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from remedis.evaluate.calibration import CalibrationGaps, calibration_interval
from remedis.evaluate.delong import delong_interval
from remedis.evaluate.intervals import DRAWS, Interval, bootstrap, interval, plain
from remedis.evaluate.metrics import METRICS, Booleans, Floats, Integers, Ranking, SquaredError, Statistic

COLUMNS = (
    "encoder", "method", "label_fraction", "seed", "dataset", "label", "class", "metric", "value", "low", "high",
    "low_delong", "high_delong", "n", "n_patients",
)  # fmt: skip
MACRO = "macro"


@dataclass(frozen=True)
class Figure:
    """One metric with its interval.

    Attributes:
        name: The class it is of; empty for two classes, `macro` over several.
        metric: One of `METRICS`.
        interval: Value and percentile limits; NaN where the tested rows lack the class.
        delong: Limits by DeLong's variance, for the AUROC where every unit has one row.
        rows: Tested rows.
        units: Patients (clusters, images) they belong to.
    """

    name: str
    metric: str
    interval: Interval
    delong: tuple[float, float] | None
    rows: int
    units: int


def figures(
    truth: Booleans,
    scores: Floats,
    units: Integers,
    *,
    classes: Sequence[str] = (),
    draws: int = DRAWS,
    seed: int = 0,
) -> list[Figure]:
    """Return every metric of one label, for two classes or for several.

    Args:
        truth: (n,) True for the positive class, or (n, K).
        scores: Probabilities of the same shape.
        units: (n,) each row's patient, cluster or own number, 0 … units-1.
        classes: The K names where there are several classes.
        draws: Bootstrap draws.
        seed: Decides the draws.

    Returns:
        Five figures for two classes; for several, five for each (one against the rest) and five named `macro`: the
        classes' mean, and for `brier` their sum. A class that no tested row has makes no part of the mean.
    """
    count = int(units.max()) + 1
    if truth.ndim == 1:
        truth, scores, names = truth[:, None], scores[:, None], [""]
    else:
        names = list(classes)
    statistics = {
        name: _every_metric(truth[:, column], scores[:, column], units, count) for column, name in enumerate(names)
    }
    values = {name: plain(statistic, count) for name, statistic in statistics.items()}
    drawn = bootstrap(statistics, count, draws=draws, seed=seed)
    sizes = len(units), count
    found = []
    for column, name in enumerate(names):
        limits = _delong(truth[:, column], scores[:, column]) if count == len(units) else None
        for metric in METRICS:
            result = _interval_of(metric, values[name], drawn[name])
            found.append(Figure(name, metric, result, limits if metric == "auroc" else None, *sizes))
    if len(names) > 1:
        present = [name for column, name in enumerate(names) if truth[:, column].any()]
        for metric in METRICS:
            chosen = names if metric == "brier" else present
            found.append(Figure(MACRO, metric, _macro(metric, chosen, values, drawn), None, *sizes))
    return found


def _every_metric(truth: Booleans, scores: Floats, units: Integers, count: int) -> Statistic:
    """Return one class's statistic with all metrics, the calibration error as the `gaps` that it is the sum of."""
    parts = (
        Ranking(truth, scores, units),
        SquaredError(truth, scores, units, count),
        CalibrationGaps(truth, scores, units, count),
    )
    return lambda counts: {name: values for part in parts for name, values in part(counts).items()}


def _delong(truth: Booleans, scores: Floats) -> tuple[float, float] | None:
    return delong_interval(truth, scores) if 1 < truth.sum() < len(truth) - 1 else None


Metrics = Mapping[str, Floats]


def _interval_of(metric: str, values: Metrics, drawn: Metrics) -> Interval:
    if metric == "ece":
        return calibration_interval(values["gaps"], drawn["gaps"])
    return interval(float(values[metric]), drawn[metric])


def _macro(metric: str, names: Sequence[str], values: Mapping[str, Metrics], drawn: Mapping[str, Metrics]) -> Interval:
    """Return a metric over several classes: their mean, for the Brier score their sum."""
    share = 1.0 if metric == "brier" else 1 / len(names)
    if metric == "ece":  # the mean of absolute sums is the absolute sum over all classes' bins
        return calibration_interval(
            share * np.concatenate([values[name]["gaps"] for name in names]),
            share * np.concatenate([drawn[name]["gaps"] for name in names]),
        )
    value = share * sum(float(values[name][metric]) for name in names)
    return interval(value, share * np.sum([drawn[name][metric] for name in names], axis=0))


@dataclass(frozen=True)
class About:
    """What a table's rows share.

    Attributes:
        encoder: As typed.
        method: logistic, knn or finetune.
        dataset: The tested manifest, as typed.
        label: The label column.
        label_fraction: Share of the labels that was learnt from.
        seed: Of the folds and draws.
        patients: Patients of the tested rows; what was drawn as a whole (clusters, images) without it.
    """

    encoder: str
    method: str
    dataset: str
    label: str
    label_fraction: float = 1.0
    seed: int = 0
    patients: int | None = None


def rows(found: Iterable[Figure], about: About) -> list[dict[str, Any]]:
    """Return figures as rows with the keys `COLUMNS`; None where a figure does not exist."""
    return [
        {
            "encoder": about.encoder,
            "method": about.method,
            "label_fraction": about.label_fraction,
            "seed": about.seed,
            "dataset": about.dataset,
            "label": about.label,
            "class": figure.name,
            "metric": figure.metric,
            "value": _known(figure.interval.value),
            "low": _known(figure.interval.low),
            "high": _known(figure.interval.high),
            "low_delong": _known(figure.delong[0]) if figure.delong else None,
            "high_delong": _known(figure.delong[1]) if figure.delong else None,
            "n": figure.rows,
            "n_patients": figure.units if about.patients is None else about.patients,
        }
        for figure in found
    ]


def csv_text(table: Iterable[Mapping[str, Any]], columns: Sequence[str] = COLUMNS) -> str:
    """Return a table as CSV; a float stands in the shortest form that reads back as the same float64."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
