"""The page's charts, drawn with matplotlib: ROC, precision-recall, and calibration over a histogram."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib as mpl
import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from remedis.evaluate.bands import Curve
from remedis.evaluate.calibration import Reliability
from remedis.evaluate.metrics import Floats, Integers
from remedis.report.colours import MUTED, PAPER
from remedis.report.svg import STYLE, inline, printable

SIDE = 4.1
AXES = (0.13, 0.125, 0.84, 0.85)
"""Where the axes of a square figure lie in it: left, bottom, width, height. The page's script reads by it."""

_LABEL = (-0.115, 0.5)  # of the y axis, where it leaves room for the numbers
_SCORE = "@score@"
_TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Line:
    """One curve of a chart.

    Attributes:
        curve: Points and band.
        colour: A stand-in of `remedis.report.colours`.
        name: In words.
        dashed: For the method that is not the main one.
        band: Whether its band is drawn.
        alone: Whether it is the only band.
    """

    curve: Curve
    colour: str
    name: str
    dashed: bool = False
    band: bool = True
    alone: bool = True


def roc_figure(
    lines: Sequence[Line], *, name: str, description: str, marks: Sequence[tuple[float, float, str]] = ()
) -> str:
    """Return the ROC curves as inline SVG, with the diagonal that chance gives; marks are (x, y, colour)."""
    with mpl.rc_context(STYLE):
        figure, axes = _square("1 − specificity (false-positive rate)", "sensitivity (true-positive rate)")
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (2, 3)))
        for line in lines:
            _draw(axes, line)
        for x, y, colour in marks:
            axes.plot(x, y, marker="D", markersize=6, color=colour, markeredgecolor=PAPER, zorder=4)
        return inline(figure, name=name, title="ROC curve", description=description)


def precision_recall_figure(lines: Sequence[Line], *, prevalence: float | None, name: str, description: str) -> str:
    """Return precision over recall as inline SVG; the prevalence, which chance gives, as a line."""
    with mpl.rc_context(STYLE):
        figure, axes = _square("recall (sensitivity)", "precision (positive predictive value)")
        if prevalence is not None:
            axes.axhline(prevalence, color=MUTED, linewidth=0.9, linestyle=(0, (2, 3)))
        for line in lines:
            _draw(axes, line, steps=True)
        return inline(figure, name=name, title="Precision-recall curve", description=description)


@dataclass(frozen=True)
class Shares:
    """One line of a calibration chart.

    Attributes:
        bins: Counts, mean probabilities and observed shares.
        low: (bins,) limits of the observed share, or None.
        high: As `low`.
        colour: Its stand-in.
    """

    bins: Reliability
    low: Floats | None
    high: Floats | None
    colour: str


@dataclass(frozen=True)
class Pile:
    """One group of a histogram of scores: images in bins of equal width from 0 to 1."""

    counts: Integers
    colour: str


def calibration_figure(
    lines: Sequence[Shares], piles: Sequence[Pile], *, score: str, name: str, description: str
) -> str:
    """Return observed shares over predicted probability as inline SVG, with a histogram of the scores below.

    Args:
        lines: One for two classes, one for each of several.
        piles: Scores stacked by group.
        score: What the scores are, for the axis.
        name: Begins every id.
        description: What the chart shows.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(SIDE, SIDE * 1.25))
        left, _, width, _ = AXES
        top = figure.add_axes((left, 0.325, width, 0.655))
        below = figure.add_axes((left, 0.1, width, 0.17))
        _draw_shares(top, lines)
        _draw_piles(below, piles)
        below.set_xlabel(_SCORE)
        drawn = inline(figure, name=name, title="Calibration", description=description)
    return drawn.replace(_SCORE, escape(printable(score)))  # a label is no mathtext, and may look like markup


def _square(x: str, y: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(SIDE, SIDE))
    axes = figure.add_axes(AXES)
    axes.set(xlim=(-0.005, 1.005), ylim=(-0.005, 1.005), xlabel=x, ylabel=y, xticks=_TICKS, yticks=_TICKS)
    return figure, axes


def _draw(axes: Any, line: Line, *, steps: bool = False) -> None:
    curve = line.curve
    if line.band:
        axes.fill_between(
            curve.grid,
            curve.low,
            curve.high,
            color=line.colour,
            alpha=0.16 if line.alone else 0.1,
            linewidth=0,
            zorder=1,
        )
    style: dict[str, Any] = {
        "color": line.colour, "linestyle": (0, (4, 2.5)) if line.dashed else "-", "zorder": 3,
        "linewidth": 1.4 if line.dashed else 1.9,
    }  # fmt: skip
    if steps:  # precision holds for the recall reached, backwards to the one before
        axes.plot(np.r_[0.0, curve.x], np.r_[curve.y[0], curve.y], drawstyle="steps-pre", **style)
    else:
        axes.plot(curve.x, curve.y, **style)


def _draw_shares(axes: Any, lines: Sequence[Shares]) -> None:
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (2, 3)))
    for line in lines:
        filled = line.bins.count > 0
        if filled.any():
            _draw_points(axes, line, filled)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=_TICKS, yticks=_TICKS, ylabel="observed share")
    axes.set_xticklabels([])
    axes.yaxis.set_label_coords(*_LABEL)


def _draw_points(axes: Any, line: Shares, filled: NDArray[np.bool_]) -> None:
    """Points as large as their bins; hollow ones where too few patients stand behind them for an interval."""
    x, y, count = line.bins.mean[filled], line.bins.share[filled], line.bins.count[filled]
    firm = np.ones(len(x), dtype=bool)
    if line.low is not None and line.high is not None:
        low, high = line.low[filled], line.high[filled]
        firm = np.isfinite(low)
        axes.vlines(x[firm], low[firm], high[firm], color=line.colour, alpha=0.55, linewidth=1.6)
    else:
        axes.plot(x, y, color=line.colour, linewidth=1.0, alpha=0.35)
    size = 16 + 90 * count / count.max()
    axes.scatter(x[firm], y[firm], s=size[firm], color=line.colour, linewidth=0, zorder=3, alpha=0.95)
    hollow = {"facecolor": PAPER, "edgecolor": line.colour, "linewidth": 1.2, "zorder": 3}
    axes.scatter(x[~firm], y[~firm], s=size[~firm], **hollow)


def _draw_piles(axes: Any, piles: Sequence[Pile]) -> None:
    base: Any = 0
    for pile in piles:
        edges = np.linspace(0, 1, len(pile.counts) + 1)
        axes.bar(
            edges[:-1],
            pile.counts,
            np.diff(edges) * 0.86,
            base,
            align="edge",
            color=pile.colour,
            linewidth=0,
            alpha=0.9,
        )
        base = base + pile.counts
    axes.set(xlim=(-0.02, 1.02), xticks=_TICKS, ylabel="images")
    axes.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(3, integer=True))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k" if value >= 1000 else f"{value:g}")
    axes.yaxis.set_label_coords(*_LABEL)
    axes.grid(visible=False, axis="x")
