"""Options of `remedis run`: the flags of Google's programs, with their names, types and defaults.

A flag that was not given is None, so that only those that were given are spoken of; its official default is kept
in the field's metadata and stands at the end of its help. Sources: run.py of
google-research/medical-ai-research-foundations, run.py and tf2/run.py of google-research/simclr.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

OFFICIAL = "official"


def _flag(default: object, *, rare: bool = False) -> Any:
    return field(default=None, metadata={OFFICIAL: default, "rare": rare})


@dataclass(frozen=True, kw_only=True)
class TpuFlags:
    """Where Google's programs find a TPU; nothing here."""

    use_tpu: bool | None = _flag(True)
    """Nothing here, whatever it says: the first GPU is taken, else the processor; True."""

    tpu_name: str | None = _flag(None, rare=True)
    """Nothing here; none."""

    tpu_zone: str | None = _flag(None, rare=True)
    """Nothing here; none."""

    gcp_project: str | None = _flag(None, rare=True)
    """Nothing here; none."""

    tf_runner: str | None = _flag(None, rare=True)
    """Nothing here, torchrun starts several processes; none."""

    master: str | None = _flag(None, rare=True)
    """SimCLR's name of --tf_runner; none."""


@dataclass(frozen=True, kw_only=True)
class SimclrFlags:
    """Flags that SimCLR's programs have and REMEDIS's has not; one of them makes the line SimCLR's."""

    learning_rate_scaling: Literal["linear", "sqrt"] | None = _flag("linear", rare=True)
    """The rate times batch / 256, or times the root of the batch; linear."""

    sk_ratio: float | None = _flag(0.0, rare=True)
    """Selective kernels: 0.0625 or none; 0.0."""

    se_ratio: float | None = _flag(0.0, rare=True)
    """Squeeze and excitation: not in this version, above 0 it is refused; 0.0."""

    proj_head_mode: Literal["none", "linear", "nonlinear"] | None = _flag("nonlinear", rare=True)
    """SimCLR's name of --head_proj_mode; nonlinear."""

    proj_out_dim: int | None = _flag(128, rare=True)
    """SimCLR's name of --head_proj_dim; 128."""

    num_proj_layers: int | None = _flag(3, rare=True)
    """Layers of a nonlinear head, 1 to 3, the last included; 3."""

    ft_proj_selector: int | None = _flag(0, rare=True)
    """Nothing in pretraining; in fine-tuning refused unless it is 0; 0."""

    lineareval_while_pretraining: bool | None = _flag(True, rare=True)
    """Watch the training with labels where there are some; True."""

    eval_steps: int | None = _flag(0, rare=True)
    """Nothing here, the watching has a size of its own; 0."""


@dataclass(frozen=True, kw_only=True)
class TuningFlags:
    """What belongs to fine-tuning and to evaluation, or is read by nobody."""

    variable_schema: str | None = _flag("?!global_step", rare=True)
    """Nothing here, never compiled: the whole encoder of --checkpoint is taken; ?!global_step."""

    zero_init_logits_layer: bool | None = _flag(False, rare=True)
    """Of fine-tuning: the head starts at 0; False."""

    fine_tune_after_block: int | None = _flag(-1, rare=True)
    """Of fine-tuning: -1 trains all, 0 freezes the stem, 1 to 3 also so many stages, 4 all but the head; -1."""

    rescale_at_init: float | None = _flag(1.0, rare=True)
    """Factor of a checkpoint's kernels: refused unless it is 1; 1.0."""

    imagenet_ckpt: str | None = _flag(None, rare=True)
    """Dead in the official program, and nothing here; none."""

    eval_batch_size: int | None = _flag(256, rare=True)
    """Nothing here, the result does not depend on it; 256."""

    eval_name: str | None = _flag(None, rare=True)
    """Nothing here, accuracies are in metrics.jsonl; none."""

    keep_hub_module_max: int | None = _flag(1, rare=True)
    """Nothing here, no hub modules are written; 1."""

    tf_data_service_address: str | None = _flag("", rare=True)
    """Dead in the official program, and nothing here; empty."""

    verbose: bool | None = _flag(True, rare=True)
    """Nothing here, --quiet is the switch; True."""


@dataclass(frozen=True, kw_only=True)
class LifeFlags:
    """What is kept of a training, and when."""

    checkpoint_epochs: int | None = _flag(1, rare=True)
    """Epochs between numbered checkpoints; 1."""

    checkpoint_steps: int | None = _flag(0, rare=True)
    """Steps between numbered checkpoints, instead of epochs; 0."""

    keep_checkpoint_max: int | None = _flag(5, rare=True)
    """Numbered checkpoints that are kept; 5."""

    train_summary_steps: int | None = _flag(100, rare=True)
    """Steps between points in TensorBoard, 0 writes none; 100."""

    cache_dataset: bool | None = _flag(False, rare=True)
    """Keep the decoded images in memory; False."""


@dataclass(frozen=True, kw_only=True)
class NetworkFlags:
    """What is trained."""

    checkpoint: str | None = _flag(None)
    """Checkpoint's folder, or run's, to start from (of remedis, not of TensorFlow); none."""

    resnet_depth: int | None = _flag(50)
    """18, 34, 50, 101, 152 or 200; 50."""

    width_multiplier: int | None = _flag(1)
    """Factor of the channels; 1."""

    use_bit: bool | None = _flag(False)
    """BiT ResNet-v2; False."""

    batch_norm_decay: float | None = _flag(0.9, rare=True)
    """Share of the old running statistics that a step keeps; 0.9."""

    global_bn: bool | None = _flag(True, rare=True)
    """Batch norms see the batch of all processes; True."""


@dataclass(frozen=True, kw_only=True)
class ViewFlags:
    """What is done to an image to make a view of it."""

    image_size: int | None = _flag(224)
    """Side of a view in pixels; up to 32 the network gets the CIFAR stem; 224."""

    color_jitter_strength: float | None = _flag(1.0)
    """Multiplies the changes of colour; 1.0."""

    max_brightness_distort: float | None = _flag(0.8, rare=True)
    """Largest change of brightness at strength 1; 0.8."""

    max_contrast_distort: float | None = _flag(0.8, rare=True)
    """Largest change of contrast at strength 1; 0.8."""

    use_blur: bool | None = _flag(True)
    """Blur half of the views; True."""

    rotation_range: float | None = _flag(0.0)
    """Degrees to either side; 0.0."""

    use_elastic_deform: bool | None = _flag(False, rare=True)
    """Deform views elastically; False."""

    equalize_histogram: bool | None = _flag(False, rare=True)
    """Equalise the histogram of half of the views; False."""


@dataclass(frozen=True, kw_only=True)
class LossFlags:
    """What is compared, and how."""

    temperature: float | None = _flag(0.1)
    """Of the contrastive loss; 0.1."""

    hidden_norm: bool | None = _flag(True, rare=True)
    """Scale projections to length 1; True."""

    head_proj_mode: Literal["none", "linear", "nonlinear"] | None = _flag("nonlinear", rare=True)
    """The projection; nonlinear."""

    head_proj_dim: int | None = _flag(128, rare=True)
    """Numbers in a projection; 128."""

    num_nlh_layers: int | None = _flag(1, rare=True)
    """Layers after the nonlinear head's first one; 1."""

    multi_instance: bool | None = _flag(False)
    """Two images of one patient make a pair (MICLe); False."""


@dataclass(frozen=True, kw_only=True)
class ScheduleFlags:
    """How long and how fast a training goes."""

    train_batch_size: int | None = _flag(512)
    """Images a step; 512."""

    train_epochs: int | None = _flag(100)
    """Times that each image is seen; 100."""

    train_steps: int | None = _flag(0)
    """Steps instead of epochs; 0."""

    learning_rate: float | None = _flag(0.3)
    """For a batch of 256; 0.3."""

    warmup_epochs: float | None = _flag(10.0)
    """Epochs in which the rate rises; 10."""

    weight_decay: float | None = _flag(1e-6)
    """Of the weights, not of biases and norms; 1e-6."""

    optimizer: Literal["lars", "momentum", "adam"] | None = _flag("lars")
    """How weights follow the gradient; lars."""

    momentum: float | None = _flag(0.9, rare=True)
    """Of lars and momentum; 0.9."""


@dataclass(frozen=True, kw_only=True)
class DataFlags:
    """What is done, with what, and where the result goes."""

    mode: Literal["train", "eval", "train_then_eval"] | None = _flag("train")
    """train or train_then_eval; train."""

    train_mode: Literal["pretrain", "finetune"] | None = _flag("pretrain")
    """pretrain, or finetune: what remedis pretrain or remedis finetune does; pretrain."""

    dataset: str | None = _flag("cifar10")
    """Name in --data_dir: of TensorFlow Datasets, of a folder of images (with labels.csv or without); cifar10."""

    data_dir: str | None = _flag(None)
    """Folder of data sets; ~/tensorflow_datasets, as TensorFlow Datasets has it."""

    train_split: str | None = _flag("train", rare=True)
    """train; train."""

    eval_split: str | None = _flag("validation")
    """Part whose labels are predicted on the way, validation or test; validation."""

    model_dir: str | None = _flag(None)
    """Folder of the run, needed; none."""


@dataclass(frozen=True, kw_only=True)
class OfficialRun(
    TpuFlags, SimclrFlags, TuningFlags, LifeFlags, NetworkFlags, ViewFlags, LossFlags, ScheduleFlags, DataFlags
):
    """Take the command line of Google's programs (REMEDIS's and SimCLR's run.py) as it stands, and train.

    Each line ends with the official default. What a flag means here is said when it is given.

    example: remedis run --dataset=cifar10 --data_dir=DIR --image_size=32 --use_blur=False --model_dir=run
    """
