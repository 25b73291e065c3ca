"""Decision curves, drawn with matplotlib: what acting on a score is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import matplotlib.ticker
import numpy as np
from matplotlib.figure import Figure

from remedis.evaluate.metrics import Floats
from remedis.report.colours import MUTED
from remedis.report.figures import AXES, SIDE
from remedis.report.svg import STYLE, inline

_BELOW = 0.35  # how far below 0 the axis goes, as a share of what lies above


@dataclass(frozen=True)
class Benefit:
    """One decision curve.

    Attributes:
        thresholds: (T,) probabilities.
        values: (T,) net benefit.
        low: (T,) lower limits, or None.
        high: (T,) upper limits, or None.
        colour: A stand-in of `remedis.report.colours`.
        dashed: For probabilities that are not the model's own.
    """

    thresholds: Floats
    values: Floats
    low: Floats | None
    high: Floats | None
    colour: str
    dashed: bool = False


def decision_figure(lines: Sequence[Benefit], treat_all: Floats | None, *, name: str, description: str) -> str:
    """Return net benefit over threshold probability as inline SVG; acting on nobody is the line at 0.

    Args:
        lines: The curves.
        treat_all: (T,) that of acting on everybody; None where curves are of several classes.
        name: Begins every id.
        description: What the chart shows.
    """
    top = max(float(np.max(line.values if line.high is None else line.high)) for line in lines)
    top = max(top, 0.05)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(SIDE, SIDE * 1.25))
        left, _, width, _ = AXES
        axes: Any = figure.add_axes((left, 0.1, width, 0.88))
        axes.axhline(0, color=MUTED, linewidth=1.0)
        if treat_all is not None:
            axes.plot(lines[0].thresholds, treat_all, color=MUTED, linewidth=1.2, linestyle=(0, (2, 3)))
        for line in lines:
            if line.low is not None and line.high is not None:
                axes.fill_between(line.thresholds, line.low, line.high, color=line.colour, alpha=0.16, linewidth=0)
            style = (0, (4, 2.5)) if line.dashed else "-"
            axes.plot(line.thresholds, line.values, color=line.colour, linestyle=style,
                      linewidth=1.4 if line.dashed else 1.9, zorder=3)  # fmt: skip
        axes.set(xlim=(0, 1), ylim=(-_BELOW * top, 1.04 * top), xlabel="threshold probability", ylabel="net benefit")
        axes.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:.2g}".replace("-", "−"))
        axes.yaxis.set_label_coords(-0.1, 0.5)
        return inline(figure, name=name, title="Decision curve", description=description)
