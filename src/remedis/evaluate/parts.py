"""Who is learnt from, who decides the L2 strength, and who is tested: by split, by nested folds, or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pyarrow as pa

from remedis.data import manifest, splits
from remedis.errors import LabelError, LeakError, ManifestError, nearest
from remedis.evaluate.folds import Fold, grouped_folds
from remedis.evaluate.metrics import Integers
from remedis.evaluate.targets import UNKNOWN, Target

Evaluation = Literal["split", "nested-cv", "external"]


@dataclass(frozen=True)
class Parts:
    """Row numbers of one label's parts.

    Attributes:
        train: Rows to fit on; with nested folds, all known rows.
        validation: Rows that choose the L2 strength; empty where folds of the training part do.
        test: Rows of the tested table that the figures are of.
        left_out: Reason and number of rows that stand in no part.
        folded: Whether the training part is tested too, in folds.
    """

    train: Integers
    validation: Integers
    test: Integers
    left_out: Mapping[str, int] = field(default_factory=dict)
    folded: bool = False


@dataclass(frozen=True)
class Units:
    """What is resampled as a whole.

    Attributes:
        codes: (N,) each row's unit.
        name: Its plural in words: patients, images, or the cluster's column.
    """

    codes: Integers
    name: str

    @property
    def words(self) -> str:
        """What is kept whole, in the plural: `patients`, `images`, or `values of COLUMN`."""
        return self.name if self.name in ("patients", "images") else f"values of {self.name}"

    def among(self, rows: Integers) -> tuple[Integers, int]:
        """Return the units of some rows, numbered 0 … n-1 as they first appear, and n.

        The numbers depend on these rows alone, so that draws of units can be made again from the predictions.
        """
        _, first, inverse = np.unique(self.codes[rows], return_index=True, return_inverse=True)
        return np.argsort(np.argsort(first))[inverse].astype(np.int64), len(first)

    def count(self, rows: Integers) -> int:
        """Return how many units some rows belong to."""
        return len(np.unique(self.codes[rows]))


def units_of(table: pa.Table, cluster: str | None, *, where: str = "") -> Units:
    """Return the unit of each row: the cluster where a column is named, else the patient, else the image.

    Raises:
        ManifestError: There is no such column.
    """
    if cluster is not None:
        if cluster not in table.column_names:
            message = f"--cluster {cluster}: there is no such column, {nearest(cluster, table.column_names)}"
            raise ManifestError(message, where=where or None)
        return Units(_codes_with_own_nulls(table[cluster]), cluster)
    if "patient_id" in table.column_names and table["patient_id"].null_count < table.num_rows:
        return Units(np.asarray(manifest.patient_keys(table), dtype=np.int64), "patients")
    return Units(np.arange(table.num_rows), "images")


def notes_on_units(table: pa.Table, units: Units) -> list[str]:
    """Return what a person must know of what is drawn as a whole: that no patient is known, or not every one."""
    if units.name == "images":
        return ["no patient is known: each image counts as its own, which makes intervals too narrow where one patient "
                "has several"]  # fmt: skip
    unknown = table["patient_id"].null_count if units.name == "patients" else 0
    return [f"{unknown:,} images have no patient_id, each counts as a patient of its own"] if unknown else []


def refuse_leak(table: pa.Table, where: str, *, data_set: str | None = None) -> None:
    """Refuse a split that a patient stands on both sides of.

    Raises:
        LeakError: Names the first of them.
    """
    rows = splits.leaking_patients(table, data_set=data_set)
    if len(rows):
        several = "1 patient stands" if len(rows) == 1 else f"{len(rows):,} patients stand"
        first = table["patient_id"][int(rows[0])].as_py()
        raise LeakError(
            f"{several} in two parts of the split (the first: {first}), each in one was expected; remedis index "
            "check lists them, remedis index folder --split patient:0.7,0.1,0.2 makes another split",
            where=where,
        )


def split_words(table: pa.Table) -> list[str | None] | None:
    """Return each row's part (train, validation, test or None), or None where there is no usable split column."""
    words = splits.split_column(table).words
    return None if words is None else words.to_pylist()


def split_parts(target: Target, words: list[str | None]) -> Parts:
    """Return the parts that a split column gives the rows with a known label."""
    known = target.codes != UNKNOWN
    column = np.array([word or "" for word in words])
    train, validation, test = (np.flatnonzero(known & (column == part)) for part in splits.SPLITS)
    nowhere = int((known & ~np.isin(column, splits.SPLITS)).sum())
    return Parts(train, validation, test, {"split is none of train, validation, test": nowhere} if nowhere else {})


def whole(target: Target) -> Parts:
    """Return all rows with a known label as the training part and as the tested part."""
    return Parts(target.known, np.array([], dtype=np.int64), target.known, folded=True)


def learnable(target: Target, parts: Parts, *, where: str = "") -> Target:
    """Return the target with the classes that the training part has; rows of others become unknown and are counted.

    Raises:
        LabelError: The training part has fewer than two classes.
    """
    learnt = np.unique(target.codes[parts.train])
    names = [target.classes[code] for code in learnt]
    if len(names) < 2:
        found = f"one class ({names[0]})" if names else "no row"
        raise LabelError(
            f"label {target.label!r} has {found} in the training part, two classes are needed; check the split",
            where=where or None,
        )
    if len(names) == len(target.classes):
        return target
    left_out = dict(target.left_out)
    for code, name in enumerate(target.classes):
        if code not in learnt:
            left_out[f"class {name} has no training row"] = int((target.codes == code).sum())
    place = np.full(len(target.classes) + 1, UNKNOWN)
    place[learnt] = np.arange(len(learnt))
    return replace(target, classes=tuple(names), codes=place[target.codes], left_out=left_out)


def refuse_untestable(target: Target, parts: Parts, *, where: str = "") -> None:
    """Refuse a tested part without two classes.

    Raises:
        LabelError: Says which part lacks what.
    """
    if not len(parts.test):
        raise LabelError(
            f"label {target.label!r} has no row in the test part; give some rows split=test, or name other embeddings "
            "with --test",
            where=where or None,
        )
    present = np.unique(target.codes[parts.test])
    if len(present) < 2:
        raise LabelError(
            f"label {target.label!r} has one class ({target.classes[present[0]]}) in the tested rows, two are needed "
            "for any figure; test on more rows",
            where=where or None,
        )


def outer_folds(target: Target, parts: Parts, units: Units, *, count: int, seed: int, where: str = "") -> list[Fold]:
    """Return the folds that score every known row once, numbered within `parts.train`.

    Raises:
        LabelError: A class stands in too few units to be both in a fold and outside it.
    """
    codes, groups = target.codes[parts.train], units.codes[parts.train]
    folds = grouped_folds(codes, groups, count=count, seed=seed)
    if folds:
        return folds
    counts = [len(np.unique(groups[codes == code])) for code in range(len(target.classes))]
    scarce = target.classes[int(np.argmin(counts))]
    raise LabelError(
        f"class {scarce} of label {target.label!r} stands in {min(counts)} of the {units.words}, which is too few for "
        "folds; leave it out with --exclude-class or give the rows a split",
        where=where or None,
    )


def _codes_with_own_nulls(column: pa.ChunkedArray) -> Integers:
    """Return codes of the values; a null is a unit of its own for each row."""
    codes = manifest.codes_of(column)
    nulls = codes < 0
    codes = np.where(nulls, codes.max(initial=-1) + np.cumsum(nulls), codes)
    return codes.astype(np.int64)
