"""How a study fine-tuned, in sentences for a methods section."""

from __future__ import annotations

from typing import Any

from remedis.report.study_answer import share
from remedis.report.study_names import listed

Plain = dict[str, Any]
_OPTIMIZERS = {
    "lars": "LARS with momentum", "momentum": "SGD with Nesterov momentum", "sgd": "SGD with plain momentum",
    "adam": "Adam", "adamw": "AdamW",
}  # fmt: skip
_FROZEN = {0: "all but the stem", 1: "what follows block 1", 2: "what follows block 2", 3: "what follows block 3"}


def sentences(settings: Plain, alone: str = "") -> str:
    """Return what was trained, on which views, by which rule, and which step was kept.

    Args:
        settings: Of `study.json`; a setting that an older folder lacks is passed over.
        alone: The encoders that were fine-tuned, where others could not be.
    """
    of = f" (of {alone})" if alone else ""
    return (
        f"Fine-tuning{of}: {_layers(settings)}, {_rule(settings)}. {_head(settings)} {_views(settings)} "
        f"{_kept(settings)}"
    )


def _layers(settings: Plain) -> str:
    frozen = int(settings["fine_tune_after_block"])
    if frozen < 0:
        return "all layers"
    return _FROZEN.get(frozen, "the head alone")


def _head(settings: Plain) -> str:
    start = "0" if settings.get("zero_init_logits_layer") else "small random weights, decided by seed and draw"
    return f"The head started anew in each training, from {start}."


def _views(settings: Plain) -> str:
    """Return the views that a training sees: their size and how they are drawn."""
    size = settings.get("image_size")
    at = f"of {size} × {size} px" if size else "of each encoder’s own size"
    area, angle = settings.get("crop_area"), settings.get("rotation_range")
    crop = (
        ""
        if area is None
        else "the whole image"
        if area == 1
        else f"a random crop of {share(area)} to 100% of the image"
    )
    found = [
        crop,
        "half of them mirrored left to right" if settings.get("flip") else "",
        f"rotated by up to {angle:g}° to either side" if angle else "",
        "deformed elastically" if settings.get("use_elastic_deform") else "",
        "half of them with an equalised histogram" if settings.get("equalize_histogram") else "",
        f"mixed in pairs (mixup, α {settings['mixup']:g})" if settings.get("mixup") else "",
    ]
    words = ", ".join(each for each in found if each)
    return f"Views were {at}{': ' + words if words else ''}."


def _rule(settings: Plain) -> str:
    """Return the optimiser, its rate and how that falls, and how long it goes."""
    optimizer = str(settings["optimizer"])
    named = _OPTIMIZERS.get(optimizer, optimizer)
    if "momentum" in named and settings.get("momentum") is not None:
        named += f" {settings['momentum']:g}"
    scaling = {"linear": " × batch / 256", "sqrt": " × √batch"}.get(str(settings["learning_rate_scaling"]), "")
    weights = ", classes weighted alike" if settings.get("class_weights") == "balanced" else ""
    return (
        f"{named}, learning rate {settings['learning_rate']:g}{scaling}{_schedule(settings)}, weight decay "
        f"{settings['weight_decay']:g}{weights}, {_length(settings)}"
    )


def _schedule(settings: Plain) -> str:
    schedule = settings.get("schedule")
    if schedule is None:
        return ""
    at = listed(share(each) for each in settings.get("decay_at", ()))
    falls = " that falls to 0 by a cosine" if schedule == "cosine" else f" that falls to a tenth at {at} of the steps"
    warm_up = settings.get("warmup_share") or 0
    return f"{falls} after a linear warm-up over {share(warm_up)} of the steps" if warm_up else falls


def _length(settings: Plain) -> str:
    steps, epochs, batch = (int(settings[name]) for name in ("train_steps", "train_epochs", "train_batch_size"))
    many = _counted(steps, "step") if steps else _counted(epochs, "epoch")
    return f"{many} of {_counted(batch, 'image')}" if steps else f"{many} in steps of {_counted(batch, 'image')}"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _kept(settings: Plain) -> str:
    patience = settings.get("patience")
    end = f"; a training ended after {_counted(int(patience), 'evaluation')} without a better one" if patience else ""
    return (
        "The validation part was evaluated after each epoch, or each tenth of a training where that is shorter; the "
        f"step with the best AUROC on it was kept{end}."
    )
