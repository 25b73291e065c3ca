"""How the tables look: figures as dots with whiskers, what is called what, subgroups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from remedis.report.label_data import auroc_row
from remedis.report.looks import METHODS, on
from remedis.report.numbers import class_word, share

Plain = dict[str, Any]
_SHORT = {"logistic": "logistic", "knn": "kNN"}
METRICS = {
    "auroc": ("AUROC", ""),
    "average_precision": ("average precision", ""),
    "sensitivity_at_95_specificity": ("sensitivity at 95% specificity", "on the tested images’ own curve"),
    "brier": ("Brier score", "lower is better"),
    "ece": ("calibration error", "lower is better"),
}


def confusion_table(data: Plain) -> Plain:
    """Return how many images of each class are called what, in words and with shares."""
    names = [class_word(name) for name in data["classes"]]
    rule = "called the class of probability 0.5 or more" if data["kind"] == "binary" else "called the likeliest class"
    return {
        "caption": f"{on(data)}, {rule}; logistic regression. A line is what images are, a column what they are "
        "called; shares are of the line.",
        "head": f"{data['label']} is" if names == ["no", "yes"] else "is",
        "names": names,
        "rows": [
            {
                "name": name,
                "cells": [
                    {"count": count, "share": share(count, sum(counts)), "right": place == own}
                    for place, count in enumerate(counts)
                ],
                "total": sum(counts),
            }
            for own, (name, counts) in enumerate(zip(names, data["confusion"], strict=True))
        ],
    }


def subgroup_table(data: Plain) -> Plain:
    """Return the subgroups with the line of all images that they are held against."""
    row = auroc_row(data)
    binary = data["kind"] == "binary"
    low = min([found["low"] for found in [row, *data["subgroups"]] if found["low"] is not None], default=0.5)
    columns = list(dict.fromkeys(group["column"] for group in data["subgroups"]))
    return {
        "overall": {
            "value": row["value"], "low": row["low"], "high": row["high"], "n": data["n"], "units": data["units"],
            "positives": data["class_counts"][data["positive"]] if binary else min(data["class_counts"].values()),
        },
        "subgroups": data["subgroups"],
        "subgroup_start": max(0.0, min(0.5, np.floor(low * 10) / 10)),
        "subgroup_caption": (
            f"{on(data)}: {'AUROC' if binary else 'mean AUROC of the classes'} by {', '.join(columns)}, logistic "
            "regression, with 95% intervals; the dotted line is all images. Groups were not chosen beforehand: a "
            "difference here is a question, not a finding."
        ),
        "positive_name": "positive" if binary else "scarcest class",
        "no_subgroups": "No column of sex, age, view or site with more than one value is there to group by.",
    }  # fmt: skip


def tables(data: Plain) -> list[Plain]:
    """Return the main table, and with several classes a second one of each class."""
    binary = data["kind"] == "binary"
    main = [row for row in data["results"] if row["class"] == ("" if binary else "macro")]
    words = "" if binary else " Mean of the classes, one against the rest; the Brier score is their sum."
    found = [_table(data, main, f"{on(data)}.{words} The dot is the value, the line its 95% interval.", "")]
    others = [row for row in data["results"] if row["class"] not in ("", "macro")]
    if others:
        found.append(
            _table(data, others, "Each class against the rest.", f"Each class by itself ({len(data['classes'])})")
        )
    return found


def _table(data: Plain, rows: Sequence[Plain], caption: str, summary: str) -> Plain:
    classes = list(dict.fromkeys(row["class"] for row in rows))
    methods = [method for method in METHODS if any(row["method"] == method for row in rows)]
    ordered = [
        row
        for name in classes
        for metric in METRICS
        for method in methods
        for row in rows
        if (row["class"], row["metric"], row["method"]) == (name, metric, method)
    ]
    delong = any(row["low_delong"] is not None for row in ordered)
    if delong:
        caption += " DeLong: another interval of the AUROC, by a formula and without draws."
    return {
        "caption": caption,
        "summary": summary,
        "classes": len(classes) > 1,
        "delong": delong,
        "rows": [_row(data, row, len(methods) > 1) for row in ordered],
    }


def _row(data: Plain, row: Plain, several: bool) -> Plain:
    name, note = METRICS[row["metric"]]
    logistic = row["method"] == "logistic"
    return row | {
        "name": name,
        "note": note if logistic else "",
        "method": _SHORT[row["method"]],
        "kind": "main" if logistic else "beside",
        "plotted": row["value"] is not None and not (row["metric"] == "brier" and row["class"] == "macro"),
        "first": several and logistic,
        "second": several and not logistic,
        "chance": {"auroc": 0.5, "average_precision": _class_share(data, row["class"])}.get(row["metric"]),
    }


def _class_share(data: Plain, name: str) -> float | None:
    if data["kind"] == "binary":
        return float(data["prevalence"])
    return data["class_counts"][name] / data["n"] if name in data["class_counts"] else None
