"""A study's page from its folder: values, curves, HTML."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from remedis import __version__
from remedis.console import QUIET, Console
from remedis.options.report import Report
from remedis.report.naming import path_shown
from remedis.report.of_probe import Pages
from remedis.report.page_data import NOTICE
from remedis.report.study_answer import answers
from remedis.report.study_audit import findings
from remedis.report.study_cautions import cautions
from remedis.report.study_charts import charts, legend
from remedis.report.study_checklist import checklist
from remedis.report.study_flow import flows
from remedis.report.study_folder import StudyFolder, is_study, open_study
from remedis.report.study_heading import compared, heading
from remedis.report.study_made import made
from remedis.report.study_names import Names
from remedis.report.study_page import render

Plain = dict[str, Any]
FORMAT = 1
KIND = "report of a study"
PAGE, VALUES = "study.html", "study_page.json"
"""What a study calls its own page and the values beside it; `study.json` holds what decided the study."""

_ENCODERS, _DATA_SETS = ("encoder", "baseline"), ("dataset", "train_dataset")
__all__ = ["FORMAT", "KIND", "PAGE", "VALUES", "is_study", "page_of", "study_page"]


def study_page(options: Report, console: Console = QUIET) -> Pages:
    """Return the page of a study.

    Raises:
        InputError: The study is not finished, or a file of it is damaged.
    """
    study = open_study(options.folder)
    names = Names(study, names=options.names)
    report = ["remedis", "report", path_shown(options.folder, names=options.names)]
    report += ["--out", path_shown(options.out, names=options.names), *["--names"] * options.names]
    pages = _pages(study, names, report=report, json_name=options.out.with_suffix(".json").name)
    labels, data_sets, encoders = (", ".join(pages.data[name]) for name in ("labels", "data_sets", "encoders"))
    console.say(f"study of {labels} · {data_sets} · {encoders}")
    return pages


def page_of(folder: Path) -> Pages:
    """Return the page of a finished study, as the study itself writes it: `PAGE`, and `VALUES` beside it.

    Raises:
        InputError: The study is not finished, or a file of it is damaged.
    """
    study = open_study(folder)
    return _pages(study, Names(study, names=False), report=[], json_name=VALUES)


def _pages(study: StudyFolder, names: Names, *, report: list[str], json_name: str) -> Pages:
    data = study_data(study, names, report=report)
    drawn = charts(study, names, data["answers"])
    html = render(data, study, names, drawn, legend(study, names), json_name=json_name)
    result = {"answer": data["sentence"], "answers": [each["sentence"] for each in data["answers"]]}
    return Pages(html, public(data, names), [data["sentence"]], result)


def public(value: Any, names: Names, key: str = "") -> Any:
    """Return values as JSON has them, with the page's names; a share that is never reached is `inf`, as in the CSV."""
    if isinstance(value, dict):
        return {name: public(each, names, name) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [public(each, names, key) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "inf" if value > 0 else None
    if isinstance(value, str) and key in _ENCODERS:
        return names.encoder(value)
    return names.data_set(value) if isinstance(value, str) and key in _DATA_SETS else value


def study_data(study: StudyFolder, names: Names, *, report: list[str]) -> Plain:
    """Return everything that the page shows, as plain values that go unrounded into the JSON file."""
    simulated = bool(study.facts.get("simulated"))
    found = answers(study, names)
    pieces = heading(study, found, names)
    return {
        "format": FORMAT, "kind": KIND, "remedis": __version__, "notice": NOTICE, "names": names.whole,
        "simulated": simulated,
        "encoders": [names.encoder(each) for each in study.job["encoders"]],
        "baseline": names.baseline,
        "data_sets": [names.data_set(each) for each in study.job["data_sets"]],
        "labels": list(study.job["labels"]),
        "methods": list(study.job["methods"]),
        "scenarios": list(study.job["scenarios"]),
        "repeats": study.repeats,
        "heading": pieces,
        "sentence": "".join(piece["text"] for piece in pieces),
        "compared": compared(study, names),
        "answers": found,
        "cautions": cautions(study, found, names, simulated=simulated),
        "audit": findings(study, names),
        "flow": flows(study, names),
        "tables": {name: rows for name, rows in study.tables.items() if rows and name != "results"},
        "made": made(study, names, report=report),
        "checklist": checklist(study),
    }  # fmt: skip
