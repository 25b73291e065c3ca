"""Which part a row belongs to: train, validation or test. Read from words, made from a column, or drawn by patient."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from remedis.data.conditions import as_text
from remedis.data.manifest import REGION, codes_of, patient_keys
from remedis.errors import ManifestError, UsageError, nearest

SPLITS = ("train", "validation", "test")
_WORDS = {
    "train": "train", "training": "train",
    "validation": "validation", "val": "validation", "valid": "validation", "validate": "validation",
    "dev": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip


@dataclass(frozen=True)
class SplitColumn:
    """What a table's column `split` says.

    Attributes:
        words: (N,) train, validation, test or null; None where there is no usable column.
        other: Words that are none of them (`(empty)` for a null) and their rows.
    """

    words: pa.Array | None
    other: Mapping[str, int] = field(default_factory=dict)


def part_of(word: object) -> str | None:
    """Return the part that a word means, None where it means none."""
    return _WORDS.get(as_text(word).lower())


def split_column(table: pa.Table) -> SplitColumn:
    """Return what the column `split` says; it counts as absent where no row says train."""
    if "split" not in table.column_names:
        return SplitColumn(None)
    codes = codes_of(table["split"])
    distinct = _distinct(table["split"])
    parts = [part_of(word) for word in distinct]
    counts = np.bincount(codes + 1, minlength=len(distinct) + 1)
    other = {as_text(word): int(counts[i + 1]) for i, word in enumerate(distinct) if parts[i] is None}
    if counts[0]:
        other["(empty)"] = int(counts[0])
    if "train" not in parts:
        return SplitColumn(None, {as_text(word): int(counts[i + 1]) for i, word in enumerate(distinct)})
    return SplitColumn(pa.array([*parts, None], pa.string()).take(pa.array(codes % (len(parts) + 1))), other)


def _distinct(column: pa.ChunkedArray) -> list[object]:
    """Return the distinct values in the order that `codes_of` numbers them."""
    return [value for value in column.unique().to_pylist() if value is not None]


def leaking_patients(table: pa.Table, *, data_set: str | None = None) -> npt.NDArray[np.int64]:
    """Return the numbers of the first rows of patients (by `patient_keys`) who stand in two parts or more."""
    words = split_column(table).words
    if words is None or "patient_id" not in table.column_names:
        return np.array([], np.int64)
    parts = np.array([-1 if word is None else SPLITS.index(word) for word in words.to_pylist()])
    keys = patient_keys(table, data_set=data_set)
    rows = np.flatnonzero(parts >= 0)
    pairs = np.unique(np.stack([keys[rows], parts[rows]], axis=1), axis=0)
    patients, times = np.unique(pairs[:, 0], return_counts=True)
    first = {int(key): int(row) for row, key in reversed(list(zip(rows, keys[rows], strict=True)))}
    return np.array(sorted(first[int(patient)] for patient in patients[times > 1]), np.int64)


def from_column(table: pa.Table, rule: str) -> pa.Array:
    """Return a split made from a column's values.

    Args:
        table: The rows.
        rule: `COLUMN=VALUE:PART,VALUE:PART…`. Rows with other values are train, unless the rule names train: then they
            are in no part.

    Raises:
        UsageError: The rule has another form, or a value that no row has.
        ManifestError: There is no such column.
    """
    column, sign, pairs = rule.partition("=")
    if not sign:
        raise UsageError(f"--split-by is {rule!r}, COLUMN=VALUE:PART,VALUE:PART was expected")
    if column not in table.column_names:
        raise ManifestError(f"--split-by {rule}: there is no column {column!r}, {nearest(column, table.column_names)}")
    texts = [as_text(value) for value in table[column].to_pylist()]
    parts: dict[str, str] = {}
    for pair in pairs.split(","):
        value, _, word = pair.strip().rpartition(":")
        part = part_of(word)
        if not value or part is None:
            raise UsageError(f"--split-by {rule}: {pair!r} is not VALUE:PART with train, validation or test")
        if value not in texts:
            raise UsageError(f"--split-by {rule}: no row has {column}={value}, {nearest(value, set(texts) - {''})}")
        parts[value] = part
    rest = None if "train" in parts.values() else "train"
    return pa.array([parts.get(text, rest) for text in texts], pa.string())


def by_patient(
    table: pa.Table,
    rule: str,
    *,
    strata: npt.NDArray[np.int64] | None,
    seed: int = 0,
    data_set: str | None = None,
) -> pa.Array:
    """Return a split drawn by patient and stratified.

    Of the n patients of a stratum, a part with share p gets p n rounded down or up, and parts that got less than their
    share so far are rounded up first. Which patients these are is decided by a hash of (seed, site, patient), so that
    neither the order of the rows nor their number of images has a say.

    Args:
        table: The rows.
        rule: `patient:0.7,0.1,0.2`: shares of train, validation and test.
        strata: (N,) classes that each part shall have in proportion, or None; a patient's stratum is the highest of
            the patient's rows.
        seed: Decides the draw.
        data_set: The data set's name.

    Raises:
        UsageError: The rule has another form.
    """
    shares = _shares(rule)
    keys = patient_keys(table, data_set=data_set)
    patients, first = np.unique(keys, return_index=True)
    stratum = np.full(len(patients), -1, np.int64)
    if strata is not None:
        np.maximum.at(stratum, keys, strata)
    order = np.lexsort((draws_of(table, first, str(seed)), stratum))
    sizes = np.unique(stratum, return_counts=True)[1]
    parts = np.empty(len(patients), np.int64)
    parts[order] = _parts_in_order(_quotas(shares, sizes))
    return pa.array(np.array(SPLITS, dtype=object)[parts[keys]], pa.string())


def _parts_in_order(quotas: list[npt.NDArray[np.int64]]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.empty(0, np.int64), *(np.repeat(np.arange(3), given) for given in quotas)])


def _quotas(shares: npt.NDArray[np.float64], sizes: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Return how many patients of each stratum each part gets."""
    behind = np.zeros(3)
    quotas = []
    for size in sizes:
        exact = np.round(shares * size, 9)
        given = np.floor(exact).astype(np.int64)
        behind += exact - given
        takes_more = np.argsort(np.where(exact > given, -behind, np.inf), kind="stable")[: int(size - given.sum())]
        given[takes_more] += 1
        behind[takes_more] -= 1
        quotas.append(given)
    return quotas


def draws_of(table: pa.Table, rows: npt.NDArray[np.int64], seed: str) -> npt.NDArray[np.uint64]:
    """Return a number for each patient, given one row of each, that depends on who it is and on the seed alone."""
    known = [name for name in ("site", "patient_id", "image", "frame", *REGION) if name in table.column_names]
    draws = np.empty(len(rows), np.uint64)
    for place, row in enumerate(table.select(known).take(pa.array(rows)).to_pylist()):
        unit = [row.get("site"), row.get("patient_id")] if row.get("patient_id") is not None else list(row.values())
        text = "\0".join([seed, *("" if each is None else str(each) for each in unit)])
        draws[place] = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    return draws


def _shares(rule: str) -> npt.NDArray[np.float64]:
    unit, _, numbers = rule.partition(":")
    expected = f"--split is {rule!r}, patient:0.7,0.1,0.2 (train, validation, test) was expected"
    try:
        shares = np.array([float(number) for number in numbers.split(",")])
    except ValueError as error:
        raise UsageError(expected) from error
    if unit != "patient" or len(shares) != 3 or (shares < 0).any() or abs(shares.sum() - 1) > 1e-6 or not shares[0] > 0:
        raise UsageError(f"{expected}; three shares that sum to 1, the first above 0")
    return shares
