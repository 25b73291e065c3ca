"""Which curves a pretraining's page shows: figures with their legends and captions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from remedis.report.colours import ACCENT, MUTED, series, series_name
from remedis.report.numbers import counted, figure
from remedis.report.run_answer import NAMES, chances, epochs_words
from remedis.report.run_checks import most_rank
from remedis.report.run_figures import Drawn, Panel, Trace, curves_figure, running_mean
from remedis.report.run_folder import Run

Plain = dict[str, Any]
_LINEAR = 0  # its place in the palette


@dataclass(frozen=True)
class _Chart:
    """A figure before it is drawn: its title, panels, legend, caption, and how a value is read out."""

    key: str
    title: str
    panels: list[Panel]
    caption: str
    legend: list[Plain]
    digits: int = 3


def charts(run: Run, looks: list[Plain]) -> list[Plain]:
    """Return every figure that there are values for.

    Args:
        run: The opened run.
        looks: From `run_answer.looked`.

    Returns:
        `key`, `title`, `svg`, `legend`, `caption` and `places`: what a script needs to read a curve out.
    """
    rate = _rate(run)
    first = [_accuracies(looks), _loss(run)] if looks else [_loss(run), _chart_of_rate(run, rate)]
    found = [
        *first, _contrast(run), _embeddings(run), _classifier(run), _speed(run), _optimiser(run, rate if looks else []),
    ]  # fmt: skip
    return [_drawn(chart, run) for chart in found if chart is not None]


def _drawn(chart: _Chart, run: Run) -> Plain:
    last = float(max(run.planned or 0, run.done))
    # the curve begins at step 1, the axis at 0; a run that is not finished leaves the rest of its axis empty
    found: Drawn = curves_figure(
        chart.panels, last=last, epochs=run.steps_an_epoch, name=chart.key, title=chart.title,
        description=f"{chart.title} over the steps of the training. {chart.caption}",
    )  # fmt: skip
    names = [[trace.name for trace in panel.traces] for panel in chart.panels]
    places = [
        place | {
            "percent": panel.percent,
            "digits": chart.digits,
            "traces": [
                {"name": name, "points": _points(trace)} for name, trace in zip(each, panel.traces, strict=True)
            ],
        }
        for place, panel, each in zip(found.panels, chart.panels, names, strict=True)
    ]  # fmt: skip
    smoothed = max((running_mean(t.values)[1] for p in chart.panels for t in p.traces if t.low is None), default=1)
    caption = chart.caption
    if smoothed > 1:
        caption += f" Faint: as logged; full: running mean of {smoothed} values."
    return {
        "key": chart.key, "title": chart.title, "svg": found.svg, "legend": chart.legend, "caption": caption,
        "places": places,
    }  # fmt: skip


def _points(trace: Trace) -> list[list[float]]:
    return [
        [int(step), float(f"{value:.5g}")]
        for step, value in zip(trace.steps.tolist(), trace.values.tolist(), strict=True)
    ]


def _trace(run: Run, value: str, name: str, colour: str = ACCENT) -> list[Trace]:
    found = [(line["step"], line[value]) for line in run.lines if isinstance(line.get(value), int | float)]
    if not found:
        return []
    steps, values = np.array(found, dtype=np.float64).T
    return [Trace(steps, values, colour, name)]


def _on(run: Run) -> str:
    batch = int(run.job["train_batch_size"])
    return f"{len(run.lines):,} logged values, each a mean over steps of {batch:,} {_units(run)}"


def _units(run: Run) -> str:
    return "patients" if run.job.get("multi_instance") else "images"


def _line(colour: str, name: str, mark: str = "line", value: str = "") -> Plain:
    entry = {"mark": mark, "colour": colour, "name": name}
    return entry | ({"figure": value} if value else {})


def _chance(value: str) -> Plain:
    return _line("var(--muted)", f"chance {value}", "line dotted")


def _accuracies(looks: list[Plain]) -> _Chart | None:
    traces, legend = [], []
    colours = {"knn_accuracy": (ACCENT, "accent"), "linear_accuracy": (series(_LINEAR), series_name(_LINEAR))}
    for name, (colour, variable) in colours.items():
        found = [
            (look["step"], *(look[name][part] for part in ("value", "low", "high"))) for look in looks if name in look
        ]
        if found:
            steps, values, low, high = np.array(found, dtype=np.float64).T
            traces.append(Trace(steps, values, colour, NAMES[name], low, high))
            legend.append(_line(f"var(--{variable})", NAMES[name], "line", figure(values[-1])))
    if not traces:
        return None
    last = looks[-1]
    caption = (
        f"Share of {counted(last['n'], 'images')} whose {last['label'] or 'label'} is called right, with 95% intervals "
        "(Wilson); images are taken as independent, so that several of one patient make them too narrow. kNN: 20 "
        "nearest neighbours of frozen embeddings."
    )
    if len(traces) > 1:
        caption += " Linear: a classifier that learns beside the encoder and leaves it alone."
    return _Chart("watched", "Watched accuracy", [Panel("accuracy", traces)], caption, legend)


def _loss(run: Run) -> _Chart | None:
    traces = _trace(run, "loss", "contrastive loss")
    if not traces:
        return None
    chance = chances(run.job)["loss"]
    batch, scale = int(run.job["train_batch_size"]), float(run.job["loss_scale"])
    of = f"{scale:g} · " if scale != 1 else ""
    caption = (
        f"{_on(run)}. The dotted line is {of}ln(2 · {batch:,} − 1) = {figure(chance)}: the loss where every candidate "
        "is as likely."
    )
    legend = [_line("var(--accent)", "loss", value=figure(run.lines[-1]["loss"])), _chance(figure(chance))]
    return _Chart("loss", "Contrastive loss", [Panel("NT-Xent (nats)", traces, level=chance)], caption, legend)


def _contrast(run: Run) -> _Chart | None:
    chance = chances(run.job)
    panels = []
    if traces := _trace(run, "contrast_accuracy", "positive found"):
        panels.append(Panel("positive found", traces, chance["contrast_accuracy"], bottom=0.0, percent=True))
    if traces := _trace(run, "contrast_entropy", "entropy"):
        panels.append(Panel("entropy (nats)", traces, chance["contrast_entropy"]))
    if not panels:
        return None
    batch = int(run.job["train_batch_size"])
    caption = (
        f"{_on(run)}. Above: views whose partner is more like them than all {2 * batch - 2:,} others. Below: "
        f"entropy of the softmax over the {batch:,} other views. Dotted: chance, 1/{2 * batch - 1:,} and ln {batch:,}."
    )
    legend = [_line("var(--muted)", "chance", "line dotted")]
    return _Chart("contrast", "Finding the other view", panels, caption, legend)


def _embeddings(run: Run) -> _Chart | None:
    panels, most = [], most_rank(run)
    legend = []
    if traces := _trace(run, "embedding_rank", "effective rank"):
        top = float(traces[0].values.max()) * 1.15
        panels.append(Panel("effective rank", traces, bottom=0.0, top=top))
        legend.append(_line("var(--accent)", "effective rank", value=figure(traces[0].values[-1], 1)))
    if traces := _trace(run, "embedding_norm", "norm"):
        panels.append(Panel("norm (L2)", traces))
    caption = (
        f"{_on(run)}. Above: how many directions the embeddings of a batch use (exp of the entropy of their singular "
        f"values; RankMe, arXiv:2210.02885){f', at most {most:,}' if most else ''}; a fall towards 1 is collapse. "
        "Below: their mean length."
    )
    return _Chart("embeddings", "Embeddings", panels, caption, legend, digits=1) if panels else None


def _rate(run: Run) -> list[Panel]:
    traces = _trace(run, "learning_rate", "learning rate")
    return [Panel("learning rate", traces, bottom=0.0)] if traces else []


def _rate_words(run: Run, panels: list[Panel]) -> tuple[str, list[Plain]]:
    """Return what the caption and the legend say of the learning rate; nothing where it is not drawn."""
    if not panels:
        return "", []
    legend = _line("var(--accent)", "learning rate", value=f"at most {panels[0].traces[0].values.max():.3g}")
    return f" Learning rate: a warm-up of {epochs_words(run.job.get('warmup_epochs', 0))}, then a cosine to 0.", [
        legend
    ]


def _chart_of_rate(run: Run, panels: list[Panel]) -> _Chart | None:
    words, legend = _rate_words(run, panels)
    return _Chart("rate", "Learning rate", panels, f"{_on(run)}.{words}", legend, digits=6) if panels else None


def _optimiser(run: Run, rate: list[Panel]) -> _Chart | None:
    words, legend = _rate_words(run, rate)
    panels = list(rate)
    for value, word in (("gradient_norm", "gradient"), ("weight_norm", "weights")):
        if traces := _trace(run, value, f"{word} norm"):
            panels.append(Panel(f"{word} (L2)", traces))
    caption = f"{_on(run)}.{words} Norms: L2, of all gradients and of all weights."
    return _Chart("optimiser", "Optimiser", panels, caption, legend, digits=6) if panels else None


def _classifier(run: Run) -> _Chart | None:
    panels = []
    if traces := _trace(run, "label_accuracy", "accuracy", series(_LINEAR)):
        panels.append(Panel("accuracy", traces, percent=True))
    if traces := _trace(run, "label_loss", "cross-entropy", series(_LINEAR)):
        panels.append(Panel("cross-entropy (nats)", traces))
    if not panels:
        return None
    caption = (
        f"{_on(run)}, on the images that it learns from. A linear classifier beside the encoder; its gradient does not "
        "reach the encoder."
    )
    legend = [_line(f"var(--{series_name(_LINEAR)})", "linear classifier")]
    return _Chart("classifier", "Classifier on training images", panels, caption, legend)


def _speed(run: Run) -> _Chart | None:
    panels = []
    if traces := _trace(run, "images_per_second", "speed"):
        panels.append(Panel("images a second", traces, bottom=0.0))
    if traces := _trace(run, "waiting", "waiting", MUTED):
        panels.append(Panel("waiting for data", traces, bottom=0.0, percent=True, top=0.1))
    caption = f"{_on(run)}. Looks at watched images count as time, and show as dips. Waiting: share of the time."
    return _Chart("speed", "Speed", panels, caption, [], digits=1) if panels else None
