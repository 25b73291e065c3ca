"""The curves of a training, drawn with matplotlib: panels over the steps, one under the other, epochs above."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from remedis.report.colours import MUTED
from remedis.report.svg import STYLE, inline

Floats = NDArray[np.float64]
WIDTH, _PANEL, _TOP, _BOTTOM, _BETWEEN = 4.1, 1.75, 0.42, 0.5, 0.16  # inches
_LEFT, _WIDE = 0.15, 0.79
_LABEL = (-0.135, 0.5)
_SMOOTHED = 100  # values from which a running mean is drawn over them
_ROOM = 0.07
_POINT = "·"  # stands for a decimal point of a tick, which may have more digits than a figure's own coordinates keep


@dataclass(frozen=True)
class Trace:
    """One curve.

    Attributes:
        steps: (n,) rising.
        values: (n,)
        colour: A stand-in of `remedis.report.colours`.
        name: In words.
        low: (n,) lower ends of whiskers, or None for a curve without; points are drawn where there are whiskers.
        high: (n,) upper ends.
        dashed: For what stands beside the main curve.
    """

    steps: Floats
    values: Floats
    colour: str
    name: str
    low: Floats | None = None
    high: Floats | None = None
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """Curves that share an axis.

    Attributes:
        label: Of the vertical axis, with its unit.
        traces: The curves.
        level: A dotted line: what chance gives, or the most there can be.
        bottom: The axis begins here; None: a little below the lowest value.
        unit: Share of 1 that is drawn as per cent: True.
        top: The axis ends here at the least.
    """

    label: str
    traces: Sequence[Trace]
    level: float | None = None
    bottom: float | None = None
    percent: bool = False
    top: float | None = None


@dataclass(frozen=True)
class Drawn:
    """A figure and where its panels lie.

    Attributes:
        svg: Inline SVG.
        panels: For each panel `box` (left, bottom, width, height as shares of the figure), `x` and `y` limits.
    """

    svg: str
    panels: list[dict[str, Any]] = field(default_factory=list)


def running_mean(values: Floats) -> tuple[Floats, int]:
    """Return the mean of each value and its neighbours, fewer at the ends, and how many a full mean has.

    A fortieth of all values to either side's half, at least three; short curves come back as they are, with 1.
    """
    if len(values) < _SMOOTHED:
        return values, 1
    half = max(1, len(values) // 80)
    sums = np.concatenate(([0.0], np.cumsum(values)))
    places = np.arange(len(values))
    low, high = np.maximum(places - half, 0), np.minimum(places + half + 1, len(values))
    return (sums[high] - sums[low]) / (high - low), 2 * half + 1


def curves_figure(
    panels: Sequence[Panel], *, last: float, epochs: float | None, name: str, title: str, description: str
) -> Drawn:
    """Return panels over the steps.

    Args:
        panels: From top to bottom.
        last: Where the horizontal axis ends: the steps of the whole run.
        epochs: Steps in an epoch; None draws no axis of epochs.
        name: Begins every id.
        title: What it is.
        description: What it shows.
    """
    high = _TOP + _BOTTOM + _PANEL * len(panels) + _BETWEEN * (len(panels) - 1)
    places = []
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, high))
        for number, panel in enumerate(panels):
            bottom = high - _TOP - _PANEL * (number + 1) - _BETWEEN * number
            box = (_LEFT, bottom / high, _WIDE, _PANEL / high)
            axes = figure.add_axes(box)
            _draw(axes, panel, last)
            axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, integer=True))
            axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
            if number < len(panels) - 1:
                axes.tick_params(labelbottom=False)
            else:
                axes.set_xlabel("step")
            if number == 0 and epochs:
                _add_epochs(axes, epochs)
            places.append({"box": list(box), "x": list(axes.get_xlim()), "y": list(axes.get_ylim())})
        drawn = inline(figure, name=name, title=title, description=description)
    return Drawn(re.sub(rf"(?<=\d){_POINT}(?=\d)", ".", drawn), places)


def _draw(axes: Any, panel: Panel, last: float) -> None:
    if panel.level is not None:
        axes.axhline(panel.level, color=MUTED, linewidth=0.9, linestyle=(0, (2, 3)))
    for trace in panel.traces:
        _draw_trace(axes, trace)
    low, high = _limits(panel)
    axes.set(xlim=(0, max(last, 1.0) * 1.01), ylim=(low, high), ylabel=panel.label)
    axes.yaxis.set_label_coords(*_LABEL)
    axes.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(_percent if panel.percent else _short)


def _draw_trace(axes: Any, trace: Trace) -> None:
    line: dict[str, Any] = {"color": trace.colour, "linestyle": (0, (4, 2.5)) if trace.dashed else "-", "zorder": 3}
    if trace.low is not None and trace.high is not None:
        axes.vlines(trace.steps, trace.low, trace.high, color=trace.colour, alpha=0.5, linewidth=1.5)
        axes.plot(trace.steps, trace.values, **line, linewidth=1.0, alpha=0.6)
        axes.scatter(trace.steps, trace.values, s=22, color=trace.colour, linewidth=0, zorder=4)
        return
    smooth, width = running_mean(trace.values)
    if width > 1:
        axes.plot(trace.steps, trace.values, color=trace.colour, linewidth=0.8, alpha=0.3, zorder=2)
    axes.plot(trace.steps, smooth, **line)
    if len(trace.steps) == 1:
        axes.scatter(trace.steps, trace.values, s=22, color=trace.colour, linewidth=0, zorder=4)


def _limits(panel: Panel) -> tuple[float, float]:
    parts = [part for trace in panel.traces for part in (trace.values, trace.low, trace.high) if part is not None]
    values = np.concatenate([*parts, [] if panel.level is None else [panel.level]])
    low, high = float(values.min()), float(values.max())
    high = high if panel.top is None else max(high, panel.top)
    room = _ROOM * ((high - low) or abs(high) or 1.0)
    return (low - room if panel.bottom is None else panel.bottom), high + room


def _add_epochs(axes: Any, epochs: float) -> None:
    above = axes.secondary_xaxis("top", functions=(lambda step: step / epochs, lambda epoch: epoch * epochs))
    above.set_xlabel("epoch")
    above.spines["top"].set_visible(False)
    above.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5))
    above.xaxis.set_major_formatter(lambda value, _: f"{value:,g}")


def _percent(value: float, _: Any) -> str:
    return f"{100 * value:g}%".replace(".", _POINT)


def _short(value: float, _: Any) -> str:
    if value and (abs(value) < 1e-2 or abs(value) >= 1e5):
        mantissa, exponent = f"{value:e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}".replace("-", "−").replace(".", _POINT)
    return f"{value:,g}".replace("-", "−").replace(".", _POINT)
