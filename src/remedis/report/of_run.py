"""A pretraining's page from its folder: values, curves, HTML."""

from __future__ import annotations

from typing import Any

from remedis import __version__
from remedis.console import QUIET, Console
from remedis.options.report import Report
from remedis.report.naming import path_shown
from remedis.report.of_probe import Pages
from remedis.report.page_data import NOTICE
from remedis.report.run_answer import answer, chances, looked
from remedis.report.run_charts import charts
from remedis.report.run_checks import cautions, checks, most_rank, seconds
from remedis.report.run_folder import Run, open_run
from remedis.report.run_made import made
from remedis.report.run_methods import data_set
from remedis.report.run_page import render

Plain = dict[str, Any]
FORMAT = 1
KIND = "report of a run"


def run_page(options: Report, console: Console = QUIET) -> Pages:
    """Return the page of a pretraining, finished or not.

    Raises:
        InputError: `run.json` is damaged or of another verb.
    """
    run = open_run(options.folder)
    data = run_data(run, names=options.names, report=_command(options))
    data["images"] = options.images
    console.say(f"pretraining of {data['encoder']} on {data['dataset']} · {data['answer']['state']}")
    html = render(
        data, charts(run, data["looks"]), run.views if options.images else None,
        json_name=options.out.with_suffix(".json").name,
    )  # fmt: skip
    result = {"complete": run.complete, "steps": run.done, "answer": data["answer"]["sentence"]}
    return Pages(html, data, [data["answer"]["sentence"]], result)


def run_data(run: Run, *, names: bool, report: list[str]) -> Plain:
    """Return everything that the page shows, as plain values that go unrounded into the JSON file."""
    looks = [looked(line) for line in run.looks]
    checked = checks(run, looks)
    simulated = any("simulated" in str(note).lower() for note in run.card.get("notes") or ())
    whole, waited = seconds(run)
    return {
        "format": FORMAT, "kind": KIND, "remedis": __version__, "notice": NOTICE, "names": names,
        "simulated": simulated,
        "encoder": str(run.job["network"]),
        "dataset": data_set(run),
        "size": run.job.get("image_size"),
        "recipe": run.options.get("recipe"),
        "complete": run.complete,
        "steps": {"done": run.done, "planned": run.planned, "an_epoch": run.steps_an_epoch},
        "seconds": {"trained": whole, "waited": waited},
        "answer": answer(run, looks),
        "cautions": cautions(run, checked, looks, simulated=simulated),
        "checks": checked,
        "chance": chances(run.job),
        "most_rank": most_rank(run),
        "metrics": run.lines,
        "looks": looks,
        "no_views": run.no_views,
        "made": made(run, names=names, report=report),
    }  # fmt: skip


def _command(options: Report) -> list[str]:
    """Return the words that made the page."""
    words = ["remedis", "report", path_shown(options.folder, names=options.names)]
    words += ["--out", path_shown(options.out, names=options.names)]
    return words + ["--names"] * options.names + ["--no-images"] * (not options.images)
