"""The rows of one label that statistics take: true classes, scores, units, and the columns that they come with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa

from remedis.data import manifest
from remedis.errors import InputError, LabelError, ManifestError, nearest
from remedis.evaluate.aggregate import How, aggregate_codes, aggregate_scores, numbered
from remedis.evaluate.metrics import Booleans, Floats, Integers
from remedis.evaluate.parts import Units, units_of
from remedis.evaluate.predictions import Predictions
from remedis.evaluate.targets import UNKNOWN, Target

Per = Literal["image", "study", "patient"]


@dataclass(frozen=True)
class Rows:
    """Rows with a known class and a score, single images or images put together.

    Attributes:
        target: The label; its `codes` are those of these rows.
        table: (n) their columns; of images put together the first one's, null where they differ.
        scores: (n,) the positive class's probability, or (n, K).
        units: (n,) patients, clusters or images, 0 … count-1.
        keys: (n,) the same units as they are numbered over the whole file, for all labels alike.
        unit_name: Their plural.
        patients: How many patients they are of; of what is drawn as a whole where none is known.
        notes: What putting together did, in words.
    """

    target: Target
    table: pa.Table
    scores: Floats
    units: Integers
    keys: Integers
    unit_name: str
    patients: int
    notes: tuple[str, ...] = ()

    @property
    def truth(self) -> Booleans:
        """(n,) True for the positive class, or (n, K)."""
        return self.target.truth(np.arange(len(self.target.codes)))

    @property
    def count(self) -> int:
        """How many units there are."""
        return int(self.units.max()) + 1

    @property
    def independent(self) -> bool:
        """Whether every unit has one row."""
        return self.count == len(self.units)

    @property
    def columns(self) -> Iterator[tuple[str, Booleans, Floats]]:
        """Name (empty for two classes), truth and scores of each class, one against the rest."""
        return self.of(self.scores)

    def of(self, scores: Floats) -> Iterator[tuple[str, Booleans, Floats]]:
        """Yield the same with other scores of these rows, of the same shape."""
        truth = self.truth
        if truth.ndim == 1:
            yield "", truth, scores
            return
        for place, name in enumerate(self.target.classes):
            yield name, truth[:, place], scores[:, place]


def rows_of(
    found: Predictions, of: Target, rows: Integers, *, cluster: str | None = None, per: Per = "image", how: How = "mean"
) -> Rows:
    """Return some rows of a label, put together by study or patient where that is asked for.

    Args:
        found: The predictions.
        of: One of its targets.
        rows: Row numbers with a class and a score.
        cluster: Column whose values are drawn as a whole, instead of patients.
        per: What one row of the result is.
        how: How scores are put together.

    Raises:
        ManifestError: There is no column to put together by, or to draw by.
    """
    units = units_of(found.table, cluster, where=str(found.path))
    scores, codes = found.scores(of)[rows], of.codes[rows]
    notes: tuple[str, ...] = ()
    table = found.table.take(pa.array(rows))
    if per != "image":
        groups, first = numbered(_keys(found, per)[rows])
        codes, mixed = aggregate_codes(codes, groups, binary=of.kind == "binary")
        kept = np.flatnonzero(codes != UNKNOWN)
        notes = _notes(of, per, mixed)
        table = _merged(table, groups, first).take(pa.array(kept))
        scores, codes = aggregate_scores(scores, groups, how)[kept], codes[kept]
        rows = rows[first][kept]
        if not len(rows):
            raise InputError(f"label {of.label!r}: every {per} has images of several classes", where=found.path)
    own, _ = units.among(rows)
    return Rows(
        replace(of, codes=codes), table, scores, own, units.codes[rows], units.name,
        _patients(found.table, rows, units), notes,
    )  # fmt: skip


def _keys(found: Predictions, per: Per) -> Integers:
    """Return (N,) a number for each row's patient, or its patient's study; without one a row stands alone."""
    column = f"{per}_id"
    table, where = found.table, str(found.path)
    if column not in table.column_names:
        raise ManifestError(
            f"--per {per}: there is no column {column!r}, {nearest(column, table.column_names)}", where=where
        )
    patients = manifest.patient_keys(table)
    if per == "patient":
        return np.asarray(patients, dtype=np.int64)
    studies = manifest.codes_of(table[column])
    keys = np.where(studies < 0, -1 - np.arange(len(studies)), patients * (studies.max(initial=0) + 1) + studies)
    return keys.astype(np.int64)


def _notes(of: Target, per: Per, mixed: int) -> tuple[str, ...]:
    if not mixed:
        return ()
    several = {"study": "studies", "patient": "patients"}[per]
    became = "count as positive" if of.kind == "binary" else "are left out"
    return (f"{of.label}: {several} with images of several classes {became}: {mixed:,}",)


def _merged(table: pa.Table, groups: Integers, first: Integers) -> pa.Table:
    """Return each group's columns: its first row's, null where its rows differ."""
    merged = table.take(pa.array(first))
    for place, name in enumerate(table.column_names):
        codes = manifest.codes_of(table[name]) if _comparable(table[name].type) else np.zeros(table.num_rows, np.int64)
        differing = np.zeros(len(first), dtype=bool)
        np.logical_or.at(differing, groups, codes != codes[first][groups])
        if differing.any():
            column = pa.chunked_array([merged[name].combine_chunks()]) if merged.num_rows else merged[name]
            kept = pa.array(np.where(differing, -1, np.arange(len(first))), mask=differing)
            merged = merged.set_column(place, name, column.take(kept))
    return merged


def _comparable(kind: pa.DataType) -> bool:
    return not pa.types.is_nested(kind)


def _patients(table: pa.Table, rows: Integers, units: Units) -> int:
    if "patient_id" not in table.column_names or table["patient_id"].null_count == table.num_rows:
        return units.count(rows)
    return len(np.unique(manifest.patient_keys(table)[rows]))


def refuse_one_class(rows: Rows, where: str) -> None:
    """Refuse tested rows of one class.

    Raises:
        LabelError: Says which class it is.
    """
    present = np.unique(rows.target.codes)
    if len(present) < 2:
        raise LabelError(
            f"label {rows.target.label!r} has one class ({rows.target.classes[present[0]]}) in the tested rows, two "
            "are needed for any figure; test on more rows",
            where=where,
        )
