"""What each flag of Google's programs is here, and the line that is said where it is given."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from remedis.options.run import OFFICIAL, OfficialRun, SimclrFlags, TpuFlags


class Meaning(NamedTuple):
    """What a flag is here.

    Attributes:
        becomes: The option of `remedis pretrain`, or `pretrain` where it chooses that verb; empty where nothing is
            left of it.
        said: Printed where the flag is given; where it becomes something, only with another value than the official
            default.
    """

    becomes: str = ""
    said: str = ""


_SAME = (
    "train_batch_size", "train_epochs", "train_steps", "learning_rate", "learning_rate_scaling", "warmup_epochs",
    "weight_decay", "optimizer", "momentum", "temperature", "hidden_norm", "head_proj_mode", "head_proj_dim",
    "num_nlh_layers", "image_size", "color_jitter_strength", "max_brightness_distort", "max_contrast_distort",
    "use_blur", "resnet_depth", "width_multiplier", "checkpoint_epochs", "checkpoint_steps", "keep_checkpoint_max",
    "train_summary_steps", "cache_dataset", "eval_split", "equalize_histogram",
)  # fmt: skip
_TPU = Meaning(said="for TPUs, nothing here: the first GPU is taken, else the processor")
_TUNING = Meaning(said="for fine-tuning, nothing in pretraining")

MEANINGS: dict[str, Meaning] = {
    **{name: Meaning(name) for name in _SAME},
    **{field.name: _TPU for field in dataclasses.fields(TpuFlags)},
    "mode": Meaning("pretrain", "trains; accuracies, those at the end too, are in metrics.jsonl"),
    "train_mode": Meaning("pretrain"),
    "dataset": Meaning("manifest"),
    "data_dir": Meaning("manifest"),
    "train_split": Meaning("splits"),
    "model_dir": Meaning("out"),
    "checkpoint": Meaning("encoder"),
    "use_bit": Meaning("use_bit", "random weights; for BiT-M, as there: remedis models download, then --checkpoint"),
    "batch_norm_decay": Meaning("batch_norm_decay", "holds for every batch norm; there only for the first"),
    "global_bn": Meaning("global_bn", "holds for every batch norm; there only for the first"),
    "rotation_range": Meaning("rotation_range", "views are rotated; the official program leaves that out"),
    "use_elastic_deform": Meaning("use_elastic_deform", "views are deformed; the official program fails at that"),
    "multi_instance": Meaning("multi_instance", "two images of a patient make a pair (MICLe); there it does nothing"),
    "proj_head_mode": Meaning("head_proj_mode"),
    "proj_out_dim": Meaning("head_proj_dim"),
    "num_proj_layers": Meaning("head_proj_mode"),
    "sk_ratio": Meaning("encoder"),
    "se_ratio": Meaning(said="no squeeze and excitation, as with 0"),
    "lineareval_while_pretraining": Meaning("label", "labels are not looked at"),
    "ft_proj_selector": _TUNING,
    "zero_init_logits_layer": _TUNING,
    "fine_tune_after_block": _TUNING,
    "rescale_at_init": Meaning(said="kernels start as they are, as with 1"),
    "variable_schema": Meaning(said="not used: the whole encoder of --checkpoint is taken, and no head"),
    "imagenet_ckpt": Meaning(said="read by nobody, there nor here; --checkpoint names what to start from"),
    "tf_data_service_address": Meaning(said="read by nobody, there nor here"),
    "eval_batch_size": Meaning(said="nothing here: no result depends on it"),
    "eval_steps": Meaning(said="nothing here: as many images are watched as remedis pretrain watches"),
    "eval_name": Meaning(said="nothing here: accuracies are in metrics.jsonl"),
    "keep_hub_module_max": Meaning(said="nothing here: no hub module is written; remedis models export makes one"),
    "verbose": Meaning(said="nothing here: --quiet is the switch"),
}


def given(options: OfficialRun) -> list[str]:
    """Return the names of the flags that were given, in the order of the help."""
    return [field.name for field in dataclasses.fields(options) if getattr(options, field.name) is not None]


def official(name: str) -> Any:
    """Return a flag's official default."""
    return _DEFAULTS[name]


def value(options: OfficialRun, name: str) -> Any:
    """Return what was given, else the official default."""
    found = getattr(options, name)
    return official(name) if found is None else found


def head_layers(options: OfficialRun) -> int | None:
    """Return SimCLR's number of layers of a nonlinear head; None where REMEDIS's own flags and defaults count.

    A line with a flag that only SimCLR's program has is that program's, and has its default.
    """
    names = given(options)
    if "num_proj_layers" in names or (_of_simclr(names) and not _REMEDIS_HEAD.intersection(names)):
        return int(value(options, "num_proj_layers"))
    return None


def lines(options: OfficialRun) -> list[str]:
    """Return a line for what is to be said of the flags that were given; flags that mean the same share one."""
    names = given(options)
    network = [name for name in names if options.checkpoint and name in _NETWORK]
    together: dict[str, list[str]] = {}
    for name in names:
        meaning = MEANINGS[name]
        said = "not used, the network is the checkpoint's" if name in network else meaning.said
        if said and (name in network or not meaning.becomes or value(options, name) != official(name)):
            together.setdefault(said, []).append(f"--{name}")
    found = [f"{', '.join(flags)}: {said}" for said, flags in together.items()]
    nonlinear = value(options, "proj_head_mode") == "nonlinear"
    if nonlinear and head_layers(options) is not None and "num_proj_layers" not in names:
        flag = _of_simclr(names)[0]
        found.append(f"--{flag} is a flag of SimCLR: a nonlinear head has three layers, as there (--num_proj_layers)")
    return found


def _of_simclr(names: list[str]) -> list[str]:
    return [name for name in names if name in _SIMCLR]


_DEFAULTS: dict[str, Any] = {field.name: field.metadata[OFFICIAL] for field in dataclasses.fields(OfficialRun)}
_SIMCLR = {field.name for field in dataclasses.fields(SimclrFlags)}
_REMEDIS_HEAD = {"head_proj_mode", "head_proj_dim", "num_nlh_layers"}
_NETWORK = {"resnet_depth", "width_multiplier", "use_bit", "sk_ratio"}
