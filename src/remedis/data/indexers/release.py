"""The tables and images of a data set's release: found, checked against the header that was published, joined."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data import manifest
from remedis.data.indexers.headers import read_headers
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.release_dicom import described
from remedis.data.indexers.text_table import line_of, read_text_table
from remedis.data.indexers.words import counted
from remedis.data.readers import DICOM_SUFFIXES
from remedis.errors import InputError, ManifestError, nearest

ABSENT = "images that are not there"
TWICE = "rows that are there twice"


def snake(name: str) -> str:
    """Return a finding's name as a column: `Nodule/Mass` becomes `nodule_mass`."""
    return re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_")


def located(folder: Path, names: Sequence[str], what: str) -> Path:
    """Return the folder that holds one of the files `names`: the one given, or the only such folder in it.

    Raises:
        InputError: There is none, or several.
    """
    if not folder.is_dir():
        found = "there is no such folder" if not folder.exists() else "is a file, a folder was expected"
        raise InputError(found, where=folder)
    if _holds(folder, names):
        return folder
    inner = sorted(path for path in folder.iterdir() if path.is_dir() and _holds(path, names))
    if len(inner) > 1:
        raise InputError(f"{inner[0].name} and {inner[1].name} are both releases of {what}; name one", where=folder)
    if not inner:
        raise InputError(f"there is no {' or '.join(names)} of {what} in it or in a folder in it", where=folder)
    return inner[0]


def _holds(folder: Path, names: Sequence[str]) -> bool:
    return any(find(folder, [name]) for name in names)


def find(folder: Path, patterns: Sequence[str]) -> Path | None:
    """Return the file that fits the first pattern that any fits, plain or as .gz; the last by name of several."""
    for pattern in patterns:
        for ending in ("", ".gz"):
            found = sorted(path for path in folder.glob(pattern + ending) if path.is_file())
            if found:
                return found[-1]
    return None


def needed(folder: Path, patterns: Sequence[str], what: str) -> Path:
    """Return what `find` does.

    Raises:
        InputError: There is none.
    """
    found = find(folder, patterns)
    if found is None:
        raise InputError(f"there is no {' or '.join(patterns)} (or .gz) in it, {what} was expected", where=folder)
    return found


@dataclass(frozen=True)
class Sheet:
    """One table of a release; every cell is text or null.

    Attributes:
        path: The file.
        table: Its columns.
        rows: (N,) place of each row in the file, from 0 below the header.
    """

    path: Path
    table: pa.Table
    rows: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def cells(self, name: str) -> list[str | None]:
        """Return a column."""
        return self.table[name].to_pylist()  # type: ignore[no-any-return]

    def names(self, name: str) -> list[str]:
        """Return a column whose cells may be neither empty nor more than the name of a file or folder.

        Raises:
            ManifestError: One is.
        """
        found = self.cells(name)
        for row, cell in enumerate(found):
            if cell is None or cell in (".", "..") or re.search(r"[/\\\0]", cell):
                self.refuse(row, f"{name} is {cell!r}, a plain name was expected")
        return [cell or "" for cell in found]

    def refuse(self, row: int, message: str) -> NoReturn:
        """Raise a ManifestError about a row, with its line."""
        raise ManifestError(f"line {line_of(self.path, int(self.rows[row]))}: {message}", where=self.path)

    def once(self, *keys: str) -> Sheet:
        """Return the sheet without rows that repeat an earlier one in every cell.

        Raises:
            ManifestError: Two rows have the same keys and differ elsewhere.
        """
        first: dict[tuple[object, ...], int] = {}
        kept = []
        for row, key in enumerate(zip(*(self.cells(name) for name in keys), strict=True)):
            earlier = first.setdefault(key, row)
            if earlier == row:
                kept.append(row)
            else:
                self._refuse_another(earlier, row, key)
        return self if len(kept) == len(self) else self.take(np.array(kept, np.int64))

    def _refuse_another(self, earlier: int, row: int, key: tuple[object, ...]) -> None:
        before, now = self.table.take(pa.array([earlier, row])).to_pylist()
        for name in now:
            if before[name] != now[name] and not re.fullmatch(r"column_\d+", name):  # one without a name counts rows
                line = line_of(self.path, int(self.rows[earlier]))
                self.refuse(
                    row,
                    f"{' '.join(str(each) for each in key)} is here again, with {name} {now[name]!r} and "
                    f"{before[name]!r} on line {line}; take one of them out",
                )

    def take(self, rows: npt.NDArray[np.int64]) -> Sheet:
        """Return the sheet of some rows."""
        return replace(self, table=self.table.take(pa.array(rows)), rows=self.rows[rows])


def sheet(path: Path, expected: Sequence[str]) -> Sheet:
    """Return a table of a release.

    Raises:
        ManifestError: It cannot be read, or lacks one of the columns `expected`.
    """
    table = read_text_table(path)
    for name in expected:
        if name not in table.column_names:
            header = ", ".join(table.column_names[:20]) + (" …" if table.num_columns > 20 else "")
            raise ManifestError(
                f"there is no column {name!r}: the header is {header}, and {', '.join(expected[:20])} was expected; "
                f"is it the file of another version? {nearest(name, table.column_names)}",
                where=path,
            )
    return Sheet(path, table, np.arange(table.num_rows))


def inside(rows: Sheet, row: int, path: str) -> str:
    """Return a path with forward slashes that stays in the folder.

    Raises:
        ManifestError: It is absolute, or leads out of it.
    """
    plain = path.replace("\\", "/")
    if plain.startswith("/") or re.match(r"[A-Za-z]:", plain) or ".." in plain.split("/") or "\0" in plain:
        rows.refuse(row, f"the path {path!r} leads out of the folder, which is refused")
    return plain.removeprefix("./")


def folders_of(root: Path, names: Sequence[str]) -> dict[str, set[str]]:
    """Return for each folder (relative to `root`) of some files the names of all files in it."""
    found: dict[str, set[str]] = {}
    for name in names:
        folder = name.rpartition("/")[0]
        if folder not in found:
            try:
                found[folder] = set(os.listdir(f"{root}/{folder}"))  # noqa: PTH208  # quicker than a look at each file
            except OSError:
                found[folder] = set()
    return found


def finish(
    table: pa.Table,
    root: Path,
    facts: Mapping[str, Any],
    *,
    notes: Sequence[str] = (),
    said: Sequence[str] = (),
    console: Console = QUIET,
) -> Indexed:
    """Return the rows whose image is there, with width and height by header where the table does not say them.

    Headers of DICOM files tell the view, the sex and the age too, where the table does not.

    Args:
        table: Rows with `image` relative to `root`.
        root: The release's folder.
        facts: `data_set` and `left_out`; more is kept.
        notes: What a person should not overlook.
        said: What was understood.
        console: Where progress is shown.

    Raises:
        InputError: No image is there.
    """
    names = table["image"].to_pylist()
    folders = folders_of(root, names)
    is_there = [name.rpartition("/")[2] in folders[name.rpartition("/")[0]] for name in names]
    left_out, more = dict(facts["left_out"]), list(notes)
    absent = [name for name, there in zip(names, is_there, strict=True) if not there]
    if absent:
        if len(absent) == len(names):
            raise InputError(
                f"none of the {counted(len(names), 'image')} is there, the first is {absent[0]}; "
                "unpack the images beside the tables",
                where=root,
            )
        left_out[ABSENT] = left_out.get(ABSENT, 0) + len(absent)
        more.append(f"{counted(len(absent), 'image is', 'images are')} not there, the first is {absent[0]}")
        table = table.filter(pa.array(is_there))
    if "width" not in table.column_names:
        is_dicom = all(Path(name).suffix.lower() in DICOM_SUFFIXES for name in table["image"].to_pylist())
        table, unreadable = (described if is_dicom else _sized)(table, root, console)
        more += unreadable
    whole = {"root": ".", **facts, "left_out": left_out}
    return Indexed(manifest.with_facts(table, whole), whole, tuple(more), tuple(said))


def _sized(table: pa.Table, root: Path, console: Console) -> tuple[pa.Table, list[str]]:
    headers = read_headers(root, table["image"].to_pylist(), sizes=True, console=console)
    for place, name in enumerate(("width", "height")):
        sizes = pa.array([each.size[place] if each.size else None for each in headers], pa.int64())
        table = table.append_column(name, sizes)
    problems = [each.problem for each in headers if each.problem]
    if not problems:
        return table, []
    files = counted(len(problems), "file has", "files have")
    return table, [f"{files} a header that cannot be read; the rows are kept; the first: {problems[0]}"]
