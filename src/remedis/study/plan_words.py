"""The plan of a study in words: what is asked, what is learnt from and tested, and what it will cost."""

from __future__ import annotations

from collections.abc import Sequence

from remedis.data.indexers.words import counted
from remedis.study.estimate import Cost
from remedis.study.fits import Cell, draws_of
from remedis.study.question import FINETUNE, DataSet, Question


def lines(question: Question, cells: Sequence[Cell], done: int) -> list[str]:
    """Return the plan without its cost."""
    found = [_data_set(each) for each in question.data_sets]
    names = ", ".join(f"{each.name}{_state(question, each.name)}" for each in question.encoders)
    found.append(f"encoders {names}")
    labels = ", ".join(f"{each.label} ({len(each.classes)} classes)" for each in question.data_sets[0].targets)
    found.append(f"labels {labels} · {' and '.join(question.methods)} · {', '.join(_scenarios(question))}")
    fractions = ", ".join(f"{each:.4g}" for each in question.label_fractions)
    draws = sum(len(draws_of(each, question.draws)) for each in question.label_fractions)
    found.append(f"label fractions {fractions}: {counted(draws, 'draw')} a training part")
    fits = [fit for cell in cells for fit in cell.fits]
    tuned = sum(fit.method == FINETUNE for fit in fits)
    parts = [counted(len(fits) - tuned, "probe")] * (len(fits) > tuned) + [counted(tuned, "fine-tuning")] * (tuned > 0)
    repeats = f" in {question.repeats} repetitions with other parts" if question.repeats > 1 else ""
    finished = f"; {done:,} of {len(cells):,} cells are done" if done else ""
    found.append(f"plan: {' and '.join(parts)}{repeats}{finished}")
    return found


def cost_line(cost: Cost, processes: int) -> str:
    """Return the estimate in one line."""
    parts = [
        f"{name} {duration(seconds / processes)}"
        for name, seconds in (
            ("embedding", cost.embedding), ("probes", cost.probes), ("fine-tuning", cost.tuning),
            ("figures", cost.figures),
        )
        if seconds >= 1
    ]  # fmt: skip
    shared = f" in {processes} processes" if processes > 1 else ""
    of_what = f" ({', '.join(parts)})" if parts else ""
    return f"estimate: about {duration(cost.total / processes)} here{shared}{of_what}"


def duration(seconds: float) -> str:
    """Return a duration as a person says it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"


def _data_set(each: DataSet) -> str:
    parts = each.parts[0]
    where = "out of distribution" if each.other_site else "in distribution"
    drawn = f" ({' and '.join(parts.drawn)} drawn by patient)" if parts.drawn else ""
    sizes = " · ".join(f"{name} {len(getattr(parts, name)):,}" for name in ("train", "validation", "test"))
    units = counted(each.units.count(parts.train), each.units.name[:-1])
    return f"{each.name}, {where}: {sizes}{drawn} · {units} to learn from"


def _state(question: Question, name: str) -> str:
    encoder = next(each for each in question.encoders if each.name == name)
    words = [*(["baseline"] if name == question.baseline else []), *([] if encoder.trained else ["random weights"])]
    words += ["embeddings from elsewhere"] if encoder.external else []
    return f" ({', '.join(words)})" if words else ""


def _scenarios(question: Question) -> list[str]:
    return [each.replace("_", " ") for each in question.scenarios]
