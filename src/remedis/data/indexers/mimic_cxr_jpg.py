"""MIMIC-CXR-JPG (Johnson et al., PhysioNet, versions 2.0.0 and 2.1.0) as the rows of a manifest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from remedis.console import QUIET, Console
from remedis.data.indexers import release
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.release import TWICE, Sheet, finish, needed, sheet
from remedis.data.indexers.uncertain import FINDINGS, Policies, labels, policies
from remedis.data.indexers.words import counted
from remedis.errors import InputError, UsageError

_METADATA = ("mimic-cxr-*-metadata.csv",)
_TEST = ("mimic-cxr-*-test-set-labeled.csv",)
_COLUMNS = ("dicom_id", "subject_id", "study_id", "ViewPosition", "Rows", "Columns", "StudyDate", "StudyTime")
_SOURCE = "label_source"
_OPACITY = "Airspace Opacity"
"""What the radiologists' table calls Lung Opacity."""


def located(folder: Path) -> Path:
    """Return the folder with the tables and `files`: the one given, or the only one in it.

    Raises:
        InputError: There is none, or several.
    """
    return release.located(folder, _METADATA, "MIMIC-CXR-JPG")


def index(
    folder: Path,
    *,
    labeller: str = "chexpert",
    radiologists: bool = False,
    chosen: Policies | None = None,
    console: Console = QUIET,
) -> Indexed:
    """Return a row for each image of the metadata that is there, with the official split.

    Args:
        folder: The release's folder (`located`).
        labeller: chexpert or negbio: whose labels are taken.
        radiologists: Whether the test part has the labels that were read from its reports by hand (version 2.1.0) and
            no others.
        chosen: What becomes of uncertain and blank labels (`remedis.data.indexers.uncertain.policies`).
        console: Where progress is shown.

    Raises:
        ManifestError: A table has another header, or a cell that means nothing; names the line.
        InputError: A table is missing, or no image is there.
    """
    images = sheet(needed(folder, _METADATA, "the table of the images"), _COLUMNS)
    rows = images.once("dicom_id")
    left_out = {TWICE: len(images) - len(rows)} if len(rows) < len(images) else {}
    patients, studies = _numbers(rows, "subject_id"), _numbers(rows, "study_id")
    notes: list[str] = []
    chosen = chosen or policies()
    columns = {
        "image": pa.array(_paths(rows, patients, studies), pa.string()),
        "patient_id": pa.array(patients, pa.string()),
        "study_id": pa.array(studies, pa.string()),
        "split": pa.array(_split(rows, folder, notes), pa.string()),
        "view": pa.array(rows.cells("ViewPosition"), pa.string()),
        "width": pa.array(_sizes(rows, "Columns"), pa.int64()),
        "height": pa.array(_sizes(rows, "Rows"), pa.int64()),
    }
    table = pa.table(columns | _labels(folder, studies, labeller, chosen, notes))
    if radiologists:
        table = _with_radiologists(table, folder, chosen, notes)
    for name, values in (("study_date", _dates(rows)), ("study_time", _times(rows, notes))):
        table = table.append_column(name, pa.array(values, pa.string()))
    facts = {"data_set": "mimic-cxr-jpg", "left_out": left_out, "labeller": labeller, **chosen.facts}
    return finish(table, folder, facts, notes=notes, console=console)


def _numbers(rows: Sheet, name: str) -> list[str]:
    """Return identifiers, which some tools rewrite as floats, as they are in paths."""
    found = []
    for row, cell in enumerate(rows.cells(name)):
        match = re.fullmatch(r"([1-9]\d*)(\.0+)?", cell or "")
        if match is None:
            rows.refuse(row, f"{name} is {cell!r}, a number such as 10000032 was expected")
        found.append(match[1])
    return found


def _paths(rows: Sheet, patients: Sequence[str], studies: Sequence[str]) -> list[str]:
    named = zip(patients, studies, rows.names("dicom_id"), strict=True)
    return [f"files/p{patient[:2]}/p{patient}/s{study}/{name}.jpg" for patient, study, name in named]


def _sizes(rows: Sheet, name: str) -> list[int | None]:
    """Return pixels; the JPEG has the size that the DICOM file had."""
    cells = [re.fullmatch(r"([1-9]\d{0,5})(\.0+)?", cell or "") for cell in rows.cells(name)]
    return [int(match[1]) if match else None for match in cells]


def _split(rows: Sheet, folder: Path, notes: list[str]) -> list[str | None]:
    path = needed(folder, ["mimic-cxr-*-split.csv"], "the table of the split")
    parts = sheet(path, ["dicom_id", "split"]).once("dicom_id")
    for row, word in enumerate(parts.cells("split")):
        if word not in ("train", "validate", "test"):
            parts.refuse(row, f"split is {word!r}, train, validate or test was expected")
    known = dict(zip(parts.cells("dicom_id"), parts.cells("split"), strict=True))
    found = [known.get(name) for name in rows.cells("dicom_id")]
    if missing := found.count(None):
        notes.append(f"{counted(missing, 'image is', 'images are')} in no part of {path.name}")
    return ["validation" if word == "validate" else word for word in found]


def _labels(
    folder: Path, studies: Sequence[str], labeller: str, chosen: Policies, notes: list[str]
) -> dict[str, pa.Array]:
    path = needed(folder, [f"mimic-cxr-*-{labeller}.csv"], f"the table of {labeller}'s labels")
    rows = sheet(path, ["study_id", *FINDINGS.values()]).once("study_id")
    values, silent = labels(rows, chosen)
    place = {study: row for row, study in enumerate(_numbers(rows, "study_id"))}
    missing = {study for study in studies if study not in place}
    if missing:
        notes.append(f"{counted(len(missing), 'study is', 'studies are')} not in {path.name}: their labels are unknown")
    if silent:
        notes.append(
            f"{path.name}: {counted(silent, 'study says', 'studies say')} nothing of any finding: "
            "all labels are unknown"
        )
    rows_of = pa.array([place.get(study) for study in studies], pa.int64())
    return {name: column.take(rows_of) for name, column in values.items()}


def _with_radiologists(table: pa.Table, folder: Path, chosen: Policies, notes: list[str]) -> pa.Table:
    """Return the rows whose test part has the labels read by hand; studies that nobody read by hand have none."""
    path = release.find(folder, _TEST)
    if path is None:
        raise InputError(f"--radiologists: there is no {_TEST[0]} in it, which version 2.1.0 has", where=folder)
    rows = sheet(path, ["study_id"]).once("study_id")
    theirs = {name: _theirs(name, rows) for name in FINDINGS}
    names = {name: column for name, column in theirs.items() if column is not None}
    if not names:
        raise UsageError(f"{path}: there is no column of a finding in it, {', '.join(FINDINGS.values())} was expected")
    values, _ = labels(rows, chosen, names)
    place = {study: row for row, study in enumerate(_numbers(rows, "study_id"))}
    is_test = np.array([word == "test" for word in table["split"].to_pylist()])
    rows_of = [place.get(study) for study in table["study_id"].to_pylist()]
    for name in FINDINGS:
        kind = table[name].type
        read = values[name].take(pa.array(rows_of, pa.int64())) if name in values else pa.nulls(len(table), kind)
        both = pc.if_else(pa.array(is_test), read, table[name].combine_chunks())
        table = table.set_column(table.column_names.index(name), name, both)
    unread = sum(test and row is None for test, row in zip(is_test, rows_of, strict=True))
    if unread:
        notes.append(
            f"{counted(unread, 'image')} of the test part {'is' if unread == 1 else 'are'} of studies that "
            f"{path.name} does not hold: their labels are unknown"
        )
    if gone := [name for name in FINDINGS if name not in names]:
        notes.append(f"{path.name} has no column for {', '.join(gone)}: unknown in the test part")
    words = [("radiologists" if row is not None else None) if test else "report"
             for test, row in zip(is_test, rows_of, strict=True)]  # fmt: skip
    return table.append_column(_SOURCE, pa.array(words, pa.string()))


def _theirs(name: str, rows: Sheet) -> str | None:
    candidates = [FINDINGS[name], *([_OPACITY] if name == "lung_opacity" else [])]
    return next((each for each in candidates if each in rows.table.column_names), None)


def _dates(rows: Sheet) -> list[str | None]:
    """Return days, shifted for each patient, as 2180-05-06."""
    found = [re.fullmatch(r"(\d{4})(\d\d)(\d\d)(\.0+)?", cell or "") for cell in rows.cells("StudyDate")]
    return [f"{match[1]}-{match[2]}-{match[3]}" if match else None for match in found]


def _times(rows: Sheet, notes: list[str]) -> list[str | None]:
    """Return times of the day as 09:30:12; the tables hold HHMMSS.fff as a number, without its leading zeros."""
    cells = rows.cells("StudyTime")
    found = [_time(cell) for cell in cells]
    lost = sum(cell is not None and time is None for cell, time in zip(cells, found, strict=True))
    if lost:
        notes.append(f"StudyTime: {counted(lost, 'cell is', 'cells are')} no time and unknown now")
    return found


def _time(cell: str | None) -> str | None:
    match = re.fullmatch(r"(\d{1,6})(\.\d*)?", cell or "")
    if match is None:
        return None
    hours, minutes, seconds = (match[1].zfill(6)[start : start + 2] for start in (0, 2, 4))
    is_time = int(hours) < 24 and int(minutes) < 60 and int(seconds) < 60
    return f"{hours}:{minutes}:{seconds}" if is_time else None
