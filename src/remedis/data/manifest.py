"""A manifest: one row an image, in Parquet, with what is known of the whole table in its schema's metadata.

    image                 path relative to the root, or absolute; in a container (pack, TFRecord, npz, HDF5, a batch of
                          CIFAR) the file, and `frame` the record's number
    frame                 where a file holds several pictures, counted from 0
    x, y, size (and mpp)  a square region in pixels; read as one only where all three are there
    patient_id, site      together the patient, the unit of splitting and of resampling
    study_id, split, view, sex (F | M), age (years), width, height, and label columns under their own names

A null is unknown, never 0. The metadata key `remedis` holds `format_version`, `root` (relative to the manifest's
folder), `data_set`, `licence`, `left_out` (reason: number) and, where it is so, `simulated` and `image_key` (the
feature of a TFRecord, the array of an npz or HDF5 file that holds the picture).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from remedis.data.conditions import keep
from remedis.data.containers import holds_records
from remedis.data.files import write_atomic
from remedis.data.table_hash import plain, table_hash
from remedis.errors import ManifestError, nearest

FORMAT_VERSION = 1
KEY = b"remedis"
PACK_SUFFIX = ".arrow"
REGION = ("x", "y", "size")
ROWS_A_GROUP = 1 << 16


@dataclass(frozen=True)
class Source:
    """Where the picture of one row lies.

    Attributes:
        name: What the manifest calls it.
        path: The file.
        frame: One picture of the file, counted from 0; None where it holds one.
        region: (x, y, size) in pixels; None for the whole picture.
        record: In a container, the number of the record; `path` is the container.
        key: In a TFRecord the feature, in npz and HDF5 the array that holds the picture; None where the file tells.
    """

    name: str
    path: Path
    frame: int | None = None
    region: tuple[int, int, int] | None = None
    record: int | None = None
    key: str | None = None


@dataclass(frozen=True)
class Manifest:
    """An opened manifest.

    Attributes:
        table: The rows; the bytes of a pack are not among the columns.
        root: Folder that relative image paths start from.
        facts: What the metadata says of the whole.
        path: The file; None where a folder or an image was given instead.
        records: (N,) number of each row's record where the file is a pack.
    """

    table: pa.Table
    root: Path
    facts: dict[str, Any]
    path: Path | None
    records: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def data_set(self) -> str:
        """The data set's name, which stands for the site where a row has none."""
        return str(self.facts.get("data_set") or (self.path.stem if self.path else self.root.name))

    def sources(self, rows: range) -> list[Source]:
        """Return where the pictures of some rows (a range of step 1) lie."""
        records = None if self.records is None else self.records[rows.start : rows.stop]
        return self._sources(self.table.slice(rows.start, len(rows)), records)

    def sources_of(self, rows: npt.NDArray[np.int64]) -> list[Source]:
        """Return where the pictures of the numbered rows lie, in their order; quick in a table of any length."""
        records = None if self.records is None else self.records[rows]
        names = [name for name in ("image", "frame", *REGION) if name in self.table.column_names]
        # cell by cell: `take` joins all chunks of a column first
        part = pa.table({name: [self.table[name][int(row)].as_py() for row in rows] for name in names})
        return self._sources(part, records)

    def _sources(self, part: pa.Table, records: npt.NDArray[np.int64] | None) -> list[Source]:
        if records is not None and self.path is not None:
            names = part["image"].to_pylist()
            return [Source(name, self.path, record=n) for name, n in zip(names, records.tolist(), strict=True)]
        return list(_sources_in(part, self.root, self.facts.get("image_key")))

    def select(self, rows: npt.NDArray[np.int64]) -> Manifest:
        """Return the manifest of the numbered rows, in their order."""
        records = self.records[rows] if self.records is not None else None
        return replace(self, table=self.table.take(pa.array(rows)), records=records)

    def where(self, conditions: Sequence[str]) -> Manifest:
        """Return the manifest of the rows for which all conditions `COLUMN=VALUE` or `COLUMN!=VALUE` hold.

        Raises:
            UsageError: A condition has another form.
            ManifestError: There is no such column, or no row is left.
        """
        if not conditions:
            return self
        return self.select(np.asarray(keep(self.table, conditions, where=str(self.path or self.root))))

    def hash(self) -> str:
        """Return the SHA-256 of the rows: names, types and values of all columns, whatever their chunks."""
        return table_hash(self.table)


def _sources_in(part: pa.Table, root: Path, key: str | None) -> Iterator[Source]:
    names = part["image"].to_pylist()
    frames = _numbers(part, "frame")
    regions: Iterable[tuple[Any, ...]] = [(None,)] * len(names)
    if has_regions(part):
        regions = zip(*(_numbers(part, name) for name in REGION), strict=True)
    for name, frame, region in zip(names, frames, regions, strict=True):
        path = root / name
        cut = None if None in region else region
        if path.suffix == PACK_SUFFIX:
            yield Source(name, path, region=cut, record=frame)
        elif frame is not None and holds_records(path):
            yield Source(name, path, region=cut, record=frame, key=key)
        else:
            yield Source(name, path, frame, cut)


def _numbers(part: pa.Table, name: str) -> list[Any]:
    if name not in part.column_names:
        return [None] * part.num_rows
    column = part[name]
    if not (pa.types.is_integer(column.type) or pa.types.is_null(column.type)):
        column = column.cast(pa.int64())
    return column.to_pylist()  # type: ignore[no-any-return]


def has_regions(table: pa.Table) -> bool:
    """Return whether rows are regions of their images: all of `x`, `y` and `size` are there."""
    return set(REGION) <= set(table.column_names)


def read(path: Path, *, root: Path | None = None) -> Manifest:
    """Return a manifest.

    Args:
        path: A Parquet file with a column `image`. One without our metadata is taken too; its root is its folder.
        root: Folder that image paths start from, instead of the one the manifest names.

    Raises:
        ManifestError: The file is missing, no Parquet, of a newer version, without rows or without the column, or its
            root is not there.
    """
    try:
        table = pq.read_table(path, memory_map=True)
    except FileNotFoundError as error:
        raise ManifestError("there is no such file; remedis index folder makes a manifest", where=path) from error
    except (pa.ArrowInvalid, OSError) as error:
        raise ManifestError(f"a Parquet file was expected ({error})", where=path) from error
    return opened(table, path, root=root)


def opened(
    table: pa.Table, path: Path, *, root: Path | None = None, records: npt.NDArray[np.int64] | None = None
) -> Manifest:
    """Return the manifest of a table that was read from `path`, checked.

    Raises:
        ManifestError: As `read`.
    """
    facts = facts_of(table, where=str(path))
    version = facts.get("format_version", FORMAT_VERSION)
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise ManifestError(
            f"format version {version}, this remedis reads up to {FORMAT_VERSION}; update remedis", where=path
        )
    check_columns(table, path)
    if not table.num_rows:
        raise ManifestError("there is no row in it, one image at least was expected", where=path)
    place = root if root is not None else path.parent / str(facts.get("root", "."))
    if records is None and not place.is_dir() and not _all_absolute(table):
        raise ManifestError(
            f"its images start from {place}, which is no folder; --root FOLDER says where they are",
            where=path,
        )
    return Manifest(table, place.absolute(), facts, path, records)


def check_columns(table: pa.Table, where: Path) -> None:
    """Refuse a table whose columns cannot be a manifest's.

    Raises:
        ManifestError: Names the column.
    """
    if "image" not in table.column_names:
        hint = nearest("image", table.column_names)
        raise ManifestError(f"there is no column 'image', {hint}", where=where)
    kind = table["image"].type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)) or table["image"].null_count:
        found = f"{table['image'].null_count:,} empty cells" if table["image"].null_count else str(kind)
        raise ManifestError(f"the column 'image' has {found}, a path in every row was expected", where=where)
    for name in ("frame", *(REGION if has_regions(table) else ())):
        if name in table.column_names and not _holds_whole_numbers(table[name]):
            raise ManifestError(f"the column {name!r} is {table[name].type}, whole numbers were expected", where=where)


def _holds_whole_numbers(column: pa.ChunkedArray) -> bool:
    if pa.types.is_floating(column.type):
        values = column.drop_null().to_numpy()
        return bool((values == np.floor(values)).all())
    return bool(pa.types.is_integer(column.type) or pa.types.is_null(column.type))


def _all_absolute(table: pa.Table) -> bool:
    return all(Path(name).is_absolute() for name in table["image"].to_pylist())


def write(table: pa.Table, path: Path, facts: Mapping[str, Any]) -> None:
    """Write a manifest atomically.

    Args:
        table: The rows.
        path: Where; `.parquet`.
        facts: `root` (relative to the folder of `path`), `data_set`, `licence`, `left_out`, `simulated`.
    """
    check_columns(table, path)
    with write_atomic(path) as temporary:
        pq.write_table(with_facts(table, facts), temporary, compression="zstd", row_group_size=ROWS_A_GROUP)


def with_facts(table: pa.Table, facts: Mapping[str, Any]) -> pa.Table:
    """Return the table with `facts` in its metadata."""
    value = json.dumps({**facts, "format_version": FORMAT_VERSION}, ensure_ascii=False, default=str)
    return table.replace_schema_metadata({**(table.schema.metadata or {}), KEY: value.encode()})


def facts_of(table: pa.Table, *, where: str = "") -> dict[str, Any]:
    """Return what a table's metadata says of the whole; nothing where it has none of ours.

    Raises:
        ManifestError: The metadata is damaged.
    """
    text = (table.schema.metadata or {}).get(KEY)
    if text is None:
        return {}
    try:
        facts = json.loads(text)
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ManifestError("its metadata is damaged; make the manifest again", where=where or None) from error
    if not isinstance(facts, dict):
        raise ManifestError("its metadata is damaged; make the manifest again", where=where or None)
    return facts


def relative_root(root: Path, manifest: Path) -> str:
    """Return how a manifest stores its root: relative to its own folder, with forward slashes."""
    try:
        return Path(os.path.relpath(root.resolve(), manifest.parent.resolve())).as_posix()
    except ValueError:  # another drive
        return root.resolve().as_posix()


def patient_keys(table: pa.Table, *, data_set: str | None = None) -> npt.NDArray[np.int64]:
    """Return (N,) a number for each row's patient, the pair (site, patient_id).

    A row without patient_id is a patient of its own; one without site belongs to the site named after the data set.

    Args:
        table: Rows with the manifest's columns.
        data_set: The data set's name; what the metadata says without it.
    """
    count = table.num_rows
    if "patient_id" not in table.column_names:
        return np.arange(count)
    name = str(data_set if data_set is not None else facts_of(table).get("data_set", ""))
    patients = codes_of(table["patient_id"])
    sites = np.zeros(count, np.int64)
    if "site" in table.column_names:
        sites = codes_of(table["site"].cast(pa.string()).fill_null(name))
    pairs = patients * (int(sites.max(initial=0)) + 1) + sites
    own = patients < 0
    pairs[own] = -1 - np.arange(int(own.sum()))
    return np.unique(pairs, return_inverse=True)[1].reshape(-1).astype(np.int64)


def codes_of(column: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return (N,) the number of each row's value among the distinct ones; -1 for a null."""
    encoded = plain(pa.chunked_array(column)).dictionary_encode().combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.chunk(0) if encoded.num_chunks else pa.array([], pa.string()).dictionary_encode()
    return np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), dtype=np.int64)


def where(table: pa.Table, conditions: Sequence[str]) -> pa.Table:
    """Return the rows of a table for which all conditions hold, see `Manifest.where`."""
    return table.take(keep(table, conditions, where="")) if conditions else table


def says_simulated(table: pa.Table) -> bool:
    """Return whether rows, or the facts that a table carries, say that the images are simulated."""
    if "simulated" in table.column_names:
        return any(value in (True, 1, "1", "true", "True", "yes") for value in table["simulated"].unique().to_pylist())
    return bool(facts_of(table).get("simulated"))
