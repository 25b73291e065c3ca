"""The answer to a pretraining's page in one sentence: how far it came, and what it is worth so far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from remedis.report.numbers import counted, figure, span
from remedis.report.run_folder import ACCURACIES, Line, Run

Plain = dict[str, Any]
NAMES = {"knn_accuracy": "kNN accuracy", "linear_accuracy": "linear accuracy"}
_Z = 1.959963984540054  # 97.5th percentile of the normal distribution


def wilson(right: int, n: int) -> tuple[float, float]:
    """Return the 95% interval of a share of `right` among `n` images.

    Source: Wilson, Journal of the American Statistical Association 22:209 (1927).
    """
    share, spread = right / n, _Z**2 / n
    centre = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
    return (0.0 if right == 0 else centre - half), (1.0 if right == n else centre + half)


def chances(job: Mapping[str, Any]) -> dict[str, float]:
    """Return what a network reaches to which all views are alike: each of an anchor's 2N - 1 candidates is as likely.

    Loss: loss_scale · ln(2N - 1); accuracy: 1 / (2N - 1); entropy over the N views of the other kind: ln N.
    """
    batch = int(job["train_batch_size"])
    return {
        "loss": float(job["loss_scale"]) * math.log(2 * batch - 1),
        "contrast_accuracy": 1 / (2 * batch - 1),
        "contrast_entropy": math.log(batch),
    }


def looked(line: Line) -> Plain:
    """Return a look with each accuracy's interval."""
    found: Plain = {"step": line["step"], "label": str(line.get("label", "")), "n": line["n"]}
    for name in ACCURACIES:
        if name in line:
            low, high = wilson(min(round(line[name] * line["n"]), line["n"]), line["n"])
            found[name] = {"value": line[name], "low": low, "high": high}
    return found


def answer(run: Run, looks: list[Plain]) -> Plain:
    """Return the measure, its first and last value, how far the run came, and all of it as a sentence.

    Args:
        run: The opened run.
        looks: From `looked`.
    """
    of_accuracy = [look for look in looks if "knn_accuracy" in look]
    if of_accuracy:
        found = _accuracy(of_accuracy)
    elif run.lines:
        found = _loss(run)
    else:
        found = {"measure": None, "first": None, "last": None, "n": None, "value": "", "interval": "", "rest": ""}
    found["state"] = state(run)
    found["compared"] = _compared(run, of_loss=not of_accuracy)
    words = f"{found['measure']} {found['value']}{found['interval'] and ' ' + found['interval']} {found['rest']}; "
    found["sentence"] = (words if found["measure"] else "") + found["state"]
    return found


def state(run: Run) -> str:
    """Return how far the run came, in words."""
    if run.complete:
        return "trained to its end"
    if not run.done:
        return "no step is written yet"
    of = f" of {run.planned:,}" if run.planned else ""
    return f"not finished: {run.done:,}{of} steps are done"


def _accuracy(looks: list[Plain]) -> Plain:
    first, last = looks[0], looks[-1]
    now = last["knn_accuracy"]
    rest = f"on {counted(last['n'], 'images')} at step {last['step']:,}, "
    rest += (
        f"from {figure(first['knn_accuracy']['value'], 2)} at step {first['step']:,}"
        if len(looks) > 1
        else "the only look so far"
    )
    return {
        "measure": NAMES["knn_accuracy"], "n": last["n"],
        "first": {"step": first["step"], **first["knn_accuracy"]}, "last": {"step": last["step"], **now},
        "value": figure(now["value"], 2), "interval": f"({span(now['low'], now['high'], 2)})", "rest": rest,
    }  # fmt: skip


def _loss(run: Run) -> Plain:
    first, last = run.lines[0], run.lines[-1]
    chance = figure(chances(run.job)["loss"], 2)
    started = f", from {figure(first['loss'], 2)} at step {first['step']:,}" if len(run.lines) > 1 else ""
    return {
        "measure": "Contrastive loss", "n": None,
        "first": {"step": first["step"], "value": first["loss"]},
        "last": {"step": last["step"], "value": last["loss"]},
        "value": figure(last["loss"], 2), "interval": "",
        "rest": f"at step {last['step']:,}{started}; chance is {chance}",
    }  # fmt: skip


def _compared(run: Run, *, of_loss: bool) -> str:
    """Return what was trained on what, how long, and how the loss moved, in a line or two."""
    job, per_epoch = run.job, run.steps_an_epoch
    unit = "patients" if job.get("multi_instance") else "images"
    words = f"{counted(int(job['images']), 'images')}, {job['train_batch_size']:,} {unit} a step"
    if run.done:
        words = f"{run.done:,} {'step' if run.done == 1 else 'steps'}" + (
            f" ({epochs_words(run.done / per_epoch)})" if per_epoch else ""
        ) + f" on {words}"  # fmt: skip
    if run.lines and not of_loss:
        first, last = run.lines[0]["loss"], run.lines[-1]["loss"]
        words += (
            f"; contrastive loss {figure(first, 2)} → {figure(last, 2)}, chance is {figure(chances(job)['loss'], 2)}"
        )
    return f"{words}."


def epochs_words(epochs: float) -> str:
    """Return `1 epoch`, `1.24 epochs` or `1,000 epochs`."""
    short = f"{epochs:,.0f}" if epochs >= 100 else f"{epochs:.3g}"
    return f"{short} {'epoch' if short == '1' else 'epochs'}"
