"""Options of `remedis finetune`. What is not given is None: the recipe fills it in, then the default."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from remedis.options.shared import RowOptions, RunOptions

_RARE = {"rare": True}


@dataclass(frozen=True, kw_only=True)
class LabelOptions:
    """What is learnt, and from how much of it."""

    label: tuple[str, ...]
    """Label columns, comma-separated; each has two classes or more, and a row without one is learnt from the others."""

    label_fraction: float = 1.0
    """Share of the training part's patients whose labels are used; a smaller share lies within a larger one."""

    draw: int = field(default=0, metadata=_RARE)
    """Which random choice of them."""

    positive: str | None = field(default=None, metadata=_RARE)
    """Class that the score is the probability of, where there are two; else the one that sorts last."""

    exclude_class: tuple[str, ...] = field(default=(), metadata=_RARE)
    """Leave out rows of these classes."""

    aside: tuple[str, ...] = field(default=(), metadata=_RARE)
    """Classes that are learnt and not scored: a score is among the others; the recipe chexpert has uncertain."""

    class_weights: str | None = None
    """none, or balanced: each class weighs as much as the others in sum."""


@dataclass(frozen=True, kw_only=True)
class FineTuneOptions:
    """How a network is fine-tuned."""

    recipe: Literal["chexpert", "camelyon", "bit-hyperrule"] | None = None
    """Named settings with reasons."""

    image_size: int | None = None
    """Side of the square in pixels; the encoder's own without it."""

    fine_tune_after_block: int | None = None
    """-1 trains all, 0 freezes the stem, 1 to 3 also so many stages, 4 all but the head; -1."""

    train_epochs: int | None = None
    """Times that each image is seen; 30."""

    train_steps: int | None = None
    """Steps instead of epochs."""

    train_batch_size: int | None = None
    """Images a step, over all processes; 64."""

    learning_rate: tuple[float, ...] = ()
    """For a batch of 256; 0.1. Several, comma-separated, make a grid, of which validation chooses."""

    weight_decay: tuple[float, ...] = ()
    """0. Several make a grid."""

    optimizer: str | None = None
    """momentum (Nesterov's), sgd (plain momentum), lars, adam or adamw; momentum."""

    patience: int | None = None
    """Evaluations without improvement on validation that end the run; 10, and 0 never ends it early."""

    learning_rate_scaling: str | None = field(default=None, metadata=_RARE)
    """linear (times batch / 256), sqrt (times the root of the batch) or none."""

    schedule: str | None = field(default=None, metadata=_RARE)
    """cosine, or steps: falls to a tenth at 30, 60 and 90 % of the run."""

    warmup_share: float | None = field(default=None, metadata=_RARE)
    """Share of the steps in which the rate rises; 0."""

    momentum: float | None = field(default=None, metadata=_RARE)
    """Of lars, momentum and sgd; 0.9."""

    exclude: str | None = field(default=None, metadata=_RARE)
    """What has no decay and no trust ratio: norms-and-biases, or the official patterns, which miss group norms."""

    zero_init_logits_layer: bool | None = field(default=None, metadata=_RARE)
    """Start the head at 0."""

    batch_norm_decay: float | None = field(default=None, metadata=_RARE)
    """Share of the old running statistics that a step keeps; 0.9."""

    mixup: float | None = field(default=None, metadata=_RARE)
    """Mix pairs of images and labels, the share drawn from Beta(this, this); 0 mixes nothing."""

    crop_area: float | None = None
    """Least share of an image that a training view shows; 0.08, the recipes chexpert and camelyon 0.5."""

    flip: bool | None = None
    """Mirror half of the views; the recipe chexpert does not."""

    rotation_range: float | None = None
    """Degrees to either side; 0, the recipe chexpert has 10, camelyon 180."""

    use_elastic_deform: bool | None = field(default=None, metadata=_RARE)
    """Deform views elastically."""

    equalize_histogram: bool | None = field(default=None, metadata=_RARE)
    """Equalise the histogram of half of the views."""


@dataclass(frozen=True, kw_only=True)
class FineTune(RunOptions, FineTuneOptions, LabelOptions, RowOptions):
    """Teach an encoder labels, all of it or its last blocks; killed at any instant, the same command goes on.

    The part train is learnt from, validation chooses the checkpoint and ends the run; test is not touched. Without a
    validation part one is drawn from train, by patient.

    example: remedis finetune cxr.parquet --encoder enc --label pneumonia --out ft
    """

    manifest: Path = field(metadata={"positional": True})
    """Manifest (.parquet), pack (.arrow) or folder of images."""

    encoder: str
    """Checkpoint's folder or name, a network's name (random weights), or timm:NAME."""

    out: Path
    """Folder of the run: best/ and last/ are checkpoints that every other verb takes."""

    profile: str | None = field(default=None, metadata=_RARE)
    """How stored pixels become the image; the encoder's own, else dicom-display."""

    eval_steps: int = field(default=0, metadata=_RARE)
    """Steps between evaluations; an epoch without it, or a tenth of a short run."""

    checkpoint_steps: int = field(default=0, metadata=_RARE)
    """Steps between numbered checkpoints; only the last one gets a number without it."""

    accumulate: int = field(default=1, metadata=_RARE)
    """Parts of a batch that go through the network one after the other; the result stays (no batch norm)."""

    gradient_checkpointing: bool = field(default=False, metadata=_RARE)
    """Compute activations again for the backward pass, which takes less memory and a third more time."""

    allow_rejected: int = 0
    """So many unreadable images are set aside without exit status 1."""
