"""What the names of CAMELYON's slides and its table of stages say: patient, hospital, part, stage.

Sources: G. Litjens et al., 1399 H&E-stained sentinel lymph node sections of breast cancer patients, GigaScience 7,
giy065, 2018, and the README of each challenge's data.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from remedis.data.indexers.text_table import read_text_table
from remedis.errors import ManifestError, UsageError, nearest

Year = Literal[16, 17]
SLIDE_STAGES = ("negative", "itc", "micro", "macro")
PATIENT_STAGES = ("pN0", "pN0(i+)", "pN1mi", "pN1", "pN2")
FIRST_TEST_PATIENT = 100
"""Of CAMELYON17: patients 000 to 099 are the training part."""

_SLIDES: dict[Year, re.Pattern[str]] = {
    16: re.compile(r"(?<![a-z])(normal|tumor|test)_(\d{3})(?!\d)", re.I),
    17: re.compile(r"(?<![a-z])(patient)_(\d{3})_node_(\d)(?!\d)", re.I),
}
_RANGE = re.compile(r"([A-Za-z]+)_(\d+)-(\d+)=(.+)", re.ASCII)


@dataclass(frozen=True)
class Slide:
    """One slide.

    Attributes:
        name: `tumor_001` or `patient_004_node_4`.
        kind: normal, tumor, test or patient.
        number: The number after it.
        node: Of CAMELYON17, which lymph node.
    """

    name: str
    kind: str
    number: int
    node: int | None = None

    @property
    def patient(self) -> str:
        """The patient's number as written; of CAMELYON16, which names no patients, the slide."""
        return self.name if self.node is None else f"{self.number:03d}"

    @property
    def is_test(self) -> bool:
        """Whether the challenge kept it for the test."""
        return self.kind == "test" or (self.node is not None and self.number >= FIRST_TEST_PATIENT)


def slide_of(path: str, year: Year) -> Slide | None:
    """Return the slide that a tile's path names, the last one where it names several; None where it names none."""
    found = list(_SLIDES[year].finditer(path))
    if not found:
        return None
    match = found[-1]
    node = int(match[3]) if year == 17 else None
    return Slide(match[0].lower(), match[1].lower(), int(match[2]), node)


@dataclass(frozen=True)
class Stages:
    """What the table of stages says.

    Attributes:
        slides: negative, itc, micro or macro by slide.
        patients: pN0 … pN2 by patient's number as text.
        centres: The hospital's number as text, by patient.
    """

    slides: dict[str, str] = field(default_factory=dict)
    patients: dict[str, str] = field(default_factory=dict)
    centres: dict[str, str] = field(default_factory=dict)


def read_stages(path: Path) -> Stages:
    """Return CAMELYON17's table of stages: `patient,stage` and, in newer ones, `center`.

    Its rows are patients (`patient_000.zip`) and their slides (`patient_000_node_0.tif`).

    Raises:
        ManifestError: It is no such table, or contradicts itself.
    """
    table = read_text_table(path)
    for name in ("patient", "stage"):
        if name not in table.column_names:
            raise ManifestError(f"there is no column {name!r}, {nearest(name, table.column_names)}", where=path)
    centres = table["center"].to_pylist() if "center" in table.column_names else [None] * len(table)
    found = Stages()
    for name, stage, centre in zip(table["patient"].to_pylist(), table["stage"].to_pylist(), centres, strict=True):
        match = re.fullmatch(r"(patient_(\d{3}))((?:_node_\d)?)(\.\w+)?", str(name))
        if match is None:
            raise ManifestError(f"{name!r} is neither patient_000.zip nor patient_000_node_0.tif", where=path)
        of_slide = bool(match[3])
        known = SLIDE_STAGES if of_slide else PATIENT_STAGES
        if stage is not None and stage not in known:
            raise ManifestError(f"{name} has the stage {stage!r}, one of {', '.join(known)} was expected", where=path)
        if stage is not None:
            (found.slides if of_slide else found.patients)[match[1] + match[3] if of_slide else match[2]] = stage
        if centre is not None and found.centres.setdefault(match[2], centre) != centre:
            raise ManifestError(f"{match[1]} has the centres {found.centres[match[2]]} and {centre}", where=path)
    return found


def ranges(texts: Sequence[str]) -> dict[tuple[str, int], str]:
    """Return the site of each (kind, number) that `NAME_FIRST-LAST=SITE` names.

    Raises:
        UsageError: A text has another form, or two name one slide.
    """
    found: dict[tuple[str, int], str] = {}
    for text in texts:
        match = _RANGE.fullmatch(text)
        if match is None or int(match[2]) > int(match[3]) or len(match[3]) > 4:
            raise UsageError(f"--site-ranges {text}: NAME_FIRST-LAST=SITE was expected, as in tumor_001-070=radboud")
        for number in range(int(match[2]), int(match[3]) + 1):
            if found.setdefault((match[1].lower(), number), match[4]) != match[4]:
                raise UsageError(f"--site-ranges {text}: {match[1]}_{number:03d} has two sites, one was expected")
    return found
