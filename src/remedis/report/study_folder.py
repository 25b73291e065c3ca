"""What `remedis study` left in a folder, opened: what was asked, its tables, what an audit found, who was left out."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remedis.data.files import read_json
from remedis.errors import InputError

FACTS, AUDIT, FLOW = "study.json", "audit.json", "flow.json"
VERB = "study"
TABLES = (
    "curves", "matches", "differences", "results", "subgroups", "operating_points", "calibration", "shift",
)  # fmt: skip
IN, OUT, ADAPTED = SCENARIOS = ("in_distribution", "out_of_distribution", "adapted")
_WORDS = frozenset(
    {
        "scenario", "dataset", "train_dataset", "label", "method", "encoder", "baseline", "class", "metric", "subgroup",
        "column", "kind", "group", "against", "skipped", "rule", "chosen_on", "scores", "of",
    }
)  # fmt: skip
_QUESTION = ("scenario", "dataset", "train_dataset", "label", "method", "encoder", "fraction")
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "curves": (*_QUESTION, "draws", "labelled_images", "labelled_patients", "auroc", "low", "high", "n", "n_patients"),
    "matches": (*_QUESTION, "baseline", "line", "line_low", "line_high", "low", "high", "reached", "at_most"),
    "differences": (*_QUESTION, "baseline", "difference", "low", "high", "non_inferior", "p", "p_holm", "p_delong"),
}
_IN_JOB = (
    "data_sets", "other_sites", "encoders", "baseline", "labels", "methods", "label_fractions", "target_fractions",
    "draws", "scenarios", "repeat_splits", "seed", "bootstrap",
)  # fmt: skip

Plain = dict[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True)
class StudyFolder:
    """An opened study.

    Attributes:
        path: The folder.
        facts: What `study.json` says.
        audit: Data set to what an audit of it found.
        flow: Data set to who is in it and who was left out; empty where the folder does not say.
        tables: Name to rows; empty where there is no such table.
    """

    path: Path
    facts: Mapping[str, Any]
    audit: Mapping[str, Sequence[Plain]]
    flow: Mapping[str, Plain]
    tables: Mapping[str, list[Row]]

    @property
    def job(self) -> Mapping[str, Any]:
        """What decided the result."""
        job: Mapping[str, Any] = self.facts["job"]
        return job

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of the newest start."""
        options: Mapping[str, Any] = self.facts.get("options") or {}
        return options

    @property
    def baseline(self) -> str:
        """The encoder that the others are compared with."""
        return str(self.job["baseline"])

    @property
    def others(self) -> list[str]:
        """The encoders that are compared with it, in the order they were named."""
        return [name for name in self.job["encoders"] if name != self.baseline]

    @property
    def repeats(self) -> int:
        """How often the whole was done, each time with other parts."""
        return int(self.job["repeat_splits"])

    @property
    def external(self) -> list[str]:
        """The encoders whose embeddings were read from files."""
        named = [str(pair).partition("=")[0] for pair in self.options.get("external") or ()]
        return [name for name in self.job["encoders"] if name in named]

    @property
    def present(self) -> dict[str, list[str]]:
        """Each encoder that has rows, in the order they were named, to its methods."""
        found: dict[str, list[str]] = {name: [] for name in self.job["encoders"]}
        for row in self.tables["curves"]:
            if row["method"] not in found.setdefault(row["encoder"], []):
                found[row["encoder"]].append(row["method"])
        return {name: methods for name, methods in found.items() if methods}

    def units(self, data_set: str) -> str:
        """Return what is drawn and resampled as a whole: `patients`, or `images` where no patient is known."""
        return "images" if self.flow.get(data_set, {}).get("units") == "images" else "patients"

    @property
    def unit(self) -> str:
        """The same of all data sets, one of it: `image` where none of them knows a patient, else `patient`."""
        return "image" if {self.units(each) for each in self.job["data_sets"]} == {"images"} else "patient"


def is_study(folder: Path) -> bool:
    """Return whether a folder is one that `remedis study` works in."""
    try:
        facts = read_json(folder / FACTS) if (folder / FACTS).is_file() else None
    except InputError:
        return False
    return isinstance(facts, dict) and facts.get("verb") == VERB


def open_study(folder: Path) -> StudyFolder:
    """Return the study of a folder.

    Raises:
        InputError: The study is not finished, or a file of it is damaged.
    """
    facts = read_json(folder / FACTS)
    job = facts.get("job") if isinstance(facts, dict) else None
    lacking = [name for name in _IN_JOB if not isinstance(job, dict) or name not in job]
    if lacking:
        raise InputError(f"'job' with {lacking[0]!r} was expected; run remedis study again", where=folder / FACTS)
    if not (folder / "curves.csv").is_file():
        raise InputError(
            "the study is not finished, it has no curves.csv; the same remedis study command goes on with it",
            where=folder,
        )
    audit, flow = (read_json(folder / name) if (folder / name).is_file() else {} for name in (AUDIT, FLOW))
    return StudyFolder(folder, facts, audit, flow, {name: _table(folder / f"{name}.csv") for name in TABLES})


def _table(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        lacking = [name for name in _NEEDED.get(path.stem, ()) if name not in (reader.fieldnames or ())]
        if lacking:
            raise InputError(f"there is no column {lacking[0]!r}; run remedis study again", where=path)
        try:
            return [{name: _value(name, text) for name, text in row.items()} for row in reader]
        except ValueError as error:
            raise InputError(f"a number was expected ({error}); run remedis study again", where=path) from error


def _value(name: str, text: str | None) -> Any:
    """Return a cell's value: words as they are, None for an empty number, truth values, else a number."""
    if name in _WORDS:
        return text or ""
    if not text:
        return None
    if text in ("True", "False"):
        return text == "True"
    number = float(text)
    return int(text) if text.lstrip("-").isdigit() else number
