"""The tables of a study's page: shares that reach the baseline, paired differences, all figures with all labels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from remedis.evaluate.efficiency import MARGIN
from remedis.report.numbers import NOTHING
from remedis.report.study_answer import QUESTION, at_chance, limits, mean, reaches, share
from remedis.report.study_folder import Row, StudyFolder
from remedis.report.study_names import Names, method, scenario

Plain = dict[str, Any]
METRICS = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "sensitivity_at_95_specificity": "sensitivity at 95% specificity",
    "brier": "Brier score",
    "ece": "calibration error",
}
_MACRO = ("", "macro")
_REACHES = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


def about(row: Row, names: Names) -> Plain:
    """Return in words which question a row answers."""
    trained, tested = names.data_set(row["train_dataset"]), names.data_set(row["dataset"])
    return {
        "scenario": scenario(row["scenario"]),
        "tested": tested,
        "where": tested if trained == tested else f"{trained} → {tested}",
        "label": row["label"],
        "method": method(row["method"]),
        "encoder": names.encoder(row["encoder"]),
        "colour": names.css(row["encoder"]),
    }


def matches(answers: Sequence[Plain], names: Names, least: float) -> list[Plain]:
    """Return the answers with what a scale of shares needs, which is logarithmic from `least` to 1."""
    found = []
    for each in answers:
        ends = [_along(each[name], least) for name in ("fraction", "low", "high")]
        words = share(each["fraction"])
        found.append(
            about(each, names)
            | {
                "share": f"at most {words}" if each["at_most"] and reaches(each) else words,
                "limits": limits(each["low"], each["high"], each["least"]) if each["low"] is not None else "",
                "line": each["line"], "line_low": each["line_low"], "line_high": each["line_high"],
                "chance": at_chance(each),
                "sort": each["fraction"] if reaches(each) else 9,
                "at": ends[0], "from": ends[1], "to": ends[2], "open": each["high"] is not None
                and math.isinf(each["high"]),
                "reached": each["reached"], "lone": each["lone"],
            }
        )  # fmt: skip
    return found


def scale(shares: Sequence[float]) -> list[Plain]:
    """Return the marks of a logarithmic scale of shares: the smallest, 10% where it lies between, and all."""
    least = min(shares)
    marks = [least, *([0.1] if least < 0.03 else []), *([1.0] if least < 1 else [])]
    return [{"at": _along(each, least), "words": share(each)} for each in marks]


def _along(value: float | None, least: float) -> float | None:
    """Return where a share lies between the smallest (0) and all labels (1); what is never reached lies at the end."""
    if value is None or math.isnan(value):
        return None
    if math.isinf(value) or least >= 1:
        return 1.0
    return min(max(math.log(value / least) / math.log(1 / least), 0.0), 1.0)


def differences(study: StudyFolder, names: Names) -> Plain:
    """Return the paired differences from the baseline: those with all labels and their tests, and all of them.

    A repeated study gives the mean over its repetitions, the smallest and the largest as limits, and the largest p.
    """
    rows = [_difference(own, names) for own in grouped(study.tables["differences"], (*QUESTION, "encoder", "fraction"))]
    reach = reach_of(rows)
    return {"whole": [row for row in rows if row["fraction"] == 1], "all": rows, "reach": reach, "margin": MARGIN}


def _difference(rows: Sequence[Row], names: Names) -> Plain:
    repeated = len(rows) > 1
    known = [row["difference"] for row in rows if row["difference"] is not None]
    first = rows[0]
    return about(first, names) | {
        "fraction": first["fraction"],
        "share": share(first["fraction"]),
        "value": mean(known),
        "low": min(known, default=None) if repeated else first["low"],
        "high": max(known, default=None) if repeated else first["high"],
        "non_inferior": sum(bool(row["non_inferior"]) for row in rows),
        "repeats": len(rows),
        **{name: _largest([row[name] for row in rows]) for name in ("p", "p_holm", "p_delong")},
    }


def _largest(values: Sequence[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def reach_of(rows: Sequence[Plain]) -> float:
    """Return how far a scale of differences goes to either side."""
    most = max(
        (abs(row[name]) for row in rows for name in ("value", "low", "high") if row[name] is not None), default=0
    )
    return next((each for each in _REACHES if each >= most), 1.0)


def whole(study: StudyFolder, names: Names) -> list[Plain]:
    """Return every figure of the models that learnt from all labels; of several classes the mean."""
    rows = [
        row
        for row in study.tables["results"]
        if 1 in (row["label_fraction"], row["target_fraction"])
        and not row.get("subgroup") and row["class"] in _MACRO and row["metric"] in METRICS
    ]  # fmt: skip
    several = {row["label"] for row in rows if row["class"] == "macro"}
    rows = [row for row in rows if row["label"] not in several or row["class"] == "macro" or row["metric"] == "brier"]
    found = []
    for own in grouped(rows, (*QUESTION, "encoder")):
        cells = {name: _cell([row for row in own if row["metric"] == name]) for name in METRICS}
        first = own[0]
        found.append(about(first, names) | {
            "cells": cells, "n": first["n"], "n_patients": first["n_patients"],
            **{f"{name}_words": _counts(own, name) for name in ("n", "n_positive")},
            "n_patients_words": _counts(own, "n_patients") if study.units(first["dataset"]) == "patients" else NOTHING,
        })  # fmt: skip
    return found


def _counts(rows: Sequence[Row], name: str) -> str:
    """Return a count, or between which it lies over the repetitions; a dash where there is none."""
    known = sorted({row[name] for row in rows if row[name] is not None})
    return "–".join(f"{each:,}" for each in dict.fromkeys((known[0], known[-1]))) if known else NOTHING


def _cell(rows: Sequence[Row]) -> Plain:
    values = [row["value"] for row in rows if row["value"] is not None]
    if len(rows) == 1:
        return {name: rows[0][name] for name in ("value", "low", "high")}
    return {"value": mean(values), "low": min(values, default=None), "high": max(values, default=None)}


def grouped(rows: Sequence[Row], keys: Sequence[str]) -> list[list[Row]]:
    """Return the rows that agree in some columns together, in the order of their first."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in keys), []).append(row)
    return list(found.values())


FILTERS: dict[str, Callable[..., str]] = {"share": share}
