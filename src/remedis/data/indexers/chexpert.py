"""CheXpert (Irvin et al., AAAI 2019), small or full, as the rows of a manifest."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data.indexers import release
from remedis.data.indexers.cells import ages, sexes
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.release import TWICE, Sheet, finish, inside, sheet
from remedis.data.indexers.uncertain import FINDINGS, Policies, labels, policies
from remedis.data.indexers.words import counted
from remedis.errors import InputError

_TABLES = {"train": ["train.csv"], "validation": ["valid.csv"], "test": ["test.csv", "test_labels.csv"]}
_DETAILS = ("Sex", "Age", "Frontal/Lateral", "AP/PA")
_PARTS = ("train", "valid", "val", "test")
_PATH = re.compile(r"(?:train|valid|val|test)/([^/]+)/([^/]+)/[^/]*?(frontal|lateral)?\.\w+", re.I)
LATERAL = "LATERAL"
OLDEST = 90
"""Years; stands for 90 and more."""


def located(folder: Path) -> Path:
    """Return the release's folder: the one given, or the only one in it.

    Raises:
        InputError: There is none, or several.
    """
    return release.located(folder, ("train.csv", "valid.csv", "test.csv", "test_labels.csv"), "CheXpert")


@dataclass
class _Counts:
    """What became null or was left out, over all tables."""

    left_out: Counter[str] = field(default_factory=Counter)
    silent: int = 0
    no_age: int = 0
    oldest: int = 0
    no_sex: Counter[str] = field(default_factory=Counter)


def index(folder: Path, *, chosen: Policies | None = None, views: str = "all", console: Console = QUIET) -> Indexed:
    """Return a row for each image of train.csv, valid.csv and test.csv that is there.

    Args:
        folder: The release's folder (`located`). The first part of each Path, which names the release, is taken off,
            whatever this folder is called.
        chosen: What becomes of uncertain and blank labels (`remedis.data.indexers.uncertain.policies`).
        views: frontal, lateral or all.
        console: Where progress is shown.

    Raises:
        ManifestError: A table has another header, or a cell that means nothing; names the line.
        InputError: No table or no image is there.
    """
    counts, chosen = _Counts(), chosen or policies()
    tables, notes = [], []
    for part, names in _TABLES.items():
        path = release.find(folder, names)
        if path is None:
            notes += [f"{names[0]} is not there: no {part} part"] if part != "test" else []
            continue
        tables.append(_rows(path, part, chosen, counts))
    if not tables:
        raise InputError("there is no train.csv, valid.csv or test.csv in it", where=folder)
    table = _of_views(pa.concat_tables(tables), views, counts)
    facts = {"data_set": "chexpert", "left_out": dict(counts.left_out), **chosen.facts}
    said = [f"age: {counted(counts.oldest, 'row says', 'rows say')} 90, which stands for 90 and more"]
    return finish(
        table,
        folder,
        facts,
        notes=[*notes, *_notes(counts)],
        said=said if counts.oldest else [],
        console=console,
    )


def _of_views(table: pa.Table, views: str, counts: _Counts) -> pa.Table:
    if views == "all":
        return table
    kept = [(view == LATERAL) == (views == "lateral") for view in table["view"].to_pylist()]
    if not any(kept):
        raise InputError(f"--views {views}: there is no {views} view among {counted(len(kept), 'row')}")
    if not all(kept):
        counts.left_out["rows by --views"] += len(kept) - sum(kept)
    return table.filter(pa.array(kept))


def _rows(path: Path, part: str, chosen: Policies, counts: _Counts) -> pa.Table:
    details = () if part == "test" else _DETAILS  # the test part was published with paths and labels alone
    found = sheet(path, ["Path", *details, *FINDINGS.values()])
    rows = found.once("Path")
    if len(rows) < len(found):
        counts.left_out[TWICE] += len(found) - len(rows)
    columns = _places(rows)
    columns["split"] = pa.array([part] * len(rows), pa.string())
    columns["view"] = pa.array(_views(rows), pa.string())
    columns |= _people(rows, counts)
    values, silent = labels(rows, chosen)
    counts.silent += silent
    return pa.table(columns | values)


def _places(rows: Sheet) -> dict[str, pa.Array]:
    """Return image, patient and study by the paths."""
    found: dict[str, list[str]] = {"image": [], "patient_id": [], "study_id": []}
    for row, cell in enumerate(rows.cells("Path")):
        path = _without_release(inside(rows, row, cell or ""))
        match = _PATH.fullmatch(path)
        if match is None:
            expected = "CheXpert-v1.0/train/patient00001/study1/view1_frontal.jpg"
            rows.refuse(row, f"Path is {cell!r}, a path such as {expected} was expected")
        found["image"].append(path)
        found["patient_id"].append(match[1])
        found["study_id"].append(f"{match[1]}/{match[2]}")
    return {name: pa.array(values, pa.string()) for name, values in found.items()}


def _without_release(path: str) -> str:
    first, _, rest = path.partition("/")
    return path if first in _PARTS else rest


def _views(rows: Sheet) -> list[str | None]:
    """Return AP, PA, LL, RL, or FRONTAL where the projection is unknown, or LATERAL; by the file's name at need."""
    given = "Frontal/Lateral" in rows.table.column_names
    sides = rows.cells("Frontal/Lateral") if given else [None] * len(rows)
    projections = rows.cells("AP/PA") if "AP/PA" in rows.table.column_names else [None] * len(rows)
    found: list[str | None] = []
    for row, (side, projection, path) in enumerate(zip(sides, projections, rows.cells("Path"), strict=True)):
        match = re.search(r"(frontal|lateral)\.\w+$", path or "", re.I)
        word = (side or (match[1] if match else "")).lower()
        if word not in ("frontal", "lateral", ""):
            rows.refuse(row, f"Frontal/Lateral is {side!r}, Frontal or Lateral was expected")
        found.append(LATERAL if word == "lateral" else projection or ("FRONTAL" if word else None))
    return found


def _people(rows: Sheet, counts: _Counts) -> dict[str, pa.Array]:
    nothing = pa.nulls(len(rows), pa.string())
    has = rows.table.column_names
    sex, unknown = sexes(rows.table["Sex"].combine_chunks() if "Sex" in has else nothing)
    counts.no_sex += unknown
    age, odd = ages(rows.table["Age"].combine_chunks() if "Age" in has else nothing)
    known = [None if value == 0 else value for value in age.to_pylist()]  # 0 stands for a missing age
    counts.no_age += sum(odd.values()) + age.to_pylist().count(0)
    counts.oldest += known.count(OLDEST)
    return {"sex": sex, "age": pa.array(known, pa.float64())}


def _notes(counts: _Counts) -> list[str]:
    notes = []
    if counts.no_sex:
        words = ", ".join(repr(word) for word in counts.no_sex)
        notes.append(f"sex is unknown in {counted(sum(counts.no_sex.values()), 'row')} ({words})")
    if counts.no_age:
        notes.append(f"age is unknown in {counted(counts.no_age, 'row')} (0, which stands for missing, or no age)")
    if counts.silent:
        notes.append(f"{counted(counts.silent, 'row says', 'rows say')} nothing of any finding: all labels are unknown")
    return notes
