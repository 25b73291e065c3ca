"""From the flags of Google's programs to the options of `remedis pretrain`, or to a refusal in words."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from remedis.commands.official_flags import given, head_layers, value
from remedis.data.splits import part_of
from remedis.errors import CheckpointError, UsageError, nearest
from remedis.models.architectures import CIFAR_STEM, parse
from remedis.models.load import folder_of
from remedis.models.store import CONFIG
from remedis.options.pretrain import Pretrain
from remedis.options.run import OfficialRun
from remedis.train.folder import LAST

SK_RATIO = 0.0625  # what SimCLR recommends and its published networks have
_SHALLOWEST_SK = 50
_HEADS = {1: "linear", 2: "nonlinear", 3: "v2"}  # by --num_proj_layers; SimCLR's one layer is a linear head


def understood(options: OfficialRun) -> Pretrain:
    """Return the options of `remedis pretrain`, every setting explicit; the manifest is left to the caller.

    Raises:
        UsageError: A flag asks for what this version has not, or flags contradict each other.
        CheckpointError: There is no checkpoint where one is named.
    """
    check(options)
    ours = {field.name for field in dataclasses.fields(Pretrain)}
    same = {field.name: value(options, field.name) for field in dataclasses.fields(options) if field.name in ours}
    changed: dict[str, Any] = {
        "eval_split": _part(options),
        "encoder": encoder_of(options),
        "label": None if value(options, "lineareval_while_pretraining") else "",
    }
    return Pretrain(
        manifest=Path(), out=Path(options.model_dir or "").expanduser(),
        flip=True, crop_law="tensorflow", interpolation="bicubic", loss_scale=2.0, exclude="norms-and-biases",
        **(same | _head(options) | changed),
    )  # fmt: skip


def check(options: OfficialRun) -> None:
    """Refuse what would be another training than the one that was asked for.

    Raises:
        UsageError: Says which flag.
    """
    if options.mode == "eval":
        raise UsageError(
            "--mode=eval: to evaluate alone is not in this version; a training writes its accuracies to "
            "metrics.jsonl, remedis embed and remedis probe evaluate a checkpoint"
        )
    if value(options, "train_split") != "train":
        raise UsageError(
            f"--train_split is {options.train_split!r}, 'train' was expected; remedis pretrain --splits all trains on "
            "every part"
        )
    if not options.model_dir:
        raise UsageError("--model_dir is needed, the folder of the run; see remedis run --help")
    for name in ("model_dir", "data_dir", "checkpoint"):
        if "://" in (getattr(options, name) or ""):
            raise UsageError(f"--{name} is {getattr(options, name)!r}, a folder of this machine was expected")
    if value(options, "se_ratio") > 0:
        raise UsageError(f"--se_ratio is {options.se_ratio}, 0 was expected: squeeze and excitation is not in here")
    if options.checkpoint and value(options, "rescale_at_init") != 1:
        raise UsageError(f"--rescale_at_init is {options.rescale_at_init}, 1 was expected: kernels are not rescaled")


def _part(options: OfficialRun) -> str:
    word = value(options, "eval_split")
    part = part_of(word)
    if part not in ("validation", "test"):
        raise UsageError(f"--eval_split is {word!r}, {nearest(word, ('validation', 'test'))}")
    return part


def _head(options: OfficialRun) -> dict[str, Any]:
    """Return the settings of the projection head, from either program's flags."""
    settings = {}
    for ours, theirs in (("head_proj_mode", "proj_head_mode"), ("head_proj_dim", "proj_out_dim")):
        _refuse_both(options, ours, theirs)
        settings[ours] = value(options, theirs if theirs in given(options) else ours)
    _refuse_both(options, "num_nlh_layers", "num_proj_layers")
    layers = head_layers(options)
    if layers is None or settings["head_proj_mode"] != "nonlinear":
        return settings
    if layers not in _HEADS:
        raise UsageError(f"--num_proj_layers is {layers}, 1, 2 or 3 was expected")
    return settings | {"head_proj_mode": _HEADS[layers], "num_nlh_layers": 1}


def _refuse_both(options: OfficialRun, ours: str, theirs: str) -> None:
    if {ours, theirs} <= set(given(options)):
        raise UsageError(f"--{ours} and --{theirs} are two programs' names of one setting, one was expected")


def encoder_of(options: OfficialRun) -> str | None:
    """Return what `--encoder` would be: a checkpoint, a network with selective kernels, or nothing.

    Raises:
        UsageError: There is no such network.
        CheckpointError: There is no checkpoint where one is named.
    """
    if options.checkpoint:
        return str(_checkpoint(options.checkpoint))
    ratio = value(options, "sk_ratio")
    if ratio == 0:
        return None
    if ratio != SK_RATIO:
        raise UsageError(f"--sk_ratio is {ratio}, 0 or {SK_RATIO} was expected")
    depth, width = value(options, "resnet_depth"), value(options, "width_multiplier")
    if depth < _SHALLOWEST_SK or value(options, "use_bit"):
        network = "a BiT network" if value(options, "use_bit") else f"--resnet_depth={depth}"
        raise UsageError(f"--sk_ratio is {ratio} with {network}; selective kernels need a depth of 50 or more")
    small = "-cifar" if value(options, "image_size") <= CIFAR_STEM else ""
    return f"resnet{depth}x{width}-sk{small}"


def _checkpoint(name: str) -> Path:
    path = Path(name).expanduser()
    if (path / "saved_model.pb").is_file():
        raise CheckpointError(
            f"is a TensorFlow model; remedis models convert {name} --out CKPT makes a checkpoint of it", where=path
        )
    if path.with_name(path.name + ".index").is_file() or any(path.glob("*.index")):
        raise CheckpointError(
            "is a TensorFlow checkpoint, which is not opened; remedis models convert MODEL_DIR/hub/STEP --out CKPT "
            "makes one of the hub module that the official program writes beside it",
            where=path,
        )
    if parse(name) is not None and not path.exists():
        raise CheckpointError(f"--checkpoint {name} names a network, which has no weights; leave --checkpoint out")
    found = folder_of(name)
    for place in (found, found / LAST):
        if (place / CONFIG).is_file():
            return place
    raise CheckpointError(f"there is no {CONFIG} in it; a checkpoint or a run of remedis was expected", where=found)
