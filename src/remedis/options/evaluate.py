"""Options of `remedis evaluate`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Say how good predictions are, at thresholds chosen before the test, with intervals that draw whole patients.

    Thresholds and temperatures come from validation rows, figures from test rows (else from rows not seen).

    example: remedis evaluate pred.parquet --out evaluation
    """

    predictions: Path = field(metadata={"positional": True})
    """Predictions (.parquet) that remedis predict or remedis probe wrote, with the label columns."""

    out: Path
    """Folder to write: results.csv, a table for each question, the page evaluation.html, evaluation.json."""

    label: tuple[str, ...] = ()
    """Labels, comma-separated; all that have scores without it."""

    at: tuple[str, ...] = ()
    """Operating points: sensitivity=0.9, specificity=0.95, youden; youden,specificity=0.95 without it."""

    prevalence: tuple[float, ...] = ()
    """Where PPV and NPV are wanted besides these rows' own prevalence; 0.01,0.05,0.1,0.2 without it."""

    ood: Path | None = None
    """Predictions of another site by the same model; thresholds and temperatures are carried over."""

    compare: Path | None = None
    """Predictions of another model on the same rows."""

    per: Literal["image", "study", "patient"] = "image"
    """What one tested row is: image, study or patient."""

    aggregate: Literal["mean", "max"] = "mean"
    """How the scores of one study or patient are put together: mean or max."""

    subgroups: tuple[str, ...] = ()
    """Columns to group by; those of sex,age,site,view that are there without it."""

    where: tuple[str, ...] = field(default=(), metadata={"comma": False, "metavar": "COLUMN=VALUE"})
    """Keep rows of the predictions (not of --ood) with COLUMN=VALUE or COLUMN!=VALUE; repeat it, all must hold."""

    seed: int = 0
    """Decides bootstrap draws and permutations."""

    positive: str | None = field(default=None, metadata={"rare": True})
    """The class that the score is the probability of, where the file does not say; else the one that sorts last."""

    cluster: str | None = field(default=None, metadata={"rare": True})
    """Column whose values are drawn as a whole, instead of patients."""

    age_bands: tuple[int, ...] = field(default=(), metadata={"rare": True})
    """Ages in years where groups begin; 0,18,40,60,80 without it."""

    draws: int | None = field(default=None, metadata={"rare": True})
    """Bootstrap draws, and rounds of the permutation test; 2000 without it."""
