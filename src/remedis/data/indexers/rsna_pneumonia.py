"""The RSNA Pneumonia Detection Challenge of 2018 (Shih et al., Radiology: AI 1:e180041, 2019), stage 2, as rows."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data.indexers import release
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.release import Sheet, finish, folders_of, sheet
from remedis.data.indexers.words import counted
from remedis.errors import ManifestError

_BOXES = ("stage_2_train_labels.csv",)
_CLASSES = ("stage_2_detailed_class_info.csv",)
_TRAIN, _TEST = "stage_2_train_images", "stage_2_test_images"
_BOX = ("x", "y", "width", "height")
_ENDINGS = (".dcm", ".png", ".jpg")
CLASSES = ("Lung Opacity", "No Lung Opacity / Not Normal", "Normal")
NIH = "nih-cxr14"
MAX_BYTES = 1 << 28


def located(folder: Path) -> Path:
    """Return the folder with the tables: the one given, or the only one in it.

    Raises:
        InputError: There is none, or several.
    """
    return release.located(folder, _BOXES, "the RSNA challenge")


def index(folder: Path, *, nih_mapping: Path | None = None, console: Console = QUIET) -> Indexed:
    """Return a row for each labelled image that is there.

    The challenge's patientId is a key of an image. Who the patients are is known to NIH ChestX-ray14 alone, of which
    all these images are: without `nih_mapping` patient_id is null.

    Args:
        folder: The challenge's folder (`located`).
        nih_mapping: RSNA's pneumonia-challenge-dataset-mappings_2018.json, which names NIH's file of each image:
            patient_id is NIH's then, and site nih-cxr14, as in a manifest of that set.
        console: Where progress is shown.

    Raises:
        ManifestError: A table has another header, contradicts itself, or the mapping is none.
        InputError: No image is there.
    """
    rows = sheet(release.needed(folder, _BOXES, "the table of boxes"), ["patientId", *_BOX, "Target"])
    target, boxes = _targets(rows)
    images = list(target)
    notes: list[str] = []
    columns = {
        "image": pa.array(_paths(folder, images), pa.string()),
        "patient_id": pa.nulls(len(images), pa.string()),
        "target": pa.array(list(target.values()), pa.int64()),
    }
    path = release.find(folder, _CLASSES)
    if path is None:
        notes.append(f"{_CLASSES[0]} is not there: no column class")
    else:
        columns["class"] = pa.array(_classes(path, target), pa.string())
    columns["boxes"] = pa.array([boxes[image] for image in images], pa.int64())
    if nih_mapping is not None:
        columns |= _of_nih(images, nih_mapping, notes)
    unlabelled = len(folders_of(folder, [f"{_TEST}/"])[_TEST])
    left_out = {f"files of {_TEST}, which have no labels": unlabelled} if unlabelled else {}
    facts = {"data_set": "rsna-pneumonia", "left_out": left_out}
    notes.append(f"these are images of NIH ChestX-ray14: never learn from {NIH} and test here, or the other way round")
    return finish(pa.table(columns), folder, facts, notes=notes, console=console)


def _targets(rows: Sheet) -> tuple[dict[str, int], dict[str, int]]:
    """Return for each image its target and the number of its boxes; the table has a row a box."""
    target: dict[str, int] = {}
    boxes: dict[str, set[tuple[str | None, ...]]] = {}
    place = [rows.cells(name) for name in _BOX]
    for row, (image, word) in enumerate(zip(rows.names("patientId"), rows.cells("Target"), strict=True)):
        value = {"1": 1, "1.0": 1, "0": 0, "0.0": 0}.get(word or "")
        box = tuple(cells[row] for cells in place)
        if value is None:
            rows.refuse(row, f"Target is {word!r}, 0 or 1 was expected")
        if (None in box) == bool(value):
            what = "1 and the box is empty" if value else "0 and there is a box"
            rows.refuse(row, f"Target is {what}, one of them is wrong")
        if target.setdefault(image, value) != value:
            rows.refuse(row, f"Target of {image} is {value} here and {target[image]} above")
        boxes.setdefault(image, set()).update([box] if value else [])
    return target, {image: len(found) for image, found in boxes.items()}


def _paths(folder: Path, images: Sequence[str]) -> list[str]:
    """Return each image's file, DICOM or what somebody made of it; DICOM where it is not there."""
    held = folders_of(folder, [f"{_TRAIN}/"])[_TRAIN]
    ending = {image: next((end for end in _ENDINGS if image + end in held), _ENDINGS[0]) for image in images}
    return [f"{_TRAIN}/{image}{ending[image]}" for image in images]


def _classes(path: Path, target: dict[str, int]) -> list[str | None]:
    rows = sheet(path, ["patientId", "class"])
    found: dict[str, str] = {}
    for row, (image, word) in enumerate(zip(rows.names("patientId"), rows.cells("class"), strict=True)):
        if word not in CLASSES:
            rows.refuse(row, f"class is {word!r}, {', '.join(CLASSES)} was expected")
        if found.setdefault(image, word) != word:
            rows.refuse(row, f"class of {image} is {word!r} here and {found[image]!r} above")
        if image in target and (word == CLASSES[0]) != bool(target[image]):
            rows.refuse(row, f"class of {image} is {word!r} and its Target in {_BOXES[0]} is {target[image]}")
    return [found.get(image) for image in target]


def _of_nih(images: Sequence[str], path: Path, notes: list[str]) -> dict[str, pa.Array]:
    """Return NIH's file, patient and site of each image."""
    names = _mapping(path)
    files = [names.get(image) for image in images]
    if missing := files.count(None):
        notes.append(f"{path.name} does not name {counted(missing, 'image')}: the patient is unknown there")
    return {
        "patient_id": pa.array([None if name is None else name.partition("_")[0] for name in files], pa.string()),
        "site": pa.array([None if name is None else NIH for name in files], pa.string()),
        "nih_image": pa.array(files, pa.string()),
    }


def _mapping(path: Path) -> dict[str, str]:
    """Return from the challenge's key of an image to NIH's file name."""
    expected = "a list of objects with subset_img_id and img_id (00000001_000.png) was expected"
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        raise ManifestError("there is no such file" if not path.is_file() else f"is too large; {expected}", where=path)
    try:
        held = json.loads(path.read_bytes())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ManifestError(f"cannot be read as JSON ({error}); {expected}", where=path) from error
    found = {}
    for item in held if isinstance(held, list) else [None]:
        key, name = (item.get("subset_img_id"), item.get("img_id")) if isinstance(item, dict) else (None, None)
        if not isinstance(key, str) or not isinstance(name, str) or not re.fullmatch(r"\d{8}_\d{3}\.png", name):
            raise ManifestError(expected, where=path)
        found[key] = name
    return found
