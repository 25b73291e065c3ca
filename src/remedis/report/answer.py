"""The answer in one sentence, with the caution that matters most, and all other cautions after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from remedis.evaluate.intervals import FEW_UNITS
from remedis.evaluate.shortcuts import TELLING
from remedis.report.label_data import auroc_row
from remedis.report.numbers import counted, figure, plural

Plain = dict[str, Any]
CHANCE = 0.5
UNSEEN = {"patients": "its patient", "images": "it"}
_REST_ON = "the intervals rest on"
_COLLECTION = "the figures are of a collection of images, not of a population; prevalence changes with the place"


def answer(data: Plain, entry: Mapping[str, Any], *, encoder: str) -> Plain:
    """Return a label's answer: its number, what stands beside it, and what was compared with what.

    Args:
        data: From `label_data`.
        entry: What the probe's settings say of the label; `size_alone` is the AUROC of image size and aspect, or None.
        encoder: What it is called, and whether it is trained.
    """
    size_alone = entry.get("size_alone")
    row, knn = auroc_row(data), auroc_row(data, "knn")
    ladder = [{"name": "logistic regression", "kind": "main", **_limits(row)}]
    if knn["value"] is not None:
        ladder.append({"name": "nearest neighbours (kNN)", "kind": "beside", **_limits(knn)})
    if size_alone is not None:
        ladder.append({"name": "image size alone", "kind": "lone", "value": size_alone, "low": None, "high": None})
    binary, units = data["kind"] == "binary", data["unit_name"]
    return {
        "question": f"{data['label']} = {data['positive']}" if binary and data["positive"] != "1" else data["label"],
        "metric": "AUROC" if binary else f"Mean AUROC of {len(data['classes'])} classes",
        **_limits(row),
        "n": data["n"],
        "positives": data["class_counts"][data["positive"]] if binary else None,
        "images_words": counted(data["n"], "images"),
        "units_words": "" if units == "images" else counted(data["units"], units),
        "beside": f"image size alone reaches {figure(size_alone, 2)}" if _telling(size_alone) else "",
        "size_alone": size_alone,
        "ladder": ladder,
        "compared": _compared(data, entry, encoder),
    }


def _limits(row: Mapping[str, Any]) -> Plain:
    return {name: row[name] for name in ("value", "low", "high")}


def _telling(size_alone: float | None) -> bool:
    return size_alone is not None and size_alone >= TELLING


def _compared(data: Plain, entry: Mapping[str, Any], encoder: str) -> str:
    fitted, units = entry["counts"]["train"], str(data["unit_name"])
    who = counted(fitted["images"], "images")
    if units != "images":
        who += f" of {counted(fitted['units'], units)}"
    how = {
        "split": f"fitted on {who}; none of the tested {plural(units)} was among them",
        "external": f"fitted on {who}, tested on images from elsewhere",
        "nested-cv": f"in nested folds of {who}; each image was scored by a model that had not seen "
        f"{UNSEEN.get(units, 'its ' + units)}",
    }[entry["evaluation"]]
    return f"Logistic regression on the embeddings of {encoder}, {how}."


def cautions(answers: Sequence[Plain], datas: Sequence[Plain], facts: Plain) -> list[str]:
    """Return what a reader must know as sentences, the most weighty first.

    Args:
        answers: From `answer`.
        datas: From `label_data`, in the same order.
        facts: `simulated`, `untrained`, `seen` (tested rows that the model had seen), `sites`, `of_probe` (the
            cautions that the probe itself gave).
    """
    found: list[tuple[int, str]] = []
    if facts["seen"]:
        found.append((0, f"the model had seen {counted(facts['seen'], 'images')} of those it is tested on"))
    for said, data in zip(answers, datas, strict=True):
        name = f"{data['label']}: " if len(answers) > 1 else ""
        found += [(weight, name + text) for weight, text in _of_label(said, data)]
    if facts["simulated"]:
        found.append((4, "these images are simulated; the figures say nothing about patients"))
    if facts["untrained"]:
        found.append((5, "the encoder’s weights are random, it has learnt from no image; read this as a floor"))
    found += [(6, text) for text in facts["of_probe"] if _REST_ON not in text]  # of few patients, said above
    if len(facts["sites"]) == 1:
        found.append((7, "all tested images come from one site; another site can differ"))
    found.append((8, _COLLECTION))
    texts = dict.fromkeys(text for _, text in sorted(found, key=lambda pair: pair[0]))
    labels = tuple(data["label"] for data in datas)
    return [_sentence(text, labels) for text in texts]


def _of_label(said: Plain, data: Plain) -> list[tuple[int, str]]:
    found = []
    if data["units"] < FEW_UNITS:
        words = counted(data["units"], data["unit_name"])
        found.append((1, f"{_REST_ON} {words}, too few to be believed"))
    if said["low"] is not None and said["low"] <= CHANCE <= said["high"]:
        found.append((2, f"the interval holds {CHANCE}, which is chance"))
    if said["high"] is not None and said["high"] < CHANCE:
        found.append((2, f"the whole interval lies below {CHANCE}: here the ranking is the wrong way round"))
    if _telling(said["size_alone"]):
        reached = figure(said["size_alone"], 2)
        found.append(
            (
                3,
                f"width and height of the files alone reach AUROC {reached}, without a look at any picture; the answer "
                "may rest on how images were taken and cut, not on what they show",
            )
        )
    return found


def _sentence(text: str, labels: tuple[str, ...]) -> str:
    """Begin with a capital, save where a label's own name begins, and end with a full stop."""
    named = any(text.startswith((f"{label}: ", f"{label} ")) for label in labels)
    whole = text if named else text[:1].upper() + text[1:]
    return whole if whole.endswith((".", "!", "?")) else f"{whole}."
