"""The parts of a manifest that a training or a study stands on: those that are given, the missing ones drawn once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from remedis.data.manifest import Manifest
from remedis.data.splits import by_patient, split_column
from remedis.errors import LabelError
from remedis.evaluate.parts import Units, notes_on_units, refuse_leak
from remedis.evaluate.targets import UNKNOWN, Target

Integers = npt.NDArray[np.int64]
SHARES: Mapping[str, float] = {"validation": 0.15, "test": 0.2}
"""Of the patients of the training part, where a part is missing and has to be drawn."""


@dataclass(frozen=True)
class FixedParts:
    """Rows with a label, by part.

    Attributes:
        train: Row numbers, ascending.
        validation: Row numbers.
        test: Row numbers.
        drawn: The parts that the manifest did not give, and were drawn by patient and stratified.
        elsewhere: Rows with a label whose split is none of the three words.
        unused: Words of a column `split` that counts as absent, because no row says train, and their rows.
    """

    train: Integers
    validation: Integers
    test: Integers
    drawn: tuple[str, ...]
    elsewhere: int
    unused: Mapping[str, int] = field(default_factory=dict)


def fixed_parts(
    manifest: Manifest, targets: Sequence[Target], *, seed: int, needed: Sequence[str] = ("validation", "test")
) -> FixedParts:
    """Return the parts of the rows that have a label.

    A part that `needed` names and no row with a label belongs to is drawn from the training part, by patient and
    stratified, decided by the seed alone.

    Args:
        manifest: The rows.
        targets: The labels; a row with none of them is in no part.
        seed: Decides what is drawn.
        needed: `validation`, `test`, or both.

    Raises:
        LabelError: No row with a label is left to train on.
        LeakError: A patient stands in two of the given parts.
    """
    refuse_leak(manifest.table, str(manifest.path or manifest.root), data_set=manifest.data_set)
    codes = np.stack([each.codes for each in targets], axis=1)
    known = (codes != UNKNOWN).any(axis=1)
    words = _words(manifest)
    elsewhere = int((known & (words == "")).sum())
    strata = np.unique(codes, axis=0, return_inverse=True)[1].reshape(-1)
    drawn = []
    for place, part in enumerate(needed):
        if (known & (words == part)).any():
            continue
        rows = np.flatnonzero(known & (words == "train"))
        words[_drawn(manifest, rows, strata[rows], SHARES[part], seed + place)] = part
        drawn.append(part)
    found = {part: np.flatnonzero(known & (words == part)) for part in ("train", "validation", "test")}
    if not len(found["train"]):
        raise LabelError("no row with a label is in the training part; check split and label", where=manifest.path)
    column = split_column(manifest.table)
    unused = {} if column.words is not None else column.other
    return FixedParts(found["train"], found["validation"], found["test"], tuple(drawn), elsewhere, unused)


def notes_on(manifest: Manifest, parts: FixedParts, units: Units) -> list[str]:
    """Return what a person must know of the parts: a split that counts as absent, rows left out, unknown patients."""
    found = []
    if parts.unused:
        words = ", ".join(f"{word} {count:,}" for word, count in parts.unused.items())
        found.append(f"no row's split says train ({words}), so the column counts as absent: all rows are used")
    if parts.elsewhere:
        other = split_column(manifest.table).other
        words = ", ".join(f"{word} {count:,}" for word, count in other.items())
        found.append(
            f"{parts.elsewhere:,} rows with a label are left out, their split is none of train, validation, test "
            f"({words})"
        )
    return [*found, *notes_on_units(manifest.table, units)]


def _words(manifest: Manifest) -> npt.NDArray[np.object_]:
    words = split_column(manifest.table).words
    if words is None:
        return np.full(len(manifest), "train", dtype=object)
    return np.array([word or "" for word in words.to_pylist()], dtype=object)


def _drawn(manifest: Manifest, rows: Integers, strata: Integers, share: float, seed: int) -> Integers:
    if not len(rows):
        return rows
    part = manifest.table.take(pa.array(rows))
    words = by_patient(
        part, f"patient:{1 - share:.6f},0,{share:.6f}", strata=strata, seed=seed, data_set=manifest.data_set
    )
    return np.asarray(rows[np.array(words.to_pylist()) == "test"])
