"""The charts of one label of an evaluation: ROC and precision of all files, calibration and net benefit of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from remedis.evaluate.bands import FEWEST_UNITS, Curve
from remedis.evaluate.calibration import BINS, Reliability
from remedis.evaluate.metrics import Floats
from remedis.report import figures
from remedis.report.colours import MUTED, series, series_name
from remedis.report.evaluation_figures import Benefit, decision_figure
from remedis.report.evaluation_names import Files
from remedis.report.numbers import class_words, figure, plural
from remedis.report.study_tables import grouped

Plain = dict[str, Any]
Row = dict[str, Any]
_FEW_TO_DRAW = 10
_SHOWN_CLASSES = 9


def charts(label: Plain, files: Files, key: str) -> Plain:
    """Return what the template needs to draw a label.

    Args:
        label: From `evaluation_data`.
        files: The tested files.
        key: Begins every id.
    """
    return {
        "key": key,
        **_curves(label, files, key),
        "panels": [_panel(label, files, typed, f"{key}-{number}") for number, typed in enumerate(files.tested)],
    }  # fmt: skip


def script_curves(label: Plain, files: Files) -> dict[str, list[Plain]]:
    """Return the corners of a label's curves, for the pointer: `roc` and `pr`."""
    found: dict[str, list[Plain]] = {"roc": [], "pr": []}
    for rows in _curve_rows(label):
        about = {"name": _curve_name(label, files, rows[0]), "colour": _css(label, files, rows[0])}
        roc = [[_short(row[part]) for part in ("false_positive_rate", "sensitivity", "threshold")] for row in rows]
        right = [[_short(row[part]) for part in ("sensitivity", "precision", "threshold")] for row in rows
                 if row["precision"] is not None]  # fmt: skip
        found["roc"].append(about | {"points": roc})
        found["pr"].append(about | {"points": right})
    return found


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _curve_rows(label: Plain) -> list[list[Row]]:
    """Return the curves to draw: of every file, and of the first classes where there are many."""
    shown = ("", *label["classes"][:_SHOWN_CLASSES])
    return [rows for rows in grouped(label["roc"], ("dataset", "class")) if rows[0]["class"] in shown]


def _place(label: Plain, row: Row) -> int:
    place: int = label["classes"].index(row["class"])
    return place


def _css(label: Plain, files: Files, row: Row) -> str:
    return files.css(row["dataset"]) if not row["class"] else f"var(--{series_name(_place(label, row))})"


def _stand_in(label: Plain, files: Files, row: Row) -> str:
    return files.colour(row["dataset"]) if not row["class"] else series(_place(label, row))


def _curve_name(label: Plain, files: Files, row: Row) -> str:
    file = files.data_set(row["dataset"])
    return file if not row["class"] else f"{row['class']}, {file}" if files.there else str(row["class"])


def _curves(label: Plain, files: Files, key: str) -> Plain:
    found = _curve_rows(label)
    lines = [_line(label, files, rows, alone=len(found) == 1) for rows in reversed(found)]
    marks = [] if label["several"] else [
        (1 - row["specificity"], row["sensitivity"], files.colour(row["dataset"])) for row in label["marks"]
    ]  # fmt: skip
    return {
        "legend_roc": _legend(label, files, "auroc", "AUROC", "chance"),
        "roc_svg": figures.roc_figure(
            lines, name=f"roc-{key}", marks=marks, description=f"ROC curves of {label['words']}: {label['sentence']}"
        ),
        "roc_caption": f"{label['on']}. {_band_words(label, found)}"
        + (" Diamonds: the thresholds that were frozen, see the operating points." if marks else ""),
        "legend_pr": _legend(label, files, "average_precision", "AP", ""),
        "pr_svg": figures.precision_recall_figure(
            [_precision(label, files, rows) for rows in reversed(found)], prevalence=None, name=f"pr-{key}",
            description=f"Precision over recall of {label['words']} on {label['on']}.",
        ),
        "pr_caption": f"{label['on']}. Chance would reach the share of positives: {label['prevalence_words']}; where "
        "they are rarer, precision falls. AP: average precision.",
    }  # fmt: skip


def _band_words(label: Plain, found: Sequence[list[Row]]) -> str:
    unit = plural(label["unit_name"])
    if label["several"]:
        left = " Classes beyond the ninth stand in the table." if len(label["classes"]) > _SHOWN_CLASSES else ""
        dashed = " Dashed: the other site." if len({rows[0]["dataset"] for rows in found}) > 1 else ""
        return f"Each class against the rest; intervals stand in the tables.{dashed}{left}"
    return f"Bands: 95%, from draws of whole {unit}, at each point by itself."


def _column(rows: Sequence[Row], name: str) -> Floats:
    return np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=np.float64)


def _line(label: Plain, files: Files, rows: Sequence[Row], *, alone: bool) -> figures.Line:
    x, y = _column(rows, "false_positive_rate"), _column(rows, "sensitivity")
    curve = Curve(x, y, _column(rows, "threshold"), x, _column(rows, "low"), _column(rows, "high"))
    dashed = bool(rows[0]["class"]) and rows[0]["dataset"] != files.here
    return figures.Line(curve, _stand_in(label, files, rows[0]), rows[0]["class"], dashed=dashed,
                        band=not rows[0]["class"], alone=alone)  # fmt: skip


def _precision(label: Plain, files: Files, rows: Sequence[Row]) -> figures.Line:
    own = [row for row in rows if row["precision"] is not None]
    x, nothing = _column(own, "sensitivity"), np.full(len(own), np.nan)
    curve = Curve(x, _column(own, "precision"), nothing, x, nothing, nothing)
    dashed = bool(rows[0]["class"]) and rows[0]["dataset"] != files.here
    return figures.Line(curve, _stand_in(label, files, rows[0]), rows[0]["class"], dashed=dashed, band=False)


def _legend(label: Plain, files: Files, metric: str, short: str, dotted: str) -> list[Plain]:
    found: list[Plain] = []
    for rows in _curve_rows(label):
        row = rows[0]
        value = next((each["value"] for each in label["results"] if each["metric"] == metric
                      and (each["dataset"], each["class"]) == (row["dataset"], row["class"])), None)  # fmt: skip
        dashed = " dashed" if row["class"] and row["dataset"] != files.here else ""
        found.append({"mark": f"line{dashed}", "colour": _css(label, files, row),
                      "name": _curve_name(label, files, row), "figure": f"{short} {figure(value)}"})  # fmt: skip
    return [*found, *([{"mark": "line dotted", "colour": "var(--muted)", "name": dotted}] if dotted else [])]


def _panel(label: Plain, files: Files, typed: str, key: str) -> Plain:
    """Return calibration and net benefit on one file."""
    bins = [row for row in label["reliability"] if row["dataset"] == typed]
    on = label["on_file"][typed]
    of = class_words(label["label"], label["positive"]) if label["positive"] else "each class"
    several = label["several"]
    scaled = any(row["scores"] == "scaled" for row in bins)
    caption = f"{on} in {BINS} bins of equal width. Above the dotted line predictions are too low, below it too high. "
    if several:
        caption += f"Bins of fewer than {_FEW_TO_DRAW} are not drawn. Below: all classes’ probabilities."
    else:
        caption += f"Upright lines are 95% intervals; hollow points rest on fewer than {FEWEST_UNITS} " + (
            f"{plural(label['unit_name'])} and have none. Below: how many have which probability, by true class."
        )
    lines, treat_all = _benefits(label, files, typed)
    return {
        "title": files.data_set(typed), "several": several,
        "legend_calibration": _calibration_legend(label, files, typed, scaled=scaled),
        "calibration_svg": figures.calibration_figure(
            _shares(label, files, bins), _piles(label, bins), score=f"predicted probability of {of}",
            name=f"cal-{key}", description=f"Observed share over predicted probability on {on}.",
        ),
        "calibration_caption": caption,
        "legend_decision": _decision_legend(label, files, typed, scaled=scaled),
        "decision_svg": decision_figure(lines, treat_all, name=f"dca-{key}",
                                        description=f"Net benefit over threshold probability on {on}."),
        "decision_caption": f"{on}. What acting on the score is worth, in true positives a tested row, where a false "
        "alarm weighs t / (1 − t) of a missed one at threshold t. " + (
            "Each class against the rest; what acting on everybody is worth stands in the table." if several
            else "Worth something where it lies above both other lines. Band: 95%."),
    }  # fmt: skip


def _shares(label: Plain, files: Files, bins: Sequence[Row]) -> list[figures.Shares]:
    found = []
    for rows in grouped(bins, ("scores", "class")):
        first = rows[0]
        scaled = first["scores"] == "scaled"
        if label["several"] and (scaled or _place(label, first) >= _SHOWN_CLASSES):
            continue
        kept = [row for row in rows if row["count"] >= _FEW_TO_DRAW] if label["several"] else rows
        shown = Reliability(_column(kept, "count").astype(np.int64), _column(kept, "mean"), _column(kept, "share"))
        low, high = (None if scaled or label["several"] else _column(kept, side) for side in ("low", "high"))
        found.append(figures.Shares(shown, low, high, MUTED if scaled else _stand_in(label, files, first)))
    return list(reversed(found))


def _piles(label: Plain, bins: Sequence[Row]) -> list[figures.Pile]:
    """Return how many rows lie in each bin, by true class; of several classes by whose probability it is."""
    raw = [row for row in bins if row["scores"] == "raw"]
    numbers = np.array([round(row["from"] * BINS) for row in raw], dtype=np.int64)
    counts, shares = _column(raw, "count"), _column(raw, "share")
    if not label["several"]:
        parts = [counts * (1 - shares), counts * shares]
        return [figures.Pile(_binned(numbers, part), series(1 - place)) for place, part in enumerate(parts)]
    own = [np.array([row["class"] == name for row in raw]) for name in label["classes"]]
    return [figures.Pile(_binned(numbers, counts * of), series(place)) for place, of in enumerate(own)]


def _binned(numbers: Any, counts: Floats) -> Any:
    return np.rint(np.bincount(numbers, weights=counts, minlength=BINS)).astype(np.int64)


def _calibration_legend(label: Plain, files: Files, typed: str, *, scaled: bool) -> list[Plain]:
    names = label["classes"] if label["several"] else label["classes"][::-1]
    mark = "dot" if label["several"] else "box"
    classes = [
        {"mark": mark, "colour": f"var(--{series_name(place)})", "name": class_words(label["label"], name)}
        for place, name in enumerate(names[:_SHOWN_CLASSES])
    ]
    if label["several"]:
        return classes
    own = {"mark": "dot", "colour": files.css(typed), "name": "as they are"}
    if not scaled:
        return [own, *classes]
    other = {"mark": "dot", "colour": "var(--muted)", "name": f"scaled, T = {label['temperature']:.2f}"}
    return [own, other, *classes]


def _benefits(label: Plain, files: Files, typed: str) -> tuple[list[Benefit], Floats | None]:
    lines, treat_all = [], None
    for rows in grouped([row for row in label["decision_curve"] if row["dataset"] == typed], ("scores", "class")):
        first = rows[0]
        scaled = first["scores"] == "scaled"
        if label["several"] and (scaled or _place(label, first) >= _SHOWN_CLASSES):
            continue
        banded = not scaled and not label["several"]
        low, high = (_column(rows, side) if banded else None for side in ("low", "high"))
        colour = MUTED if scaled else _stand_in(label, files, first)
        across = _column(rows, "threshold")
        lines.append(Benefit(across, _column(rows, "net_benefit"), low, high, colour, dashed=scaled))
        treat_all = treat_all if label["several"] else _column(rows, "treat_all")
    return lines, treat_all


def _decision_legend(label: Plain, files: Files, typed: str, *, scaled: bool) -> list[Plain]:
    nobody = {"mark": "line", "colour": "var(--muted)", "name": "act on nobody"}
    if label["several"]:
        return [{"mark": "line", "colour": f"var(--{series_name(place)})", "name": name}
                for place, name in enumerate(label["classes"][:_SHOWN_CLASSES])] + [nobody]  # fmt: skip
    own = {"mark": "line", "colour": files.css(typed), "name": "act on the score"}
    other = {"mark": "line dashed", "colour": "var(--muted)", "name": "scaled"}
    everybody = {"mark": "line dotted", "colour": "var(--muted)", "name": "act on everybody"}
    return [own, *([other] if scaled else []), everybody, nobody]
