"""A pack: a manifest and the bytes of its files in one Arrow IPC file, memory-mapped when it is read.

The columns are the manifest's, then `_bytes` (the file as it was; of a record in another container its picture alone)
and `_record`: the number of the row that keeps the bytes, which is the row itself except for further frames and regions
of one file. Where the manifest has a column `frame`, `_frame` is which picture of the bytes the row is. So a pack opens
as a manifest does, under the images' own names; as a container its file is `image` and a record's number is `frame`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from remedis.data import containers, manifest
from remedis.data.files import write_atomic
from remedis.data.manifest import PACK_SUFFIX, Manifest, Source
from remedis.errors import ManifestError, ReadError

BYTES, RECORD, FRAME = "_bytes", "_record", "_frame"
ROWS_A_BATCH = 64
BYTES_A_BATCH = 1 << 26  # no more than this and one file is held while a pack is written


class Record(NamedTuple):
    """One row of a pack: the file's bytes, its name, and which picture of it the row is."""

    data: pa.Buffer
    name: str
    frame: int | None
    region: tuple[int, int, int] | None


def write(rows: Manifest, path: Path) -> Iterator[int]:
    """Write a pack atomically, and yield how many rows were written as it goes on.

    Args:
        rows: The manifest; every file is read once.
        path: Where; `.arrow`.

    Raises:
        ManifestError: A file is missing or cannot be read; nothing is left of the pack.
        StoppedError: The disk is full.
    """
    schema = manifest.with_facts(rows.table, rows.facts | {"root": "."}).schema
    schema = schema.append(pa.field(BYTES, pa.large_binary())).append(pa.field(RECORD, pa.int64()))
    schema = schema.append(pa.field(FRAME, pa.int64())) if "frame" in schema.names else schema
    kept: dict[Path, int] = {}
    with (
        write_atomic(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, schema) as file,
    ):
        start = 0
        while start < len(rows):
            batch = _batch(rows, range(start, min(start + ROWS_A_BATCH, len(rows))), kept)
            file.write_table(batch.cast(schema))
            start += len(batch)
            yield len(batch)


def _batch(rows: Manifest, part: range, kept: dict[Path, int]) -> pa.Table:
    """Return the rows of `part` with their bytes, fewer of them where the files are large."""
    data: list[bytes | None] = []
    records: list[int] = []
    frames: list[int | None] = []
    held = 0
    for number, source in zip(part, rows.sources(part), strict=True):
        keeper = kept.get(source.path) if source.record is None else None
        data.append(_bytes_of(source) if keeper is None else None)
        records.append(number if keeper is None else keeper)
        frames.append(_frame_of(source))
        if source.record is None:
            kept.setdefault(source.path, number)
        held += len(data[-1] or b"")
        if held > BYTES_A_BATCH:
            break
    table = rows.table.slice(part.start, len(data))
    table = table.append_column(BYTES, pa.array(data, pa.large_binary()))
    table = table.append_column(RECORD, pa.array(records, pa.int64()))
    return table.append_column(FRAME, pa.array(frames, pa.int64())) if "frame" in table.column_names else table


def _bytes_of(source: Source) -> bytes:
    if ".." in Path(source.name).parts:
        raise ManifestError("the path leads out of the manifest's root, which is refused", where=source.name)
    try:
        if source.record is not None:
            return content(source)
        return source.path.read_bytes()
    except (OSError, ReadError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ManifestError(
            f"cannot be packed ({reason}); remedis index check finds all such files", where=source.path
        ) from error


def _frame_of(source: Source) -> int | None:
    if source.record is not None and source.path.suffix == PACK_SUFFIX:
        return record(source.path, source.record).frame
    return source.frame


def content(source: Source) -> bytes:
    """Return the bytes of the image file that a record of any container is; bare pixels become a PNG of them.

    Raises:
        ReadError: There is no such record, or it is damaged.
    """
    number = source.record or 0
    if source.path.suffix == PACK_SUFFIX:
        return record(source.path, number).data.to_pybytes()  # type: ignore[no-any-return]
    return containers.as_file(source.path, number, source.key)


def open_pack(path: Path, *, root: Path | None = None) -> Manifest:
    """Return a pack as a manifest; no file's bytes are read.

    Raises:
        ManifestError: The file is missing, no pack, or of a newer version.
    """
    if not path.is_file():
        raise ManifestError("there is no such file; remedis index pack makes a pack", where=path)
    try:
        table = _table(path, path.stat().st_mtime_ns)
    except (pa.ArrowInvalid, OSError) as error:
        raise ManifestError(f"a pack was expected ({error}); remedis index pack makes one", where=path) from error
    if not {BYTES, RECORD} <= set(table.column_names):
        raise ManifestError("an Arrow file without packed files; remedis index pack makes one", where=path)
    rows = table.drop_columns([name for name in (BYTES, RECORD, FRAME) if name in table.column_names]).combine_chunks()
    return manifest.opened(rows, path, root=root or path.parent, records=np.arange(len(table)))


@lru_cache(maxsize=8)
def _table(path: Path, _changed: int) -> pa.Table:
    """Return the mapped table; a process maps each pack once."""
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def record(path: Path, number: int) -> Record:
    """Return one record.

    Raises:
        ReadError: The file is no pack, or has no such record.
    """
    try:
        table = _table(path, path.stat().st_mtime_ns)
    except (pa.ArrowInvalid, OSError) as error:
        raise ReadError(f"the pack cannot be read ({error})", where=path) from error
    if not {BYTES, RECORD} <= set(table.column_names):
        raise ReadError("an Arrow file without packed files; remedis index pack makes one", where=path)
    if not 0 <= number < len(table):
        raise ReadError(f"record {number} was asked for, the pack holds {len(table):,}", where=path)
    row = table.slice(number, 1)
    keeper = row[RECORD][0].as_py()
    if keeper is None or not 0 <= keeper < len(table) or not table[BYTES][keeper].is_valid:
        raise ReadError(f"record {number} has no bytes; make the pack again", where=path)
    region = _region(row)
    frame = _cell(row, FRAME if FRAME in row.column_names else "frame")
    return Record(table[BYTES][keeper].as_buffer(), row["image"][0].as_py(), frame, region)


def _region(row: pa.Table) -> tuple[int, int, int] | None:
    found = [_cell(row, name) for name in manifest.REGION]
    return None if None in found else (int(found[0]), int(found[1]), int(found[2]))


def _cell(row: pa.Table, name: str) -> Any:
    value = row[name][0].as_py() if name in row.column_names else None
    return None if value is None else int(value)
