"""How two encoders look beside each other: dots with whiskers, a table of differences, and a caption that says n."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure

from remedis.report.before import METRICS, limits, signed
from remedis.report.colours import ACCENT, MUTED, PAPER
from remedis.report.looks import on
from remedis.report.numbers import figure, plural
from remedis.report.svg import STYLE, inline

Plain = dict[str, Any]
_NAMES = {"auroc": "AUROC", "average_precision": "average precision"}
_SIDES = ("before", "after")
_SIZE, _AXES = (4.1, 2.35), (0.17, 0.13, 0.8, 0.85)
_GAP = 3  # rows from one metric to the next: its name and two dots


def dressed_before(data: Plain) -> list[Plain]:
    """Return what the template needs to show two encoders: an entry for each label, none without a second probe."""
    found = data["before"]
    return [_dressed(data, entry, number) for number, entry in enumerate(found["labels"])] if found else []


def _dressed(data: Plain, entry: Plain, number: int) -> Plain:
    names = f"Before: {data['before']['encoder']}. After: {data['before']['encoder_after']}."
    mean = "" if entry["chance"]["average_precision"] is not None else " Means of the classes, each against the rest."
    caption = (
        f"{names} Logistic regression on the same {on(entry)}; the line is the 95% interval, the dotted one what "
        f"chance reaches.{mean}"
    )
    said = "; ".join(f"{_NAMES[metric]} {_words(entry[metric])}" for metric in METRICS)
    return {
        "sentence": entry["sentence"],
        "svg": Markup(before_figure(entry, name=f"before{number}", description=f"{said}. {caption}")),
        "caption": caption,
        "table_caption": f"The difference is after less before on the same {on(entry)}; 95% intervals from "
        f"{data['before']['draws']:,} draws of whole {plural(entry['unit_name'])}, the same draws for both.",
        "rows": [
            {"name": _NAMES[metric], **{side: entry[metric][side] for side in _SIDES},
             "difference": signed(entry[metric]["difference"]["value"]), "limits": limits(entry[metric]["difference"])}
            for metric in METRICS
        ],
    }  # fmt: skip


def _words(row: Plain) -> str:
    return f"before {figure(row['before']['value'])}, after {figure(row['after']['value'])}"


def before_figure(entry: Plain, *, name: str, description: str) -> str:
    """Return AUROC and average precision before and after as inline SVG: dots with whiskers, one under the other.

    Both are of the logistic probe and have its colour; the dot of `before` is hollow.

    Args:
        entry: A label's figures, from `compared`.
        name: Begins every id.
        description: What it shows.
    """
    start = _start([entry[metric][side] for metric in METRICS for side in _SIDES])
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=_SIZE)
        axes = drawn.add_axes(_AXES)
        marks = []
        for place, metric in enumerate(METRICS):
            top = -_GAP * place
            axes.annotate(_NAMES[metric], (start, top), (4, 0), textcoords="offset points", va="center")
            _draw_chance(axes, entry["chance"][metric], top, start)
            for down, side in enumerate(_SIDES, 1):
                marks.append((top - down, side))
                _draw(axes, entry[metric][side], top - down, hollow=side == "before")
        axes.set(xlim=(start, 1.005), ylim=(0.6 - _GAP * len(METRICS), 0.6))
        axes.set_yticks([mark for mark, _ in marks], [side for _, side in marks])
        axes.set_xticks([tenth / 10 for tenth in range(round(start * 10), 11)][:: 1 if start >= 0.5 else 2])
        axes.grid(visible=False, axis="y")
        return inline(drawn, name=name, title="Before and after", description=description)


def _start(rows: Sequence[Plain]) -> float:
    """Return where the scale begins: at the tenth below all that is drawn, at most at a half."""
    known = [value for row in rows for value in (row["value"], row["low"]) if value is not None]
    return max(0, min(5, int(min(known, default=0.5) * 10 - 0.1))) / 10


def _draw_chance(axes: Any, chance: float | None, top: float, start: float) -> None:
    if chance is not None and chance >= start:
        axes.vlines(chance, top - 2.4, top - 0.6, color=MUTED, linewidth=0.9, linestyle=(0, (2, 3)))


def _draw(axes: Any, row: Plain, at: float, *, hollow: bool) -> None:
    if row["low"] is not None:
        axes.hlines(at, row["low"], row["high"], color=ACCENT, linewidth=2.0, alpha=0.6 if hollow else 1.0)
    if row["value"] is not None:
        style: Plain = {"facecolor": PAPER if hollow else ACCENT, "edgecolor": ACCENT, "linewidth": 1.6}
        axes.scatter([row["value"]], [at], s=46, zorder=3, clip_on=False, **style)
