"""Options of `remedis study`; a small TOML file may hold them too, under the same names."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

_RARE = {"rare": True}


@dataclass(frozen=True, kw_only=True)
class StudyQuestion:
    """What is asked of which images and encoders."""

    manifest: tuple[Path, ...] = ()
    """Manifests in distribution, comma-separated: learnt from, and tested on their test part."""

    ood: tuple[Path, ...] = ()
    """Manifests of other sites: tested on without any label of theirs, and adapted to with some."""

    encoders: tuple[str, ...] = ()
    """Checkpoints' folders or names, networks' names (random weights) or timm:NAME, comma-separated."""

    external: tuple[str, ...] = field(default=(), metadata={"metavar": "NAME=FILE"})
    """Embeddings made elsewhere as one more encoder: a .parquet, .npz or .h5 with an image column; probes only."""

    baseline: str | None = None
    """Encoder that the others are compared with; the first one without it."""

    label: tuple[str, ...] = ()
    """Label columns, comma-separated; each is a question of its own."""

    exclude_class: tuple[str, ...] = field(default=(), metadata=_RARE)
    """Leave out rows of these classes."""

    positive: str | None = field(default=None, metadata=_RARE)
    """Class that the score is the probability of, where there are two; else the one that sorts last."""

    methods: tuple[Literal["probe", "finetune"], ...] = ()
    """probe (without it), finetune or both."""

    label_fractions: tuple[float, ...] = ()
    """Shares of the training part's patients whose labels are used, 1 always among them; 0.01,0.05,0.1,0.25,0.5,1."""

    target_fractions: tuple[float, ...] = ()
    """The same of the other site's training part, for the scenario adapted; as --label-fractions without it."""

    draws: int | None = None
    """Random choices of the labels for each fraction below 1; 10."""

    scenarios: tuple[Literal["in_distribution", "out_of_distribution", "adapted"], ...] = ()
    """Questions to ask; all that the manifests allow without it."""

    repeat_splits: int | None = field(default=None, metadata=_RARE)
    """Repeat the whole so often, each time with other parts drawn from all rows; 1."""


@dataclass(frozen=True, kw_only=True)
class StudyTuning:
    """How fine-tuning goes in a study; see remedis finetune."""

    recipe: Literal["chexpert", "camelyon", "bit-hyperrule"] | None = None
    """Named settings of fine-tuning."""

    image_size: int | None = None
    """Side of the square in pixels, for embeddings and fine-tuning; each encoder's own without it."""

    train_steps: int | None = None
    """Steps of each fine-tuning."""

    train_epochs: int | None = field(default=None, metadata=_RARE)
    """Epochs of each fine-tuning, instead of steps."""

    train_batch_size: int | None = field(default=None, metadata=_RARE)
    """Images a step; 64."""

    learning_rate: float | None = field(default=None, metadata=_RARE)
    """For a batch of 256; 0.1."""

    weight_decay: float | None = field(default=None, metadata=_RARE)
    """0."""

    optimizer: str | None = field(default=None, metadata=_RARE)
    """momentum, sgd, lars, adam or adamw; momentum."""

    learning_rate_scaling: str | None = field(default=None, metadata=_RARE)
    """linear, sqrt or none."""

    warmup_share: float | None = field(default=None, metadata=_RARE)
    """Share of the steps in which the rate rises; 0."""

    fine_tune_after_block: int | None = field(default=None, metadata=_RARE)
    """-1 trains all, 4 the head alone."""

    crop_area: float | None = field(default=None, metadata=_RARE)
    """Least share of an image that a training view shows; 0.08."""

    flip: bool | None = field(default=None, metadata=_RARE)
    """Mirror half of the views."""


@dataclass(frozen=True, kw_only=True)
class Study(StudyTuning, StudyQuestion):
    """How few labels are enough, here and at another hospital? The study of the REMEDIS article on your own images.

    The plan and what it will cost are shown first. Killed at any instant, the same command goes on; under torchrun,
    on one machine or several, the processes share the work.

    example: remedis study --manifest cxr.parquet --ood nih.parquet --encoders a,b --label pneumonia --out study
    """

    file: Path | None = field(default=None, metadata={"positional": True})
    """Small TOML file with options of this verb under their names; the command line beats it."""

    out: Path
    """Folder of the study: results.csv, results.parquet, study.html, and all that they are made from."""

    plan_only: bool = False
    """Show the plan and end."""

    seed: int | None = None
    """Decides parts, draws, heads and bootstrap; 0."""

    bootstrap: int | None = field(default=None, metadata=_RARE)
    """Draws of every interval; 1000."""

    precision: str | None = field(default=None, metadata=_RARE)
    """bf16 or fp32 of fine-tuning; bf16 on GPUs that have it and processors with AMX. Embeddings are float32."""

    keep_models: bool | None = field(default=None, metadata=_RARE)
    """Keep every fine-tuned model; only their scores stay without it."""

    workers: int | None = field(default=None, metadata=_RARE)
    """Processes that read and decode; one less than the processors without it."""

    device: str | None = None
    """cpu, cuda or cuda:N; the first GPU where there is one, and under torchrun each process its own."""
