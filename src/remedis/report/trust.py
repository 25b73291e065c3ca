"""What models do in groups, at frozen thresholds, as probabilities, and at another site."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from remedis.report.numbers import class_word
from remedis.report.study_names import method
from remedis.report.study_tables import grouped, reach_of
from remedis.report.subgroups import SEXES

Plain = dict[str, Any]
Row = dict[str, Any]
_AUROC = "auroc"
_CALIBRATION = {
    "brier": "Brier score", "ece": "calibration error", "calibration_intercept": "intercept",
    "calibration_slope": "slope",
}  # fmt: skip
_SHARES = {"sensitivity": "sensitivity", "specificity": "specificity", "ppv": "PPV", "npv": "NPV"}
_SHIFTS = {
    "auroc": "AUROC", "average_precision": "average precision", **_SHARES, "prevalence": "prevalence", **_CALIBRATION,
}  # fmt: skip
_LINES = ("calibration_intercept", "calibration_slope")  # of another scale than shares
_MODEL = ("dataset", "train_dataset", "label", "method")


class Opened(Protocol):
    """A study's or an evaluation's folder, opened."""

    @property
    def tables(self) -> Mapping[str, list[Row]]:
        """Name to rows, which say their `encoder`."""


class Names(Protocol):
    """What data sets and encoders are called on a page."""

    def data_set(self, typed: str) -> str:
        """Return what a data set is called."""

    def encoder(self, typed: str) -> str:
        """Return what an encoder is called."""

    def css(self, typed: str) -> str:
        """Return an encoder's colour as CSS has it."""


def _place(row: Row, names: Names) -> Plain:
    """Return what a table is of: where it was tested and learnt, label and method."""
    tested = names.data_set(row["dataset"]) if row["dataset"] else ""
    trained = names.data_set(row["train_dataset"]) if row["train_dataset"] else tested
    return {
        "where": tested if trained == tested else f"{trained} → {tested}",
        "label": row["label"],
        "method": method(row["method"]),
    }


def _who(row: Row, names: Names) -> Plain:
    return {"encoder": names.encoder(row["encoder"]), "colour": names.css(row["encoder"])}


def _filled(rows: Sequence[Row]) -> list[Row]:
    """Return rows that all have the columns of a model's place."""
    return [dict.fromkeys((*_MODEL, "class"), "") | row for row in rows]


def subgroups(opened: Opened, names: Names) -> list[Plain]:
    """Return a forest for each tested data set, label and method: every group, and in it every encoder."""
    found = []
    for rows in grouped(_filled(opened.tables["subgroups"]), _MODEL):
        groups = [_group(own, names) for own in grouped(
            [row for row in rows if row["kind"] == "group" and (row["metric"] == _AUROC or row["skipped"])],
            ("column", "group"))]  # fmt: skip
        groups.sort(key=_order(groups))
        known = [each["low"] for group in groups for each in group["encoders"] if each["low"] is not None]
        gaps = [_gap(row, names) for row in rows if row["metric"] == _AUROC and row["kind"] in ("rest", "gap")]
        start = max(0.0, min(0.5, int(min(known, default=0.5) * 10) / 10))
        found.append(_place(rows[0], names) | {"groups": groups, "gaps": gaps, "start": start})
    return found


def _order(groups: Sequence[Plain]) -> Callable[[Plain], tuple[int, int, str]]:
    """Return what sorts groups: columns as they come, bands of age by their age, other groups by name."""
    columns = list(dict.fromkeys(group["column"] for group in groups))

    def key(group: Plain) -> tuple[int, int, str]:
        digits = re.match(r"\d+", group["group"])
        return columns.index(group["column"]), int(digits[0]) if digits else 0, group["group"]

    return key


def _group(rows: Sequence[Row], names: Names) -> Plain:
    first = rows[0]
    encoders = [
        _who(row, names) | {name: row[name] for name in ("value", "low", "high")} for row in rows if not row["skipped"]
    ]
    return {
        "column": first["column"], "group": first["group"],
        "name": f"{first['column']}: {_group_name(first['column'], first['group'])}",
        "n": first["n"], "n_patients": first["n_patients"], "positives": first["n_positive"],
        "skipped": first["skipped"], "encoders": encoders,
    }  # fmt: skip


def _group_name(column: str, name: str) -> str:
    return SEXES.get(name, name) if column == "sex" else name


def _gap(row: Row, names: Names) -> Plain:
    group, against = (_group_name(row["column"], row[name]) for name in ("group", "against"))
    words = f"{group} less {against}" if row["kind"] == "gap" else f"{group} less the rest"
    return _who(row, names) | {
        "name": f"{row['column']}: {words}", "kind": "best less worst" if row["kind"] == "gap" else "group less rest",
        **{name: row[name] for name in ("value", "low", "high")},
    }  # fmt: skip


def operating_points(opened: Opened, names: Names) -> list[Plain]:
    """Return each frozen threshold on each tested data set, with its two by two table."""
    found = []
    for rows in grouped(_filled(opened.tables["operating_points"]), (*_MODEL, "encoder", "class", "rule")):
        first = rows[0]
        found.append(_place(first, names) | _who(first, names) | {
            "class": class_word(first["class"]), "rule": first["rule"], "threshold": first["threshold"],
            "chosen_on": first["chosen_on"], **{name: first[name] for name in ("tp", "fp", "fn", "tn", "n")},
            "cells": _cells(rows, _SHARES),
        })  # fmt: skip
    return found


def calibration(opened: Opened, names: Names) -> list[Plain]:
    """Return how probabilities fit what was observed, as they are and scaled by a temperature."""
    found = []
    for rows in grouped(_filled(opened.tables["calibration"]), (*_MODEL, "encoder", "class", "scores")):
        first = rows[0]
        kind = "as they are" if first["scores"] == "raw" else f"scaled, T = {first['temperature']:.2f}"
        found.append(_place(first, names) | _who(first, names) | {
            "class": class_word(first["class"]), "scores": kind, "n": first["n"], "n_patients": first["n_patients"],
            "cells": _cells(rows, _CALIBRATION),
        })  # fmt: skip
    return found


def _cells(rows: Sequence[Row], wanted: dict[str, str]) -> list[Plain]:
    by_metric = {row["metric"]: row for row in rows}
    nothing = {"value": None, "low": None, "high": None}
    return [{part: by_metric.get(name, nothing)[part] for part in nothing} for name in wanted]


def shift(opened: Opened, names: Names) -> Plain:
    """Return each figure here and at the other site, the difference, and how far a scale of differences goes."""
    rows = [row for row in _filled(opened.tables["shift"]) if row["metric"] in _SHIFTS]
    found = [
        _place(row, names) | _who(row, names) | {
            "class": class_word(row["class"]), "metric": _SHIFTS[row["metric"]], "at": _at(row),
            "here": row["in"], "there": row["out"],
            "value": row["difference"], "low": row["low"], "high": row["high"], "drawn": row["metric"] not in _LINES,
        }
        for row in rows
    ]  # fmt: skip
    return {"rows": found, "reach": reach_of([row for row in found if row["drawn"]])}


def _at(row: Row) -> str:
    if row["rule"]:
        return f"{row['rule']}, threshold {row['threshold']:.3f}"
    return {"raw": "probabilities as they are", "scaled": "probabilities scaled"}.get(row["scores"], "")


HEADS = {"shares": list(_SHARES.values()), "calibration": list(_CALIBRATION.values())}
