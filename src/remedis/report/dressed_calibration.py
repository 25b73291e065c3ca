"""How calibration looks: the chart, its legend and caption, the bins and the classes beside it."""

from __future__ import annotations

from typing import Any

import numpy as np

from remedis.evaluate.bands import FEWEST_UNITS
from remedis.evaluate.calibration import Reliability
from remedis.report import figures
from remedis.report.colours import ACCENT, series, series_name
from remedis.report.looks import class_colour, on, row_of
from remedis.report.numbers import class_words, figure, plural

Plain = dict[str, Any]
_FEW_TO_DRAW = 10


def calibration(data: Plain, number: int) -> Plain:
    """Return what the template needs of a label's calibration; `number` begins its figure's ids."""
    binary = data["kind"] == "binary"
    of = data["label"] if data["positive"] == "1" else data["positive"] or "the class"
    ece = row_of(data, "ece", "" if binary else "macro")
    caption = (
        f"{on(data)} in 15 bins of equal width. On the dotted line predictions hold what they say; above it they are "
        "too low, below it too high. Larger points are more images. "
    )
    if binary:
        caption += (
            f"Upright lines are 95% intervals; hollow points rest on fewer than {FEWEST_UNITS} "
            f"{plural(data['unit_name'])} and have none. Below: images by probability and true class."
        )
    else:
        caption += f"Bins of fewer than {_FEW_TO_DRAW} images are not drawn. Below: all classes’ probabilities."
    return {
        "legend_calibration": _legend_calibration(data),
        "calibration_svg": figures.calibration_figure(
            [_shares(data, entry) for entry in data["calibration"]], _piles(data),
            score=f"predicted probability of {of}", name=f"cal{number}",
            description=f"Observed share over predicted probability on {on(data)}; calibration error "
            f"{figure(ece['value'] if ece else None)}.",
        ),
        "calibration_caption": caption,
        "bins_caption": f"{on(data)} in the same 15 bins as in the calibration error; empty ones are left out. "
        f"Intervals need images of {FEWEST_UNITS} {plural(data['unit_name'])} or more.",
        "classes_caption": f"{on(data)}: what each class is given on average, how often it is there, and how far its "
        "probabilities are from what is observed.",
        "calibration_classes": [] if binary else [_class_calibration(data, entry) for entry in data["calibration"]],
        "calibration_rows": [
            row | {"class": entry["class"], "bin": f"{row['from']:.2f}–{row['to']:.2f}"}
            for entry in data["calibration"]
            for row in entry["bins"]
            if row["count"]
        ],
    }  # fmt: skip


def _legend_calibration(data: Plain) -> list[Plain]:
    binary = data["kind"] == "binary"
    classes = [data["classes"][1], data["classes"][0]] if binary else data["classes"]
    points = [{"mark": "dot", "colour": "var(--accent)", "name": "observed share"}] if binary else []
    return points + [
        {
            "mark": "box" if binary else "dot",
            "colour": f"var(--{series_name(class_colour(data, name))})",
            "name": class_words(data["label"], name),
        }
        for name in classes
    ]


def _class_calibration(data: Plain, entry: Plain) -> Plain:
    """Return a class's mean probability and share over all images, and its calibration error."""
    bins = [row for row in entry["bins"] if row["count"]]
    count = sum(row["count"] for row in bins)
    ece = row_of(data, "ece", entry["class"])
    return {
        "name": entry["class"],
        "colour": f"var(--{series_name(class_colour(data, entry['class']))})",
        "mean": sum(row["count"] * row["mean"] for row in bins) / count,
        "share": sum(row["count"] * row["share"] for row in bins) / count,
        **{name: ece[name] if ece else None for name in ("value", "low", "high")},
    }


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
