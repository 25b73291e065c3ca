"""How a study was made: the protocol, settings, data, versions, the command, and what to cite."""

from __future__ import annotations

import shlex
from typing import Any

from remedis import __version__
from remedis.recipes.finetuning import RECIPES
from remedis.report import methods
from remedis.report.run_page import setting_words
from remedis.report.study_answer import share
from remedis.report.study_folder import StudyFolder
from remedis.report.study_methods import (
    REPORTED,
    STRENGTHS,
    citations,
    paragraph,
    parts_words,
    scenario_words,
)
from remedis.report.study_names import Names, listed, scenario
from remedis.report.study_people import part_words

Plain = dict[str, Any]
fact = methods._fact
_PRECISIONS = {"bf16": "bfloat16", "fp32": "float32"}


def made(study: StudyFolder, names: Names, *, report: list[str]) -> Plain:
    """Return the last section of the page.

    Args:
        study: The opened study.
        names: What things are called.
        report: The words of the command that made the page; empty where the study itself made it.
    """
    facts = [
        {"id": "made-protocol", "title": "Protocol", "facts": _protocol(study)},
        {"id": "made-encoders", "title": "Encoders", "facts": _encoders(study, names)},
        {"id": "made-data", "title": "Data", "facts": _data(study, names)},
        {"id": "made-versions", "title": "Versions and machine", "facts": _versions(study)},
    ]
    return {
        "facts": facts,
        "settings": _settings(study),
        "commands": [shlex.join(words) for words in (command(study, names), report) if words],
        "methods": paragraph(study, names),
        "reported": REPORTED,
        "citations": citations(study),
    }


def _protocol(study: StudyFolder) -> list[Plain]:
    job = study.job
    count, low, high = STRENGTHS
    found = [row for name, words in scenario_words(study).items() for row in fact(scenario(name), words)]
    probe, unit = "probe" in job["methods"], study.unit
    return [
        *found,
        *fact("parts", parts_words(study)),
        *fact("repetitions", study.repeats if study.repeats > 1 else None),
        *fact("shares of the labels", listed(share(each) for each in job["label_fractions"])),
        *fact("shares of the other site’s labels", listed(share(each) for each in job["target_fractions"])),
        *fact("draws of a share below 100%", f"{job['draws']}: by {unit}, nested, stratified by class, the same for "
              f"every encoder and method; at least one {unit} of each class"),
        *fact("validation", "its labels choose settings and are not counted among the share"),
        *fact("features of the probe", "embeddings in float32, standardised by the whole training part, labelled or "
              "not" if probe else None),
        *fact("C of the probe", f"of {count} values between 10^{low} and 10^{high}, by the log loss on the validation "
              "part" if probe else None),
        *fact("intervals", f"95%, percentiles of {job['bootstrap']:,} draws of {unit}s and, at each share, of the "
              "draws of labels"),
        *fact("tested rows", "those that every encoder and method could score"),
        *fact("image size", _image_size(study)),
        *fact("seed", job["seed"]),
    ]  # fmt: skip


def _image_size(study: StudyFolder) -> str:
    """Return the size of the images that the program itself embedded or fine-tuned; empty where it did neither."""
    if len(study.external) == len(study.job["encoders"]):
        return ""
    size = f"{study.job['image_size']} px" if study.job.get("image_size") else "each encoder’s own"
    return f"{size}; of embeddings from files it is not known" if study.external else size


def _encoders(study: StudyFolder, names: Names) -> list[Plain]:
    found = []
    for typed, digest in study.job["encoders"].items():
        role = " (baseline)" if typed == study.baseline and study.others else ""
        what = "the file with its embeddings" if typed in study.external else "its weights"
        found += fact(f"{names.encoder(typed)}{role}, hash of {what} (SHA-256)", digest, code=True)
    return found


def _data(study: StudyFolder, names: Names) -> list[Plain]:
    job, found = study.job, []
    for typed, digest in job["data_sets"].items():
        name = names.data_set(typed)
        site = "other site" if typed in job["other_sites"] else "in distribution"
        words = [f"{part} {said}" for part, said in part_words(study, typed).items()]
        found += fact(f"{name}, {site}", " · ".join(words))
        found += fact(f"{name}, hash of the manifest (SHA-256)", digest, code=True)
    for label, classes in job["labels"].items():
        found += fact(f"classes of {label}", ", ".join(classes))
    return found


def _versions(study: StudyFolder) -> list[Plain]:
    facts = study.facts
    tuned = "finetune" in study.job["methods"]
    precision = _PRECISIONS.get(str(study.job.get("precision")), study.job.get("precision"))
    return [
        *fact("made with", " · ".join(f"{name} {each}" for name, each in (facts.get("versions") or {}).items())),
        *fact("commit", facts.get("commit"), code=True),
        *fact("device", facts.get("device")),
        *fact("fine-tuning computed in", precision if tuned else None),
        *fact("processes", facts.get("processes")),
        *fact("threads a process", facts.get("threads")),
        *fact("page made with", f"remedis {__version__}"),
    ]


def _settings(study: StudyFolder) -> list[Plain]:
    """Return the settings of fine-tuning with where each comes from; none where there was no fine-tuning."""
    if "finetune" not in study.job["methods"]:
        return []
    recipe, options = RECIPES.get(str(study.options.get("recipe")), {}), study.options
    found = []
    for name, value in study.job["finetuning"].items():
        source, reason = "default", ""
        if options.get(name) is not None:
            source = "command line"
        elif name in recipe and setting_words(recipe[name].value) == setting_words(value):
            source, reason = "recipe", recipe[name].reason
        words = listed(map(str, value)) if isinstance(value, list) else setting_words(value)
        found.append({"name": name.replace("_", " "), "words": words, "source": source, "reason": reason})
    return found


def command(study: StudyFolder, names: Names) -> list[str]:
    """Return the words of the newest start, paths with their last part alone."""
    typed = study.facts.get("command") or []
    words = [names.word(str(word)) for word in typed]
    processes = study.facts.get("processes")
    if not words:
        return []
    if isinstance(processes, int) and processes > 1:
        return ["torchrun", "--nproc-per-node", str(processes), "-m", "remedis", *words]
    return ["remedis", *words]
