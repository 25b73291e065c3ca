"""What `remedis probe` tells a person: what it understood, and the figures it found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from remedis.evaluate.shortcuts import TELLING
from remedis.report.numbers import counted, figure, plural, span

_TITLES = {
    "auroc": "AUROC", "average_precision": "average precision",
    "sensitivity_at_95_specificity": "sensitivity at 95% specificity", "brier": "Brier score",
    "ece": "calibration error (ECE)",
}  # fmt: skip
Plain = Mapping[str, Any]


def understood(entry: Plain, *, unit: str, test_unit: str, test: str | None, several: bool) -> list[str]:
    """Return who is learnt from and who is tested, and who is left out.

    Args:
        entry: What the settings say of one label.
        unit: Plural of what is kept whole.
        test_unit: The same in the tested embeddings.
        test: The tested embeddings, where they are others.
        several: Whether there are more labels, so that each line names its own.
    """
    name = f"{entry['label']}: " if several else ""
    counts = entry["counts"]
    if entry["evaluation"] == "nested-cv":
        kept = "" if unit == "images" else f", no {_one(unit)} in two"
        lines = [f"{name}{entry['folds']} nested folds of {_images(counts['train'], unit)}{kept}"]
    else:
        validation = f" · validation {_images(counts['validation'], unit, bare=True)}" * bool(
            counts["validation"]["images"]
        )
        tested = _images(counts["test"], test_unit, bare=test is None) + (f" of {test}" if test else "")
        lines = [f"{name}train {_images(counts['train'], unit)}{validation} · test {tested}"]
    for words, left_out in (("left out", entry["left_out"]), (f"left out of {test}", entry["left_out_of_test"])):
        if left_out:
            listed = " · ".join(f"{count:,} ({why})" for why, count in left_out.items())
            lines.append(f"{name}{words}: {listed}")
    return lines


def _images(count: Plain, unit: str, *, bare: bool = False) -> str:
    """Return `530 images / 411 patients`, or bare `139 / 108`."""
    if bare:
        return f"{count['images']:,}" + ("" if unit == "images" else f" / {count['units']:,}")
    images = counted(count["images"], "images")
    return images if unit == "images" else f"{images} / {counted(count['units'], unit)}"


def _one(unit: str) -> str:
    return "patient" if unit == "patients" else f"value of {unit}"


def table(config: Plain, results: Sequence[Plain]) -> list[str]:
    """Return the figures of every label as aligned lines.

    Args:
        config: What `config.json` says.
        results: Rows of `results.csv` as dictionaries, numbers or None.
    """
    lines = []
    for entry in config["labels"]:
        own = [row for row in results if row["label"] == entry["label"]]
        heading, rows = _heading(entry), _rows(entry, own)
        width = max(len(heading), *(len(title) + 2 for title, _ in rows)) + 3
        unit = plural(config["unit"])
        lines.append(f"{heading:<{width}}value   95% interval ({unit}, {config['draws']:,} draws)")
        for title, row in rows:
            limits = span(row["low"], row["high"]).replace("–", " … ")
            lines.append(f"  {title:<{width - 2}}{figure(row['value'])}   {limits}")
    return lines


def _heading(entry: Plain) -> str:
    label, classes = entry["label"], entry["classes"]
    if entry["kind"] == "multiclass":
        return f"{label}, mean of {len(classes)} classes"
    return str(label) if classes[1] == "1" else f"{label} = {classes[1]}"


def _rows(entry: Plain, results: Sequence[Plain]) -> list[tuple[str, Plain]]:
    """Return title and row of the logistic figures, each class's AUROC, and the AUROC of kNN."""
    whole = "macro" if entry["kind"] == "multiclass" else ""
    found = {(row["method"], row["class"], row["metric"]): row for row in results}
    titles = _TITLES | ({"brier": "Brier score, sum over classes"} if whole else {})
    rows = [(title, found["logistic", whole, metric]) for metric, title in titles.items()]
    if whole:
        rows += [(f"AUROC of {name}", found["logistic", name, "auroc"]) for name in entry["classes"]]
    if ("knn", whole, "auroc") in found:
        rows.append(("AUROC of nearest neighbours", found["knn", whole, "auroc"]))
    return rows


def cautions(config: Plain) -> list[str]:
    """Return every caution as a line."""
    own = [text for entry in config["labels"] for text in entry["cautions"]]
    telling = [
        f"{entry['label']}: image size and aspect alone reach AUROC {entry['size_alone']:.2f} here; the answer may "
        "rest on how images were taken and cut"
        for entry in config["labels"]
        if entry["size_alone"] is not None and entry["size_alone"] >= TELLING
    ]
    return [f"caution: {text}" for text in dict.fromkeys([*telling, *own, *config["cautions"]])]
