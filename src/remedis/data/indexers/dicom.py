"""A tree of DICOM studies as the rows of a manifest: a row a frame, and nothing that identifies a person but paths."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data import manifest
from remedis.data.indexers.dicom_header import DicomHeader, read_header
from remedis.data.indexers.headers import touched
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.label_table import LabelTable
from remedis.data.indexers.match import Files, match_rows
from remedis.data.indexers.rows import a_row_a_frame
from remedis.data.indexers.scan import scan
from remedis.data.indexers.secret import keyed
from remedis.data.indexers.words import counted
from remedis.data.readers import DICOM_SUFFIXES, image_suffixes
from remedis.errors import InputError, ReadError

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("image", "patient_id", "study_id", "series_id", "modality", "view")),
        *((name, pa.string()) for name in ("body_part", "laterality", "manufacturer", "photometric")),
        ("transfer_syntax", pa.string()),
        *((name, pa.float64()) for name in ("pixel_spacing_row_mm", "pixel_spacing_column_mm")),
        ("sex", pa.string()),
        ("age", pa.float64()),
        ("width", pa.int64()),
        ("height", pa.int64()),
    ]
)
"""The columns; `frame` comes after `image` where a file holds several."""


def index(folder: Path, secret: bytes, *, labels: LabelTable | None = None, console: Console = QUIET) -> Indexed:
    """Return the rows of a tree of DICOM files, sorted by path.

    Patient, study and series become keys (`remedis.data.indexers.secret.keyed`), ages over 89 become 90; names, dates
    and identifiers are not kept. Files without pixels (reports, structures, DICOMDIR), files that cannot be read and
    images that are no DICOM are left out and counted.

    Args:
        folder: Searched with all folders below it.
        secret: For the keys.
        labels: A table whose columns are joined to the images it names; others are left out and counted.
        console: Where progress is shown.

    Raises:
        InputError: There is no such folder, or no DICOM image in it.
    """
    found = scan(folder)
    reading = _Reading(folder, secret)
    with console.track(len(found.names), "files", "reading headers") as track:
        for path in touched([folder / name for name in found.names]):
            reading.add(path.relative_to(folder).as_posix())
            track.advance()
    if not reading.headers:
        raise InputError(f"there is no DICOM image among {counted(len(found.names), 'file')}", where=folder)
    left_out = found.left_out | {reason: count for reason, count in reading.left_out.items() if count}
    facts = {"root": ".", "data_set": folder.resolve().name, "left_out": left_out, "paths_may_identify": True}
    indexed = Indexed(reading.table(), facts, tuple(reading.notes()))
    if labels is not None:
        indexed = _joined(indexed, folder, labels)
    return replace(indexed, table=manifest.with_facts(indexed.table, indexed.facts))


class _Reading:
    """Gathers headers and counts what is left out."""

    def __init__(self, folder: Path, secret: bytes) -> None:
        self.headers: dict[str, DicomHeader] = {}
        self.left_out: Counter[str] = Counter()
        self._folder, self._key = folder, partial(keyed, secret)
        self._unreadable = ""

    def add(self, name: str) -> None:
        """Read one file's header."""
        if Path(name).suffix.lower() in image_suffixes - DICOM_SUFFIXES:
            self.left_out["images that are no DICOM"] += 1
            return
        try:
            header = read_header(self._folder, name, self._key)
        except ReadError as error:
            self.left_out["files that cannot be read"] += 1
            self._unreadable = self._unreadable or str(error)
            return
        if header is None:
            self.left_out["files without pixels"] += 1
        else:
            self.headers[name] = header

    def table(self) -> pa.Table:
        """Return a row a frame."""
        columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
        for name, header in self.headers.items():
            for column, values in columns.items():
                values.append(name if column == "image" else header.cells[column])
        table = pa.table(columns, schema=SCHEMA)
        return a_row_a_frame(table, [header.frames for header in self.headers.values()])

    def notes(self) -> list[str]:
        """Return what a person should not overlook."""
        headers = self.headers.values()
        notes = [_of_paths(sum(header.names_person for header in headers))]
        if burned_in := sum(header.burned_in for header in headers):
            notes.append(
                f"{counted(burned_in, 'file says', 'files say')} that text is burnt into their pixels, a name perhaps"
            )
        if self._unreadable:
            count = self.left_out["files that cannot be read"]
            notes.append(f"{counted(count, 'file')} left out that cannot be read, the first: {self._unreadable}")
        problems = [header.problem for header in headers if header.problem]
        if problems:
            kept = counted(len(problems), "file is", "files are")
            notes.append(f"{kept} kept that remedis embed will reject, the first: {problems[0]}")
        return notes


def _of_paths(naming: int) -> str:
    if naming:
        return (
            f"the paths of {counted(naming, 'file')} hold the patient's identifier, name or date of birth, and the "
            "manifest holds the paths: it identifies people; rename files and folders before it leaves the hospital"
        )
    return "the manifest holds paths, which can identify people; look at them before it leaves the hospital"


def _joined(indexed: Indexed, folder: Path, labels: LabelTable) -> Indexed:
    """Return the rows that a table names, with its columns; keys and columns of the header stay as they are."""
    table = indexed.table
    names = table["image"].to_pylist()
    files = Files(folder, list(dict.fromkeys(names)), labels.path)
    values = labels.table["image"].to_pylist()
    meant = match_rows(values, files, table=labels.path, column=labels.image_column, folder=folder)
    rows = dict(zip(meant, range(len(meant)), strict=True))
    if len(rows) < len(meant):
        raise InputError("two rows name one image, one row an image was expected", where=labels.path)
    kept = [number for number, name in enumerate(names) if name in rows]
    table = table.take(pa.array(kept, pa.int64()))
    taken = labels.table.take(pa.array([rows[names[number]] for number in kept], pa.int64()))
    ours = [name for name in taken.column_names if name in table.column_names and name != "image"]
    for name in taken.column_names:
        if name not in table.column_names:
            table = table.append_column(name, taken[name])
    left_out = len(set(names) - set(rows))
    facts = indexed.facts | {
        "left_out": indexed.facts["left_out"]
        | ({f"files that {labels.path.name} does not name": left_out} if left_out else {})
    }
    notes = [*indexed.notes, *labels.notes, f"{labels.path.name} is taken as it is: see that it identifies nobody"]
    if ours:
        notes.append(f"its columns {', '.join(ours)} are left out, the files themselves say them")
    return Indexed(table, facts, tuple(notes))
