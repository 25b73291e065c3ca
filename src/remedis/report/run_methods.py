"""A methods paragraph of a pretraining, and the works to cite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remedis import __version__
from remedis.evaluate.knn import NEIGHBOURS
from remedis.report import methods
from remedis.report.naming import path_shown
from remedis.report.numbers import counted
from remedis.report.run_answer import epochs_words
from remedis.report.run_folder import Run

Plain = dict[str, Any]

_SIMCLR = {
    "text": "Chen T, Kornblith S, Norouzi M, Hinton G. A simple framework for contrastive learning of visual "
    "representations. ICML (2020).",
    "doi": "10.48550/arXiv.2002.05709",
}
_MICLE = {
    "text": "Azizi S, Mustafa B, Ryan F, Beaver Z, Freyberg J, Deaton J, et al. Big self-supervised models advance "
    "medical image classification. ICCV (2021).",
    "doi": "10.48550/arXiv.2101.05224",
}
_BIT = {
    "text": "Kolesnikov A, Beyer L, Zhai X, Puigcerver J, Yung J, Gelly S, Houlsby N. Big Transfer (BiT): general "
    "visual representation learning. ECCV (2020).",
    "doi": "10.48550/arXiv.1912.11370",
}
_LARS = {
    "text": "You Y, Gitman I, Ginsburg B. Large batch training of convolutional networks. arXiv:1708.03888 (2017).",
    "doi": "10.48550/arXiv.1708.03888",
}
_MICLE_RECIPES = ("cxr", "derm")


def citations(run: Run) -> list[Plain]:
    """Return the works that the pretraining rests on."""
    job = run.job
    found = [methods.CITATIONS[0], _SIMCLR]
    if job.get("multi_instance") or run.options.get("recipe") in _MICLE_RECIPES:
        found.append(_MICLE)
    if str(job["network"]).startswith("bit"):
        found.append(_BIT)
    if job.get("optimizer") == "lars":
        found.append(_LARS)
    found.append(methods.CITATIONS[-1])
    return [*found, *({"text": str(work), "doi": ""} for work in run.card.get("citation") or ())]


def data_set(run: Run) -> str:
    """Return the data set's own name, else the name of its manifest."""
    seen = (run.card.get("extra") or {}).get("seen") or []
    return str(seen[-1] if seen else path_shown(run.options.get("manifest") or "the manifest", names=False))


def paragraph(run: Run) -> str:
    """Return a methods paragraph in the past tense."""
    job = run.job
    start = run.options.get("encoder")
    weights = (
        f"starting from {path_shown(start, names=False)}"
        if start
        else f"starting from random weights (seed {job.get('seed')})"
    )
    long = f"{run.planned:,} steps" if run.planned else f"{epochs_words(job['train_epochs'])}"
    stopped = "" if run.complete else f"; {run.done:,} had been done when this was written"
    version = (run.facts.get("versions") or {}).get("remedis", __version__)
    unit = "patients" if job.get("multi_instance") else "images"
    return (
        f"A {job['network']} was pretrained without labels on {counted(int(job['images']), 'images')} of "
        f"{data_set(run)}, {weights}, by contrastive learning (SimCLR). {_views(job)} {_loss(job)} {_optimiser(job)} "
        f"Training took {long} of {job['train_batch_size']:,} {unit}{stopped}.{_watched(run)} Training was done with "
        f"remedis {version}."
    )


def _views(job: Mapping[str, Any]) -> str:
    pairs = "Two images of one patient" if job.get("multi_instance") else "Two random views of each image"
    changes = [f"random crops resized to {job.get('image_size')} × {job.get('image_size')} pixels"]
    changes += ["left-right flips"] * bool(job.get("flip"))
    strength = job.get("color_jitter_strength")
    changes += [f"changes of brightness, contrast, saturation and hue (strength {strength:g})"] * bool(strength)
    changes += [f"rotation by up to {job.get('rotation_range', 0):g} degrees"] * bool(job.get("rotation_range"))
    changes += ["blur of half of the views"] * bool(job.get("use_blur"))
    changes += ["elastic deformation"] * bool(job.get("use_elastic_deform"))
    changes += ["histogram equalisation of half of the views"] * bool(job.get("equalize_histogram"))
    listed = ", ".join(changes[:-1]) + " and " + changes[-1] if len(changes) > 1 else changes[0]
    return f"{pairs} made a positive pair, with {listed}."


def _loss(job: Mapping[str, Any]) -> str:
    layers = int(job.get("num_nlh_layers") or 0) + 1
    head = {
        "none": "no projection head",
        "linear": "a linear projection head",
        "v2": "a projection head of three layers",
    }
    on = head.get(str(job.get("head_proj_mode")), f"a projection head of {layers} layers")
    size = f" to {job.get('head_proj_dim')} values" if job.get("head_proj_mode") != "none" else ""
    scale = f", multiplied by {job['loss_scale']:g}" if job["loss_scale"] != 1 else ""
    return f"The loss was NT-Xent with a temperature of {job['temperature']:g}{scale}, on {on}{size}."


def _optimiser(job: Mapping[str, Any]) -> str:
    name = {"lars": "LARS", "momentum": "SGD with Nesterov momentum", "adam": "Adam", "adamw": "AdamW"}
    scaling = {"linear": "× batch / 256", "sqrt": "× √batch"}.get(str(job.get("learning_rate_scaling")), "")
    return (
        f"The optimiser was {name.get(str(job.get('optimizer')), job.get('optimizer'))} with a learning rate of "
        f"{job.get('learning_rate'):g} {scaling}, a linear warm-up of {epochs_words(job.get('warmup_epochs', 0))} and "
        f"a cosine decay to 0, and a weight decay of {job.get('weight_decay'):g}."
    )


def _watched(run: Run) -> str:
    if not run.looks:
        return ""
    look = run.looks[-1]
    where = (
        f"of the {run.options.get('eval_split')} part"
        if any("linear_accuracy" in each for each in run.looks)
        else "of the training part, of other patients than those whose labels were known"
    )
    return (
        f" The classification of {look.get('label')} by the {NEIGHBOURS} nearest neighbours was watched on "
        f"{counted(int(look['n']), 'images')} {where}; no choice was made by it."
    )
