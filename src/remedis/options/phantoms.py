"""Options of `remedis phantoms`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Phantoms:
    """Make simulated chest radiographs with known findings: no patient was ever in front of a detector.

    Writes images, labels.csv, manifest.parquet and a README.md. The same seed gives the same pictures.

    example: remedis phantoms --out phantoms --number 200 --findings effusion,nodule
    """

    out: Path
    """Folder to write; one that this very command began goes on."""

    number: int = 200
    """Images."""

    size: int = 256
    """Side of an image in pixels."""

    seed: int = 0
    """Decides every patient and picture."""

    sites: int = 2
    """Hospitals, 1 or 2, that differ in exposure, scatter, noise and markers."""

    findings: tuple[str, ...] = ()
    """Of nodule, consolidation, effusion, cardiomegaly, pneumothorax; all five without it."""

    prevalence: float = 0.3
    """Share of the patients with each finding."""

    severity: float | None = None
    """Of every finding that is there, 0 to 1; drawn from 0.2 to 1 without it."""

    views_per_patient: int = 2
    """Most images of a patient."""

    format: Literal["png", "dicom"] = "png"
    """PNG of 8 bits, or DICOM of 12 bits."""
