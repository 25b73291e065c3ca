"""How a label's plain values look: charts as SVG, legends in the same colours, tables, and captions that say n."""

from __future__ import annotations

from typing import Any

import numpy as np

from remedis.evaluate.bands import Curve
from remedis.report import baseline, figures
from remedis.report.colours import ACCENT, MUTED, series
from remedis.report.dressed_calibration import calibration
from remedis.report.dressed_tables import confusion_table, subgroup_table, tables
from remedis.report.label_data import auroc_row
from remedis.report.looks import class_colour, css_colour, curve_name, on
from remedis.report.numbers import figure, plural, share, span

Plain = dict[str, Any]
_IN_LEGEND = {"auroc": "AUROC", "average_precision": "AP"}
_MOST_BANDS = 5


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
        **calibration(data, number),
        **subgroup_table(data),
        "tables": tables(data),
        "confusion": confusion_table(data),
        "baseline": baseline.rows(data["label"], data["baseline"], data["unit_name"]),
        "baseline_parts": [part["name"] for part in data["baseline"]],
        "unit_name": data["unit_name"],
    }


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


def _legend(data: Plain, kind: str, metric: str, dotted: str) -> list[Plain]:
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
        found.append(entry | ({"figure": f"{_IN_LEGEND[metric]} {figure(rows[0]['value'])}"} if rows else {}))
    return [*found, *([{"mark": "line dotted", "colour": "var(--muted)", "name": dotted}] if dotted else [])]


def _band_words(data: Plain) -> str:
    if sum(curve["method"] == "logistic" for curve in data["roc"]) > _MOST_BANDS:
        return "Each class against the rest; intervals stand in the table."
    return f"Bands: 95%, from draws of whole {plural(data['unit_name'])}, at each point by itself."


def _roc(data: Plain, number: int) -> Plain:
    row = auroc_row(data)
    caption = f"{on(data)}. {_band_words(data)}"
    description = (
        f"ROC curve on {on(data)}; AUROC {figure(row['value'])}, 95% interval {span(row['low'], row['high'])}."
    )
    lines = [_line(data, curve) for curve in reversed(data["roc"])]
    return {
        "legend_roc": _legend(data, "roc", "auroc", "chance"),
        "roc_svg": figures.roc_figure(lines, name=f"roc{number}", description=description),
        "roc_caption": caption,
    }


def _precision_recall(data: Plain, number: int) -> Plain:
    lines = [_line(data, curve) for curve in reversed(data["precision_recall"])]
    if data["kind"] == "binary":
        positives = data["class_counts"][data["positive"]]
        dotted = f"prevalence {figure(data['prevalence'], 2)}"
        caption = (
            f"{on(data)}, {positives:,} positive. The dotted line is the prevalence, {share(positives, data['n'])}, "
            "which chance would reach; where positives are rarer, precision falls. AP: average precision."
        )
    else:
        dotted = ""
        caption = (
            f"{on(data)}. Each class against the rest; chance would reach the class’s own share. AP: average precision."
        )
    return {
        "legend_pr": _legend(data, "precision_recall", "average_precision", dotted),
        "pr_svg": figures.precision_recall_figure(
            lines,
            prevalence=data["prevalence"],
            name=f"pr{number}",
            description=f"Precision over recall on {caption}",
        ),
        "pr_caption": caption,
    }
