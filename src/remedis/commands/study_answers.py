"""What a finished study says: its tables, its page, and a few lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from remedis.console import Console, Result
from remedis.data.files import write_json, write_text
from remedis.evaluate.results import csv_text
from remedis.evaluate.targets import UNKNOWN
from remedis.report import of_study
from remedis.report.study_answer import at_chance
from remedis.study import results
from remedis.study.curves import Asked, Row, curve_rows, difference_rows, match_rows, questions
from remedis.study.evaluations import evaluated, whole_fits, write_predictions
from remedis.study.fits import Cell, Fit
from remedis.study.flow import flow_of
from remedis.study.gathered import Read, gather, read_all
from remedis.study.probes import training_rows
from remedis.study.question import Question

Integers = npt.NDArray[np.int64]


def answer(
    question: Question,
    cells: Sequence[Cell],
    out: Path,
    *,
    draws: int,
    unreadable: Mapping[str, int],
    console: Console,
) -> Result:
    """Write the tables and the page of a study whose cells are all done.

    Args:
        question: The study.
        cells: All of its cells.
        out: Its folder.
        draws: Bootstrap draws.
        unreadable: Data set to the number of images that could not be read.
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
    matches = match_rows(asked, question.baseline)
    tables = {
        "curves": _curves(question, asked),
        "matches": matches,
        "differences": difference_rows(asked, question.baseline, rounds=draws, seed=question.seed),
    }
    evaluations = _evaluations(question, read, out, draws, console)
    table += results.of_groups(evaluations["subgroups"], question)
    results.write(out, table, repeats=question.repeats)
    for name, rows in {**tables, **evaluations}.items():
        if rows:
            write_text(out / f"{name}.csv", csv_text(rows, list(dict.fromkeys(key for row in rows for key in row))))
    flow = {
        each.name: flow_of(each, unreadable.get(each.name, 0), _tested(read, each.name)) for each in question.data_sets
    }
    write_json(out / "flow.json", flow)
    lines = [match_line(row, question.repeats) for row in matches if row["encoder"] != question.baseline]
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


def _curves(question: Question, asked: Sequence[Asked]) -> list[Row]:
    """Return the rows of curves.csv; what a fit learnt from is counted among the rows that have the label."""
    drawn = cache(lambda fit: training_rows(question, fit))

    def counts(fit: Fit, label: str) -> tuple[int, int]:
        data_set, rows = question.data_set(fit.train), drawn(replace(fit, encoder="", method=""))
        codes = next(each.codes for each in data_set.targets if each.label == label)
        known = rows[codes[rows] != UNKNOWN]
        return len(known), data_set.units.count(known)

    found = []
    for each in asked:
        fits = {answer.fit for own in each.answers.values() for answer in own.values()}
        label = each.named["label"]
        found += curve_rows([each], {fit: counts(fit, label) for fit in fits})
    return found


def _tested(read: Read, name: str) -> Integers | None:
    """Return the rows of a data set's test part that all cells scored, in the first repetition; None without any."""
    return next(
        (
            scored.rows
            for cell, several in read.items()
            for scored in several
            if (cell.fits[0].repeat, scored.dataset, scored.part) == (0, name, "test")
        ),
        None,
    )


def match_line(row: Row, repeats: int) -> str:
    """Return a line for a row of matches.csv.

    Args:
        row: The row.
        repeats: How many repetitions the study has; of several each row says which it is.
    """
    where = f"{row['label']}, {row['method']}, {row['scenario'].replace('_', ' ')} on {row['dataset']}"
    if row["train_dataset"] != row["dataset"]:
        where += f" (learnt on {row['train_dataset']})"
    if repeats > 1:
        where += f", repetition {row['repeat'] + 1} of {repeats}"
    line = f"what {row['baseline']} needs all labels for (AUROC {_number(row['line'])})"
    chance = f", but {row['baseline']} is no better than chance there" if at_chance(row) else ""
    if row["fraction"] is None or not np.isfinite(row["fraction"]):
        return f"{where}: {row['encoder']} does not reach {line}{chance}"
    low, high = (_share(row[name]) for name in ("low", "high"))
    most = "at most " if row["at_most"] and row["fraction"] < 1 else ""
    share = f"{most}{_share(row['fraction'])} of the labels ({low} to {high})"
    return f"{where}: with {share} {row['encoder']} reaches {line}{chance}"


def _share(value: float | None) -> str:
    return "not reached" if value is None or not np.isfinite(value) else f"{100 * value:.3g} %"


def _number(value: float | None) -> str:
    return "not defined" if value is None else f"{value:.3f}"
