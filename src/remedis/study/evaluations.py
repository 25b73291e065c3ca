"""Fits that had all labels, evaluated as `remedis evaluate` does: predictions, frozen thresholds, subgroups."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from remedis.data.files import write_atomic
from remedis.data.manifest import facts_of, relative_root, with_facts
from remedis.evaluate.evaluation import Planned, Settings, evaluate, plan
from remedis.evaluate.evaluation_folder import Asked, tables
from remedis.evaluate.group_table import subgroup_table
from remedis.evaluate.label_tables import freeze
from remedis.evaluate.predictions import Predictions, open_predictions
from remedis.evaluate.saved import columns_of, with_model
from remedis.study.cell_scores import Scored
from remedis.study.fits import Cell, Fit, unlike
from remedis.study.question import METHOD_NAMES, DataSet, Question

KINDS = tuple(
    f"{name}.csv" for name in ("operating_points", "prevalence", "decision_curve", "calibration", "subgroups", "shift")
)
GROUPS = ("sex", "age", "site", "view")
Row = dict[str, Any]
_OF_GROUPS = (
    "encoder", "method", "train_dataset", "dataset", "label", "column", "group", "kind", "against", "n", "n_patients",
    "n_positive", "metric", "value", "low", "high", "skipped",
)  # fmt: skip


def whole_fits(cells: Sequence[Cell]) -> list[tuple[Cell, Fit]]:
    """Return the fits of the first repetition that had all labels, with their cells."""
    return [(cell, fit) for cell in cells for fit in cell.fits if fit.fraction == 1 and fit.repeat == 0]


def write_predictions(question: Question, fit: Fit, scored: Sequence[Scored], out: Path) -> dict[str, Path]:
    """Write a fit's predictions of each tested data set, from its cell's scores; return their files by data set.

    Of the data set that it learnt from, the validation part stands there too, as seen: thresholds and temperatures
    come from it.

    Raises:
        StoppedError: The disk is full.
    """
    scored = [each for each in scored if (each.fraction, each.draw) == (1.0, 0)]
    found = {}
    for name in dict.fromkeys(each.dataset for each in scored):
        data_set = question.data_set(name)
        own = [each for each in scored if each.dataset == name]
        path = out / f"{unlike(METHOD_NAMES[fit.method], fit.encoder, fit.train, 'on', name)}.parquet"
        table = pa.concat_tables(
            [_table(data_set, own, part) for part in ("validation", "test") if any(each.part == part for each in own)]
        )
        facts = {
            **facts_of(data_set.manifest.table), "root": relative_root(data_set.manifest.root, path),
            "data_set": data_set.manifest.data_set, "train_dataset": fit.train, "label_fraction": 1.0,
        }  # fmt: skip
        classes = {label.label: label.classes for label in data_set.targets}
        table = with_model(
            with_facts(table, facts), encoder=fit.encoder, method=METHOD_NAMES[fit.method], classes=classes
        )
        with write_atomic(path) as temporary:
            pq.write_table(table, temporary, compression="zstd")
        found[name] = path
    return found


def _table(data_set: DataSet, scored: Sequence[Scored], part: str) -> pa.Table:
    """Return the rows of one part with the scores of every label and what the model had seen."""
    own = [each for each in scored if each.part == part]
    rows = own[0].rows
    scores: dict[str, Any] = {}
    for each in own:
        label = next(known for known in data_set.targets if known.label == each.label)
        scores |= columns_of(list(label.score_columns), each.scores)
    table = data_set.manifest.table.take(pa.array(rows))
    table = table.drop_columns([name for name in (*scores, "seen", "split") if name in table.column_names])
    for label in data_set.targets:  # rows of classes that the study leaves out have no label here
        if label.label in table.column_names and (label.codes[rows] < 0).any():
            place = table.column_names.index(label.label)
            column = table[label.label]
            known = pc.if_else(pa.array(label.codes[rows] >= 0), column, pa.scalar(None, column.type))
            table = table.set_column(place, label.label, known)
    for name, values in scores.items():
        table = table.append_column(name, pa.array(values, pa.float64()))
    table = table.append_column("split", pa.array([part] * len(rows)))
    return table.append_column("seen", pa.array(["validation" if part == "validation" else "no"] * len(rows)))


def evaluated(question: Question, fit: Fit, files: dict[str, Path], *, draws: int) -> dict[str, list[Row]]:
    """Return the tables of one fit: of its own site, and of each other site with the shift.

    Args:
        question: The study.
        fit: With all labels.
        files: From `write_predictions`.
        draws: Bootstrap draws.

    Raises:
        LabelError: A label has one class among the tested rows.
    """
    opened = {name: open_predictions(path) for name, path in files.items()}
    here = opened[fit.train]
    groups = tuple(name for name in GROUPS if name in here.table.column_names and _several(here.table[name]))
    settings = Settings(subgroups=groups, draws=draws, seed=question.seed)
    made: dict[str, list[Row]] = {kind: [] for kind in KINDS}
    sites: list[Predictions | None] = [opened[name] for name in files if name != fit.train]
    for place, out in enumerate(sites or [None]):
        planned = plan(here, settings, out=out)
        found = evaluate(planned, settings)
        made["subgroups.csv"] += [_named(fit, files, row, out) for row in _groups_there(planned, out, settings)]
        for kind, rows in tables(Asked(Path(), settings, here, out), found).items():
            if kind in made:
                made[kind] += [
                    row
                    for row in (_named(fit, files, row, out) for row in rows)
                    if place == 0 or row["dataset"] != fit.train
                ]
    made["subgroups.csv"] = [dict.fromkeys(_OF_GROUPS) | row for row in made["subgroups.csv"]]
    return made


def _groups_there(planned: Sequence[Planned], out: Predictions | None, settings: Settings) -> list[Row]:
    """Return the groups of the other site's tested rows, named as theirs."""
    if out is None:
        return []
    groups = [name for name in GROUPS if name in out.table.column_names and _several(out.table[name])]
    found = []
    for each in planned:
        assert each.out is not None
        frozen = freeze(each.validation, each.test, settings.rules)
        rows, _ = subgroup_table(each.out, frozen, groups, settings.bands, draws=settings.draws, seed=settings.seed)
        found += [{"dataset": str(out.path), **row} for row in rows]
    return found


def _several(column: pa.ChunkedArray) -> bool:
    return len(column.drop_null().unique()) > 1


def _named(fit: Fit, files: dict[str, Path], row: Row, out: Predictions | None) -> Row:
    """Return a row that says which fit it is of, and names data sets as they were typed."""
    names = {str(path): name for name, path in files.items()}
    dataset = names.get(str(row.get("dataset", "")), fit.train)
    shown = {"encoder": fit.encoder, "method": METHOD_NAMES[fit.method], "train_dataset": fit.train, "dataset": dataset}
    if "difference" in row and out is not None and "n_out" in row:
        shown["dataset"] = names[str(out.path)]
    return {**shown, **{key: value for key, value in row.items() if key not in shown}}
