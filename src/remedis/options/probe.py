"""Options of `remedis probe` and `remedis predict`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from remedis.options.shared import RowOptions


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Learn a label from embeddings and report how well, with intervals.

    With a split column: fit on train, choose on validation, report test. Without: nested folds by patient.

    example: remedis probe emb --label pneumonia --out probe
    """

    embeddings: Path = field(metadata={"positional": True})
    """Folder that remedis embed wrote."""

    label: tuple[str, ...]
    """Label columns, comma-separated; each has two classes or more, empty cells are left out."""

    out: Path
    """Folder to write: results.csv, predictions, and the fitted probe."""

    test: Path | None = None
    """Other embeddings; the figures are of all their rows."""

    cluster: str | None = None
    """Column whose values are kept whole, instead of patients, in folds and in the bootstrap."""

    positive: str | None = None
    """Class that the score is the probability of, where there are two; else the one that sorts last."""

    exclude_class: tuple[str, ...] = ()
    """Leave out rows of these classes."""

    where: tuple[str, ...] = field(default=(), metadata={"comma": False, "metavar": "COLUMN=VALUE"})
    """Keep rows with COLUMN=VALUE or COLUMN!=VALUE; repeat it, all must hold."""

    methods: tuple[str, ...] = ()
    """logistic,knn (the default), or logistic alone."""

    seed: int = 0
    """Decides folds and bootstrap draws."""

    draws: int | None = field(default=None, metadata={"rare": True})
    """Bootstrap draws; 2000 without it."""

    folds: int | None = field(default=None, metadata={"rare": True})
    """Folds where there is no split column, and inside the training part; 5 without it."""

    k: int | None = field(default=None, metadata={"rare": True})
    """Neighbours that vote; 20 without it."""


@dataclass(frozen=True, kw_only=True)
class Predict(RowOptions):
    """Score images with a fitted probe or a fine-tuned model.

    For a probe they are embedded as its own were, with the encoder that it names; a fine-tuned model takes them itself.

    example: remedis predict new.parquet --model ft --out pred.parquet
    """

    new: Path = field(metadata={"positional": True})
    """Embeddings, or anything that remedis embed takes."""

    model: Path
    """Folder that remedis probe or remedis finetune wrote."""

    out: Path
    """Predictions (.parquet) to write; a file that is there is replaced."""

    encoder: str | None = None
    """Where the probe's encoder lies now, if not where it was; its weights are checked."""

    workers: int | None = None
    """Processes that read and decode; one less than the processors without it."""

    device: str | None = None
    """cpu, cuda or cuda:N; the first GPU where there is one, else the processor."""

    random_weights: bool = field(default=False, metadata={"rare": True})
    """Let an encoder without weights start from random ones."""

    allow_rejected: int = 0
    """So many unreadable images are left out without exit status 1."""
