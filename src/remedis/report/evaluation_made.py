"""How an evaluation was made: settings, versions, the command, and a paragraph for the methods section."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from remedis import __version__
from remedis.evaluate.evaluation_read import EvaluationFolder
from remedis.report import methods
from remedis.report.evaluation_names import Files, model, other_file
from remedis.report.naming import condition_shown, path_shown
from remedis.report.numbers import plural
from remedis.report.study_names import listed

Plain = dict[str, Any]
fact = methods._fact
_FIGURES = (
    "Predictive values at other prevalences follow from sensitivity and specificity by Bayes’ rule; net benefit is "
    "that of Vickers and Elkin (2006), the calibration error has 15 bins of equal width (Guo et al., 2017), "
    "intercept and slope are those of a logistic recalibration."
)
_COMPARED = (
    "Models were compared on the same rows: an interval from draws that both share, and a permutation test that swaps "
    "their scores in whole patients, with p adjusted by Holm over the labels."
)
_HOW = {"mean": "their mean", "max": "their largest"}


def made(opened: EvaluationFolder, labels: Sequence[Plain], files: Files, *, report: list[str]) -> Plain:
    """Return the last section of the page.

    Args:
        opened: The evaluation.
        labels: From `evaluation_data.label_data`.
        files: The tested files.
        report: The words of the command that made the page; empty where the evaluation itself made it.
    """
    commands = [command(opened, files), *([report] if report else [])]
    return {
        "facts": [
            {"id": "made-choices", "title": "Choices, and where they were made", "facts": _choices(opened, labels)},
            {"id": "made-files", "title": "Files", "facts": _files(opened, files)},
            {"id": "made-versions", "title": "Versions", "facts": _versions(opened)},
        ],
        "commands": [shlex.join(words) for words in commands],
        "methods": paragraph(opened, labels, files),
        "citations": list(methods.CITATIONS),
    }


def _choices(opened: EvaluationFolder, labels: Sequence[Plain]) -> list[Plain]:
    job = opened.facts["job"]
    found = fact("operating points", listed(job["at"]))
    for label in labels:
        chosen = {row["chosen_on"] for row in label["operating_points"]}
        found += fact(f"thresholds of {label['words']}", f"chosen on {listed(sorted(chosen))}" if chosen else None)
        found += fact(f"temperature of {label['words']}", label["temperature"] and f"{label['temperature']:.4g}")
    return [
        *found,
        *fact("one row is", f"one {job['per']}" + (
            "" if job["per"] == "image" else f"; of its images’ scores {_HOW[job['aggregate']]}")),
        *fact("prevalences asked for", listed(f"{each:g}" for each in job["prevalence"])),
        *fact("rows kept", "; ".join(condition_shown(each, names=False) for each in job["where"])),
        *fact("groups", listed(job["subgroups"])),
        *fact("ages at which groups begin", listed(map(str, job["age_bands"])) if "age" in job["subgroups"] else None),
        *fact("drawn as a whole", job["cluster"] or opened.facts["unit"]),
        *fact("bootstrap draws", f"{job['draws']:,}"),
        *fact("seed", job["seed"]),
    ]  # fmt: skip


def _files(opened: EvaluationFolder, files: Files) -> list[Plain]:
    job = opened.facts["job"]
    found = [*fact("model", model(opened)), *fact("method", (opened.facts.get("model") or {}).get("method"))]
    shown = (
        ("predictions", files.data_set(files.here)), ("ood", files.data_set(files.there) if files.there else None),
        ("compare", other_file(opened, names=files.whole) if opened.facts["files"]["compare"] else None),
    )  # fmt: skip
    for name, words in shown:
        found += fact({"ood": "other site", "compare": "other model"}.get(name, name), words)
        found += fact(f"hash of {words} (SHA-256)", job[f"{name}_sha256"] if words else None, code=True)
    return found


def _versions(opened: EvaluationFolder) -> list[Plain]:
    made_with = " · ".join(f"{name} {each}" for name, each in opened.facts["versions"].items())
    return [*fact("made with", made_with), *fact("page made with", f"remedis {__version__}")]


def command(opened: EvaluationFolder, files: Files) -> list[str]:
    """Return the words that make the same evaluation again, paths with their last part alone unless names are shown."""
    facts, job = opened.facts, opened.facts["job"]
    words = ["remedis", "evaluate", path_shown(files.here, names=files.whole)]
    words += ["--out", path_shown(opened.path, names=files.whole), "--label", ",".join(job["labels"])]
    words += ["--at", ",".join(job["at"]), "--prevalence", ",".join(f"{each:g}" for each in job["prevalence"])]
    words += ["--ood", path_shown(files.there, names=files.whole)] if files.there else []
    other = facts["files"]["compare"]
    words += ["--compare", path_shown(other, names=files.whole)] if other else []
    words += ["--per", job["per"], "--aggregate", job["aggregate"]] if job["per"] != "image" else []
    words += ["--subgroups", ",".join(job["subgroups"])] if job["subgroups"] else []
    words += ["--cluster", job["cluster"]] if job["cluster"] else []
    for condition in job["where"]:
        words += ["--where", condition_shown(condition, names=files.whole)]
    words += ["--age-bands", ",".join(map(str, job["age_bands"]))] if "age" in job["subgroups"] else []
    return [*words, "--draws", str(job["draws"]), "--seed", str(job["seed"])]


def paragraph(opened: EvaluationFolder, labels: Sequence[Plain], files: Files) -> str:
    """Return what a methods section needs to say."""
    job, unit = opened.facts["job"], plural(opened.facts["unit"])
    tested = "; ".join(f"{label['words']} ({label['on']})" for label in labels)
    version = opened.facts["versions"]["remedis"]
    found = [f"Predictions of {model(opened)} were evaluated with remedis {version}: {tested}."]
    if job["per"] != "image":
        found.append(f"Scores of one {job['per']} were put together by {_HOW[job['aggregate']]}.")
    found.append(_chosen(labels, job))
    found.append(f"Intervals are 95% percentile intervals of {job['draws']:,} bootstrap draws of whole {unit}, that of "
                 "the calibration error corrected for the bias of resampling.")  # fmt: skip
    if any(label["here"].get("low_delong") is not None for label in labels):
        found.append("Where each of them has one row, DeLong’s interval of the AUROC (1988) and Wilson’s of shares are "
                     "given too.")  # fmt: skip
    found.append(_FIGURES)
    if files.there:
        found.append(f"Thresholds and temperature were carried to {files.data_set(files.there)} unchanged; differences "
                     "between the sites draw the patients of each by themselves.")  # fmt: skip
    if opened.facts["files"]["compare"]:
        found.append(_COMPARED)
    return " ".join(found)


def _chosen(labels: Sequence[Plain], job: Plain) -> str:
    places = {row["chosen_on"] for label in labels for row in label["operating_points"]}
    rules = listed(job["at"])
    if places == {"validation"}:
        return f"Thresholds ({rules}) and one temperature a label were chosen on validation rows and frozen."
    if "validation" in places:
        return f"Thresholds ({rules}) were chosen on validation rows where there were any, else on the tested rows."
    return (
        f"There were no validation rows: thresholds ({rules}) are those of the tested rows themselves and descriptive, "
        "and no temperature was fitted."
    )
