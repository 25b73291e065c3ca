"""A folder of phantoms: PNG or DICOM files, labels.csv, manifest.parquet, README.md. All of them say simulated."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from remedis import __version__
from remedis.data import manifest
from remedis.data.files import write_atomic, write_text
from remedis.data.phantoms.dicom_file import data_set_of
from remedis.data.phantoms.population import Exam
from remedis.data.phantoms.render import Phantom, render

SUFFIXES = {"png": ".png", "dicom": ".dcm"}
LABELS, MANIFEST, README = "labels.csv", "manifest.parquet", "README.md"
TABLES = (LABELS, MANIFEST, README)
LICENCE = "CC0-1.0"
STATEMENT = "simulated chest radiograph; there is no patient"


def image_name(exam: Exam, form: str) -> str:
    """Return an image's path in the folder; `form` is `png` or `dicom`."""
    return f"images/{exam.study_id}{SUFFIXES[form]}"


def table(exams: Sequence[Exam], findings: Sequence[str], size: int, form: str) -> pa.Table:
    """Return the manifest's rows: who, where, and for each finding 0 or 1 and its severity."""
    patients = [exam.patient for exam in exams]
    columns = {
        "image": [image_name(exam, form) for exam in exams],
        "patient_id": [patient.patient_id for patient in patients],
        "study_id": [exam.study_id for exam in exams],
        "site": [patient.site for patient in patients],
        "split": [patient.split for patient in patients],
        "view": [exam.projection for exam in exams],
        "sex": [patient.sex for patient in patients],
        "age": pa.array([patient.age for patient in patients], pa.int32()),
        "width": pa.array([size] * len(exams), pa.int32()),
        "height": pa.array([size] * len(exams), pa.int32()),
        "simulated": pa.array([1] * len(exams), pa.int8()),
    }
    for name in findings:
        severities = [patient.severities[name] for patient in patients]
        columns[name] = pa.array([int(severity > 0) for severity in severities], pa.int8())
        columns[f"{name}_severity"] = pa.array(severities, pa.float64())
    return pa.table(columns)


def write_image(exam: Exam, folder: Path, size: int, form: str) -> bool:
    """Write one image atomically, and return whether it was missing.

    Raises:
        StoppedError: The disk is full.
    """
    path = folder / image_name(exam, form)
    if path.exists():
        return False
    phantom = render(exam, size)
    with write_atomic(path) as temporary:
        if form == "png":
            _write_png(phantom, temporary)
        else:
            data_set_of(phantom).save_as(temporary, enforce_file_format=True)
    return True


def write_tables(rows: pa.Table, folder: Path, *, command: str, seed: int) -> None:
    """Write README.md, labels.csv and, last, manifest.parquet.

    Raises:
        StoppedError: The disk is full.
    """
    write_text(folder / README, _readme(rows, command))
    with write_atomic(folder / LABELS) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(rows.column_names)
        lines.writerows(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    facts = {"root": ".", "data_set": f"remedis-phantoms-{seed}", "licence": LICENCE, "simulated": True}
    manifest.write(rows, folder / MANIFEST, facts)


def _write_png(phantom: Phantom, path: Path) -> None:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("Description", STATEMENT)
    text.add_text("Software", f"remedis {__version__}")
    Image.fromarray(phantom.pixels).save(path, "PNG", pnginfo=text, compress_level=4)


def _readme(rows: pa.Table, command: str) -> str:
    labels = [name.removesuffix("_severity") for name in rows.column_names if name.endswith("_severity")]
    counts = "\n".join(f"| {name} | {sum(rows[name].to_pylist()):,} |" for name in labels)
    patients = len(set(rows["patient_id"].to_pylist()))
    return f"""# Simulated chest radiographs

**Every picture in this folder is simulated. There is no patient, no hospital and no examination behind any of them;
figures computed on them say nothing about patients.** The word SIMULATED stands in each picture, in its file's
metadata, in the patients' numbers and in the column `simulated`.

{rows.num_rows:,} images of {patients:,} patients who do not exist, made with

    {command}

| finding | images with it |
|---|---|
{counts}

- `images/`: the pictures.
- `labels.csv`: a row an image; for each finding 0 or 1, and `…_severity` from 0 (absent) to 1.
- `manifest.parquet`: the same for `remedis embed`.

Licence of the pictures: {LICENCE}. Made by remedis {__version__}.
"""
