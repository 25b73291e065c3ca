"""Options of `remedis pretrain`. What is not given is None: the recipe fills it in, then the official default."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from remedis.options.shared import RowOptions, RunOptions

_RARE = {"rare": True}


@dataclass(frozen=True, kw_only=True)
class ScheduleOptions:
    """How long and how fast a training goes."""

    train_epochs: int | None = None
    """Times that each image is seen; 100, the recipe cifar10 has 1000."""

    train_steps: int | None = None
    """Steps instead of epochs."""

    train_batch_size: int | None = None
    """Images a step, over all processes; 512."""

    learning_rate: float | None = None
    """For a batch of 256; 0.3."""

    learning_rate_scaling: str | None = field(default=None, metadata=_RARE)
    """linear (times batch / 256) or sqrt (times the root of the batch)."""

    warmup_epochs: float | None = field(default=None, metadata=_RARE)
    """Epochs in which the rate rises; 10, or a tenth of a run that is not longer than that."""

    optimizer: str | None = None
    """lars, momentum, adam or adamw; lars."""

    momentum: float | None = field(default=None, metadata=_RARE)
    """Of lars and momentum; 0.9."""

    weight_decay: float | None = None
    """1e-6, the recipe cifar10 has 1e-4."""

    exclude: str | None = field(default=None, metadata=_RARE)
    """What has no decay and no trust ratio: norms-and-biases, or the official patterns, which miss group norms."""


@dataclass(frozen=True, kw_only=True)
class LossOptions:
    """What is compared, and how."""

    temperature: float | None = None
    """0.1, the recipe cifar10 has 0.5."""

    hidden_norm: bool | None = field(default=None, metadata=_RARE)
    """Scale projections to length 1; True."""

    loss_scale: float | None = field(default=None, metadata=_RARE)
    """1 is SimCLR's Algorithm 1, 2 the official program; the recipes have 2."""

    head_proj_mode: str | None = field(default=None, metadata=_RARE)
    """none, linear, nonlinear or v2 (three layers); nonlinear."""

    head_proj_dim: int | None = field(default=None, metadata=_RARE)
    """Numbers in a projection; 128."""

    num_nlh_layers: int | None = field(default=None, metadata=_RARE)
    """Layers after the nonlinear head's first one; 1."""

    multi_instance: bool | None = None
    """Two images of one patient make a pair (MICLe); the recipe derm has it."""


@dataclass(frozen=True, kw_only=True)
class ViewOptions:
    """What is done to an image to make a view of it."""

    image_size: int | None = None
    """Side of a view in pixels; 224, the recipe cifar10 has 32."""

    color_jitter_strength: float | None = None
    """Multiplies the changes of brightness, contrast, saturation and hue; 1, the recipes cxr and cifar10 0.5."""

    max_brightness_distort: float | None = field(default=None, metadata=_RARE)
    """Largest change of brightness at strength 1; 0.8."""

    max_contrast_distort: float | None = field(default=None, metadata=_RARE)
    """Largest change of contrast at strength 1; 0.8."""

    use_blur: bool | None = None
    """Blur half of the views; the recipes cxr and cifar10 do not."""

    flip: bool | None = None
    """Mirror half of the views; the recipe cxr does not."""

    rotation_range: float | None = None
    """Degrees to either side; 0, the recipes cxr and derm have 45, path 180."""

    use_elastic_deform: bool | None = field(default=None, metadata=_RARE)
    """Deform views elastically; the recipe cxr does."""

    equalize_histogram: bool | None = field(default=None, metadata=_RARE)
    """Equalise the histogram of half of the views; the recipe cxr does."""

    crop_law: str | None = field(default=None, metadata=_RARE)
    """How crops are drawn: tensorflow (as the official program) or torchvision."""

    interpolation: str | None = field(default=None, metadata=_RARE)
    """How views are resampled: bicubic or bilinear."""


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """What is trained."""

    encoder: str | None = None
    """Checkpoint's folder or name to start from, a network's name (random weights), or timm:NAME."""

    use_bit: bool | None = field(default=None, metadata=_RARE)
    """Without --encoder: BiT ResNet-v2; the recipes cxr, path and derm have it."""

    resnet_depth: int | None = field(default=None, metadata=_RARE)
    """Without --encoder: depth of the network; 50, the recipe cifar10 18."""

    width_multiplier: int | None = field(default=None, metadata=_RARE)
    """Without --encoder: factor of its channels; 1."""

    batch_norm_decay: float | None = field(default=None, metadata=_RARE)
    """Share of the old running statistics that a step keeps; 0.9."""

    global_bn: bool | None = field(default=None, metadata=_RARE)
    """Batch norms see the batch of all processes; True."""


@dataclass(frozen=True, kw_only=True)
class StepOptions:
    """How a step is computed, and which are kept."""

    chunk_size: int | None = None
    """Images that go through the network at once; the result is that of the whole batch (no batch norm)."""

    tile: int | None = field(default=None, metadata=_RARE)
    """Rows of the loss that are computed at once; all without it."""

    checkpoint_epochs: int = field(default=1, metadata=_RARE)
    """Epochs between numbered checkpoints."""

    checkpoint_steps: int = field(default=0, metadata=_RARE)
    """Steps between numbered checkpoints, instead of epochs."""


@dataclass(frozen=True, kw_only=True)
class Pretrain(RunOptions, StepOptions, NetworkOptions, ViewOptions, LossOptions, ScheduleOptions, RowOptions):
    """Train an encoder on images without labels (SimCLR); killed at any instant, the same command goes on.

    Rows of the parts validation and test are left out. Under torchrun the processes share each batch.

    example: remedis pretrain cxr.parquet --recipe cxr --encoder bit-r50x1 --out run
    """

    manifest: Path = field(metadata={"positional": True})
    """Manifest (.parquet), pack (.arrow) or folder of images."""

    out: Path
    """Folder of the run: last/ and step-000100/ are checkpoints that every other verb takes."""

    recipe: Literal["cxr", "path", "derm", "cifar10"] | None = None
    """Named settings with reasons; the official program's defaults without one."""

    splits: Literal["train", "all"] = "train"
    """all: rows of the parts validation and test are trained on too."""

    profile: str | None = field(default=None, metadata=_RARE)
    """How stored pixels become the image; the encoder's own, else dicom-display."""

    label: str | None = None
    """Label column to watch the training with; the first one without it, and none for an empty word."""

    eval_split: Literal["validation", "test"] = field(default="validation", metadata=_RARE)
    """Part whose labels are predicted on the way (never trained on); training rows where there is none."""

    knn_epochs: int = field(default=5, metadata=_RARE)
    """Epochs between the nearest neighbours' accuracies; 0 for none."""

    allow_rejected: int = 0
    """So many unreadable images are set aside without exit status 1."""
