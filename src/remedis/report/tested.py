"""The rows of one label that figures are of: true classes, scores, and what was drawn as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from remedis.errors import InputError
from remedis.evaluate.metrics import Booleans, Floats, Integers
from remedis.evaluate.parts import units_of
from remedis.evaluate.targets import values_of


@dataclass(frozen=True)
class Tested:
    """One label's tested rows.

    Attributes:
        label: The label's column.
        classes: Its classes; with two the second is the positive one.
        table: (n) rows of the predictions.
        rows: (n,) their numbers in the predictions.
        codes: (n,) true classes.
        scores: Method to (n,) the positive class's probability, or (n, K).
        units: (n,) patients, clusters or images, 0 … count-1.
        unit_name: Their plural.
    """

    label: str
    classes: tuple[str, ...]
    table: pa.Table
    rows: Integers
    codes: Integers
    scores: Mapping[str, Floats]
    units: Integers
    unit_name: str

    @property
    def binary(self) -> bool:
        """Whether there are two classes."""
        return len(self.classes) == 2

    @property
    def truth(self) -> Booleans:
        """(n,) True for the positive class, or (n, K)."""
        if self.binary:
            return np.asarray(self.codes == 1)
        return np.asarray(self.codes[:, None] == np.arange(len(self.classes)))

    @property
    def unit_count(self) -> int:
        """How many patients, clusters or images there are."""
        return int(self.units.max()) + 1

    @property
    def curves(self) -> list[tuple[int, str, Booleans]]:
        """Score column, name and truth of each class that a curve can be drawn of."""
        if self.binary:
            return [(0, self.classes[1], self.truth)]
        found = [(place, name, self.truth[:, place]) for place, name in enumerate(self.classes)]
        return [(place, name, truth) for place, name, truth in found if 0 < truth.sum() < len(truth)]

    def score(self, method: str, place: int) -> Floats:
        """Return (n,) one class's probability."""
        return self.scores[method].reshape(len(self.rows), -1)[:, place]


def tested_rows(
    label: str,
    classes: tuple[str, ...],
    columns: list[str],
    predictions: Mapping[str, pa.Table],
    *,
    cluster: str | None,
    where: str,
) -> Tested:
    """Return a label's tested rows.

    Args:
        label: The label's column.
        classes: Its classes, the positive one last.
        columns: The score columns.
        predictions: Method to its table; `logistic` decides which rows were tested.
        cluster: The column whose values were drawn as a whole, if any.
        where: The probe's folder, for messages.

    Raises:
        InputError: The predictions lack a column, or hold a class that the probe does not know.
    """
    table = predictions["logistic"]
    for name in (label, *columns):
        if name not in table.column_names:
            raise InputError(f"predictions.parquet has no column {name!r}; run remedis probe again", where=where)
    rows = np.flatnonzero(~np.asarray(table[columns[0]].is_null().to_numpy(zero_copy_only=False), dtype=bool))
    if not len(rows):
        raise InputError(f"predictions.parquet has no score for label {label!r}; run remedis probe again", where=where)
    units, _ = units_of(table, cluster, where=where).among(rows)
    own = table.take(rows)
    scores = {
        method: _scores(found, columns, rows, f"predictions of {method}", where)
        for method, found in predictions.items()
    }
    return Tested(
        label, classes, own, rows, _codes(own, label, classes, where), scores, units,
        units_of(table, cluster, where=where).name,
    )  # fmt: skip


def _scores(table: pa.Table, columns: list[str], rows: Integers, what: str, where: str) -> Floats:
    lacking = [name for name in columns if name not in table.column_names]
    if lacking or table.num_rows <= rows.max():
        found = f"no column {lacking[0]!r}" if lacking else f"{table.num_rows:,} rows, too few"
        raise InputError(f"the {what} have {found}; run remedis probe again", where=where)
    try:
        own = table.select(columns).take(rows)
        values = np.stack([own[name].cast(pa.float64()).to_numpy(zero_copy_only=False) for name in columns], axis=1)
    except pa.ArrowInvalid as error:
        raise InputError(f"the {what} are no numbers ({error}); run remedis probe again", where=where) from error
    if not ((values >= 0) & (values <= 1)).all():  # false of NaN too
        raise InputError(
            f"the {what} are not all from 0 to 1, as probabilities are; run remedis probe again", where=where
        )
    return values[:, 0] if len(columns) == 1 else values


def _codes(table: pa.Table, label: str, classes: tuple[str, ...], where: str) -> Integers:
    texts, codes = values_of(table, label, where=where)
    unknown = [text for text in texts if text not in classes]
    if unknown or (codes < 0).any():
        found = repr(unknown[0]) if unknown else "an empty cell"
        raise InputError(
            f"label {label!r} has {found} among the tested rows, {', '.join(classes)} were expected; run remedis "
            "probe again",
            where=where,
        )
    return np.array([classes.index(text) for text in texts])[codes]
