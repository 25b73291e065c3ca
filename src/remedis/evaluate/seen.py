"""Which rows a fitted model has seen, told by file and by patient, without writing either down in clear."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from remedis.errors import CheckpointError
from remedis.evaluate.metrics import Integers

FILE_NAME = "_seen.parquet"
_PLACE = ("frame", "x", "y", "size", "mpp")


def remember(table: pa.Table, parts: Mapping[str, Integers], *, dataset: str, root: Path | None) -> pa.Table:
    """Return the keys of the rows that a model has seen.

    Args:
        table: The manifest's columns.
        parts: `train` and `validation` to row numbers; a key in both counts as train.
        dataset: The data set's name, which stands for the site where a row has none.
        root: Where relative image paths start, if that is known.

    Returns:
        Columns `key` (16 bytes of SHA-256) and `part`.
    """
    keys = list(_keys(table, dataset, root))
    found: dict[bytes, str] = {}
    for part in ("validation", "train"):
        for row in parts.get(part, ()):
            found |= dict.fromkeys(keys[row], part)
    return pa.table({"key": pa.array(list(found), pa.binary(16)), "part": pa.array(list(found.values()), pa.string())})


def recognise(table: pa.Table, remembered: pa.Table, *, dataset: str, root: Path | None) -> list[str]:
    """Return for each row `train`, `validation` or `no`: whether its file or its patient was seen, and for what."""
    known = dict(zip(remembered["key"].to_pylist(), remembered["part"].to_pylist(), strict=True))
    found = []
    for keys in _keys(table, dataset, root):
        parts = {known[key] for key in keys if key in known}
        found.append("train" if "train" in parts else "validation" if parts else "no")
    return found


def save(remembered: pa.Table, folder: Path) -> None:
    """Write the keys into a probe's folder."""
    pq.write_table(remembered, folder / FILE_NAME)


def load(folder: Path) -> pa.Table:
    """Return the keys that a probe's folder holds.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    try:
        return pq.read_table(folder / FILE_NAME)
    except FileNotFoundError as error:
        raise CheckpointError(f"{FILE_NAME} is missing; run remedis probe again", where=folder) from error
    except (pa.ArrowInvalid, OSError) as error:
        raise CheckpointError(f"{FILE_NAME} is damaged ({error}); run remedis probe again", where=folder) from error


def _keys(table: pa.Table, dataset: str, root: Path | None) -> Iterator[tuple[bytes, ...]]:
    """Yield each row's keys: its file wherever it lies, its file within the data set, and its patient."""
    place = [table[name].to_pylist() for name in _PLACE if name in table.column_names]
    spots = zip(*place, strict=True) if place else iter([()] * table.num_rows)
    images = table["image"].to_pylist()
    for image, spot, patient in zip(images, spots, _patients(table, dataset), strict=True):
        keys = [_key("name", dataset, image, spot)]
        if root is not None:
            keys.append(_key("path", root / image, spot))
        if patient is not None:
            keys.append(_key("patient", *patient))
        yield tuple(keys)


def _patients(table: pa.Table, dataset: str) -> list[tuple[str, str] | None]:
    if "patient_id" not in table.column_names:
        return [None] * table.num_rows
    sites = table["site"].to_pylist() if "site" in table.column_names else [None] * table.num_rows
    return [
        None if patient is None else (str(dataset if site is None else site), str(patient))
        for site, patient in zip(sites, table["patient_id"].to_pylist(), strict=True)
    ]


def _key(*parts: object) -> bytes:
    return hashlib.sha256("\0".join(str(part) for part in parts).encode()).digest()[:16]
