"""What the audit of a study's data sets found, without the rows that it names, and what trivial features reach."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from remedis.report.naming import path_shown
from remedis.report.study_folder import StudyFolder
from remedis.report.study_names import Names

Plain = dict[str, Any]
_SHORTCUT = re.compile(
    r"(?P<label>.*): (?P<words>.*?) alone reach(?:es)? AUROC (?P<value>\d\.\d+) "
    r"\((?P<low>\d\.\d+) to (?P<high>\d\.\d+), (?P<units>[\d,]+ [^)]+)\)(?P<rest>.*); compare every figure with that",
    re.DOTALL,
)
_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?[/\\][^\s,;:()]*")


@dataclass(frozen=True)
class Lone:
    """What a trivial feature reaches on its own.

    Attributes:
        data_set: As typed.
        label: The label's column.
        words: What the feature is: `image size and aspect`.
        value: AUROC, with two digits as the audit writes it.
        low: Lower limit.
        high: Upper limit.
        units: How many patients it stands on, in words.
        own: What else is said of it: that a disease can change it too.
    """

    data_set: str
    label: str
    words: str
    value: float
    low: float
    high: float
    units: str
    own: str


def shortcuts(study: StudyFolder) -> list[Lone]:
    """Return what trivial features reach alone, the highest AUROC first."""
    found = []
    for data_set, findings in study.audit.items():
        for each in findings:
            read = _SHORTCUT.fullmatch(str(each.get("message", ""))) if each.get("kind") == "shortcut" else None
            if read:
                value, low, high = (float(read[name]) for name in ("value", "low", "high"))
                own = read["rest"].strip(", ")
                found.append(Lone(data_set, read["label"], read["words"], value, low, high, read["units"], own))
    return sorted(found, key=lambda lone: -lone.value)


def highest(found: list[Lone], data_set: str, label: str) -> Lone | None:
    """Return the trivial feature that tells a label of a data set best; None where none is a shortcut."""
    return next((lone for lone in found if (lone.data_set, lone.label) == (data_set, label)), None)


def lone_words(lone: Lone, *, own: bool = False) -> str:
    """Return `image size and aspect alone reach`, with the number that the verb needs.

    Args:
        lone: The feature.
        own: Whether what else is said of it follows its name: `brightness alone, which a disease can change too,`.
    """
    said = f", {lone.own}," if own and lone.own else ""
    return f"{lone.words} alone{said} reach{'' if ' and ' in lone.words else 'es'}"


def findings(study: StudyFolder, names: Names) -> list[Plain]:
    """Return each data set's findings, errors first; files and patients that a finding names are left out."""
    return [
        {
            "data_set": names.data_set(data_set),
            "lines": [
                {
                    "kind": each["kind"],
                    "severity": each["severity"],
                    "count": each["count"],
                    "words": without_paths(each["message"], names),
                }
                for each in sorted(found, key=lambda each: str(each["severity"]))
            ],
        }
        for data_set, found in study.audit.items()
    ]


def without_paths(message: str, names: Names) -> str:
    """Return a message with the last part of each path alone."""
    return message if names.whole else _PATH.sub(lambda found: path_shown(found[0], names=False), message)
