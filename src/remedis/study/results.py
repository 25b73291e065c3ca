"""The table of a study: every metric of every fit on every test part, with its interval."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from remedis.data.files import write_atomic, write_text
from remedis.evaluate.results import COLUMNS, MACRO, About, csv_text, figures, rows
from remedis.study.gathered import Answer
from remedis.study.question import ADAPTED, IN, METHOD_NAMES, OUT, Question

STUDY_COLUMNS = (*COLUMNS, "scenario", "train_dataset", "target_fraction", "subgroup", "n_positive")
REPEAT = "repeat"

Row = dict[str, Any]


def table_of(
    answers: Iterable[Answer], *, draws: int, seed: int, done: Callable[[], None] = lambda: None
) -> Iterator[Row]:
    """Yield the rows of all answers that belong to a scenario.

    Args:
        answers: Of the study.
        draws: Bootstrap draws of an interval.
        seed: Decides them.
        done: Called after each answer.
    """
    for answer in answers:
        if answer.scenario:
            yield from _rows(answer, draws, seed)
        done()


def _rows(answer: Answer, draws: int, seed: int) -> Iterator[Row]:
    fit = answer.fit
    found = figures(answer.truth, answer.scores, answer.units, classes=answer.label.classes, draws=draws, seed=seed)
    about = About(
        fit.encoder, METHOD_NAMES[fit.method], answer.data_set.name, answer.label.label, fit.fraction, fit.draw
    )
    adapted = answer.scenario == ADAPTED
    for row in rows(found, about):
        yield {
            **row,
            "label_fraction": None if adapted else fit.fraction,
            "scenario": answer.scenario,
            "train_dataset": fit.train,
            "target_fraction": fit.fraction if adapted else None,
            "subgroup": None,
            "n_positive": positives(answer, str(row["class"])),
            REPEAT: fit.repeat,
        }


def of_groups(subgroups: Iterable[Row], question: Question) -> Iterator[Row]:
    """Yield the groups' own figures in subgroups.csv as rows of the results, their `subgroup` COLUMN=VALUE."""
    sites = {each.name: each.other_site for each in question.data_sets}
    for row in subgroups:
        if row["kind"] != "group" or row.get("value") is None:
            continue
        adapted, elsewhere = sites[row["train_dataset"]], row["train_dataset"] != row["dataset"]
        yield {
            **{name: row.get(name) for name in STUDY_COLUMNS},
            "label_fraction": None if adapted else 1.0,
            "seed": 0,
            "scenario": ADAPTED if adapted else OUT if elsewhere else IN,
            "target_fraction": 1.0 if adapted else None,
            "subgroup": f"{row['column']}={row['group']}",
            REPEAT: 0,
        }


def positives(answer: Answer, name: str) -> int | None:
    """Return how many tested rows are of a class; of two classes, of the positive one; None for the mean of several."""
    if answer.truth.ndim == 1:
        return int(answer.truth.sum())
    return None if name == MACRO else int(answer.truth[:, answer.label.classes.index(name)].sum())


def write(folder: Path, found: list[Row], *, repeats: int) -> None:
    """Write results.csv and results.parquet; the column `repeat` is there where the study was repeated.

    Raises:
        StoppedError: The disk is full; earlier tables are whole.
    """
    columns = STUDY_COLUMNS if repeats == 1 else (*STUDY_COLUMNS, REPEAT)
    kept = [{name: row[name] for name in columns} for row in found]
    write_text(folder / "results.csv", csv_text(kept, columns))
    with write_atomic(folder / "results.parquet") as temporary:
        pq.write_table(pa.Table.from_pylist(kept, schema=_schema(columns)), temporary, compression="zstd")


def _schema(columns: tuple[str, ...]) -> pa.Schema:
    whole = {"seed", "n", "n_patients", "n_positive", REPEAT}
    words = {"encoder", "method", "dataset", "label", "class", "metric", "scenario", "train_dataset", "subgroup"}
    return pa.schema(
        [(name, pa.int64() if name in whole else pa.string() if name in words else pa.float64()) for name in columns]
    )
