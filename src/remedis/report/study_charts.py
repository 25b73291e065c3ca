"""Which curves a study's page shows: a panel for each scenario, tested data set and label, in rows of one scale."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np

from remedis.report.numbers import figure
from remedis.report.run_figures import Drawn
from remedis.report.study_answer import reaches, share
from remedis.report.study_audit import Lone, highest, lone_words, shortcuts
from remedis.report.study_figures import Line, Mark, Panel, panel_figure, vertical
from remedis.report.study_folder import ADAPTED, IN, OUT, Row, StudyFolder
from remedis.report.study_names import METHODS, Names, listed, method, scenario
from remedis.report.study_people import ranged

Plain = dict[str, Any]
_CROWD = 4  # curves in one panel before each method gets a panel of its own
_PANEL = ("scenario", "dataset", "train_dataset", "label")


def charts(study: StudyFolder, names: Names, answers: Sequence[Plain]) -> list[Plain]:
    """Return every label's panels.

    Args:
        study: The opened study.
        names: What things are called.
        answers: From `study_answer.answers`.

    Returns:
        For each label `label` and `panels`, each with `key`, `title`, `svg`, `caption`, `places`.
    """
    found = []
    crowded = len(study.job["encoders"]) * len(_methods(study)) > _CROWD
    for number, label in enumerate(study.job["labels"]):
        rows = [row for row in study.tables["curves"] if row["label"] == label]
        groups = _groups(rows, by_method=crowded)
        panels = [_panel(study, names, own, answers) for own in groups]
        if panels:
            limits = vertical(panels)
            drawn = [
                _drawn(study, names, own, panel, limits, key=f"curves-{number}-{place}")
                for place, (own, panel) in enumerate(zip(groups, panels, strict=True))
            ]
            found.append({"label": label, "panels": drawn})
    return found


def legend(study: StudyFolder, names: Names) -> list[Plain]:
    """Return what colours and lines mean, the same on the whole page."""
    present = study.present
    encoders = [each for each in (*study.others, study.baseline) if each in present]
    entries = [{"mark": "line", "colour": names.css(each), "name": names.encoder(each)} for each in encoders]
    compared = bool(study.others) and study.baseline in present
    entries[-1]["name"] += " (baseline)" if compared else ""
    if len(_methods(study)) > 1:
        marks = {"logistic": "line", "finetune": "line dashdot"}
        entries += [{"mark": marks.get(each, "line"), "colour": "var(--muted)", "name": method(each)}
                    for each in _methods(study)]  # fmt: skip
    if compared:
        entries.append({"mark": "line dashed", "colour": names.css(study.baseline),
                        "name": f"{names.baseline} with all labels"})  # fmt: skip
        entries.append(
            {
                "mark": "box diamond",
                "colour": names.css(study.others[0]),
                "name": f"reaches what {names.baseline} needs all labels for",
            }
        )
    if shortcuts(study):
        entries.append({"mark": "line dotted", "colour": "var(--ink)", "name": "trivial features alone"})
    return entries


def _methods(study: StudyFolder) -> list[str]:
    there = {row["method"] for row in study.tables["curves"]}
    return [name for name in METHODS if name in there] + sorted(there - set(METHODS))


def _groups(rows: Sequence[Row], *, by_method: bool) -> list[list[Row]]:
    """Return the rows of each panel, scenario after scenario."""
    keys = (*_PANEL, "method") if by_method else _PANEL
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in keys), []).append(row)
    order = {name: place for place, name in enumerate((IN, OUT, ADAPTED))}
    methods = list(dict.fromkeys(row["method"] for row in rows)) if by_method else []

    def place(own: list[Row]) -> tuple[int, int]:
        method_of = methods.index(own[0]["method"]) if by_method else 0
        return method_of, order.get(own[0]["scenario"], len(order))

    return sorted(found.values(), key=place)


def _panel(study: StudyFolder, names: Names, rows: Sequence[Row], answers: Sequence[Plain]) -> Panel:
    lines, levels = [], []
    for name in (*study.others, study.baseline):
        for how in _methods(study):
            own = [row for row in rows if (row["encoder"], row["method"]) == (name, how)]
            if own:
                line = _line(names, name, how, own)
                lines.append(line)
                whole = line.values[-1]
                levels += [(line.colour, how, float(whole))] if name == study.baseline and np.isfinite(whole) else []
    marks = [
        Mark(names.colour(each["encoder"]), each["line"], *(each[name] for name in ("fraction", "low", "high")))
        for each in answers
        if _of(each, rows) and reaches(each) and each["line"] is not None
    ]
    lone = _lone(study, rows)
    labelled: dict[float, list[float]] = {}
    for row in rows:
        labelled.setdefault(row["fraction"], []).append(row["labelled_patients"])
    patients = {fraction: fmean(counts) for fraction, counts in labelled.items()}
    units = study.units(rows[0]["train_dataset"])
    return Panel(lines, levels if study.others else [], marks, lone.value if lone else None, patients, units)


def _of(answer: Plain, rows: Sequence[Row]) -> bool:
    return all(answer[name] == rows[0][name] for name in _PANEL) and answer["method"] in {r["method"] for r in rows}


def _lone(study: StudyFolder, rows: Sequence[Row]) -> Lone | None:
    return highest(shortcuts(study), rows[0]["dataset"], rows[0]["label"])


def _line(names: Names, encoder: str, how: str, rows: Sequence[Row]) -> Line:
    """Return a curve; of a repeated study the mean over the repetitions, without limits, and each of them."""
    by_repeat = [
        sorted(own, key=lambda row: row["fraction"])
        for _, own in itertools.groupby(
            sorted(rows, key=lambda row: row.get("repeat") or 0), lambda row: row.get("repeat") or 0
        )
    ]
    shares = np.array([row["fraction"] for row in by_repeat[0]], dtype=np.float64)
    values, low, high = (
        np.array([[np.nan if row[name] is None else row[name] for row in own] for own in by_repeat], dtype=np.float64)
        for name in ("auroc", "low", "high")
    )
    name = f"{names.encoder(encoder)}, {method(how)}"
    if len(by_repeat) == 1:
        return Line(name, names.colour(encoder), how, shares, values[0], low[0], high[0], values[:0])
    nothing = np.full(len(shares), np.nan)
    return Line(name, names.colour(encoder), how, shares, values.mean(axis=0), nothing, nothing, values)


def _drawn(
    study: StudyFolder, names: Names, rows: Sequence[Row], panel: Panel, limits: tuple[float, float], *, key: str
) -> Plain:
    first = rows[0]
    title = _title(names, first)
    if len({row["method"] for row in rows}) < len(_methods(study)):
        title += f", {method(first['method'])}"
    caption = _caption(study, names, rows, panel)
    found: Drawn = panel_figure(panel, limits, name=key, title=f"{title}, {first['label']}", description=caption)
    traces = [
        {"name": line.name, "points": [[float(s), *map(_short, each)] for s, *each in zip(
            line.shares, line.values, line.low, line.high, strict=True)]}
        for line in panel.lines
    ]  # fmt: skip
    places = [place | {"traces": traces} for place in found.panels]
    return {"key": key, "title": title, "svg": found.svg, "caption": caption, "places": places}


def _short(value: float) -> float | None:
    return float(f"{value:.4g}") if np.isfinite(value) else None


def _title(names: Names, row: Row) -> str:
    where, trained = names.data_set(row["dataset"]), names.data_set(row["train_dataset"])
    return {
        IN: f"In distribution: learnt and tested on {where}",
        OUT: f"Out of distribution: learnt on {trained}, tested on {where}",
        ADAPTED: f"Adapted: learnt and tested on {where}",
    }.get(row["scenario"], f"{scenario(row['scenario'])}: {where}")


def _caption(study: StudyFolder, names: Names, rows: Sequence[Row], panel: Panel) -> str:
    words = [f"Tested on {_tested(study, rows)}."]
    draws = sorted({row["draws"] for row in rows if row["fraction"] < 1})
    repeats = len({row.get("repeat") for row in rows})
    if draws:
        words.append(f"Below 100% the mean of {' to '.join(map(str, draws))} draws of the labels.")
    if repeats > 1:
        words.append(f"Full: the mean of {repeats} repetitions with other parts; thin: each of them.")
    if lone := _lone(study, rows):
        by = study.units(lone.data_set).removesuffix("s")
        words.append(f"Dotted: {lone_words(lone, own=True)} {figure(lone.value, 2)} on all of "
                     f"{names.data_set(lone.data_set)}, learnt there in folds by {by}.")  # fmt: skip
    if not panel.marks and panel.levels:
        lines = listed(figure(level) for _, _, level in panel.levels)
        words.append(f"No encoder reaches {names.baseline}’s {lines}.")
    return " ".join(words)


def _tested(study: StudyFolder, rows: Sequence[Row]) -> str:
    words = ranged((row["n"] for row in rows), "images")
    if study.units(rows[0]["dataset"]) == "images":
        return words
    return f"{words} of {ranged((row['n_patients'] for row in rows), 'patients')}"


def shares_words(shares: Sequence[float]) -> str:
    """Return `1%, 5% and 100%`."""
    return listed(share(each) for each in shares)
