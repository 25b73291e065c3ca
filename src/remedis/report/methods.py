"""How it was made: facts, a methods paragraph to copy, and the works to cite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from remedis import __version__
from remedis.report.naming import condition_shown, path_shown
from remedis.report.numbers import class_words, counted, plural
from remedis.report.probe_folder import ProbeFolder

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
FITS = {
    "squash": "whole images, stretched to the square",
    "pad": "whole images, padded to the square",
    "crop": "the middle square of each image",
}


def made(probe: ProbeFolder, datas: Sequence[Plain], *, names: bool) -> Plain:
    """Return the last section of the page, without the commands.

    Args:
        probe: The opened folder.
        datas: From `label_data`.
        names: Whether whole paths and identifying values are shown.
    """
    config, facts = probe.config, probe.facts
    return {
        "facts": [
            {"id": "made-encoder", "title": "Encoder", "facts": _encoder(probe)},
            {"id": "made-data", "title": "Data and splits", "facts": _data(config, facts, datas, names=names)},
            {"id": "made-choices", "title": "Choices, and where they were made", "facts": _choices(config)},
            {"id": "made-versions", "title": "Versions", "facts": _versions(config, facts)},
        ],
        "methods": paragraph(config, facts, datas),
        "citations": [*CITATIONS, *({"text": str(work), "doi": ""} for work in probe.card.get("citation") or ())],
    }


def _fact(name: str, value: Any, *, code: bool = False) -> list[Plain]:
    return [] if value in (None, "", [], {}) else [{"name": name, "value": str(value), "code": code}]


def _encoder(probe: ProbeFolder) -> list[Plain]:
    config, facts, card = probe.config, probe.facts, probe.card
    job = facts.get("job", {})
    parameters = card.get("parameters")
    return [
        *_fact("encoder", encoder_name(config, facts)),
        *_fact("network", card.get("network")),
        *_fact("weights", card.get("source")),
        *_fact("licence of the weights", card.get("licence")),
        *_fact("parameters", f"{parameters:,}" if isinstance(parameters, int) else None),
        *_fact("hash of its weights (SHA-256)", facts.get("encoder_hash") or config.get("encoder_hash"), code=True),
        *_fact("length of an embedding", facts.get("width")),
        *_fact("contract", _in_words(facts.get("contract", {}))),
        *_fact("image size", _size(facts)),
        *_fact("profile", _versioned(job.get("profile"), job.get("profile_version"))),
        *_fact(
            "computed in", " · ".join(str(job[name]) for name in ("precision", "engine", "device") if job.get(name))
        ),
        *_fact("notes of its card", " ".join(str(note) for note in card.get("notes") or ())),
    ]


def _size(facts: Mapping[str, Any]) -> str:
    return f"{facts['image_size']} px, {FITS.get(facts.get('fit', ''), '')}" if "image_size" in facts else ""


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
    return str(facts.get("encoder") or path_shown(config.get("encoder") or "an encoder", names=False))


def manifest_name(facts: Mapping[str, Any], otherwise: Any) -> str:
    """Return the last part of the path of the manifest that was embedded."""
    return path_shown(facts.get("job", {}).get("manifest") or otherwise or "the manifest", names=False)


def _data(config: Mapping[str, Any], facts: Mapping[str, Any], datas: Sequence[Plain], *, names: bool) -> list[Plain]:
    job = facts.get("job", {})
    found = [
        *_fact("data set", config.get("data_set")),
        *_fact("manifest", path_shown(job.get("manifest", ""), names=names)),
        *_fact("hash of the manifest (SHA-256)", job.get("manifest_hash"), code=True),
        *_fact("tested elsewhere", path_shown(config.get("test_manifest") or "", names=names)),
        *_fact("rows kept", " and ".join(condition_shown(text, names=names) for text in config.get("where", ()))),
        *_fact("kept whole in splits and draws", plural(datas[0]["unit_name"])),
    ]
    for entry, data in zip(config["labels"], datas, strict=True):
        classes = " · ".join(
            f"{class_words(data['label'], name)} {count:,}" for name, count in data["class_counts"].items()
        )
        found += _fact(f"split for {data['label']}", _split_words(entry, data["unit_name"]))
        found += _fact(f"tested for {data['label']}", f"{counted(data['n'], 'images')}: {classes}")
    return found


def _split_words(entry: Mapping[str, Any], unit: str) -> str:
    return {
        "split": "the manifest’s own column split",
        "external": "all labelled rows of other embeddings were tested",
        "nested-cv": f"none given: {entry.get('folds', 5)} folds, stratified by class, {plural(unit)} kept whole",
    }[entry["evaluation"]]


def _choices(config: Mapping[str, Any]) -> list[Plain]:
    found = []
    for entry in config["labels"]:
        found += _fact(f"C for {entry['label']}", f"{entry['strength']:g}, {_where(entry.get('chosen_on'))}")
    return [
        *found,
        *_fact("neighbours", config.get("neighbours")),
        *_fact("bootstrap", f"{config['draws']:,} draws, seed {config['seed']}"),
        *_fact("threshold for right and wrong", "0.5, or the likeliest of several classes; chosen on no data"),
    ]


def _where(chosen_on: str | None) -> str:
    if not chosen_on:
        return "set, not chosen: too few patients or clusters"
    return f"chosen by log loss on {'the validation part' if chosen_on == 'validation' else chosen_on}"


def _versions(config: Mapping[str, Any], facts: Mapping[str, Any]) -> list[Plain]:
    def listed(versions: Mapping[str, Any]) -> str:
        return " · ".join(f"{name} {version}" for name, version in versions.items())

    return [
        *_fact("embeddings made with", listed(facts.get("versions", {}))),
        *_fact("probe fitted with", listed(config.get("versions", {}))),
        *_fact("page made with", f"remedis {__version__}"),
    ]


def paragraph(config: Mapping[str, Any], facts: Mapping[str, Any], datas: Sequence[Plain]) -> str:
    """Return a methods paragraph in the past tense."""
    entry, data = config["labels"][0], datas[0]
    size = f" at {facts['image_size']} × {facts['image_size']} pixels" if "image_size" in facts else ""
    width = f" of {facts['width']:,} values" if "width" in facts else ""
    profile = f" (profile {facts['profile']})" if facts.get("profile") else ""
    labels = ", ".join(data["label"] for data in datas)
    unit = {"patients": "patient", "images": "image"}.get(data["unit_name"], data["unit_name"])
    how = {
        "split": "fitted on the training part and evaluated on the test part",
        "external": "fitted on the training part and evaluated on all labelled images of another data set",
        "nested-cv": f"evaluated by nested {entry.get('folds', 5)}-fold cross-validation, stratified by class and "
        f"grouped by {unit}, with metrics computed on the pooled out-of-fold scores",
    }[entry["evaluation"]]
    on = entry.get("chosen_on")
    chosen = (
        "the penalty was set beforehand"
        if not on
        else f"the penalty was chosen by log loss on {'the validation part' if on == 'validation' else on}"
    )
    beside = f" A vote of the {config['neighbours']} nearest neighbours (cosine) stands beside it." * _has_knn(datas)
    return (
        f"Images were embedded with {encoder_name(config, facts)}{size}{profile}, whose weights were not changed, "
        f"into vectors{width}. For {labels}, an L2-penalised logistic regression on standardised embeddings was {how}; "
        f"{chosen}.{beside} Performance is given as the area under the ROC curve, average precision, sensitivity "
        "at 95% specificity (read from the tested images’ own ROC curve), Brier score and expected calibration error "
        f"(15 equal-width bins), each with a 95% percentile bootstrap interval ({config['draws']:,} draws of whole "
        f"{plural(data['unit_name'])}; for the calibration error corrected for the bias of resampling). Analyses were "
        f"done with remedis {__version__}."
    )


def _has_knn(datas: Sequence[Plain]) -> bool:
    return any(row["method"] == "knn" for row in datas[0]["results"])
