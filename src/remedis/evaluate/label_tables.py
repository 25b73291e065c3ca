"""One label's tables beyond the figures: operating points, predictive values, decision curve, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from remedis.evaluate.calibration import CalibrationGaps, calibration_interval
from remedis.evaluate.decision import THRESHOLDS, NetBenefit
from remedis.evaluate.intervals import FEW_UNITS, Interval, bootstrap, interval, plain
from remedis.evaluate.metrics import Booleans, Floats, SquaredError, Statistic
from remedis.evaluate.operating import Confusion, Rule, choose_threshold, wilson
from remedis.evaluate.prevalence import npv, ppv
from remedis.evaluate.slope import CalibrationLine
from remedis.evaluate.temperature import BOUNDS, fit_temperature, scaled
from remedis.evaluate.tested_rows import Rows

Plain = dict[str, Any]
SHARES = ("sensitivity", "specificity", "ppv", "npv")
VALIDATION, DESCRIPTIVE = "validation", "test (descriptive)"


@dataclass(frozen=True)
class Point:
    """A frozen operating point.

    Attributes:
        name: The class; empty for two classes.
        rule: What chose it.
        threshold: A row is called positive where its score is at least this.
        chosen_on: `validation`, or `test (descriptive)` where there was no validation part.
    """

    name: str
    rule: Rule
    threshold: float
    chosen_on: str


@dataclass(frozen=True)
class Frozen:
    """What was chosen before the figures: thresholds and temperature.

    Attributes:
        points: The operating points.
        temperature: The T of all the label's scores; None where no validation part could choose one.
        cautions: What a reader must know of the choice.
    """

    points: tuple[Point, ...] = ()
    temperature: float | None = None
    cautions: tuple[str, ...] = ()


@dataclass
class Tables:
    """Rows of the tables of one label, as dictionaries."""

    operating_points: list[Plain] = field(default_factory=list)
    prevalence: list[Plain] = field(default_factory=list)
    decision_curve: list[Plain] = field(default_factory=list)
    calibration: list[Plain] = field(default_factory=list)
    roc: list[Plain] = field(default_factory=list)
    reliability: list[Plain] = field(default_factory=list)


def freeze(validation: Rows | None, test: Rows, rules: Sequence[Rule]) -> Frozen:
    """Choose thresholds and temperature on validation rows; thresholds on the tested rows where there are none.

    Args:
        validation: Rows that may choose; None where there are none.
        test: The tested rows.
        rules: One threshold for each.
    """
    label = test.target.label
    whole = validation is not None and len(np.unique(validation.target.codes)) > 1
    cautions, points = [], []
    if validation is not None and not whole:
        cautions.append(f"{label}: the validation rows have one class and choose nothing")
    if validation is not None and whole and validation.count < FEW_UNITS:
        cautions.append(
            f"{label}: thresholds and T rest on {validation.count} {validation.unit_name}, fewer than {FEW_UNITS}"
        )
    source = validation if whole and validation is not None else test
    chosen_on = VALIDATION if whole else DESCRIPTIVE
    for name, truth, scores in source.columns:
        if not 0 < truth.sum() < len(truth):
            part = chosen_on.partition(" ")[0]
            cautions.append(f"{label} {name}: no {part} row has this class, or all have it; it has no threshold")
            continue
        points += [Point(name, by, choose_threshold(truth, scores, by), chosen_on) for by in rules]
    temperature = fit_temperature(source.truth, source.scores) if whole else None
    if temperature in BOUNDS:
        cautions.append(f"{label}: T stands at its bound of {temperature:g}, the validation rows do not tell it")
    return Frozen(tuple(points), temperature, tuple(cautions))


def tables_of(test: Rows, frozen: Frozen, *, prevalences: Sequence[float], draws: int, seed: int) -> Tables:
    """Return a label's tables, every interval from the same draws.

    Args:
        test: The tested rows.
        frozen: Thresholds and temperature.
        prevalences: Where predictive values are wanted besides the cohort's own prevalence.
        draws: Bootstrap draws.
        seed: Of the draws.
    """
    statistics = statistics_of(test, frozen)
    drawn = bootstrap(statistics, test.count, draws=draws, seed=seed)
    values = {key: plain(statistic, test.count) for key, statistic in statistics.items()}
    found = Tables()
    for point in frozen.points:
        key = key_of(point)
        about = about_rows(test, point.name) | _point(point)
        found.operating_points += _operating(about, statistics[key], values[key], drawn[key], test)
        found.prevalence += _prevalence(about, values[key], drawn[key], prevalences)
    for name, _, _ in test.columns:
        for kind in kinds_of(frozen):
            about = about_rows(test, name) | {"scores": kind}
            key = f"{kind} {name}"
            found.decision_curve += _decision(about, values[f"decision {key}"], drawn[f"decision {key}"])
            about |= {"temperature": frozen.temperature if kind == "scaled" else None}
            found.calibration += _calibration(about, values[f"calibration {key}"], drawn[f"calibration {key}"])
    return found


def kinds_of(frozen: Frozen) -> tuple[str, ...]:
    """Return `raw`, and `scaled` where there is a temperature."""
    return ("raw",) if frozen.temperature is None else ("raw", "scaled")


def scored(rows: Rows, frozen: Frozen) -> dict[str, Floats]:
    """Return the rows' probabilities by kind, those of `kinds_of`."""
    found = {"raw": rows.scores}
    return found if frozen.temperature is None else found | {"scaled": scaled(rows.scores, frozen.temperature)}


def key_of(point: Point) -> str:
    """Return the name of an operating point's statistic."""
    return f"point {point.rule.words} {point.name}"


def statistics_of(rows: Rows, frozen: Frozen) -> dict[str, Statistic]:
    """Return the statistics of a label's rows at frozen choices.

    Their names are those of `key_of`, and `decision KIND CLASS` and `calibration KIND CLASS` for each of `kinds_of`.
    """
    columns = {name: (truth, scores) for name, truth, scores in rows.columns}
    found: dict[str, Statistic] = {}
    for point in frozen.points:
        truth, scores = columns[point.name]
        found[key_of(point)] = Confusion(truth, scores >= point.threshold, rows.units, rows.count)
    for kind, values in scored(rows, frozen).items():
        for name, truth, own in rows.of(values):
            found[f"decision {kind} {name}"] = NetBenefit(truth, own, rows.units, rows.count)
            found[f"calibration {kind} {name}"] = calibration_of(truth, own, rows)
    return found


def calibration_of(truth: Booleans, scores: Floats, rows: Rows) -> Statistic:
    """Return `brier`, `gaps`, `calibration_intercept` and `calibration_slope` of one class's probabilities."""
    parts: list[Statistic] = [
        SquaredError(truth, scores, rows.units, rows.count),
        CalibrationGaps(truth, scores, rows.units, rows.count),
        CalibrationLine(truth, scores, rows.units, rows.count),
    ]
    return lambda counts: {name: values for part in parts for name, values in part(counts).items()}


def about_rows(rows: Rows, name: str) -> Plain:
    """Return what a row of a table is of: label, class, and on how many rows and patients it stands."""
    return {"label": rows.target.label, "class": name, "n": len(rows.units), "n_patients": rows.patients}


def _point(point: Point) -> Plain:
    return {"rule": point.rule.words, "threshold": point.threshold, "chosen_on": point.chosen_on}


Metrics = Mapping[str, Floats]


def _operating(about: Plain, statistic: Statistic, values: Metrics, drawn: Metrics, rows: Rows) -> list[Plain]:
    assert isinstance(statistic, Confusion)
    tp, fp, fn, tn = statistic.cells
    shares = {"sensitivity": (tp, tp + fn), "specificity": (tn, tn + fp), "ppv": (tp, tp + fp), "npv": (tn, tn + fn)}
    found = []
    for metric in SHARES:
        limits = wilson(*shares[metric]) if rows.independent else None
        row = about | limits_of(metric, interval(float(values[metric]), drawn[metric]))
        row |= {"low_wilson": known(limits[0]), "high_wilson": known(limits[1])} if limits else {}
        found.append(row | {"tp": tp, "fp": fp, "fn": fn, "tn": tn})
    return found


def _prevalence(about: Plain, values: Metrics, drawn: Metrics, prevalences: Sequence[float]) -> list[Plain]:
    found = []
    for metric in ("ppv", "npv"):
        own = about | {"prevalence": float(values["prevalence"]), "of": "these rows"}
        found.append(own | limits_of(metric, interval(float(values[metric]), drawn[metric])))
    for prevalence in prevalences:
        for metric, formula in (("ppv", ppv), ("npv", npv)):
            value = formula(values["sensitivity"], values["specificity"], prevalence)
            draws = formula(drawn["sensitivity"], drawn["specificity"], prevalence)
            stated = about | {"prevalence": prevalence, "of": "stated"}
            found.append(stated | limits_of(metric, interval(float(value), draws)))
    return found


def _decision(about: Plain, values: Metrics, drawn: Metrics) -> list[Plain]:
    found = []
    for place, threshold in enumerate(THRESHOLDS):
        limits = limits_of("net_benefit", interval(float(values["net_benefit"][place]), drawn["net_benefit"][place]))
        row = {"threshold": threshold, "net_benefit": limits["value"], "low": limits["low"], "high": limits["high"]}
        found.append(about | row | {"treat_all": float(values["treat_all"][place]), "treat_none": 0.0})
    return found


def _calibration(about: Plain, values: Metrics, drawn: Metrics) -> list[Plain]:
    found = {
        "brier": interval(float(values["brier"]), drawn["brier"]),
        "ece": calibration_interval(values["gaps"], drawn["gaps"]),
        **{
            metric: interval(float(values[metric]), drawn[metric])
            for metric in ("calibration_intercept", "calibration_slope")
        },
    }
    return [about | limits_of(metric, limits) for metric, limits in found.items()]


def limits_of(metric: str, found: Interval) -> Plain:
    """Return a metric with value and limits for a table; None where there is none."""
    return {"metric": metric, "value": known(found.value), "low": known(found.low), "high": known(found.high)}


def known(value: float) -> float | None:
    """Return a number, None for NaN."""
    return None if np.isnan(value) else float(value)
