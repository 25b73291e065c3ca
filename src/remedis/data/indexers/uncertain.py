"""Labels that a program read from reports: positive, negative, uncertain or blank, and what becomes of the last two.

The policies for uncertain labels are those of Irvin et al., CheXpert, AAAI 2019 (U-Ignore, U-Zeros, U-Ones,
U-MultiClass); U-SelfTrained needs a trained model and is none of a reader's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from remedis.data.indexers.release import Sheet
from remedis.errors import UsageError, nearest

UNCERTAIN = ("ones", "zeros", "ignore", "multiclass")
BLANK = ("negative", "ignore")
FINDINGS = {
    "no_finding": "No Finding",
    "enlarged_cardiomediastinum": "Enlarged Cardiomediastinum",
    "cardiomegaly": "Cardiomegaly",
    "lung_opacity": "Lung Opacity",
    "lung_lesion": "Lung Lesion",
    "edema": "Edema",
    "consolidation": "Consolidation",
    "pneumonia": "Pneumonia",
    "atelectasis": "Atelectasis",
    "pneumothorax": "Pneumothorax",
    "pleural_effusion": "Pleural Effusion",
    "pleural_other": "Pleural Other",
    "fracture": "Fracture",
    "support_devices": "Support Devices",
}
"""Our columns and the tables' names for the 14 findings of CheXpert, in the order of its train.csv."""

_AS = {"ones": 1, "zeros": 0, "ignore": None}


@dataclass(frozen=True)
class Policies:
    """What becomes of uncertain and of blank cells, for each finding.

    Attributes:
        uncertain: Finding to ones, zeros, ignore (null) or multiclass (the classes 0, 1 and uncertain, as text).
        blank: Finding to negative (0) or ignore (null).
    """

    uncertain: Mapping[str, str]
    blank: Mapping[str, str]

    @property
    def facts(self) -> dict[str, dict[str, str]]:
        """What a manifest keeps of them."""
        return {"uncertain": dict(self.uncertain), "blank": dict(self.blank)}


def policies(uncertain: Sequence[str] = (), blank: Sequence[str] = ()) -> Policies:
    """Return the policies that options say.

    Args:
        uncertain: `POLICY` for all findings, or `FINDING=POLICY`, in any mixture; ignore where nothing is said.
        blank: The same; negative where nothing is said. Blank No Finding is ignored unless it is named: a blank there
            says that something else is named, or that the report says nothing.

    Raises:
        UsageError: There is no such policy or finding, or two are given for one.
    """
    of_uncertain = _each("--uncertain", uncertain, UNCERTAIN, "ignore")
    of_blank = _each("--blank", blank, BLANK, "negative")
    if not any(word.startswith("no_finding=") for word in map(_plain, blank)):
        of_blank["no_finding"] = "ignore"
    return Policies(of_uncertain, of_blank)


def _plain(word: str) -> str:
    return word.strip().lower().replace(" ", "_")


def _each(option: str, words: Sequence[str], choices: Sequence[str], default: str) -> dict[str, str]:
    general: list[str] = []
    named: dict[str, str] = {}
    for word in map(_plain, words):
        finding, sign, policy = word.rpartition("=")
        if policy not in choices:
            raise UsageError(f"{option} is {word!r}, {', '.join(choices)} or FINDING=POLICY was expected")
        if not sign:
            general.append(policy)
        elif finding not in FINDINGS:
            raise UsageError(f"{option} {word}: there is no finding {finding!r}, {nearest(finding, FINDINGS)}")
        elif named.setdefault(finding, policy) != policy:
            raise UsageError(f"{option} gives {finding} both {named[finding]} and {policy}, one was expected")
    if len(set(general)) > 1:
        raise UsageError(f"{option} gives all findings both {general[0]} and {general[1]}, one was expected")
    rest = general[0] if general else default
    return {finding: named.get(finding, rest) for finding in FINDINGS}


def labels(rows: Sheet, chosen: Policies, names: Mapping[str, str] = FINDINGS) -> tuple[dict[str, pa.Array], int]:
    """Return the labels of a table's rows, and the number of rows in which every finding is blank.

    Such a row says nothing of any finding, so all its labels are null whatever the policy for blanks.

    Args:
        rows: The table, with the columns that `names` says.
        chosen: The policies.
        names: Our columns, and the table's names for them.

    Returns:
        For each finding int64 0, 1 or null; text 0, 1, uncertain or null where its policy is multiclass.

    Raises:
        ManifestError: A cell is neither 1, 0, -1 nor blank; names the line.
    """
    meant = {name: _meant(rows, column) for name, column in names.items()}
    silent = [all(value == "blank" for value in values) for values in zip(*meant.values(), strict=True)]
    found = {}
    for name, values in meant.items():
        of = _values(chosen.uncertain[name], chosen.blank[name])
        kept = [None if nothing else of[value] for value, nothing in zip(values, silent, strict=True)]
        is_text = chosen.uncertain[name] == "multiclass"
        found[name] = pa.array(kept, pa.string() if is_text else pa.int64())
    return found, sum(silent)


def _values(uncertain: str, blank: str) -> dict[str, int | str | None]:
    """Return the label for each kind of cell."""
    empty = 0 if blank == "negative" else None
    if uncertain == "multiclass":
        return {"1": "1", "0": "0", "-1": "uncertain", "blank": None if empty is None else "0"}
    return {"1": 1, "0": 0, "-1": _AS[uncertain], "blank": empty}


def _meant(rows: Sheet, column: str) -> list[str]:
    """Return for each cell 1, 0, -1 or blank."""
    cells = rows.cells(column)
    meaning = {cell: _kind(cell) for cell in set(cells)}
    if None in meaning.values():
        row = next(row for row, cell in enumerate(cells) if meaning[cell] is None)
        rows.refuse(row, f"{column} is {cells[row]!r}; 1, 0, -1 (uncertain) or nothing was expected")
    return [meaning[cell] or "" for cell in cells]


def _kind(cell: str | None) -> str | None:
    if cell is None:
        return "blank"
    try:
        return {1.0: "1", 0.0: "0", -1.0: "-1"}.get(float(cell))
    except ValueError:
        return None
