"""A table of labels as a manifest's columns: names as ours are, cells with their types."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from remedis.data.indexers.cells import ages, sexes, typed
from remedis.data.indexers.text_table import read_text_table
from remedis.data.indexers.words import counted
from remedis.errors import ManifestError, UsageError, nearest

RESERVED = frozenset({"embedding", "_bytes", "_record", "_frame"})
_LIKELY = ("file", "filename", "file_name", "path", "image_id", "image_index", "dicom_id", "id")


@dataclass(frozen=True)
class Columns:
    """What a table calls the manifest's columns; None looks for the manifest's own name.

    Attributes:
        image: Which file a row is about.
        patient: `patient_id`.
        site: `site`.
        study: `study_id`.
        split: `split`.
        view: `view`.
        sex: `sex`.
        age: `age`, in years or as DICOM writes it.
    """

    image: str | None = None
    patient: str | None = None
    site: str | None = None
    study: str | None = None
    split: str | None = None
    view: str | None = None
    sex: str | None = None
    age: str | None = None

    def given(self) -> dict[str, tuple[str, str]]:
        """Return for each manifest column that was named the option and the table's name for it."""
        ours = {"patient": "patient_id", "study": "study_id"}
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            ours.get(name, name): (f"--{name}-column", theirs) for name, theirs in found.items() if theirs is not None
        }


@dataclass(frozen=True)
class LabelTable:
    """A table of labels, read.

    Attributes:
        path: The file.
        table: Its columns under the manifest's names, typed; `image` as written.
        image_column: What the file calls `image`.
        notes: What became null, and columns that were left out.
    """

    path: Path
    table: pa.Table
    image_column: str
    notes: tuple[str, ...] = ()


def read_labels(path: Path, columns: Columns | None = None) -> LabelTable:
    """Return a table of labels.

    Raises:
        ManifestError: The table cannot be read, or has no such column; names the likely one.
        UsageError: One column is given two meanings, or a name is reserved.
    """
    columns = columns or Columns()
    found = read_text_table(path)
    given = columns.given()
    _check(found, given, path)
    image = given.get("image", ("", "image"))[1]
    table, notes = _renamed(found, {theirs: ours for ours, (_, theirs) in given.items()})
    cells, lost = _typed(table)
    return LabelTable(path, pa.table(cells), image, (*notes, *lost))


def _check(found: pa.Table, given: dict[str, tuple[str, str]], path: Path) -> None:
    for option, name in given.values():
        if name not in found.column_names:
            raise ManifestError(
                f"{option}: there is no column {name!r}, {nearest(name, found.column_names)}", where=path
            )
    twice = [name for name, times in Counter(name for _, name in given.values()).items() if times > 1]
    if twice:
        raise UsageError(f"the column {twice[0]!r} is given two meanings, one was expected")
    if "image" not in given and "image" not in found.column_names:
        raise ManifestError(f"there is no column 'image'; {_likely_image(found)}", where=path)
    reserved = RESERVED.intersection(found.column_names)
    if reserved:
        raise UsageError(f"{path}: the column name {min(reserved)!r} is reserved; rename it")


def _likely_image(found: pa.Table) -> str:
    """Return the hint that names the column with paths: by its name, else by cells that end as images do."""
    by_name = {name.casefold().replace(" ", "_"): name for name in found.column_names}
    named = [by_name[name] for name in _LIKELY if name in by_name]
    ending = pc.match_substring_regex
    pattern = r"(?i)\.(jpe?g|png|tiff?|bmp|webp|gif|dcm|dicom)$"
    by_cells = [name for name in found.column_names if pc.all(ending(found[name], pattern)).as_py()]
    likely = (by_cells or named or [""])[0]
    if likely:
        quoted = f"'{likely}'" if " " in likely else likely
        return f"give the column that names the files, probably --image-column {quoted}"
    return f"give the column that names the files with --image-column, {nearest('image', found.column_names)}"


def _renamed(found: pa.Table, ours: dict[str, str]) -> tuple[pa.Table, list[str]]:
    """Return the table with our names; a column that another was named to stand for is left out."""
    notes, columns = [], {}
    for name in found.column_names:
        if name not in ours and name in ours.values():
            notes.append(f"the table's own column {name!r} is left out, another was given for it")
            continue
        columns[ours.get(name, name)] = found[name].combine_chunks()
    first = {"image": columns.pop("image")}
    return pa.table(first | columns), notes


def _typed(table: pa.Table) -> tuple[dict[str, pa.Array], list[str]]:
    notes, found = [], {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        lost: Counter[str] = Counter()
        if name == "sex":
            column, lost = sexes(column)
        elif name == "age":
            column, lost = ages(column)
        else:
            column = typed(name, column)
        if lost:
            words = ", ".join(repr(word) for word, _ in lost.most_common(3))
            kind = "F nor M" if name == "sex" else "years nor DICOM's ages"
            cells_are = counted(sum(lost.values()), "cell is", "cells are")
            notes.append(f"{name}: {cells_are} neither {kind} ({words}) and unknown now")
        found[name] = column
    return found, notes
