"""VinDr-CXR (Nguyen et al., Scientific Data 9:429, 2022), from PhysioNet or Kaggle, as the rows of a manifest.

Three readers looked at each image of the training part: their votes become one label, and the votes are kept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data.indexers import release
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.release import TWICE, Sheet, finish, folders_of, sheet, snake
from remedis.data.indexers.words import counted
from remedis.errors import InputError, ManifestError, nearest

VOTES = ("majority", "any", "all")
_TRAIN = ("annotations/image_labels_train.csv", "image_labels_train.csv")
_TEST = ("annotations/image_labels_test.csv", "image_labels_test.csv")
_KAGGLE = ("train.csv",)
CLASSES = (
    "Aortic enlargement", "Atelectasis", "Calcification", "Cardiomegaly", "Consolidation", "ILD", "Infiltration",
    "Lung Opacity", "Nodule/Mass", "Other lesion", "Pleural effusion", "Pleural thickening", "Pneumothorax",
    "Pulmonary fibrosis", "No finding",
)  # fmt: skip
"""Kaggle's classes in the order of their class_id."""

NO_FINDING = "no_finding"
_OPPOSITE = {"any": "all", "all": "any"}
"""What any reader saw is there, so that nothing is found only where all say so; and the other way round."""

_ALIAS = {"other_disease": "other_diseases"}  # the two tables of one release differ
_ENDINGS = (".dicom", ".dcm", ".png", ".jpg", ".jpeg")


@dataclass
class _Votes:
    """What the readers of one part say.

    Attributes:
        part: train or test.
        readers: Image to the readers who looked at it; empty for a consensus.
        yes: Finding to image to the number of readers who saw it.
        said: Finding to image to the number of readers who said anything of it.
        left_out: Reason and number of rows.
    """

    part: str
    readers: dict[str, set[str]] = field(default_factory=dict)
    yes: dict[str, Counter[str]] = field(default_factory=dict)
    said: dict[str, Counter[str]] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)


def located(folder: Path) -> Path:
    """Return the release's folder: the one given, or the only one in it.

    Raises:
        InputError: There is none, or several.
    """
    return release.located(folder, (*_TRAIN, *_TEST, *_KAGGLE), "VinDr-CXR")


def index(folder: Path, *, vote: str = "majority", console: Console = QUIET) -> Indexed:
    """Return a row for each labelled image that is there.

    Args:
        folder: The release's folder (`located`), with `train` and `test`.
        vote: majority (more than half of the readers; null where they are even), any or all.
        console: Where progress is shown.

    Raises:
        ManifestError: A table has another header, or a cell that means nothing; names the line.
        InputError: No table or no image is there.
    """
    found: list[_Votes] = []
    notes: list[str] = []
    for part, names in (("train", _TRAIN), ("test", _TEST)):
        path = release.find(folder, names)
        if path is not None:
            found.append(_of_readers(path, part))
            _refuse_other_findings(path, found)
    kaggle = release.find(folder, _KAGGLE)
    if not found and kaggle is not None:
        found.append(_of_boxes(kaggle))
        notes.append(f"{kaggle.name} is Kaggle's: 14 findings, and no labels for the images of test")
    if not found:
        raise InputError("there is no image_labels_train.csv, image_labels_test.csv or train.csv in it", where=folder)
    lacking = {"train", "test"} - {each.part for each in found}
    if kaggle is None or found[0].part != "train" or len(found) > 1:
        notes += [f"{names[-1]} is not there, its images are left out"
                  for part, names in (("train", _TRAIN), ("test", _TEST)) if part in lacking]  # fmt: skip
    missing = [each.part for each in found if not (folder / each.part).is_dir()]
    if missing:
        notes.append(f"the folder {' and '.join(missing)} is not there")
    table = pa.concat_tables([_rows(folder, each, vote, notes) for each in found], promote_options="default")
    left_out = sum((each.left_out for each in found), Counter())
    facts = {"data_set": "vindr-cxr", "left_out": dict(left_out), "vote": vote}
    return finish(_ordered(table), folder, facts, notes=notes, console=console)


def _of_readers(path: Path, part: str) -> _Votes:
    """Return the votes of PhysioNet's tables: a row for each image and reader, or for each image by consensus."""
    raw = sheet(path, ["image_id", "No finding"])
    reader = next((name for name in raw.table.column_names if re.fullmatch(r"rad_?id", name, re.I)), None)
    if reader is None and part == "train":
        raise ManifestError("there is no column 'rad_id', the reader of a row was expected", where=path)
    rows = raw.once("image_id", *([reader] if reader else []))
    votes = _Votes(part)
    if len(rows) < len(raw):
        votes.left_out[TWICE] += len(raw) - len(rows)
    images = rows.names("image_id")
    for image, who in zip(images, rows.cells(reader) if reader else [None] * len(rows), strict=True):
        votes.readers.setdefault(image, set()).update([who] if who else [])
    for column in rows.table.column_names:
        if column not in ("image_id", reader):
            _count(votes, _column(column), images, _answers(rows, column))
    return votes


def _refuse_other_findings(path: Path, found: Sequence[_Votes]) -> None:
    """Refuse a table without a finding that the other one has: its images would silently be unknown.

    Raises:
        ManifestError: Names the columns.
    """
    if len(found) < 2:
        return
    first, second = (set(each.yes) for each in found[:2])
    if lacking := sorted(first ^ second):
        where = "it" if set(lacking) <= first else found[0].part
        raise ManifestError(
            f"the tables of {found[0].part} and {found[1].part} have not the same findings: {', '.join(lacking)} "
            f"{'is' if len(lacking) == 1 else 'are'} missing in {where}; get the tables of one release",
            where=path,
        )


def _column(name: str) -> str:
    return _ALIAS.get(snake(name), snake(name))


def _answers(rows: Sheet, column: str) -> list[int | None]:
    """Return 1, 0 or, where a cell is empty, None."""
    meaning = {"1": 1, "1.0": 1, "0": 0, "0.0": 0, None: None}
    cells = rows.cells(column)
    for row, cell in enumerate(cells):
        if cell not in meaning:
            rows.refuse(row, f"{column} is {cell!r}, 0 or 1 was expected")
    return [meaning[cell] for cell in cells]


def _count(votes: _Votes, finding: str, images: Sequence[str], answers: Sequence[int | None]) -> None:
    yes, said = votes.yes.setdefault(finding, Counter()), votes.said.setdefault(finding, Counter())
    for image, answer in zip(images, answers, strict=True):
        if answer is not None:
            said[image] += 1
            yes[image] += answer


def _of_boxes(path: Path) -> _Votes:
    """Return the votes of Kaggle's table: a row for each box; a reader who saw nothing has a row No finding."""
    rows = sheet(path, ["image_id", "class_name", "class_id", "rad_id"])
    seen: set[tuple[str, str, str]] = set()
    votes = _Votes("train")
    cells = zip(rows.names("image_id"), rows.cells("class_name"), rows.names("rad_id"), strict=True)
    for row, (image, finding, who) in enumerate(cells):
        if finding not in CLASSES:
            rows.refuse(row, f"class_name is {finding!r}; {nearest(str(finding), CLASSES)}")
        votes.readers.setdefault(image, set()).add(who)
        seen.add((image, finding, who))
    for finding in CLASSES:
        votes.yes[snake(finding)] = Counter(image for image, name, _ in seen if name == finding)
        votes.said[snake(finding)] = Counter({image: len(who) for image, who in votes.readers.items()})
    return votes


def _rows(folder: Path, votes: _Votes, vote: str, notes: list[str]) -> pa.Table:
    images = list(votes.readers)
    columns = {
        "image": pa.array(_paths(folder, votes.part, images), pa.string()),
        "split": pa.array([votes.part] * len(images), pa.string()),
    }
    is_vote = any(votes.readers.values())
    if is_vote:
        columns["readers"] = pa.array([len(votes.readers[image]) for image in images], pa.int64())
    even = 0
    for finding, yes in votes.yes.items():
        said = votes.said[finding]
        rule = _OPPOSITE.get(vote, vote) if finding == NO_FINDING else vote
        labels = [_label(yes[image], said[image], rule) for image in images]
        even += sum(label is None and said[image] > 0 for image, label in zip(images, labels, strict=True))
        columns[finding] = pa.array(labels, pa.int64())
        if is_vote:
            counts = [yes[image] if said[image] else None for image in images]
            columns[f"{finding}_votes"] = pa.array(counts, pa.int64())
    if even:
        notes.append(f"{counted(even, 'label is', 'labels are')} unknown: as many readers said yes as no")
    return pa.table(columns)


def _label(yes: int, said: int, vote: str) -> int | None:
    if not said:
        return None
    if vote == "majority":
        return None if 2 * yes == said else int(2 * yes > said)
    return int(yes == said if vote == "all" else yes > 0)


def _paths(folder: Path, part: str, images: Sequence[str]) -> list[str]:
    """Return each image's file, DICOM or what somebody made of it; DICOM where it is not there."""
    held = folders_of(folder, [f"{part}/"])[part]
    ending = {image: next((end for end in _ENDINGS if image + end in held), _ENDINGS[0]) for image in images}
    return [f"{part}/{image}{ending[image]}" for image in images]


def _ordered(table: pa.Table) -> pa.Table:
    """Return the columns with the labels before the readers' votes."""
    later = [name for name in table.column_names if name == "readers" or name.endswith("_votes")]
    return table.select([name for name in table.column_names if name not in later] + later)
