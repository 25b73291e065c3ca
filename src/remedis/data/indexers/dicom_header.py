"""What a DICOM header says that identifies nobody, and the keys of patient, study and series."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remedis.data import dicom, dicom_facts
from remedis.data.indexers.cells import years
from remedis.errors import ReadError

OLDEST_TOLD = 89.0
AGGREGATED = 90.0
"""What ages over 89 years become (45 CFR 164.514(b)(2)(i)(C))."""

_WORDS = ("modality", "view", "body_part", "laterality", "manufacturer", "photometric", "transfer_syntax")
_SHORT = 3

Key = Callable[..., str]


@dataclass(frozen=True)
class DicomHeader:
    """One file.

    Attributes:
        cells: The manifest's columns but `image` and `frame`.
        frames: Pictures in it; 1 where it cannot be told.
        problem: Why its pixels will not be read, or nothing.
        names_person: The path holds the patient's identifier or a part of the name.
        burned_in: The file says that text is burnt into the pixels.
    """

    cells: dict[str, Any] = field(default_factory=dict)
    frames: int = 1
    problem: str = ""
    names_person: bool = False
    burned_in: bool = False


def read_header(folder: Path, name: str, key: Key) -> DicomHeader | None:
    """Return what the header of a file says, None where the file holds no pixels.

    Args:
        folder: Where the path starts.
        name: Path of the file.
        key: `remedis.data.indexers.secret.keyed` with its secret.

    Raises:
        ReadError: The file is no DICOM file that can be read.
    """
    where = str(folder / name)
    try:
        with (folder / name).open("rb") as file, dicom.explained(where):
            dataset = dicom.open_dataset(file, where, pixels=False)
            if "Rows" not in dataset or "Columns" not in dataset:
                _refuse_other_files(dataset, where)
                return None
            cells = cells_of(dataset, key)
            person = names_person(dataset, name)
            burned_in = str(dataset.get("BurnedInAnnotation", "")) == "YES"
            frames, problem = _frames(file, where)
    except OSError as error:
        raise ReadError(f"cannot be opened ({error.strerror})", where=where) from error
    return DicomHeader(cells, frames, problem, person, burned_in)


def _refuse_other_files(dataset: Any, where: str) -> None:
    """A file that merely is called DICOM yields a data set without its kind."""
    if "SOPClassUID" not in dataset and "MediaStorageSOPClassUID" not in dataset.file_meta:
        raise ReadError("no DICOM data set can be read from it", where=where)


def _frames(file: Any, where: str) -> tuple[int, str]:
    file.seek(0)
    try:
        return dicom.count_frames(file, where), ""
    except ReadError as error:
        return 1, str(error)


def cells_of(dataset: Any, key: Key) -> dict[str, Any]:
    """Return the columns of a data set; what it does not say is None."""
    facts = dicom_facts.of(dataset, 0)
    between_rows, between_columns = facts.get("spacing_mm", (None, None))
    patient = _text(dataset, "PatientID")
    study, series = _text(dataset, "StudyInstanceUID"), _text(dataset, "SeriesInstanceUID")
    return {
        "patient_id": key("patient", _text(dataset, "IssuerOfPatientID"), patient) if patient else None,
        "study_id": key("study", study) if study else None,
        "series_id": key("series", series) if series else None,
        **{name: facts.get(name) for name in _WORDS},
        "pixel_spacing_row_mm": between_rows,
        "pixel_spacing_column_mm": between_columns,
        "sex": {"F": "F", "M": "M"}.get(_text(dataset, "PatientSex").upper()),
        "age": age_of(dataset),
        "width": int(dataset.Columns),
        "height": int(dataset.Rows),
    }


def _text(dataset: Any, keyword: str) -> str:
    return str(dataset.get(keyword, "") or "").strip()


def age_of(dataset: Any) -> float | None:
    """Return the age in years from Patient's Age, else from birth to study; over 89 it is 90."""
    age = years(_text(dataset, "PatientAge"))
    if age is None:
        age = _between(_text(dataset, "PatientBirthDate"), _text(dataset, "StudyDate"))
    return AGGREGATED if age is not None and age > OLDEST_TOLD else age


def _between(birth: str, study: str) -> float | None:
    """Return whole years from birth to study, below one year to the tenth."""
    try:
        first, last = _date(birth), _date(study)
    except ValueError:
        return None
    if last < first:
        return None
    whole = last.year - first.year - ((last.month, last.day) < (first.month, first.day))
    return float(whole) if whole else round((last - first).days / 365.25, 1)


def _date(text: str) -> datetime.date:
    return datetime.datetime.strptime(text.replace(".", ""), "%Y%m%d").date()


def names_person(dataset: Any, path: str) -> bool:
    """Return whether a path holds the patient's identifier, or a part of the name, of three letters or more."""
    name = _text(dataset, "PatientName").replace("^", " ").replace("=", " ")
    words = [_text(dataset, "PatientID"), _text(dataset, "PatientBirthDate"), *name.split()]
    return any(len(word) >= _SHORT and word.casefold() in path.casefold() for word in words)
