"""What the page of an evaluation says of one label, as plain values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from remedis.evaluate.evaluation_read import EvaluationFolder
from remedis.report.evaluation_names import Files, other_file
from remedis.report.numbers import class_words, counted, figure, p_words, share, span
from remedis.report.study_tables import METRICS, grouped

Plain = dict[str, Any]
Row = dict[str, Any]
_OWN = ("results", "roc", "reliability", "decision_curve", "operating_points", "prevalence", "calibration")
_RIGHT = ("sensitivity", "specificity")
_ROWS = {"image": ("image", "images"), "study": ("study", "studies"), "patient": ("patient", "patients")}
_PARTS = (("validation", "validation"), ("test", "test"), ("ood", "other site"))
MACRO = "macro"


def label_data(opened: EvaluationFolder, entry: Plain, files: Files) -> Plain:
    """Return everything that the page shows of one label.

    Args:
        opened: The evaluation.
        entry: What `evaluation.json` says of the label.
        files: The tested files.
    """
    name, several = str(entry["label"]), entry["kind"] == "multiclass"
    own = {table: [row for row in opened.tables.get(table, []) if row["label"] == name] for table in _OWN}
    positive = None if several else str(entry["classes"][1])
    ranked = [row for row in own["results"] if (row["metric"], row["class"]) == ("auroc", entry["macro"])]
    main = {row["dataset"]: row for row in ranked}
    on_file = {typed: on(opened, row) for typed, row in main.items()}
    about = {
        "label": name, "kind": entry["kind"], "several": several, "classes": list(entry["classes"]),
        "positive": positive, "words": name if positive in (None, "1") else f"{name} = {positive}",
        "unit_name": opened.facts["unit"], "temperature": entry["temperature"], "tested_by": entry["tested_by"],
        "here": main[files.here], "there": main.get(files.there or ""), "on_file": on_file,
        "on": "; ".join(f"{files.data_set(typed)}: {words}" if files.there else words
                        for typed, words in on_file.items()),
        "marks": [] if several else _marks(own["operating_points"]),
        "prevalence_words": ", ".join(_prevalence(entry, part) for part in ("test", "ood") if entry["counts"][part]),
        "left_out": {"here": entry["left_out"], "there": entry["left_out_of_ood"]},
        "parts": _parts(entry),
        "comparison": [row for row in opened.tables.get("comparison", []) if row["label"] == name],
        "shift": [row for row in opened.tables.get("shift", []) if row["label"] == name],
    }  # fmt: skip
    found = about | own
    return found | {"sentence": sentence(opened, found, files)}


def on(opened: EvaluationFolder, row: Row) -> str:
    """Return on what a row of results stands: `233 images of 179 patients`."""
    one, several = _ROWS[opened.facts["job"]["per"]]
    words = f"{row['n']:,} {one if row['n'] == 1 else several}"
    alone = opened.facts["unit"] in (several, "images")
    return words if alone else f"{words} of {counted(row['n_patients'], 'patients')}"


def _marks(points: Sequence[Row]) -> list[Plain]:
    found = []
    for rows in grouped(points, ("dataset", "rule")):
        values = {row["metric"]: row["value"] for row in rows}
        if all(values.get(name) is not None for name in _RIGHT):
            found.append({"dataset": rows[0]["dataset"], **{name: values[name] for name in _RIGHT}})
    return found


def _prevalence(entry: Plain, part: str) -> str:
    counts = entry["counts"][part]["classes"]
    whole = sum(counts.values())
    names = entry["classes"] if entry["kind"] == "multiclass" else entry["classes"][1:]
    if len(names) == 1:
        return share(counts[names[0]], whole) + (" at the other site" if part == "ood" else "")
    least, most = (pick(counts[name] for name in names) for pick in (min, max))
    return f"{share(least, whole)} to {share(most, whole)}" + (" at the other site" if part == "ood" else "")


def _parts(entry: Plain) -> list[Plain]:
    return [
        {"name": words, **entry["counts"][part]} for part, words in _PARTS if entry["counts"][part] is not None
    ]  # fmt: skip


def sentence(opened: EvaluationFolder, label: Plain, files: Files) -> str:
    """Return a label's answer in words: here, at the other site, against the other model."""
    here, there = label["here"], label["there"]
    kind = f"mean AUROC of {len(label['classes'])} classes" if label["several"] else "AUROC"
    words = f"{label['words']}: {kind} {_limits(here)} on {on(opened, here)}"
    if there is not None and files.there:
        words += f"; {_limits(there)} on {files.data_set(files.there)}"
        moved = [row for row in label["shift"] if row["metric"] == "auroc" and row["class"] == here["class"]]
        words += _difference(moved[0], "higher", "lower") if moved else ""
    compared = [row for row in label["comparison"] if row["metric"] == "auroc" and row["class"] == here["class"]]
    if compared:
        other = other_file(opened, names=files.whole)
        words += f"; against {other} ({figure(compared[0]['other'], 2)})"
        words += f"{_difference(compared[0], 'higher', 'lower')}, p {p_words(compared[0]['p_permutation'])}"
    return words + "."


def _limits(row: Row) -> str:
    return f"{figure(row['value'], 2)} ({span(row['low'], row['high'], 2)})"


def _difference(row: Row, more: str, less: str) -> str:
    """Return `, 0.38 lower (0.12 to 0.62)`; limits on both sides of 0 keep their signs."""
    value, low, high = row["difference"], row["low"], row["high"]
    if value is None or low is None or high is None:
        return ""
    if value < 0:
        value, low, high, more = -value, -high, -low, less
    return f", {figure(value, 2)} {more} ({figure(low, 2)} to {figure(high, 2)})"


def figure_rows(label: Plain, files: Files) -> list[Plain]:
    """Return the label's figures: a row for each metric and class, with a cell for each file."""
    rows = [row for row in label["results"] if row["metric"] in METRICS]
    order = {name: place for place, name in enumerate((MACRO, "", *label["classes"]))}
    found = []
    for own in sorted(grouped(rows, ("class", "metric")), key=lambda own: order[own[0]["class"]]):
        first = own[0]
        cells = {row["dataset"]: row for row in own}
        found.append({
            "name": METRICS[first["metric"]],
            "class": {MACRO: "mean of the classes"}.get(first["class"], first["class"]),
            "lower": first["metric"] in ("brier", "ece"),
            "plotted": not (first["metric"] == "brier" and first["class"] == MACRO),
            "chance": 0.5 if first["metric"] == "auroc" else None,
            "cells": [{"colour": files.css(typed), "name": files.data_set(typed), **_numbers(cells.get(typed))}
                      for typed in files.tested],
        })  # fmt: skip
    return found


def _numbers(row: Row | None) -> Plain:
    names = ("value", "low", "high", "low_delong", "high_delong")
    return dict.fromkeys(names) if row is None else {name: row.get(name) for name in names}


def predictive_rows(label: Plain, files: Files) -> list[Plain]:
    """Return PPV and NPV by threshold and prevalence."""
    found = []
    for own in grouped(label["prevalence"], ("dataset", "class", "rule", "prevalence", "of")):
        first, values = own[0], {row["metric"]: row for row in own}
        found.append({
            "encoder": files.data_set(first["dataset"]), "colour": files.css(first["dataset"]), "rule": first["rule"],
            "class": first["class"], "prevalence": first["prevalence"], "own": first["of"] != "stated",
            "cells": [_numbers(values.get(name)) for name in ("ppv", "npv")],
        })  # fmt: skip
    return found


def comparison_rows(label: Plain) -> list[Plain]:
    """Return this model less the other, by metric and class."""
    return [
        {
            "name": METRICS.get(row["metric"], row["metric"]), "class": row["class"], "encoder": label["words"],
            "colour": "var(--accent)", "own": row["value"], "other": row["other"], "value": row["difference"],
            **{name: row[name] for name in ("low", "high", "p_permutation", "p_permutation_holm", "p_delong")},
        }
        for row in label["comparison"]
    ]  # fmt: skip


def positive_words(label: Plain) -> str:
    """Return what a positive row is: `pneumonia: yes`."""
    return class_words(label["label"], label["positive"]) if label["positive"] else "each class against the rest"
