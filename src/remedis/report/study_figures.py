"""Label-efficiency curves drawn with matplotlib: AUROC over the share of labels, small multiples with one scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from remedis.report.colours import INK, MUTED, PAPER
from remedis.report.run_figures import Drawn
from remedis.report.study_answer import share
from remedis.report.svg import STYLE, inline

Floats = NDArray[np.float64]
WIDTH, HEIGHT = 3.5, 3.1  # inches
_BOX = (0.135, 0.2, 0.835, 0.765)
_BANDS = 4  # curves with bands in one panel; more of them have whiskers, set apart
_APART = 0.022  # of the width, between the whiskers of two curves
_ROOM_X, _ROOM_Y, _STRIP = 0.08, 0.04, 0.035
_LABEL_ROOM = 0.11  # of the width, which a tick's words need
_STYLES: dict[str, tuple[Any, str]] = {"logistic": ("-", "o"), "finetune": ((0, (5, 1.5, 1, 1.5)), "s")}


@dataclass(frozen=True)
class Line:
    """One encoder's curve with one method.

    Attributes:
        name: In words.
        colour: A stand-in of `remedis.report.colours`.
        method: Decides the style of the line.
        shares: (F,) of the labels, ascending.
        values: (F,) AUROC; the mean over the repetitions of a repeated study.
        low: (F,) lower limits; NaN where there are none.
        high: (F,) upper limits.
        each: (R, F) the repetitions of a repeated study, else (0, F).
    """

    name: str
    colour: str
    method: str
    shares: Floats
    values: Floats
    low: Floats
    high: Floats
    each: Floats


@dataclass(frozen=True)
class Mark:
    """The share that reaches the baseline.

    Attributes:
        colour: The encoder's.
        level: The baseline's AUROC with all labels.
        share: The share; infinite ones are not marked.
        low: Lower limit.
        high: Upper limit; infinite where it may never be reached.
    """

    colour: str
    level: float
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Panel:
    """One scenario, tested data set and label.

    Attributes:
        lines: The curves.
        levels: (colour, method, AUROC) of the baseline with all labels, for each method.
        marks: Where the others reach it.
        lone: AUROC of the trivial feature that tells the label best, or None.
        patients: Share to the labelled patients that it stands for.
        units: What they are: `patients`, or `images` where no patient is known.
    """

    lines: Sequence[Line]
    levels: Sequence[tuple[str, str, float]]
    marks: Sequence[Mark]
    lone: float | None
    patients: dict[float, float]
    units: str = "patients"


def vertical(panels: Sequence[Panel]) -> tuple[float, float]:
    """Return the limits of the AUROC axis that hold all of some panels, with a strip for marks at the bottom."""
    lines = [line for panel in panels for line in panel.lines]
    values = np.concatenate([part.ravel() for line in lines for part in (line.values, line.low, line.high, line.each)])
    levels = [level for panel in panels for _, _, level in panel.levels]
    lone = [panel.lone for panel in panels if panel.lone is not None]
    known = np.concatenate([values[np.isfinite(values)], levels, lone, [0.5, 1.0]])
    wide = known.max() - known.min()
    strip = _STRIP * wide * max((len(panel.marks) for panel in panels), default=0)
    return float(known.min() - _ROOM_Y * wide - strip), float(min(known.max() + _ROOM_Y * wide, 1.02))


def panel_figure(panel: Panel, limits: tuple[float, float], *, name: str, title: str, description: str) -> Drawn:
    """Return one panel.

    Args:
        panel: What it shows.
        limits: Of the AUROC axis, the same for panels that stand side by side.
        name: Begins every id.
        title: What it is, for screen readers.
        description: What it shows.
    """
    shares = np.array(sorted({each for line in panel.lines for each in line.shares.tolist()}))
    wide = max(math.log(shares[-1] / shares[0]), 0.5)
    ends = (math.log(shares[0]) - _ROOM_X * wide, math.log(shares[-1]) + _ROOM_X * wide)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT))
        axes = figure.add_axes(_BOX)
        axes.set(xlim=ends, ylim=limits, xlabel=f"share of the labels, with its {panel.units}", ylabel="AUROC")
        axes.xaxis.set_label_coords(0.5, -0.175)
        axes.yaxis.set_label_coords(-0.115, 0.5)
        axes.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.2g}")
        _ticks(axes, shares, panel.patients, ends)
        _levels(axes, panel)
        for number, line in enumerate(panel.lines):
            _draw(axes, line, number, len(panel.lines), ends)
        for number, mark in enumerate(panel.marks):
            _mark(axes, mark, number, ends, limits)
        drawn = inline(figure, name=name, title=title, description=description)
    return Drawn(drawn, [{"box": list(_BOX), "x": list(ends), "y": list(limits)}])


def _ticks(axes: Any, shares: Floats, patients: dict[float, float], ends: tuple[float, float]) -> None:
    """Label the shares that have room, the largest first."""
    shown: list[float] = []
    for each in [*sorted(shares.tolist(), reverse=True)]:
        if all(abs(math.log(each / other)) > _LABEL_ROOM * (ends[1] - ends[0]) for other in shown):
            shown.append(each)
    axes.set_xticks([math.log(each) for each in shown], [_tick(each, patients) for each in shown], linespacing=1.35)
    axes.set_xticks([math.log(each) for each in shares.tolist() if each not in shown], minor=True)
    axes.tick_params(axis="x", labelsize=8.5)


def _tick(each: float, patients: dict[float, float]) -> str:
    count = patients.get(each)
    words = "" if count is None else f"{count:,.0f}" if count < 9999.5 else f"{count / 1000:,.0f}k"
    return f"{share(each)}\n{words}"


def _levels(axes: Any, panel: Panel) -> None:
    axes.axhline(0.5, color=MUTED, linewidth=0.7)
    for colour, _, level in panel.levels:
        axes.axhline(level, color=colour, linewidth=1.2, linestyle=(0, (5, 3)), zorder=2.5)
    if panel.lone is not None:
        axes.axhline(panel.lone, color=INK, linewidth=1.3, linestyle=(0, (1, 2)), zorder=2.6)


def _draw(axes: Any, line: Line, number: int, count: int, ends: tuple[float, float]) -> None:
    style, marker = _STYLES.get(line.method, ((0, (2, 2)), "^"))
    across = np.log(line.shares)
    for each in line.each:
        axes.plot(across, each, color=line.colour, linewidth=0.7, alpha=0.45, zorder=2)
    if count > _BANDS:
        across = across + (number - (count - 1) / 2) * _APART * (ends[1] - ends[0])
        axes.vlines(across, line.low, line.high, color=line.colour, alpha=0.55, linewidth=1.3)
    else:
        axes.fill_between(across, line.low, line.high, color=line.colour, alpha=0.14, linewidth=0, zorder=1)
    axes.plot(across, line.values, color=line.colour, linestyle=style, zorder=3)
    axes.plot(across, line.values, linestyle="none", marker=marker, markersize=3.6, color=line.colour, zorder=4)


def _mark(axes: Any, mark: Mark, number: int, ends: tuple[float, float], limits: tuple[float, float]) -> None:
    """Draw a diamond where the baseline is reached, and its interval above the axis, each on its own height."""
    if not math.isfinite(mark.share):
        return
    below = limits[0] + _STRIP * (number + 0.7) * (limits[1] - limits[0])
    low = math.log(mark.low) if math.isfinite(mark.low) else ends[1]
    high = math.log(mark.high) if math.isfinite(mark.high) else ends[1]
    axes.plot([low, high], [below, below], color=mark.colour, linewidth=2.2, alpha=0.8, zorder=5)
    if not math.isfinite(mark.high):
        axes.plot([high], [below], marker=">", markersize=5, color=mark.colour, clip_on=False, zorder=5)
    where = math.log(mark.share)
    axes.plot([where, where], [mark.level, below], color=mark.colour, linewidth=0.8, linestyle=(0, (1, 2)), zorder=2)
    axes.plot([where], [mark.level], marker="D", markersize=6.5, color=mark.colour, zorder=6,
              markeredgecolor=PAPER, markeredgewidth=1)  # fmt: skip
