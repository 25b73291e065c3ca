"""An evaluation's page from its folder: values, curves, HTML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from remedis import __version__
from remedis.console import QUIET, Console
from remedis.data.files import write_json, write_text
from remedis.evaluate.evaluation_read import EvaluationFolder, is_evaluation, open_evaluation
from remedis.options.report import Report
from remedis.report import evaluation_charts, evaluation_data, figures, study_tables, trust
from remedis.report.evaluation_made import made
from remedis.report.evaluation_names import Files, model, other_file
from remedis.report.label_data import plain
from remedis.report.naming import path_shown
from remedis.report.of_probe import Pages
from remedis.report.page import LIMITS, TEMPLATES, _css, _environment, ticks
from remedis.report.page_data import NOTICE

Plain = dict[str, Any]
FORMAT = 1
KIND = "report of an evaluation"
PAGE, VALUES = "evaluation.html", "evaluation_page.json"
"""What an evaluation calls its own page and the values beside it."""

_COLLECTION = "The figures are of a collection of images, not of a population; prevalence changes with the place."
__all__ = ["FORMAT", "KIND", "PAGE", "VALUES", "evaluation_page", "is_evaluation", "write_page"]


def evaluation_page(options: Report, console: Console = QUIET) -> Pages:
    """Return the page of an evaluation.

    Raises:
        InputError: A file of the folder is damaged.
    """
    opened = open_evaluation(options.folder)
    report = ["remedis", "report", path_shown(options.folder, names=options.names)]
    report += ["--out", path_shown(options.out, names=options.names), *["--names"] * options.names]
    found = _pages(
        opened, Files(opened, names=options.names), report=report, json_name=options.out.with_suffix(".json").name
    )
    console.say(f"evaluation of {', '.join(label['words'] for label in found.data['labels'])}")
    return found


def write_page(folder: Path, *, out: Path) -> None:
    """Write `PAGE`, and `VALUES` beside it, into an evaluation's folder, which is to be moved to `out`."""
    found = open_evaluation(folder)
    opened = EvaluationFolder(out, found.facts, found.tables)
    pages = _pages(opened, Files(opened, names=False), report=[], json_name=VALUES)
    write_json(folder / VALUES, pages.data)
    write_text(folder / PAGE, pages.html)


def _pages(opened: EvaluationFolder, files: Files, *, report: list[str], json_name: str) -> Pages:
    data = evaluation_values(opened, files, report=report)
    html = _render(data, files, json_name=json_name)
    sentences = [label["sentence"] for label in data["labels"]]
    return Pages(html, public(data, files), sentences, {"answers": sentences})


def evaluation_values(opened: EvaluationFolder, files: Files, *, report: list[str]) -> Plain:
    """Return everything that the page shows, as plain values that go unrounded into the JSON file."""
    facts = opened.facts
    labels = [evaluation_data.label_data(opened, entry, files) for entry in facts["labels"]]
    simulated = bool(facts.get("simulated"))
    cautions = [_sentence(files, text) for text in facts["cautions"]]
    if simulated:
        cautions.append("The images are simulated; the figures say nothing about patients.")
    compare = facts["files"]["compare"]
    return {
        "format": FORMAT, "kind": KIND, "remedis": __version__, "notice": NOTICE, "names": files.whole,
        "simulated": simulated, "model": model(opened), "tested": [files.data_set(typed) for typed in files.tested],
        "other_model": other_file(opened, names=files.whole) if compare else None,
        "labels": labels,
        "mean": [row for row in opened.tables["results"] if row["label"] == evaluation_data.MACRO],
        "cautions": [*cautions, _COLLECTION],
        "made": made(opened, labels, files, report=report),
    }  # fmt: skip


def _sentence(files: Files, text: str) -> str:
    """Return a caution as a sentence, with the files' names as the page has them."""
    for typed in files.tested:
        text = text.replace(typed, files.data_set(typed))
    whole = text[:1].upper() + text[1:] if text[:1].isdigit() or ": " not in text else text
    return whole if whole.endswith((".", "!", "?")) else f"{whole}."


def public(value: Any, files: Files, key: str = "") -> Any:
    """Return values as JSON has them, files by the names that the page gives them."""
    if isinstance(value, dict):
        called = files.data_set if key == "on_file" else str
        return {called(name): public(each, files, name) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [public(each, files, key) for each in value]
    return files.data_set(value) if isinstance(value, str) and key == "dataset" else plain(value)


def _render(data: Plain, files: Files, *, json_name: str) -> str:
    environment = _environment()
    environment.filters |= study_tables.FILTERS
    labels = [_dressed(label, files, f"l{number}") for number, label in enumerate(data["labels"])]
    page: str = environment.get_template("evaluation.html").render(
        report=data,
        title=f"{', '.join(label['words'] for label in data['labels'])} · {' → '.join(data['tested'])} · remedis",
        labels=labels,
        start=_start(data["labels"]),
        subgroups=trust.subgroups(files, files),
        points=trust.operating_points(files, files),
        calibration=trust.calibration(files, files),
        shift=trust.shift(files, files),
        heads=trust.HEADS,
        many_labels=len(labels) > 1,
        many_methods=False,
        who="tested on",
        places=False,
        css=Markup(_css()),
        js=Markup((TEMPLATES / "page.js").read_text(encoding="utf-8")),
        script_data=_script_data(data["labels"], files),
        json_name=json_name,
        ticks=ticks,
        images=False,
    )
    return page + "\n"


def _dressed(label: Plain, files: Files, key: str) -> Plain:
    drawn = evaluation_charts.charts(label, files, key)
    comparison = evaluation_data.comparison_rows(label)
    return {
        **label,
        **{name: Markup(part) if name.endswith("_svg") else part for name, part in drawn.items()},  # our own, escaped
        "panels": [{name: Markup(part) if name.endswith("_svg") else part for name, part in panel.items()}
                   for panel in drawn["panels"]],
        "figures": evaluation_data.figure_rows(label, files),
        "predictive": evaluation_data.predictive_rows(label, files),
        "compared": comparison, "reach": study_tables.reach_of(comparison),
        "positive_words": evaluation_data.positive_words(label),
    }  # fmt: skip


def _start(labels: list[Plain]) -> float:
    rows = [row for label in labels for row in (label["here"], label["there"]) if row]
    lowest = min((row["low"] for row in rows if row["low"] is not None), default=0.5)
    return max(0.0, min(0.5, int(lowest * 10) / 10))


def _script_data(labels: list[Plain], files: Files) -> Plain:
    found: dict[str, Any] = {}
    for number, label in enumerate(labels):
        for name, curves in evaluation_charts.script_curves(label, files).items():
            found[f"l{number}-{name}"] = curves
    return {"axes": figures.AXES, "limits": LIMITS, "charts": found, "map": None}
