"""NIH ChestX-ray14 (Wang et al., CVPR 2017) as the rows of a manifest."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data import splits
from remedis.data.indexers import release
from remedis.data.indexers.cells import ages, sexes
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.release import TWICE, Sheet, finish, needed, sheet, snake
from remedis.data.indexers.words import counted
from remedis.errors import ManifestError, UsageError, nearest

TABLES = ("Data_Entry_2017_v2020.csv", "Data_Entry_2017.csv")
FINDINGS = (
    "Atelectasis", "Cardiomegaly", "Effusion", "Infiltration", "Mass", "Nodule", "Pneumonia", "Pneumothorax",
    "Consolidation", "Edema", "Emphysema", "Fibrosis", "Pleural_Thickening", "Hernia",
)  # fmt: skip
NOTHING = "No Finding"
VALIDATION = 0.125
"""Share of train_val's patients who are validation: about a tenth of all images, as in Wang et al.'s own 7 : 1 : 2."""

# the header's brackets hold commas and no quotes, so that each becomes two columns
_SIZES = {"original_width": "OriginalImage[Width", "original_height": "Height]"}
_SPACINGS = {"original_pixel_spacing_x_mm": "OriginalImagePixelSpacing[x", "original_pixel_spacing_y_mm": "y]"}
_COLUMNS = (
    "Image Index", "Finding Labels", "Follow-up #", "Patient ID", "Patient Age", "Patient Gender", "View Position",
    *_SIZES.values(), *_SPACINGS.values(),
)  # fmt: skip


def located(folder: Path) -> Path:
    """Return the folder with the tables: the one given, or the only one in it.

    Raises:
        InputError: There is none, or several.
    """
    return release.located(folder, TABLES, "NIH ChestX-ray14")


def index(folder: Path, *, validation: float = VALIDATION, seed: int = 0, console: Console = QUIET) -> Indexed:
    """Return a row for each image of the table that is there.

    Args:
        folder: The release's folder (`located`), with the images in `images` or in `images_001` … `images_012`.
        validation: Share of the patients of train_val_list.txt who become the validation part, from 0 to below 1.
        seed: Decides who they are.
        console: Where progress is shown.

    Raises:
        UsageError: `validation` is no such share.
        ManifestError: The table has another header, or a cell that means nothing; names the line.
        InputError: No image is there.
    """
    if not 0 <= validation < 1:
        raise UsageError(f"--validation is {validation}, a share from 0 to below 1 was expected")
    entries = sheet(needed(folder, TABLES, "the table of the images"), _COLUMNS)
    rows = entries.once("Image Index")
    left_out = {TWICE: len(entries) - len(rows)} if len(rows) < len(entries) else {}
    notes: list[str] = []
    names = rows.names("Image Index")
    table = pa.table({
        "image": pa.array(_paths(folder, names), pa.string()),
        "patient_id": pa.array(_patients(rows), pa.string()),
        **_people(rows, notes),
        **_findings(rows),
        "finding_labels": pa.array(rows.cells("Finding Labels"), pa.string()),
        "follow_up": pa.array(_numbers(rows, "Follow-up #"), pa.float64()).cast(pa.int64()),
        **{ours: pa.array(_numbers(rows, theirs), pa.float64()).cast(pa.int64()) for ours, theirs in _SIZES.items()},
        **{ours: pa.array(_numbers(rows, theirs), pa.float64()) for ours, theirs in _SPACINGS.items()},
    })  # fmt: skip
    facts = {"data_set": "nih-cxr14", "left_out": left_out}
    parts = _parts(folder, names, notes)
    said = []
    if parts is not None:
        words = _split(table, parts, validation, seed)
        table = table.add_column(2, "split", pa.array(words, pa.string()))
        rule = f"test is test_list.txt; validation is {validation:.1%} of the patients of train_val_list.txt"
        facts["split"] = {"rule": rule, "seed": seed}
        said = [f"{rule}, seed {seed}"]
    return finish(table, folder, facts, notes=notes, said=said, console=console)


def _paths(folder: Path, names: Sequence[str]) -> list[str]:
    """Return where each image lies; in `images` where it lies nowhere."""
    places = ["images", *(path.name for path in sorted(folder.glob("images_*")) if path.is_dir())]
    places = [place for name in places for place in (name, f"{name}/images")]
    found: dict[str, str] = {}
    for place, held in release.folders_of(folder, [f"{place}/" for place in places]).items():
        found = dict.fromkeys(held, place) | found
    return [f"{found.get(name, 'images')}/{name}" for name in names]


def _patients(rows: Sheet) -> list[str]:
    """Return the patients' numbers with eight digits, as they begin the names of their images."""
    found = []
    for row, (patient, name) in enumerate(zip(rows.cells("Patient ID"), rows.cells("Image Index"), strict=True)):
        match = re.fullmatch(r"(\d{1,8})(\.0+)?", patient or "")
        if match is None or not (name or "").startswith(f"{int(match[1]):08d}_"):
            rows.refuse(row, f"Patient ID is {patient!r} and the image {name!r}, the same number was expected")
        found.append(f"{int(match[1]):08d}")
    return found


def _people(rows: Sheet, notes: list[str]) -> dict[str, pa.Array]:
    sex, _ = sexes(rows.table["Patient Gender"].combine_chunks())
    age, odd = ages(rows.table["Patient Age"].combine_chunks())
    if odd:
        words = ", ".join(word for word, _ in odd.most_common(3))
        notes.append(f"age is impossible in {counted(sum(odd.values()), 'row')} ({words}) and unknown now")
    return {"view": pa.array(rows.cells("View Position"), pa.string()), "sex": sex, "age": age}


def _findings(rows: Sheet) -> dict[str, pa.Array]:
    known = {NOTHING, *FINDINGS}
    held = [(cell or "").split("|") for cell in rows.cells("Finding Labels")]
    for row, words in enumerate(held):
        odd = [word for word in words if word not in known]
        if odd:
            rows.refuse(row, f"Finding Labels holds {odd[0]!r}; {nearest(odd[0], known)}")
        if NOTHING in words and len(words) > 1:
            rows.refuse(row, f"Finding Labels is {'|'.join(words)!r}, {NOTHING} alone or findings were expected")
    return {
        snake(finding): pa.array([int(finding in words) for words in held], pa.int64())
        for finding in (*FINDINGS, NOTHING)
    }


def _numbers(rows: Sheet, name: str) -> list[float | None]:
    found = []
    for row, cell in enumerate(rows.cells(name)):
        if cell is not None and not re.fullmatch(r"\d+(\.\d*)?([eE][-+]?\d+)?", cell):
            rows.refuse(row, f"{name} is {cell!r}, a number was expected")
        found.append(None if cell is None else float(cell))
    return found


def _parts(folder: Path, names: Sequence[str], notes: list[str]) -> list[str | None] | None:
    """Return for each image test, train or null by the official lists; None where a list is missing."""
    files = {"train": folder / "train_val_list.txt", "test": folder / "test_list.txt"}
    missing = [path.name for path in files.values() if not path.is_file()]
    if missing:
        notes.append(f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not there: no official split")
        return None
    lists = {part: _listed(path) for part, path in files.items()}
    both = lists["train"] & lists["test"]
    if both:
        raise ManifestError(f"{min(both)} is in train_val_list.txt too, one was expected", where=files["test"])
    found = ["test" if name in lists["test"] else "train" if name in lists["train"] else None for name in names]
    if none := found.count(None):
        notes.append(f"{counted(none, 'image is', 'images are')} in neither list")
    return found


def _listed(path: Path) -> set[str]:
    return {line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()}


def _split(table: pa.Table, parts: Sequence[str | None], validation: float, seed: int) -> list[str | None]:
    """Return the parts with the patients' draw of the validation part among those of train."""
    learnt = [row for row, part in enumerate(parts) if part == "train"]
    if not learnt:
        return list(parts)
    some = table.select(["image", "patient_id"]).take(pa.array(learnt))
    rule = f"patient:{1 - validation},{validation},0"
    drawn = splits.by_patient(some, rule, strata=None, seed=seed, data_set="nih-cxr14").to_pylist()
    words = list(parts)
    for row, word in zip(learnt, drawn, strict=True):
        words[row] = word
    return words
