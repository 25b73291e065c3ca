"""What the page says of one label, as plain values: curves, calibration, subgroups."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from remedis.evaluate.bands import Curve, precision_recall, reliability_band, roc, thinned
from remedis.evaluate.calibration import BINS, reliability
from remedis.evaluate.metrics import Floats
from remedis.report import examples
from remedis.report.naming import path_shown
from remedis.report.subgroups import subgroups
from remedis.report.tested import Tested

Plain = dict[str, Any]
HISTOGRAM_BINS = 30
_PATHS = ("encoder", "dataset")


def label_data(
    tested: Tested, results: Sequence[Mapping[str, Any]], *, draws: int, seed: int, names: bool = False
) -> Plain:
    """Return everything that the page's charts and tables say of one label.

    Args:
        tested: Its rows.
        results: Rows of `results.csv`, of any label.
        draws: Bootstrap draws for bands.
        seed: Of the draws.
        names: Whether whole paths are shown.
    """
    counts = np.bincount(tested.codes, minlength=len(tested.classes))
    return {
        "label": tested.label,
        "kind": "binary" if tested.binary else "multiclass",
        "classes": list(tested.classes),
        "positive": tested.classes[1] if tested.binary else None,
        "n": len(tested.rows),
        "units": tested.unit_count,
        "unit_name": tested.unit_name,
        "class_counts": dict(zip(tested.classes, counts.tolist(), strict=True)),
        "results": [_shown(row, names=names) for row in results if row["label"] == tested.label],
        "confusion": confusion(tested),
        "prevalence": float(tested.truth.mean()) if tested.binary else None,
        "roc": _curves(tested, "roc", draws=draws, seed=seed),
        "precision_recall": _curves(tested, "precision_recall", draws=draws, seed=seed),
        "calibration": _calibration(tested, draws=draws, seed=seed),
        "histogram": _histogram(tested),
        "subgroups": [
            plain(asdict(group))
            for group in subgroups(
                tested.table, tested.truth, tested.scores["logistic"], tested.units, draws=draws, seed=seed
            )
        ],
    }


def _shown(row: Mapping[str, Any], *, names: bool) -> Plain:
    return {key: path_shown(value, names=names) if key in _PATHS else value for key, value in row.items()}


def confusion(tested: Tested) -> list[list[int]]:
    """Return how many images of each true class (outer) were called each class (inner), in the order of `classes`.

    Of two classes the second is called from a probability of 0.5 on, of several the likeliest.
    """
    called, _, _ = examples.predicted(tested.scores["logistic"])
    count = len(tested.classes)
    cells = np.bincount(tested.codes * count + called, minlength=count * count)
    found: list[list[int]] = cells.reshape(count, count).tolist()
    return found


def auroc_row(data: Plain, method: str = "logistic") -> Plain:
    """Return the row of results that a label's answer is: the AUROC, of several classes their mean."""
    name = "" if data["kind"] == "binary" else "macro"
    rows = [
        row for row in data["results"] if row["metric"] == "auroc" and row["class"] == name and row["method"] == method
    ]
    return rows[0] if rows else {"value": None, "low": None, "high": None}


def plain(value: Any) -> Any:
    """Return a value with NaN and infinity as None and arrays as lists, which JSON can hold."""
    if isinstance(value, dict):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _curves(tested: Tested, kind: str, *, draws: int, seed: int) -> list[Plain]:
    """The logistic probe's curve of each class with a band; of two classes kNN's beside it, without."""
    make = {"roc": roc, "precision_recall": precision_recall}[kind]
    methods = [
        method for method in ("logistic", "knn") if method in tested.scores and (tested.binary or method != "knn")
    ]
    return [
        _curve(
            make(truth, tested.score(method, place), tested.units, draws=draws * (method == "logistic"), seed=seed),
            name, method,
        )
        for method in methods
        for place, name, truth in tested.curves
    ]  # fmt: skip


def _curve(curve: Curve, name: str, method: str) -> Plain:
    found = thinned(curve)
    return {
        "class": name,
        "method": method,
        "points": plain(np.stack([found.x, found.y, found.threshold], axis=1)),
        "band": plain({"x": found.grid, "low": found.low, "high": found.high}),
    }


def _calibration(tested: Tested, *, draws: int, seed: int) -> list[Plain]:
    return [
        {"class": name, "bins": _bins(tested.score("logistic", place), truth, tested, draws=draws, seed=seed)}
        for place, name, truth in tested.curves
    ]


def _bins(scores: Floats, truth: Any, tested: Tested, *, draws: int, seed: int) -> list[Plain]:
    found = reliability(truth, scores)
    low, high = reliability_band(truth, scores, tested.units, bins=BINS, draws=draws, seed=seed)
    return [
        plain(
            {
                "from": number / BINS, "to": (number + 1) / BINS, "count": found.count[number],
                "mean": found.mean[number], "share": found.share[number],
                "low": low[number], "high": high[number],
            }
        )
        for number in range(BINS)
    ]  # fmt: skip


def _histogram(tested: Tested) -> list[Plain]:
    """Count images by score: of two classes by true class, of several each class's own probabilities."""
    edges = np.linspace(0, 1, HISTOGRAM_BINS + 1)
    scores = tested.scores["logistic"]
    found = []
    for place, name in enumerate(tested.classes):
        own = scores[tested.codes == place] if tested.binary else scores[:, place]
        found.append({"class": name, "counts": np.histogram(own, edges)[0].tolist()})
    return found
