"""Who is X-rayed: patients of two sites with sex, age, habitus, findings and one or several images."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from remedis.errors import UsageError

FINDINGS = ("nodule", "consolidation", "effusion", "cardiomegaly", "pneumothorax")
SITES = ("site-a", "site-b")
TRAIN_SHARE, VALIDATION_SHARE = 0.6, 0.15
LOWEST_SEVERITY = 0.2  # where the severity is drawn; below it a finding is hardly there


def generator(seed: int, patient: int, part: str, *, image: int | None = None) -> np.random.Generator:
    """Return the random numbers of one part of one patient, or of one of the patient's images."""
    return np.random.default_rng([seed, patient, 0 if image is None else image + 1, zlib.crc32(part.encode())])


@dataclass(frozen=True)
class Patient:
    """A patient who does not exist.

    Attributes:
        seed: The population's.
        number: From 0 on.
        site: `site-a` or `site-b`.
        split: `train`, `validation` or `test`.
        sex: `F` or `M`.
        age: Years, 18 to 89.
        habitus: From -1 (lean) to 1 (obese).
        severities: For each finding from 0 (absent) to 1.
        projections: `PA` or `AP` of each image.
    """

    seed: int
    number: int
    site: str
    split: str
    sex: str
    age: int
    habitus: float
    severities: dict[str, float]
    projections: tuple[str, ...]

    @property
    def patient_id(self) -> str:
        """`SIMULATED-0001` on; the seed stands in it where it is not 0, so that two populations share nobody."""
        population = f"S{self.seed}-" if self.seed else ""
        return f"SIMULATED-{population}{self.number + 1:04}"


@dataclass(frozen=True)
class Exam:
    """One image of a patient: the `number`-th (from 0), each a study of its own."""

    patient: Patient
    number: int

    @property
    def projection(self) -> str:
        """`PA` or `AP`."""
        return self.patient.projections[self.number]

    @property
    def study_id(self) -> str:
        """The patient's id and the number of the study."""
        return f"{self.patient.patient_id}-{self.number + 1}"

    def having(self, **severities: float) -> Exam:
        """Return the same image of the same patient with these severities of findings, and no others."""
        _known(severities)
        for name, severity in severities.items():
            _within(f"the severity of {name}", severity, 0, 1)
        return replace(self, patient=replace(self.patient, severities=dict.fromkeys(FINDINGS, 0.0) | severities))

    def generator(self, part: str) -> np.random.Generator:
        """Return the random numbers of one part of this image."""
        return generator(self.patient.seed, self.patient.number, part, image=self.number)


@dataclass(frozen=True)
class Population:
    """Decides every patient by number.

    Attributes:
        seed: 0 or more.
        sites: 1 or 2; patients are taken in turn.
        findings: Which can occur, of `FINDINGS`.
        prevalence: Share of the patients with each finding, in [0, 1]; findings are drawn independently.
        severity: In [0, 1], of every finding that is there; None draws it from 0.2 to 1.
        views_per_patient: Most images of a patient; 1 up to so many are drawn.

    Raises:
        UsageError: A value is out of its range.
    """

    seed: int = 0
    sites: int = 2
    findings: tuple[str, ...] = FINDINGS
    prevalence: float = 0.3
    severity: float | None = None
    views_per_patient: int = 2

    def __post_init__(self) -> None:
        _within("--seed", self.seed, 0, None)
        _within("--sites", self.sites, 1, len(SITES))
        _within("--prevalence", self.prevalence, 0, 1)
        _within("--severity", 0 if self.severity is None else self.severity, 0, 1)
        _within("--views-per-patient", self.views_per_patient, 1, 20)
        _known(self.findings)

    def patient(self, number: int) -> Patient:
        """Return the patient of that number (from 0)."""
        random = generator(self.seed, number, "patient")
        share, sex = random.random(), "F" if random.random() < 0.48 else "M"
        severities = {name: self._severity(number, name) for name in FINDINGS}
        age = int(np.clip(random.normal(58, 16), 18, 89))
        return Patient(
            seed=self.seed,
            number=number,
            site=SITES[number % self.sites],
            split=_split(share),
            sex=sex,
            age=age,
            habitus=float(np.clip(random.normal(0, 0.4), -1, 1)),
            severities=severities,
            projections=self._projections(number, ill=any(severities.values())),
        )

    def exams(self, number: int) -> Iterator[Exam]:
        """Yield the first `number` images, patient by patient."""
        made, patient_number = 0, 0
        while made < number:
            patient = self.patient(patient_number)
            for image in range(min(len(patient.projections), number - made)):
                yield Exam(patient, image)
                made += 1
            patient_number += 1

    def _severity(self, number: int, finding: str) -> float:
        random = generator(self.seed, number, f"severity of {finding}")
        present, drawn = random.random() < self.prevalence, random.uniform(LOWEST_SEVERITY, 1)
        if finding not in self.findings or not present:
            return 0.0
        return round(drawn, 3) if self.severity is None else float(self.severity)

    def _projections(self, number: int, *, ill: bool) -> tuple[str, ...]:
        """Bedside pictures (AP) are taken of the ill rather than of the well, as everywhere."""
        random = generator(self.seed, number, "projections")
        count = int(random.integers(1, self.views_per_patient + 1))
        bedside = random.random(count) < (0.4 if ill else 0.2)
        return tuple("AP" if each else "PA" for each in bedside)


def _split(share: float) -> str:
    if share < TRAIN_SHARE:
        return "train"
    return "validation" if share < TRAIN_SHARE + VALIDATION_SHARE else "test"


def _known(findings: Iterable[str]) -> None:
    for name in findings:
        if name not in FINDINGS:
            raise UsageError(f"--findings: there is no finding {name!r}; known: {', '.join(FINDINGS)}")


def _within(option: str, value: float, low: float, high: float | None) -> None:
    if not low <= value or (high is not None and value > high):
        expected = f"{low} to {high}" if high is not None else f"{low} or more"
        raise UsageError(f"{option} is {value}, {expected} was expected")
