"""From the flags of Google's programs to the options of `remedis finetune`, where they say --train_mode=finetune."""

from __future__ import annotations

from pathlib import Path

from remedis.commands.official_flags import MEANINGS, given, value
from remedis.commands.official_settings import check, encoder_of
from remedis.errors import UsageError
from remedis.models.architectures import official_name
from remedis.options.finetune import FineTune
from remedis.options.run import OfficialRun

LABEL = "label"
"""The column that both programs learn, as TensorFlow Datasets calls it."""

_WHOLE_TRAINING = (
    "validation chooses best/: the part of that name, else some of the training part, drawn by patient; the official "
    "program learns from all of it and keeps the last weights, which are last/ here"
)
_SAME = (
    "optimizer", "momentum", "learning_rate_scaling", "train_batch_size", "train_epochs", "train_steps", "image_size",
    "fine_tune_after_block", "zero_init_logits_layer", "batch_norm_decay", "rotation_range", "use_elastic_deform",
    "equalize_histogram", "checkpoint_steps", "keep_checkpoint_max", "train_summary_steps", "cache_dataset",
)  # fmt: skip
"""Flags that `remedis finetune` has under the same name."""

_NETWORK = ("resnet_depth", "width_multiplier", "use_bit", "sk_ratio")
_CARRIED = {
    *_SAME, *_NETWORK, "learning_rate", "weight_decay", "warmup_epochs", "dataset", "data_dir", "model_dir",
    "checkpoint", "train_mode", "train_split",
}  # fmt: skip
"""Flags of which nothing is to be said."""

_SAID = {
    "mode": "trains; remedis predict and remedis evaluate test the model",
    "eval_split": "nothing while learning; remedis predict and remedis evaluate test the model",
    "batch_norm_decay": MEANINGS["batch_norm_decay"].said,
    "use_bit": MEANINGS["use_bit"].said,
}
_NOTHING = "for pretraining, nothing in fine-tuning"


def tuning(options: OfficialRun, images: int) -> FineTune:
    """Return the options of `remedis finetune`, every setting explicit; the manifest is left to the caller.

    Args:
        options: The flags.
        images: Of the training part, which `--warmup_epochs` is counted by.

    Raises:
        UsageError: A flag asks for what this version has not.
        CheckpointError: There is no checkpoint where one is named.
    """
    refuse(options)
    batch, steps = value(options, "train_batch_size"), value(options, "train_steps")
    epochs = steps * batch / max(images, 1) if steps else value(options, "train_epochs")
    return FineTune(
        manifest=Path(), out=Path(options.model_dir or "").expanduser(), label=(LABEL,),
        encoder=encoder_of(options) or official_name(
            value(options, "resnet_depth"), value(options, "width_multiplier"), bit=value(options, "use_bit"),
            size=value(options, "image_size"),
        ),
        learning_rate=(value(options, "learning_rate"),), weight_decay=(value(options, "weight_decay"),),
        warmup_share=min(1.0, value(options, "warmup_epochs") / max(epochs, 1e-9)),
        schedule="cosine", patience=0, crop_area=0.08, flip=True, mixup=0.0, class_weights="none",
        exclude="norms-and-biases", **{name: value(options, name) for name in _SAME},
    )  # fmt: skip


def refuse(options: OfficialRun) -> None:
    """Refuse what would be another training than the one that was asked for.

    Raises:
        UsageError: Says which flag.
    """
    check(options)
    if value(options, "ft_proj_selector") != 0:
        raise UsageError(
            f"--ft_proj_selector is {options.ft_proj_selector}, 0 was expected: an encoder is kept without the layers "
            "of its projection head"
        )


def tuning_lines(options: OfficialRun) -> list[str]:
    """Return a line for what is to be said of the flags that were given; flags that mean the same share one."""
    together: dict[str, list[str]] = {}
    for name in given(options):
        if options.checkpoint and name in _NETWORK:
            said = "not used, the network is the checkpoint's"
        elif name in _CARRIED and name not in _SAID:
            said = ""
        else:
            meaning = MEANINGS[name]
            said = _SAID.get(name) or (meaning.said if not meaning.becomes else "") or _NOTHING
        if said:
            together.setdefault(said, []).append(f"--{name}")
    return [*(f"{', '.join(flags)}: {said}" for said, flags in together.items()), _WHOLE_TRAINING]
