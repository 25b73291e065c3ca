"""A folder of images, with or without a table of labels, as the rows of a manifest. No pixels are decoded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from remedis.console import QUIET, Console
from remedis.data import manifest
from remedis.data.indexers.folders import FolderNames, read_folders
from remedis.data.indexers.headers import Header, read_headers
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.label_table import LabelTable
from remedis.data.indexers.match import Files, match_rows
from remedis.data.indexers.rows import a_row_a_frame
from remedis.data.indexers.scan import Scan, scan
from remedis.data.indexers.words import counted
from remedis.errors import ReadError

__all__ = ["Indexed", "index"]


def index(folder: Path, *, labels: LabelTable | None = None, console: Console = QUIET) -> Indexed:
    """Return the rows of a folder's images, sorted by path, or in the order of the table where there is one.

    Args:
        folder: Searched with all folders below it; what begins with a dot is passed over.
        labels: A table that names the files (`remedis.data.indexers.label_table.read_labels`); files that it does not
            name are left out and counted. Without it folders give the label and the split.
        console: Where progress is shown.

    Returns:
        A row an image, or a row a frame where a file holds several, with `width` and `height` by header.

    Raises:
        InputError: There is no such folder, no image in it, or the table names a file that is not there.
    """
    found = scan(folder)
    folders = read_folders(found.names)
    rows = _rows_of_table(folder, found, labels, folders) if labels else _rows_of_folders(found, folders)
    left_out = dict(found.left_out)
    if labels:
        left_out |= _not_named(found, rows, labels)
    rows, unreadable = _with_headers(rows, folder, console)
    notes = [*(labels.notes if labels else folders.notes), *_note(unreadable, found)]
    facts = {"root": ".", "data_set": folder.resolve().name, "left_out": left_out}
    return Indexed(manifest.with_facts(rows, facts), facts, tuple(notes))


def _rows_of_folders(found: Scan, folders: FolderNames) -> pa.Table:
    columns = {"image": pa.array(found.names, pa.string())}
    if folders.labels is not None:
        columns["label"] = pa.array(folders.labels, pa.string())
    if folders.splits is not None:
        columns["split"] = pa.array(folders.splits, pa.string())
    return pa.table(columns)


def _rows_of_table(folder: Path, found: Scan, labels: LabelTable, folders: FolderNames) -> pa.Table:
    files = Files(folder, found.names, labels.path)
    values = labels.table["image"].to_pylist()
    names = match_rows(values, files, table=labels.path, column=labels.image_column, folder=folder)
    table = labels.table.set_column(0, "image", pa.array(names, pa.string()))
    if "split" not in table.column_names and folders.splits is not None:
        by_name = dict(zip(found.names, folders.splits, strict=True))
        table = table.append_column("split", pa.array([by_name[name] for name in names], pa.string()))
    return table


def _not_named(found: Scan, rows: pa.Table, labels: LabelTable) -> dict[str, int]:
    count = len(set(found.names).difference(rows["image"].to_pylist()))
    return {f"files that {labels.path.name} does not name": count} if count else {}


def _with_headers(rows: pa.Table, folder: Path, console: Console) -> tuple[pa.Table, dict[str, str]]:
    """Return the rows with sizes, a row a frame, and the files whose header cannot be read with the reason."""
    names = sorted(set(rows["image"].to_pylist()))
    sizes = not _has_sizes(rows)
    headers = dict(zip(names, read_headers(folder, names, sizes=sizes, console=console), strict=True))
    in_order = [headers[name] for name in rows["image"].to_pylist()]
    if sizes:
        rows = _sized(rows, in_order)
    if "frame" not in rows.column_names:
        rows = a_row_a_frame(rows, [header.frames for header in in_order])
    return rows, {name: header.problem for name, header in headers.items() if header.problem}


def _has_sizes(rows: pa.Table) -> bool:
    return all(
        name in rows.column_names and pa.types.is_integer(rows[name].type) and not rows[name].null_count
        for name in ("width", "height")
    )


def _sized(rows: pa.Table, headers: Sequence[Header]) -> pa.Table:
    """Fill in width and height where the table has none."""
    for place, name in enumerate(("width", "height")):
        column = pa.chunked_array([pa.array([each.size[place] if each.size else None for each in headers], pa.int64())])
        if name not in rows.column_names:
            rows = rows.append_column(name, column)
        elif pa.types.is_integer(rows[name].type) or pa.types.is_null(rows[name].type):
            known = pc.coalesce(rows[name].cast(pa.int64()), column)
            rows = rows.set_column(rows.column_names.index(name), name, known)
    return rows


def _note(unreadable: dict[str, str], found: Scan) -> list[str]:
    if len(unreadable) == len(found.names) == 1:
        raise ReadError(next(iter(unreadable.values())))
    if not unreadable:
        return []
    reason = next(iter(unreadable.values()))
    return [
        f"{counted(len(unreadable), 'file has', 'files have')} a header that cannot be read; the rows are kept, "
        f"remedis embed will reject what it cannot read; the first: {reason}"
    ]
