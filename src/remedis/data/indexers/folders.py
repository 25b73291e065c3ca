"""What the names of folders say of the images in them: the class, the split."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from remedis.data.indexers.words import counted
from remedis.data.splits import part_of

MANY = 20
"""More folders than this are classes only where they hold many files each and their names are no numbers."""

FEW = 10
"""Files a folder: fewer than this, in many folders, and each is a patient or a study rather than a class."""

_PERSON = re.compile(r"(patient|pat|subject|subj|sub|case|participant|person|study|p)[-_ ]?\d{2,}[a-z]?", re.I)
_PERSON_WORD = re.compile(r"(patient|subject|participant|person|study)[-_ ]?\d+", re.I)


@dataclass(frozen=True)
class FolderNames:
    """What folders say.

    Attributes:
        labels: For each file the name of its class folder; None where there are not two or more of them.
        splits: For each file train, validation, test or nothing; None where no two parts are named.
        notes: What a person should know of the choice.
    """

    labels: list[str | None] | None
    splits: list[str | None] | None
    notes: tuple[str, ...] = ()


def read_folders(names: list[str]) -> FolderNames:
    """Return what the folders in the paths `names` (relative, forward slashes) say.

    A folder called train, val, test and the like is the split, at whatever depth. The first depth below at which there
    are two or more names is the class, unless these look like one folder a patient.
    """
    notes = []
    folders = [name.split("/")[:-1] for name in names]
    parts = [next((part for part in map(part_of, path) if part), None) for path in folders]
    splits = parts if len(set(parts) - {None}) > 1 else None
    if splits is None and set(parts) - {None}:
        notes.append(f"all folders with the name of a part are {next(filter(None, parts))}: no split was made of it")
    rest = [[each for each in path if part_of(each) is None] for path in folders]
    labels, why_not = _classes(rest)
    if why_not:
        notes.append(why_not)
    if labels and None in labels:
        notes.append(
            f"{counted(labels.count(None), 'image lies', 'images lie')} in no class folder: the label is unknown"
        )
    return FolderNames(labels, splits, tuple(notes))


def _classes(folders: list[list[str]]) -> tuple[list[str | None] | None, str]:
    """Return each file's class, or None and the reason."""
    for depth in range(max(map(len, folders), default=0)):
        at_depth = [path[depth] if depth < len(path) else None for path in folders]
        counts = Counter(name for name in at_depth if name is not None)
        if len(counts) < 2:
            continue
        if _are_people(counts):
            example = min(counts)
            return (
                None,
                f"{len(counts):,} folders such as {example!r} look like one a patient: no label was made of them",
            )
        return at_depth, ""
    return None, ""


def _are_people(counts: Counter[str]) -> bool:
    if all(_PERSON.fullmatch(name) or _PERSON_WORD.fullmatch(name) for name in counts):
        return True
    if len(counts) <= MANY:
        return False
    alike = len({re.sub(r"\d+", "#", name) for name in counts}) == 1
    return alike or sum(counts.values()) / len(counts) < FEW
