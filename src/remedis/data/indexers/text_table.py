"""A table of labels as text: CSV in its dialects, or Parquet; every cell as it was written."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from remedis.data.conditions import as_text
from remedis.errors import ManifestError, UsageError

MAX_BYTES = 1 << 31
_EMPTY = frozenset({"", "NA", "N/A", "#N/A", "n/a", "na", "NaN", "nan", "NAN", "null", "NULL", "Null", "<NA>"})
_DELIMITERS = ",;\t"


def read_text_table(path: Path) -> pa.Table:
    """Return a table whose columns are all text; empty cells and NA, NaN, null are null.

    Args:
        path: .csv, .tsv, .txt (comma, semicolon or tab; UTF-8 with or without mark, UTF-16 with mark, else
            Windows-1252 or Latin-1), each also as .gz, or .parquet.

    Raises:
        ManifestError: The file is missing, empty, ragged, has a column name twice, or is no such table.
    """
    if not path.is_file():
        raise ManifestError("there is no such table", where=path)
    kind = path.with_suffix("").suffix.lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    if kind == ".parquet":
        return _from_parquet(path)
    if kind not in (".csv", ".tsv", ".txt"):
        raise UsageError(f"--labels is {str(path)!r}, a .csv, .tsv or .parquet file was expected")
    rows = _rows(path, "\t" if kind == ".tsv" else None)
    header, body = _headed(rows, path)
    columns = list(zip(*(cells for _, cells in body), strict=True))
    found = {name: _cells(column) for name, column in zip(header, columns, strict=True)}
    return pa.table(_named(found, path))


def line_of(path: Path, row: int) -> int:
    """Return the number of the line on which a row of `read_text_table` ends; the table is read again for it."""
    return _rows(path, "\t" if ".tsv" in path.suffixes else None)[row + 1][0]


def _rows(path: Path, delimiter: str | None) -> list[tuple[int, list[str]]]:
    """Return the rows that are not blank, each with the number of its last line."""
    text = _decoded(_bytes(path), path)
    first = text.lstrip("\r\n").split("\n", 1)[0]
    if delimiter is None:
        delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        return [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise ManifestError(f"line {reader.line_num} cannot be read as CSV ({error})", where=path) from error


def _bytes(path: Path) -> bytes:
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opened(path, "rb") as file:
            data: bytes = file.read(MAX_BYTES + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ManifestError(f"cannot be unpacked ({error})", where=path) from error
    if len(data) > MAX_BYTES:
        raise ManifestError(f"is larger than {MAX_BYTES >> 30} GiB; give it as Parquet", where=path)
    return data


def _decoded(data: bytes, path: Path) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data:
        raise ManifestError("holds bytes that are no text, a CSV table was expected", where=path)
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _headed(rows: list[tuple[int, list[str]]], path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the names and the rows below them, all of one length."""
    if len(rows) < 2:
        found = "nothing is in it" if not rows else "there is only a header in it"
        raise ManifestError(f"{found}, a header and one row at least were expected", where=path)
    header = [name.strip() for name in rows[0][1]]
    width = len(header)
    body = []
    for line, cells in rows[1:]:
        if len(cells) < width or any(cell.strip() for cell in cells[width:]):
            raise ManifestError(
                f"line {line} has {len(cells)} cells, the header has {width}; quote cells that hold the separator",
                where=path,
            )
        body.append((line, cells[:width]))
    twice = [name for name, times in Counter(header).items() if times > 1 and name]
    if twice:
        raise ManifestError(f"the column {twice[0]!r} is there twice; rename one", where=path)
    return [name or f"column_{i}" for i, name in enumerate(header, start=1)], body


def _cells(column: tuple[str, ...]) -> pa.Array:
    stripped = (cell.strip() for cell in column)
    return pa.array([None if cell in _EMPTY else cell for cell in stripped], pa.string())


def _named(found: dict[str, pa.Array], path: Path) -> dict[str, pa.Array]:
    """Leave out columns without a name and without a value, as a trailing comma makes them."""
    kept = {
        name: column
        for i, (name, column) in enumerate(found.items(), start=1)
        if name != f"column_{i}" or column.null_count < len(column)
    }
    if not kept:
        raise ManifestError("there is no column with a name in it", where=path)
    return kept


def _from_parquet(path: Path) -> pa.Table:
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ManifestError(f"a Parquet file was expected ({error})", where=path) from error
    if not table.num_rows:
        raise ManifestError("there is no row in it, one at least was expected", where=path)
    names = table.column_names
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        raise ManifestError(f"the column {twice[0]!r} is there twice; rename one", where=path)
    return pa.table({name: _as_texts(table[name], name, path) for name in names})


def _as_texts(column: pa.ChunkedArray, name: str, path: Path) -> pa.Array:
    if pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
        raise ManifestError(f"the column {name!r} is {column.type}, text or numbers were expected", where=path)
    if pa.types.is_floating(column.type):
        known = pc.if_else(pc.is_finite(column), column, None)
        return pa.array([None if value is None else repr(value) for value in known.to_pylist()], pa.string())
    return _cells(tuple(as_text(value) for value in column.to_pylist()))
