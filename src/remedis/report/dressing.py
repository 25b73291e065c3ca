"""How a label's plain values look: charts as SVG, legends in the same colours, tables, and captions that say n."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from remedis.evaluate.calibration import Reliability
from remedis.report import figures
from remedis.report.bands import Curve
from remedis.report.colours import ACCENT, MUTED, series, series_name
from remedis.report.label_data import auroc_row
from remedis.report.numbers import class_words, counted, figure, plural, share, span

Plain = dict[str, Any]
METHODS = {"logistic": "logistic regression", "knn": "nearest neighbours"}
_SHORT = {"logistic": "logistic", "knn": "kNN"}
METRICS = {
    "auroc": ("AUROC", ""),
    "average_precision": ("average precision", ""),
    "sensitivity_at_95_specificity": ("sensitivity at 95% specificity", "on the tested images’ own curve"),
    "brier": ("Brier score", "lower is better"),
    "ece": ("calibration error", "lower is better"),
}
_MOST_BANDS, _FEW_TO_DRAW = 5, 10


def class_colour(data: Plain, name: str) -> int:
    """Return which of the palette's colours a class has; the positive one of two comes first."""
    place: int = data["classes"].index(name)
    return 1 - place if data["kind"] == "binary" else place


def dressed(data: Plain, number: int) -> Plain:
    """Return what the template needs of a label.

    Args:
        data: From `label_data`.
        number: Of the label on the page; begins its figures' ids.
    """
    return {
        "name": data["label"] if data["positive"] in (None, "1") else f"{data['label']} = {data['positive']}",
        "key": f"label{number}",
        **_roc(data, number),
        **_precision_recall(data, number),
        **_calibration(data, number),
        **_subgroups(data),
        "tables": _tables(data),
        "unit_name": data["unit_name"],
    }


def _on(data: Plain) -> str:
    words = counted(data["n"], "images")
    return words if data["unit_name"] == "images" else f"{words} of {counted(data['units'], data['unit_name'])}"


def _line(data: Plain, curve: Plain) -> figures.Line:
    points = np.array([[np.inf if value is None else value for value in point] for point in curve["points"]])
    band = {
        name: np.array([np.nan if value is None else value for value in values])
        for name, values in curve["band"].items()
    }
    knn = curve["method"] == "knn"
    bands = sum(other["method"] == "logistic" for other in data["roc"])
    return figures.Line(
        Curve(points[:, 0], points[:, 1], points[:, 2], band["x"], band["low"], band["high"]),
        colour=_stand_in(data, curve), name=curve["class"], dashed=knn,
        band=bands <= _MOST_BANDS and not knn, alone=bands == 1,
    )  # fmt: skip


def _stand_in(data: Plain, curve: Plain) -> str:
    if data["kind"] != "binary":
        return series(class_colour(data, curve["class"]))
    return MUTED if curve["method"] == "knn" else ACCENT


def css_colour(data: Plain, curve: Plain) -> str:
    """Return a curve's colour as CSS has it."""
    if data["kind"] != "binary":
        return f"var(--{series_name(class_colour(data, curve['class']))})"
    return "var(--muted)" if curve["method"] == "knn" else "var(--accent)"


def curve_name(data: Plain, curve: Plain) -> str:
    """Return what a curve is called in a legend."""
    return str(METHODS[curve["method"]] if data["kind"] == "binary" else curve["class"])


def _legend(data: Plain, kind: str, metric: str) -> list[Plain]:
    found = []
    for curve in data[kind]:
        name = "" if data["kind"] == "binary" else curve["class"]
        rows = [
            row
            for row in data["results"]
            if (row["metric"], row["method"], row["class"]) == (metric, curve["method"], name)
        ]
        entry = {
            "mark": "line dashed" if curve["method"] == "knn" else "line",
            "colour": css_colour(data, curve),
            "name": curve_name(data, curve),
        }
        found.append(entry | ({"figure": figure(rows[0]["value"])} if rows else {}))
    return found


def _band_words(data: Plain) -> str:
    if sum(curve["method"] == "logistic" for curve in data["roc"]) > _MOST_BANDS:
        return "Each class against the rest; intervals stand in the table."
    return f"Bands: 95%, from draws of whole {plural(data['unit_name'])}, at each point by itself."


def _roc(data: Plain, number: int) -> Plain:
    row = auroc_row(data)
    caption = f"{_on(data)}. {_band_words(data)}"
    description = (
        f"ROC curve on {_on(data)}; AUROC {figure(row['value'])}, 95% interval {span(row['low'], row['high'])}."
    )
    lines = [_line(data, curve) for curve in reversed(data["roc"])]
    return {
        "legend_roc": _legend(data, "roc", "auroc"),
        "roc_svg": figures.roc_figure(lines, name=f"roc{number}", description=description),
        "roc_caption": caption,
    }


def _precision_recall(data: Plain, number: int) -> Plain:
    lines = [_line(data, curve) for curve in reversed(data["precision_recall"])]
    if data["kind"] == "binary":
        positives = data["class_counts"][data["positive"]]
        caption = (
            f"{_on(data)}, {positives:,} positive. The dotted line is the prevalence, {share(positives, data['n'])}, "
        )
        caption += "which chance would reach; where positives are rarer, precision falls."
    else:
        caption = f"{_on(data)}. Each class against the rest; chance would reach the class’s own share."
    return {
        "legend_pr": _legend(data, "precision_recall", "average_precision"),
        "pr_svg": figures.precision_recall_figure(
            lines,
            prevalence=data["prevalence"],
            name=f"pr{number}",
            description=f"Precision over recall on {caption}",
        ),
        "pr_caption": caption,
    }


def _calibration(data: Plain, number: int) -> Plain:
    binary = data["kind"] == "binary"
    lines = [_shares(data, entry) for entry in data["calibration"]]
    score = f"predicted probability of {data['positive']}" if binary else "predicted probability of the class"
    if binary and data["positive"] == "1":
        score = f"predicted probability of {data['label']}"
    caption = (
        f"{_on(data)} in 15 bins of equal width. On the dotted line predictions hold what they say; above it they are "
        f"too low, below it too high. "
        + ("Larger points are more images, lines up and down 95% intervals. Below: images by probability and true class."
           if binary else "Bins of fewer than ten images are not drawn. Below: all classes’ probabilities.")
    )  # fmt: skip
    ece = next(
        (
            row
            for row in data["results"]
            if row["metric"] == "ece" and row["method"] == "logistic" and row["class"] in ("", "macro")
        ),
        None,
    )
    description = (
        f"Observed share over predicted probability; calibration error {figure(ece['value'] if ece else None)}."
    )
    return {
        "legend_calibration": [
            {"mark": "dot", "colour": f"var(--{series_name(class_colour(data, name))})", "name": class_words(data["label"], name)}
            for name in ([data["classes"][1], data["classes"][0]] if binary else data["classes"])
        ],
        "calibration_svg": figures.calibration_figure(
            lines, _piles(data), score=score, name=f"cal{number}", description=description
        ),
        "calibration_caption": caption,
        "calibration_classes": not binary,
        "calibration_rows": [
            row | {"class": entry["class"], "bin": f"{row['from']:.2f}–{row['to']:.2f}"}
            for entry in data["calibration"]
            for row in entry["bins"]
            if row["count"]
        ],
    }  # fmt: skip


def _shares(data: Plain, entry: Plain) -> figures.Shares:
    def column(name: str) -> Any:
        return np.array([np.nan if row[name] is None else row[name] for row in entry["bins"]], dtype=np.float64)

    binary = data["kind"] == "binary"
    bins = Reliability(column("count").astype(np.int64), column("mean"), column("share"))
    colour = ACCENT if binary else series(class_colour(data, entry["class"]))
    if not binary:
        bins = Reliability(np.where(bins.count < _FEW_TO_DRAW, 0, bins.count), bins.mean, bins.share)
    return figures.Shares(bins, column("low") if binary else None, column("high") if binary else None, colour)


def _piles(data: Plain) -> list[figures.Pile]:
    return [
        figures.Pile(np.array(pile["counts"], dtype=np.int64), series(class_colour(data, pile["class"])))
        for pile in data["histogram"]
    ]


def _subgroups(data: Plain) -> Plain:
    row = auroc_row(data)
    binary = data["kind"] == "binary"
    low = min([found["low"] for found in [row, *data["subgroups"]] if found["low"] is not None], default=0.5)
    columns = list(dict.fromkeys(group["column"] for group in data["subgroups"]))
    return {
        "overall": {
            "value": row["value"], "low": row["low"], "high": row["high"], "n": data["n"], "units": data["units"],
            "positives": data["class_counts"][data["positive"]] if binary else min(data["class_counts"].values()),
        },
        "subgroups": data["subgroups"],
        "subgroup_start": max(0.0, min(0.5, np.floor(low * 10) / 10)),
        "subgroup_caption": (
            f"{'AUROC' if binary else 'Mean AUROC of the classes'} by {', '.join(columns)}, logistic regression, with 95% "
            "intervals; the dotted line is all images. Groups were not chosen beforehand: a difference here is a question, "
            "not a finding."
        ),
        "positive_name": "positive" if binary else "scarcest class",
        "no_subgroups": "No column of sex, age, view or site with more than one value is there to look at subgroups by.",
    }  # fmt: skip


def _tables(data: Plain) -> list[Plain]:
    """Return the main table, and with several classes a second one of each class."""
    binary = data["kind"] == "binary"
    main = [row for row in data["results"] if row["class"] == ("" if binary else "macro")]
    words = "" if binary else " Mean of the classes, one against the rest; the Brier score is their sum."
    found = [_table(data, main, f"{_on(data)}.{words} The dot is the value, the line its 95% interval.", "")]
    others = [row for row in data["results"] if row["class"] not in ("", "macro")]
    if others:
        found.append(
            _table(data, others, "Each class against the rest.", f"Each class by itself ({len(data['classes'])})")
        )
    return found


def _table(data: Plain, rows: Sequence[Plain], caption: str, summary: str) -> Plain:
    classes = list(dict.fromkeys(row["class"] for row in rows))
    methods = [method for method in METHODS if any(row["method"] == method for row in rows)]
    ordered = [
        row
        for name in classes
        for metric in METRICS
        for method in methods
        for row in rows
        if (row["class"], row["metric"], row["method"]) == (name, metric, method)
    ]
    delong = any(row["low_delong"] is not None for row in ordered)
    if delong:
        caption += " DeLong: another interval of the AUROC, by a formula and without draws."
    return {
        "caption": caption,
        "summary": summary,
        "classes": len(classes) > 1,
        "delong": delong,
        "rows": [_row(data, row, len(methods) > 1) for row in ordered],
    }


def _row(data: Plain, row: Plain, several: bool) -> Plain:
    name, note = METRICS[row["metric"]]
    logistic = row["method"] == "logistic"
    return row | {
        "name": name,
        "note": note if logistic else "",
        "method": _SHORT[row["method"]],
        "kind": "main" if logistic else "beside",
        "plotted": row["value"] is not None and not (row["metric"] == "brier" and row["class"] == "macro"),
        "first": several and logistic,
        "second": several and not logistic,
        "chance": {"auroc": 0.5, "average_precision": _class_share(data, row["class"])}.get(row["metric"]),
    }


def _class_share(data: Plain, name: str) -> float | None:
    if data["kind"] == "binary":
        return float(data["prevalence"])
    return data["class_counts"][name] / data["n"] if name in data["class_counts"] else None
