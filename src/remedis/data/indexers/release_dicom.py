"""What the headers of a release's DICOM files add to its tables: view, sex, age and size. No pixel is decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data.indexers.dicom_header import read_header
from remedis.data.indexers.headers import touched
from remedis.data.indexers.words import counted
from remedis.errors import ReadError

_COLUMNS = {
    "view": pa.string(), "sex": pa.string(), "age": pa.float64(), "width": pa.int64(), "height": pa.int64(),
    "pixel_spacing_row_mm": pa.float64(), "pixel_spacing_column_mm": pa.float64(), "photometric": pa.string(),
}  # fmt: skip


def described(table: pa.Table, root: Path, console: Console = QUIET) -> tuple[pa.Table, list[str]]:
    """Return the rows with what their DICOM headers say, and notes on headers that cannot be read.

    Ages over 89 years become 90. Columns that the table has stay; those that no header fills are left out.
    """
    names = table["image"].to_pylist()
    found: list[dict[str, Any]] = []
    problems = []
    with console.track(len(names), "files", "reading headers") as track:
        for name, _ in zip(names, touched([root / name for name in names]), strict=True):
            try:
                header = read_header(root, name, _no_key)
            except ReadError as error:
                header = None
                problems.append(str(error))
            found.append(header.cells if header is not None else {})
            track.advance()
    for name, kind in _COLUMNS.items():
        column = pa.array([cells.get(name) for cells in found], kind)
        is_size = name in ("width", "height")
        if name not in table.column_names and (is_size or column.null_count < len(column)):
            table = table.append_column(name, column)
    if not problems:
        return table, []
    files = counted(len(problems), "file has", "files have")
    return table, [f"{files} a header that cannot be read; the rows are kept; the first: {problems[0]}"]


def _no_key(*_: str) -> str:
    """Keep no identifier of a header: the tables have their own."""
    return ""
