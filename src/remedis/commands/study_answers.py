"""What a finished study says: its tables, its page, and a few lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from remedis.console import Console, Result
from remedis.data.files import write_json, write_text
from remedis.evaluate.results import csv_text
from remedis.report import of_study
from remedis.study import results
from remedis.study.curves import Row, curve_rows, difference_rows, match_rows, questions
from remedis.study.evaluations import evaluated, whole_fits, write_predictions
from remedis.study.fits import Cell, Fit
from remedis.study.flow import flow_of
from remedis.study.gathered import Read, gather, read_all
from remedis.study.probes import training_rows
from remedis.study.question import Question


def answer(
    question: Question,
    cells: Sequence[Cell],
    out: Path,
    *,
    draws: int,
    rejected: Mapping[str, Sequence[tuple[str, str]]],
    console: Console,
) -> Result:
    """Write the tables and the page of a study whose cells are all done.

    Args:
        question: The study.
        cells: All of its cells.
        out: Its folder.
        draws: Bootstrap draws.
        rejected: Data set to images that could not be read, with the reason.
        console: Gets the progress.

    Raises:
        InputError: A cell is damaged.
        StoppedError: The disk is full; earlier tables are whole.
    """
    read = read_all(cells, out / "cells")
    answers = gather(question, read)
    with console.track(len(answers), "answers", "intervals") as track:
        table = list(results.table_of(answers, draws=draws, seed=question.seed, done=track.advance))
    asked = questions(answers, draws=draws, seed=question.seed)
    fits = {each.fit for each in answers}
    matches = match_rows(asked, question.baseline)
    tables = {
        "curves": curve_rows(asked, {fit: _counts(question, fit) for fit in fits}),
        "matches": matches,
        "differences": difference_rows(asked, question.baseline, rounds=draws, seed=question.seed),
    }
    evaluations = _evaluations(question, read, out, draws, console)
    table += results.of_groups(evaluations["subgroups"], question)
    results.write(out, table, repeats=question.repeats)
    for name, rows in {**tables, **evaluations}.items():
        if rows:
            write_text(out / f"{name}.csv", csv_text(rows, list(dict.fromkeys(key for row in rows for key in row))))
    unread = {name: len(rows) for name, rows in rejected.items()}
    write_json(out / "flow.json", {each.name: flow_of(each, unread.get(each.name, 0)) for each in question.data_sets})
    lines = [*(_match_line(row) for row in matches if row["encoder"] != question.baseline)]
    page = of_study.page_of(out)
    write_json(out / of_study.VALUES, page.data)
    write_text(out / of_study.PAGE, page.html)
    lines.append(f"wrote {out}: {of_study.PAGE}, results.csv ({len(table):,} rows), curves.csv, matches.csv and others")
    data = {"out": str(out), "rows": len(table), "matches": matches}
    return Result(text="\n".join(lines), data=data)


def _evaluations(question: Question, read: Read, out: Path, draws: int, console: Console) -> dict[str, list[Row]]:
    """Return the tables of every fit that had all labels, one table a kind."""
    found: dict[str, list[Row]] = {}
    fits = whole_fits(list(read))
    with console.track(len(fits), "models", "evaluating") as track:
        for cell, fit in fits:
            files = write_predictions(question, fit, read[cell], out / "predictions")
            for kind, rows in evaluated(question, fit, files, draws=draws).items():
                found.setdefault(kind.removesuffix(".csv"), []).extend(rows)
            track.advance()
    return found


def _counts(question: Question, fit: Fit) -> tuple[int, int]:
    data_set, rows = question.data_set(fit.train), training_rows(question, fit)
    return len(rows), len(np.unique(data_set.units.codes[rows]))


def _match_line(row: Row) -> str:
    where = f"{row['label']}, {row['method']}, {row['scenario'].replace('_', ' ')} on {row['dataset']}"
    line = f"what {row['baseline']} needs all labels for (AUROC {_number(row['line'])})"
    if row["fraction"] is None or not np.isfinite(row["fraction"]):
        return f"{where}: {row['encoder']} does not reach {line}"
    low, high = (_share(row[name]) for name in ("low", "high"))
    most = "at most " if row["at_most"] else ""
    share = f"{most}{_share(row['fraction'])} of the labels ({low} to {high})"
    return f"{where}: with {share} {row['encoder']} reaches {line}"


def _share(value: float | None) -> str:
    return "not reached" if value is None or not np.isfinite(value) else f"{100 * value:.3g} %"


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"
