"""Which rows of a manifest are trained on, which are only watched, and which are left alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from remedis.data.indexers.summary import label_columns
from remedis.data.manifest import Manifest, patient_keys
from remedis.data.splits import split_column
from remedis.errors import LabelError, ManifestError, nearest
from remedis.train.watch import Labels, labels_of

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainingRows:
    """The rows by what they are for.

    Attributes:
        manifest: Every row.
        rows: (N,) numbers of those that are trained on.
        train: The manifest of these.
        held_out: (n,) numbers of the rows that are asked on the way and never trained on.
        labels: The label column that the training is watched with, of all rows; None where there is none.
        patients: (N,) patient of each training row, 0 … P-1.
    """

    manifest: Manifest
    rows: Rows
    train: Manifest
    held_out: Rows
    labels: Labels | None
    patients: Rows

    @property
    def left_out(self) -> int:
        """How many rows are not trained on."""
        return len(self.manifest) - len(self.rows)

    def units(self, *, patients: bool) -> int:
        """Return how many patients, or else images, there are to train on."""
        return int(self.patients.max(initial=-1)) + 1 if patients else len(self.rows)

    def watched(self) -> Rows:
        """Return (all rows,) classes, -1 also for rows that are neither trained on nor held out."""
        assert self.labels is not None
        allowed = np.zeros(len(self.manifest), bool)
        allowed[self.rows] = allowed[self.held_out] = True
        return np.where(allowed, self.labels.codes, -1)


def choose(manifest: Manifest, *, all_parts: bool, held_out: str, label: str | None) -> TrainingRows:
    """Return the training part of a manifest; all rows where it has no parts or all are asked for.

    Args:
        manifest: The rows.
        all_parts: Rows of validation and test are trained on too.
        held_out: Part that is asked on the way: `validation` or `test`.
        label: Column to watch with; None takes the first that looks like a label, an empty word none.

    Raises:
        ManifestError: Fewer than two rows are left.
        LabelError: There is no such column.
    """
    words = split_column(manifest.table).words
    rows, asked = np.arange(len(manifest)), np.array([], np.int64)
    if words is not None and not all_parts:
        parts = np.array(words.to_pylist(), dtype=object)
        rows, asked = np.flatnonzero(parts == "train"), np.flatnonzero(parts == held_out)
    if len(rows) < 2:
        raise ManifestError(f"{len(rows)} rows to train on, at least 2 were expected", where=manifest.path)
    train = manifest.select(rows)
    keys = patient_keys(train.table, data_set=manifest.data_set)
    patients = np.unique(keys, return_inverse=True)[1].reshape(-1)
    return TrainingRows(manifest, rows, train, asked, _labels(manifest, label), patients)


def _labels(manifest: Manifest, name: str | None) -> Labels | None:
    known = label_columns(manifest.table)
    if name == "" or (name is None and not known):
        return None
    chosen = name or next(iter(known))
    if chosen not in manifest.table.column_names:
        raise LabelError(f"--label {chosen}: there is no such column, {nearest(chosen, manifest.table.column_names)}")
    return labels_of(manifest.table, chosen)
