"""A study's folder written by hand: round numbers of two encoders on two sites, and more of everything on request."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from remedis.report.of_study import study_data
from remedis.report.study_folder import open_study
from remedis.report.study_names import Names

HERE, THERE = "north.parquet", "south.parquet"
BASE, OTHER = "base", "run/last"
SHARES = (0.05, 0.25, 1.0)
PLACES = {
    "in_distribution": (HERE, HERE), "out_of_distribution": (THERE, HERE), "adapted": (THERE, THERE),
}  # fmt: skip
AUROC = {
    ("in_distribution", BASE): (0.70, 0.80, 0.90), ("in_distribution", OTHER): (0.85, 0.91, 0.95),
    ("out_of_distribution", BASE): (0.60, 0.65, 0.72), ("out_of_distribution", OTHER): (0.55, 0.62, 0.66),
    ("adapted", BASE): (0.58, 0.66, 0.75), ("adapted", OTHER): (0.76, 0.80, 0.88),
}  # fmt: skip
MATCHED = {
    "in_distribution": (0.2, 0.08, 0.6), "out_of_distribution": ("inf", 0.7, "inf"), "adapted": (0.05, 0.05, 0.11),
}  # fmt: skip
PATIENTS = {HERE: (20, 100, 400), THERE: (15, 75, 300)}
TESTED = {HERE: (240, 180), THERE: (300, 200)}
TESTS = {"in_distribution": (0.012, 0.024), "out_of_distribution": (0.2, 0.2), "adapted": (0.0005, 0.001)}
SHORTCUT = (
    "{label}: image size and aspect alone reach AUROC {value:.2f} ({low:.2f} to {high:.2f}, 717 patients); compare "
    "every figure with that"
)
SECRET = "PAT0007/00012345.png"

Rows = list[dict[str, Any]]


def study_folder(
    folder: Path,
    *,
    encoders: Sequence[str] = (BASE, OTHER),
    methods: Sequence[str] = ("logistic",),
    labels: Sequence[str] = ("pneumonia",),
    repeats: int = 1,
    extras: bool = True,
    job: Mapping[str, Any] | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Path:
    """Write a study's folder.

    Args:
        folder: Where.
        encoders: The first is the baseline; the third and later ones lie 0.01 below the second each.
        methods: As results name them; the second lies 0.02 below the first.
        labels: The second and later ones lie 0.03 below the first each.
        repeats: The second and later ones lie 0.04 below the first each, and their p are smaller.
        extras: Whether subgroups, operating points, calibration, shift and flow are there.
        job: Changes of what decided the study.
        facts: Changes of `study.json`.
    """
    folder.mkdir(parents=True)
    asked = [
        {"scenario": scenario, "dataset": tested, "train_dataset": trained, "label": label, "method": method,
         "repeat": repeat}
        for scenario, (tested, trained) in PLACES.items()
        for label in labels for method in methods for repeat in range(repeats)
    ]  # fmt: skip
    down = {
        (each["label"], each["method"], each["repeat"]): 0.03 * labels.index(each["label"])
        + 0.02 * methods.index(each["method"])
        + 0.04 * each["repeat"]
        for each in asked
    }
    drops = [down[each["label"], each["method"], each["repeat"]] for each in asked]
    tables = {
        "curves": [row for each, drop in zip(asked, drops, strict=True) for row in _curves(each, drop, encoders)],
        "matches": [row for each, drop in zip(asked, drops, strict=True) for row in _matches(each, drop, encoders)],
        "differences": [row for each in asked for row in _differences(each, encoders)],
        "results": [row for each, drop in zip(asked, drops, strict=True) for row in _results(each, drop, encoders)],
    }
    if extras:
        tables |= _extras(encoders, methods, labels)
    for name, rows in tables.items():
        if rows:
            write(folder / f"{name}.csv", rows)
    (folder / "study.json").write_text(
        json.dumps(_facts(encoders, methods, labels, repeats, job or {}) | dict(facts or {}))
    )
    (folder / "audit.json").write_text(json.dumps(_audit(labels)))
    if extras:
        (folder / "flow.json").write_text(json.dumps({HERE: _flow(HERE, labels), THERE: _flow(THERE, labels)}))
    return folder


def write(path: Path, rows: Rows) -> None:
    """Write a table as the program does: None is empty."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows([{name: "" if value is None else value for name, value in row.items()} for row in rows])


def values(folder: Path) -> dict[str, Any]:
    """Return what a page would show, without drawing it."""
    study = open_study(folder)
    return study_data(study, Names(study, names=False), report=[])


def changed(folder: Path, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change rows of a table: `change` gets a row and returns what differs."""
    path = folder / f"{name}.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    write(path, [row | change(row) for row in rows])


def flowing(folder: Path, data_set: str = HERE, **changes: Any) -> None:
    """Change what flow.json says of a data set."""
    path = folder / "flow.json"
    flow = json.loads(path.read_text())
    path.write_text(json.dumps(flow | {data_set: flow[data_set] | changes}))


def without(folder: Path, name: str, encoder: str, method: str | None = None) -> None:
    """Take an encoder's rows out of a table, those of one method alone where one is named."""
    path = folder / f"{name}.csv"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [row for row in rows if row["encoder"] != encoder or method not in (None, row["method"])]
    if kept:
        write(path, kept)
    else:
        path.unlink()


def _auroc(asked: Mapping[str, Any], encoder: str, drop: float, encoders: Sequence[str]) -> list[float]:
    place = encoders.index(encoder)
    values = AUROC[asked["scenario"], BASE if place == 0 else OTHER]
    return [round(value - drop - 0.01 * max(place - 1, 0), 4) for value in values]


def _curves(asked: dict[str, Any], drop: float, encoders: Sequence[str]) -> Rows:
    n, patients = TESTED[asked["dataset"]]
    return [
        {**asked, "encoder": encoder, "fraction": share, "draws": 1 if share == 1 else 3,
         "labelled_images": 1.5 * count,
         "labelled_patients": float(count), "auroc": value, "low": round(value - 0.05, 4),
         "high": round(min(value + 0.03, 1), 4), "n": n, "n_patients": patients}
        for encoder in encoders
        for share, count, value in zip(
            SHARES, PATIENTS[asked["train_dataset"]], _auroc(asked, encoder, drop, encoders), strict=True)
    ]  # fmt: skip


def _matches(asked: dict[str, Any], drop: float, encoders: Sequence[str]) -> Rows:
    line = _auroc(asked, encoders[0], drop, encoders)[-1]
    found = []
    for place, encoder in enumerate(encoders):
        share, low, high = (1.0, 0.3, 1.0) if place == 0 else MATCHED[asked["scenario"]]
        found.append({**asked, "encoder": encoder, "baseline": encoders[0], "line": line,
                      "line_low": round(line - 0.05, 4),
                      "line_high": round(line + 0.03, 4), "fraction": share, "low": low, "high": high,
                      "reached": 0.25 if share == "inf" else 0.99, "at_most": share == 0.05})  # fmt: skip
    return found


def _differences(asked: dict[str, Any], encoders: Sequence[str]) -> Rows:
    found = []
    for place, encoder in enumerate(encoders[1:]):
        pairs = zip(AUROC[asked["scenario"], OTHER], AUROC[asked["scenario"], BASE], strict=True)
        for share, (one, other) in zip(SHARES, pairs, strict=True):
            gap = round(one - other - 0.01 * place, 4)
            p, holm = (
                (each / (1 + asked["repeat"]) for each in TESTS[asked["scenario"]]) if share == 1 else (None, None)
            )
            found.append({**asked, "encoder": encoder, "baseline": encoders[0], "fraction": share, "difference": gap,
                          "low": round(gap - 0.04, 4), "high": round(gap + 0.04, 4), "non_inferior": gap - 0.04 > -0.01,
                          "p": p, "p_holm": holm, "p_delong": None})  # fmt: skip
    return found


def _results(asked: dict[str, Any], drop: float, encoders: Sequence[str]) -> Rows:
    adapted = asked["scenario"] == "adapted"
    n, patients = TESTED[asked["dataset"]]
    found = []
    for encoder in encoders:
        for share, value in zip(SHARES, _auroc(asked, encoder, drop, encoders), strict=True):
            figures = {"auroc": value, "average_precision": round(value - 0.02, 4), "brier": round(1 - value, 4)}
            for metric, figure in figures.items():
                row = {"encoder": encoder, "method": asked["method"], "label_fraction": None if adapted else share,
                       "seed": 0, "dataset": asked["dataset"], "label": asked["label"], "class": "", "metric": metric,
                       "value": figure, "low": round(figure - 0.05, 4), "high": round(figure + 0.05, 4), "n": n,
                       "n_patients": patients, "scenario": asked["scenario"], "train_dataset": asked["train_dataset"],
                       "target_fraction": share if adapted else None, "subgroup": "", "n_positive": n // 3,
                       "repeat": asked["repeat"]}  # fmt: skip
                found += [row, row | {"subgroup": "sex=F", "value": 0.123, "low": 0.1, "high": 0.2, "n": 9}]
    return found


def _extras(encoders: Sequence[str], methods: Sequence[str], labels: Sequence[str]) -> dict[str, Rows]:
    tables: dict[str, Rows] = {"subgroups": [], "operating_points": [], "calibration": [], "shift": []}
    models = [
        {"encoder": encoder, "method": method, "train_dataset": trained, "dataset": tested, "label": label}
        for encoder in encoders for method in methods for tested, trained in PLACES.values() for label in labels
    ]  # fmt: skip
    for model in models:
        n, patients = TESTED[model["dataset"]]
        size = {"n": n, "n_patients": patients}
        group = {"column": "sex", "n": 100, "n_patients": 80, "n_positive": 33, "against": "", "metric": "auroc"}
        tables["subgroups"] += [
            model | group | {"group": "F", "kind": "group", "value": 0.81, "low": 0.71, "high": 0.9, "skipped": ""},
            model | group | {"group": "F", "kind": "group", "metric": "brier", "value": 0.2, "low": 0.1, "high": 0.3},
            model | group | {"group": "M", "kind": "group", "value": 0.77, "low": 0.66, "high": 0.86, "skipped": ""},
            model | group | {"column": "age", "group": "80 and over", "kind": "group", "value": None, "low": None,
                             "high": None, "metric": "", "n": 4, "skipped": "4 patients, fewer than 20"},
            model | group | {"group": "F", "kind": "gap", "against": "M", "value": 0.04, "low": -0.02, "high": 0.1,
                             "skipped": ""},
        ]  # fmt: skip
        point = {"class": "", "rule": "youden", "threshold": 0.4321, "chosen_on": "validation"}
        cells = {"tp": 60, "fp": 24, "fn": 20, "tn": 136}
        tables["operating_points"] += [
            model | size | point | {"metric": metric, "value": value, "low": value - 0.1, "high": value + 0.1, **cells}
            for metric, value in (("sensitivity", 0.75), ("specificity", 0.85), ("ppv", 0.714), ("npv", 0.872))
        ]
        tables["calibration"] += [
            model | size | {"class": "", "scores": scores, "temperature": 1.25 if scores == "scaled" else None,
                            "metric": metric, "value": value, "low": value - 0.02, "high": value + 0.02}
            for scores in ("raw", "scaled")
            for metric, value in (("brier", 0.15), ("ece", 0.07), ("calibration_intercept", -0.3),
                                  ("calibration_slope", 0.9))
        ]  # fmt: skip
        if model["train_dataset"] != model["dataset"]:
            tables["shift"] += [
                model | {"class": "", "rule": rule, "threshold": 0.4321 if rule else None, "scores": "",
                         "metric": metric,
                         "in": 0.9, "out": 0.72, "difference": -0.18, "low": -0.26, "high": -0.1, "n_in": 240,
                         "n_patients_in": 180, "n_out": 300, "n_patients_out": 200}
                for rule, metric in (("", "auroc"), ("youden", "sensitivity"))
            ]  # fmt: skip
    return tables


def _facts(
    encoders: Sequence[str], methods: Sequence[str], labels: Sequence[str], repeats: int, job: Mapping[str, Any]
) -> dict[str, Any]:
    asked = {"logistic": "probe", "finetune": "finetune"}
    tuning = {
        "learning_rate": 0.1, "learning_rate_scaling": "linear", "decay_at": [0.3, 0.6, 0.9], "weight_decay": 0.0,
        "optimizer": "momentum", "train_batch_size": 64, "train_epochs": 30, "train_steps": 40,
        "fine_tune_after_block": -1, "flip": False,
    }  # fmt: skip
    return {
        "verb": "study",
        "job": {
            "data_sets": {HERE: "a" * 64, THERE: "b" * 64}, "other_sites": [THERE],
            "encoders": {name: f"{place}" * 64 for place, name in enumerate(encoders)}, "baseline": encoders[0],
            "labels": {label: ["0", "1"] for label in labels}, "methods": [asked[name] for name in methods],
            "label_fractions": list(SHARES), "target_fractions": list(SHARES), "draws": 3, "scenarios": list(PLACES),
            "repeat_splits": repeats, "seed": 7, "image_size": 64, "finetuning": tuning, "precision": "bf16",
            "bootstrap": 1000, **job,
        },
        "options": {"recipe": None, "train_steps": 40},
        "simulated": False,
        "command": ["study", "--manifest", HERE, "--ood", THERE, "--encoders", ",".join(encoders), "--out", "study"],
        "device": "cpu", "commit": "c" * 40, "versions": {"remedis": "0.1.0", "torch": "2.14.1"}, "processes": 1,
        "threads": 1,
    }  # fmt: skip


def _audit(labels: Sequence[str]) -> dict[str, Any]:
    shortcuts = [
        {"kind": "shortcut", "severity": "warning", "count": 900, "examples": [], "line": "",
         "message": SHORTCUT.format(label=label, value=0.87, low=0.85, high=0.9)}
        for label in labels
    ]  # fmt: skip
    copies = {
        "kind": "duplicate", "severity": "warning", "message": "1 group of files with the same bytes", "count": 1,
        "examples": [SECRET], "line": f"duplicate: 1 group of files with the same bytes: {SECRET} (warning)",
    }  # fmt: skip
    return {HERE: shortcuts, THERE: [copies]}


def _flow(name: str, labels: Sequence[str]) -> dict[str, Any]:
    sizes = {"train": (600, PATIENTS[name][-1]), "validation": (150, 110), "test": TESTED[name]}
    parts = {part: {"images": images, "patients": patients} for part, (images, patients) in sizes.items()}
    drawn = ["validation"] if name == THERE else []
    return {
        "rows": sum(images for images, _ in sizes.values()) + 10,
        "left_out": {"label is empty": 7, "class 2 is excluded": 3}, "unreadable": 0, "leaking_patients": 0,
        "units": "patients",
        "given": [part for part in sizes if part not in drawn], "drawn": drawn, "split_unused": {},
        "tested": TESTED[name][0], "parts": parts,
        "labels": {label: {"lacking": 0, "why": [], "parts": parts} for label in labels},
        "by_class": {
            label: {part: {"0": images - 50, "1": 50} for part, (images, _) in sizes.items()} for label in labels
        },
        "sex": {part: {"F": images // 2, "M": images // 2} for part, (images, _) in sizes.items()},
        "age": {part: {"n": images, "median": 48.0, "low": 33.0, "high": 58.5} for part, (images, _) in sizes.items()},
    }  # fmt: skip
