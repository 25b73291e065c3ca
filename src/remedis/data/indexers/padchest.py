"""PadChest (Bustos et al., Medical Image Analysis 66:101797, 2020) as the rows of a manifest."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data import manifest
from remedis.data.indexers import release
from remedis.data.indexers.cells import OLDEST, sexes
from remedis.data.indexers.headers import touched
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.release import TWICE, Sheet, finish, folders_of, needed, sheet, snake
from remedis.data.indexers.summary import KNOWN
from remedis.data.indexers.words import counted
from remedis.errors import InputError, UsageError, nearest

_TABLE = ("PADCHEST_chest_x_ray_images_labels_160K*.csv", "PADCHEST*.csv")
_COLUMNS = (
    "ImageID", "ImageDir", "StudyDate_DICOM", "StudyID", "PatientID", "PatientBirth", "PatientSex_DICOM", "Projection",
    "MethodLabel", "Labels",
)  # fmt: skip
LEAST = 50
"""Images that a finding needs to become a column where none is named."""

_LONGEST = 20_000
_MOST_NAMED = 100
_END_OF_PNG = b"IEND\xaeB`\x82"  # the last chunk's name and check sum (PNG, third edition, 11.2.5)
_TRUNCATED = "images that are cut short"


def located(folder: Path) -> Path:
    """Return the folder with the table: the one given, or the only one in it.

    Raises:
        InputError: There is none, or several.
    """
    return release.located(folder, _TABLE, "PadChest")


def index(folder: Path, *, findings: Sequence[str] = (), least: int = LEAST, console: Console = QUIET) -> Indexed:
    """Return a row for each image of the table that is there and whole.

    Args:
        folder: The release's folder (`located`), with images in its numbered folders, in `images`, or in itself.
        findings: Labels that become columns; without them all that `least` images have.
        least: The number of images.
        console: Where progress is shown.

    Returns:
        The rows; the fact `damaged` lists images that are cut short.

    Raises:
        ManifestError: The table has another header, or a cell that means nothing; names the line.
        UsageError: No image has one of `findings`.
        InputError: No image is there.
    """
    path = needed(folder, _TABLE, "the table of the images")
    raw = sheet(path, _COLUMNS)
    rows = raw.once("ImageID")
    left_out = {TWICE: len(raw) - len(rows)} if len(rows) < len(raw) else {}
    notes: list[str] = []
    sex, _ = sexes(rows.table["PatientSex_DICOM"].combine_chunks())
    words = _labels(rows)
    table = pa.table({
        "image": pa.array(_paths(folder, rows), pa.string()),
        "patient_id": pa.array(rows.cells("PatientID"), pa.string()),
        "study_id": pa.array(rows.cells("StudyID"), pa.string()),
        "view": pa.array(rows.cells("Projection"), pa.string()),
        "sex": sex,
        "age": pa.array(_ages(rows, notes), pa.float64()),
        "label_method": pa.array(rows.cells("MethodLabel"), pa.string()),
        "finding_labels": pa.array([None if each is None else "|".join(each) for each in words], pa.string()),
    })  # fmt: skip
    facts = {"data_set": "padchest", "left_out": left_out}
    indexed = _whole(finish(table, folder, facts, notes=notes, console=console), folder)
    return _with_findings(indexed, findings, least)


def _paths(folder: Path, rows: Sheet) -> list[str]:
    """Return where each image lies: in its numbered folder, in one of these in `images`, or without them."""
    names = rows.names("ImageID")
    numbers = [re.sub(r"\.0+$", "", each) for each in rows.names("ImageDir")]
    places = [[f"{number}/", f"images/{number}/", "", "images/"] for number in numbers]
    held = folders_of(folder, sorted({place for each in places for place in each}))
    return [
        next((place + name for place in each if name in held[place.removesuffix("/")]), each[0] + name)
        for each, name in zip(places, names, strict=True)
    ]


def _ages(rows: Sheet, notes: list[str]) -> list[float | None]:
    """Return the year of the study less that of the birth: years, right to one."""
    found: list[float | None] = []
    odd = 0
    for birth, study in zip(rows.cells("PatientBirth"), rows.cells("StudyDate_DICOM"), strict=True):
        years = [re.match(r"(19|20|18)\d\d", each or "") for each in (birth, study)]
        age = int(years[1][0]) - int(years[0][0]) if years[0] and years[1] else None
        is_age = age is not None and 0 <= age <= OLDEST
        odd += age is not None and not is_age
        found.append(float(age) if age is not None and is_age else None)
    if odd:
        notes.append(f"age is impossible in {counted(odd, 'row')} and unknown now")
    return found


def _labels(rows: Sheet) -> list[tuple[str, ...] | None]:
    """Return each image's labels without doubles; None where the cell is empty.

    A cell is the text of a Python list. It is taken apart as a literal: nothing in it is executed.
    """
    cells = rows.cells("Labels")
    meaning: dict[str | None, tuple[str, ...] | None] = {None: None}
    for row, cell in enumerate(cells):
        if cell not in meaning:
            words = _list(cell or "")
            if words is None:
                shown = (cell or "")[:60]
                rows.refuse(
                    row, f"Labels is {shown!r}, a list such as ['cardiomegaly', 'pleural effusion'] was expected"
                )
            meaning[cell] = words
    return [meaning[cell] for cell in cells]


def _list(cell: str) -> tuple[str, ...] | None:
    if len(cell) > _LONGEST:
        return None
    try:
        held = ast.literal_eval(cell)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None
    if not isinstance(held, list) or not all(isinstance(each, str) for each in held):
        return None
    return tuple(dict.fromkeys(word for each in held if (word := " ".join(each.split()))))


def _with_findings(indexed: Indexed, findings: Sequence[str], least: int) -> Indexed:
    """Return the rows with a column of 0 and 1 for each finding, the commonest first."""
    texts = indexed.table["finding_labels"].to_pylist()
    held = [None if text is None else {_column(word) for word in text.split("|") if word} for text in texts]
    counts = Counter(name for each in held for name in each or ())
    wanted = [_column(each) for each in findings]
    for given, name in zip(findings, wanted, strict=True):
        if name not in counts:
            raise UsageError(f"--findings {given}: no image has it, {nearest(name, counts)}")
    notes = []
    if unknown := held.count(None):
        notes.append(f"Labels is empty in {counted(unknown, 'row')}: all findings are unknown there")
    if not wanted:
        wanted = [name for _, name in sorted((-count, name) for name, count in counts.items() if count >= least)]
        if rare := len(counts) - len(wanted):
            notes.append(
                f"{counted(rare, 'label')} of fewer than {counted(least, 'image')} "
                f"{'has' if rare == 1 else 'have'} no column; --findings names some, --least 1 takes all"
            )
    table, place = indexed.table, indexed.table.column_names.index("label_method")
    for name in reversed(dict.fromkeys(wanted)):
        column = pa.array([None if each is None else int(name in each) for each in held], pa.int64())
        table = table.add_column(place, name, column)
    return replace(indexed, table=manifest.with_facts(table, indexed.facts), notes=(*indexed.notes, *notes))


def _column(label: str) -> str:
    name = snake(label)
    return f"finding_{name}" if name in KNOWN else name


def _whole(indexed: Indexed, folder: Path) -> Indexed:
    """Return the rows without PNG files that do not end as PNG files do, which are named."""
    names = indexed.table["image"].to_pylist()
    is_whole = np.array([_is_whole(path) for path in touched([folder / name for name in names])], bool)
    if is_whole.all():
        return indexed
    cut = [name for name, whole in zip(names, is_whole, strict=True) if not whole]
    if len(cut) == len(names):
        raise InputError(f"all images are cut short, the first is {cut[0]}; unpack them again", where=folder)
    damaged = [f"{name}: is cut short" for name in cut[:_MOST_NAMED]]
    left_out = {**indexed.left_out, _TRUNCATED: len(cut)}
    facts = indexed.facts | {"left_out": left_out, "damaged": damaged}
    table = manifest.with_facts(indexed.table.filter(pa.array(is_whole)), facts)
    shown = ", ".join(cut[:3]) + (" …" if len(cut) > 3 else "")
    notes = (*indexed.notes, f"{counted(len(cut), 'image is', 'images are')} cut short and left out: {shown}")
    return replace(indexed, table=table, facts=facts, notes=notes)


def _is_whole(path: Path) -> bool:
    if path.suffix.lower() != ".png":
        return True
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - len(_END_OF_PNG)))
            return file.read() == _END_OF_PNG
    except OSError:
        return True  # the reader says why
