"""How it was made: facts, the exact commands, a methods paragraph to copy, and the works to cite."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from remedis import __version__
from remedis.report.naming import condition_shown, path_shown
from remedis.report.numbers import class_words, counted, plural

Plain = dict[str, Any]

CITATIONS: tuple[Plain, ...] = (
    {
        "text": "Azizi S, Culp L, Freyberg J, Mustafa B, Baur S, Kornblith S, Chen T, et al. Robust and efficient "
        "medical imaging with self-supervision. arXiv:2205.09723 (2022); published as: Robust and data-efficient "
        "generalization of self-supervised machine learning for diagnostic imaging. Nature Biomedical Engineering "
        "7:756–779 (2023).",
        "doi": "10.1038/s41551-023-01049-7",
    },
    {
        "text": "Azizi S, Freyberg J, Culp L, MacWilliams P, Mahdavi S, Natarajan V, Karthikesalingam A. Medical AI "
        "Research Foundations: A repository of medical foundation models (version 1.0.0). PhysioNet (2023).",
        "doi": "10.13026/grp0-z205",
    },
    {"text": f"The remedis authors. remedis {__version__}: REMEDIS in PyTorch (software, Apache-2.0).", "doi": ""},
)


def made(config: Mapping[str, Any], facts: Mapping[str, Any], datas: Sequence[Plain], *, names: bool) -> Plain:
    """Return the last section of the page.

    Args:
        config: The probe's settings.
        facts: What the embeddings folder says of itself; empty where it is gone.
        datas: From `label_data`.
        names: Whether whole paths and identifying values are shown.
    """
    return {
        "facts": [
            {"title": "Encoder", "facts": _encoder(config, facts)},
            {"title": "Data and splits", "facts": _data(config, facts, datas, names=names)},
            {"title": "Choices, and where they were made", "facts": _choices(config)},
            {"title": "Versions", "facts": _versions(config, facts)},
        ],
        "commands": commands(config, facts, names=names),
        "methods": paragraph(config, facts, datas),
        "citations": list(CITATIONS),
    }


def _fact(name: str, value: Any, *, code: bool = False) -> list[Plain]:
    return [] if value in (None, "", [], {}) else [{"name": name, "value": str(value), "code": code}]


def _encoder(config: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Plain]:
    contract = facts.get("contract", {})
    job = facts.get("job", {})
    return [
        *_fact("encoder", encoder_name(config, facts)),
        *_fact("hash of its weights", facts.get("encoder_hash") or config.get("encoder_hash"), code=True),
        *_fact("length of an embedding", facts.get("width")),
        *_fact("contract", _in_words(contract)),
        *_fact(
            "image size",
            f"{facts['image_size']} px, {FITS.get(facts.get('fit', ''), '')}" if "image_size" in facts else "",
        ),
        *_fact("profile", _versioned(job.get("profile"), job.get("profile_version"))),
        *_fact(
            "precision",
            " · ".join(str(job[name]) for name in ("precision", "engine", "device") if job.get(name)),
        ),
    ]


FITS = {
    "squash": "whole images, stretched to the square",
    "pad": "whole images, padded to the square",
    "crop": "the middle square of each image",
}


def _in_words(contract: Mapping[str, Any]) -> str:
    return " · ".join(
        f"{name.replace('_', ' ')} {_short(value)}" for name, value in contract.items() if value is not None
    )


def _short(value: Any) -> str:
    return " to ".join(f"{part:g}" for part in value) if isinstance(value, list | tuple) else str(value)


def _versioned(name: Any, version: Any) -> str:
    return f"{name}, version {version}" if name and version is not None else str(name or "")


def encoder_name(config: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Return what the encoder calls itself, else what it was called on the command line (its last part)."""
    return str(facts.get("encoder") or path_shown(config.get("encoder", "an encoder"), names=False))


def dataset_name(config: Mapping[str, Any], facts: Mapping[str, Any]) -> str:
    """Return the last part of the manifest's path."""
    return path_shown(facts.get("job", {}).get("manifest") or config.get("manifest") or "", names=False)


def _data(config: Mapping[str, Any], facts: Mapping[str, Any], datas: Sequence[Plain], *, names: bool) -> list[Plain]:
    job = facts.get("job", {})
    found = [
        *_fact("manifest", path_shown(job.get("manifest", ""), names=names)),
        *_fact("hash of the manifest", job.get("manifest_hash"), code=True),
        *_fact("rows kept", " and ".join(condition_shown(text, names=names) for text in config.get("where", ()))),
        *_fact("kept whole in splits and draws", datas[0]["unit_name"]),
    ]
    for data in datas:
        classes = " · ".join(
            f"{class_words(data['label'], name)} {count:,}" for name, count in data["class_counts"].items()
        )
        found += _fact(f"tested for {data['label']}", f"{counted(data['n'], 'images')}: {classes}")
    return found


def _choices(config: Mapping[str, Any]) -> list[Plain]:
    found = []
    for entry in config["labels"]:
        on = entry.get("chosen_on")
        where = f"chosen on {PARTS.get(on, on)} by log loss" if on else "set, not chosen: too few patients or clusters"
        found += _fact(f"C for {entry['label']}", f"{entry['strength']:g}, {where}")
    return [
        *found,
        *_fact("neighbours", config.get("neighbours")),
        *_fact("bootstrap", f"{config['draws']:,} draws, seed {config['seed']}"),
        *_fact("threshold for right and wrong", "0.5, or the likeliest of several classes; chosen on no data"),
    ]


PARTS = {"validation": "the validation part"}


def _versions(config: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Plain]:
    def listed(versions: Mapping[str, Any]) -> str:
        return " · ".join(f"{name} {version}" for name, version in versions.items())

    return [
        *_fact("embeddings made with", listed(facts.get("versions", {}))),
        *_fact("probe fitted with", listed(config.get("versions", {}))),
        *_fact("page made with", f"remedis {__version__}"),
    ]


def commands(config: Mapping[str, Any], facts: Mapping[str, Any], *, names: bool) -> list[str]:
    """Return the commands that lead here; without `names` with the last part of each path alone."""

    def path(value: Any) -> str:
        return path_shown(value, names=names)

    job, found = facts.get("job", {}), []
    if job:
        words = [
            "remedis",
            "embed",
            path(job["manifest"]),
            "--encoder",
            path(job["encoder"]),
            "--out",
            path(config["embeddings"]),
        ]
        for option in ("profile", "image_size", "precision", "batch_size"):
            if job.get(option) is not None:
                words += [f"--{option.replace('_', '-')}", str(job[option])]
        found.append(words)
    words = [
        "remedis",
        "probe",
        path(config["embeddings"]),
        "--label",
        ",".join(entry["label"] for entry in config["labels"]),
    ]
    for option in ("test", "cluster", "positive"):
        if config.get(option):
            words += [f"--{option}", path(config[option]) if option == "test" else str(config[option])]
    if config.get("exclude_class"):
        words += ["--exclude-class", ",".join(config["exclude_class"])]
    for condition in config.get("where", ()):
        words += ["--where", condition_shown(condition, names=names)]
    found.append([*words, "--seed", str(config["seed"]), "--out", "probe"])
    found.append(["remedis", "report", "probe", "--out", "report.html"])
    return [shlex.join(words) for words in found]


def paragraph(config: Mapping[str, Any], facts: Mapping[str, Any], datas: Sequence[Plain]) -> str:
    """Return a methods paragraph in the past tense."""
    entry, data = config["labels"][0], datas[0]
    size = f" at {facts['image_size']} × {facts['image_size']} pixels" if "image_size" in facts else ""
    width = f" of {facts['width']:,} values" if "width" in facts else ""
    labels = ", ".join(data["label"] for data in datas)
    unit = {"patients": "patient", "images": "image"}.get(data["unit_name"], data["unit_name"])
    how = {
        "split": "fitted on the training part and evaluated on the test part",
        "external": "fitted on the training part and evaluated on all labelled images of another data set",
        "nested-cv": f"evaluated by nested {config.get('folds', 5)}-fold cross-validation, stratified by class and "
        f"grouped by {unit}, with metrics computed on the pooled out-of-fold scores",
    }[entry["evaluation"]]
    chosen = (
        "on the validation part"
        if entry.get("chosen_on") == "validation"
        else "by cross-validation within the training part"
    )
    return (
        f"Images were embedded with {encoder_name(config, facts)}{size} (profile "
        f"{facts.get('profile', 'of the encoder')}), whose weights were not changed, into vectors{width}. For "
        f"{labels}, an L2-penalised logistic regression on standardised embeddings was {how}; the penalty was chosen "
        f"{chosen} by log loss. Performance is given as the area under the ROC curve, average precision, sensitivity "
        "at 95% specificity (read from the tested images’ own ROC curve), Brier score and expected calibration error "
        f"(15 equal-width bins), each with a 95% percentile bootstrap interval ({config['draws']:,} draws of whole "
        f"{plural(data['unit_name'])}; for the calibration error corrected for the bias of resampling). Analyses were "
        f"done with remedis {__version__}."
    )
