"""A study's answer: which share of the labels reaches what the baseline needs all of them for, scenario by scenario."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from remedis.report.numbers import figure, span
from remedis.report.study_audit import Lone, highest, shortcuts
from remedis.report.study_folder import OUT, Row, StudyFolder
from remedis.report.study_names import Names, method, scenario

Plain = dict[str, Any]
CHANCE = 0.5
QUESTION = ("scenario", "dataset", "train_dataset", "label", "method")


def share(value: float | None) -> str:
    """Return a share of the labels, `15%` or `3.4%`; words where there is none."""
    if value is None or math.isnan(value):
        return "not known"
    if math.isinf(value):
        return "not reached"
    percent = 100 * value
    return f"{percent:.0f}%" if percent >= 9.95 else f"{percent:.2g}%"


def limits(low: float | None, high: float | None, least: float) -> str:
    """Return the interval of a share, `3.4% to 78%`; at `least`, the smallest one that was tried, `at most 5%`."""
    ends = [f"≤ {share(each)}" if each == least < 1 else share(each) for each in (low, high)]
    return ends[0] if ends[0] == ends[1] else " to ".join(ends)


def answers(study: StudyFolder, names: Names) -> list[Plain]:
    """Return for each question and encoder the share that reaches the baseline, the baseline's own row left out.

    A study that was repeated gives the median over its repetitions, between the smallest and the largest.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in study.tables["matches"]:
        if row["encoder"] != study.baseline:
            groups.setdefault((*(row[name] for name in QUESTION), row["encoder"]), []).append(row)
    lone = shortcuts(study)
    found = [_answer(study, rows, highest(lone, rows[0]["dataset"], rows[0]["label"])) for rows in groups.values()]
    return [each | {"sentence": sentence(each, names)} for each in found]


def _answer(study: StudyFolder, rows: Sequence[Row], lone: Lone | None) -> Plain:
    first, repeated = rows[0], len(rows) > 1
    shares = sorted(row["fraction"] for row in rows if row["fraction"] is not None)
    lows, highs = (sorted(row[name] for row in rows if row[name] is not None) for name in ("low", "high"))
    ends = (shares, shares) if repeated else (lows, highs)
    reached = [row["reached"] for row in rows if row["reached"] is not None]
    return {
        **{name: first[name] for name in (*QUESTION, "encoder", "baseline")},
        "line": mean(row["line"] for row in rows),
        "line_low": mean(row["line_low"] for row in rows),
        "line_high": mean(row["line_high"] for row in rows),
        "fraction": statistics.median(shares) if shares else None,
        "low": ends[0][0] if ends[0] else None,
        "high": ends[1][-1] if ends[1] else None,
        "reached": sum(map(math.isfinite, shares)) / len(rows) if repeated else mean(reached),
        "at_most": _at_most(rows),
        "repeats": len(rows),
        "least": min(row["fraction"] for row in study.tables["curves"] if _same(row, first)),
        "own": _whole(study, first),
        "lone": None if lone is None else {"words": lone.words, "value": lone.value, "dataset": lone.data_set},
    }


def _at_most(rows: Sequence[Row]) -> bool:
    """Return whether the share is an upper limit: that of the repetition, or of the two, that the median is taken from.

    All labels are no upper limit of anything.
    """
    known = sorted((row for row in rows if row["fraction"] is not None), key=lambda row: float(row["fraction"]))
    middle = known[(len(known) - 1) // 2 : len(known) // 2 + 1]
    return any(row["at_most"] and row["fraction"] < 1 for row in middle)


def _whole(study: StudyFolder, row: Row) -> Plain | None:
    """Return an encoder's own AUROC with all labels, over all repetitions."""
    rows = [each for each in study.tables["curves"] if each["fraction"] == 1 and _same(each, row)]
    return {name: mean(each[name] for each in rows) for name in ("auroc", "low", "high")} if rows else None


def _same(row: Row, other: Row) -> bool:
    return all(row[name] == other[name] for name in (*QUESTION, "encoder"))


def mean(values: Iterable[float | None]) -> float | None:
    """Return the mean of what is known; None of nothing."""
    known = [value for value in values if value is not None]
    return statistics.fmean(known) if known else None


def reaches(answer: Plain) -> bool:
    """Return whether the encoder reaches the baseline with some share of the labels."""
    return answer["fraction"] is not None and math.isfinite(answer["fraction"])


def at_chance(answer: Mapping[str, Any]) -> bool:
    """Return whether the baseline, with all labels, is no better than chance: then reaching it says nothing."""
    return answer["line_low"] is not None and answer["line_low"] <= CHANCE


def own_at_chance(answer: Plain) -> bool:
    """Return whether the encoder itself, with all labels, is no better than chance."""
    own = answer["own"]
    return own is not None and own["low"] is not None and own["low"] <= CHANCE


def place(answer: Plain, names: Names) -> str:
    """Return where an answer holds: `in distribution on cxr`."""
    where, trained = names.data_set(answer["dataset"]), names.data_set(answer["train_dataset"])
    from_there = f" (learnt on {trained})" if answer["scenario"] == OUT else ""
    return f"{scenario(answer['scenario'])} on {where}{from_there}"


def sentence(answer: Plain, names: Names) -> str:
    """Return one answer as a sentence."""
    encoder, baseline = names.encoder(answer["encoder"]), names.encoder(answer["baseline"])
    line = f"AUROC {figure(answer['line'])} ({span(answer['line_low'], answer['line_high'])})"
    head = f"{answer['label']}, {method(answer['method'])}, {place(answer, names)}: "
    if reaches(answer):
        most = "at most " if answer["at_most"] else ""
        body = f"with {most}{share(answer['fraction'])} of the labels{spread(answer)} {encoder} reaches {line}, "
        body += f"which {baseline} needs all of them for"
    else:
        body = f"{encoder} does not reach with any share of the labels {line}, which {baseline} needs all of them for"
    if answer["repeats"] > 1:
        body += f", in {round(answer['reached'] * answer['repeats'])} of {answer['repeats']} repetitions"
    own = answer["own"]
    if own is not None and own["auroc"] is not None:
        body += f"; with all labels it reaches {figure(own['auroc'])} ({span(own['low'], own['high'])})"
    if at_chance(answer):
        neither = " and neither is it" if own_at_chance(answer) else ""
        body += f". {baseline} is no better than chance there{neither}, so that this says nothing of labels"
    return f"{head}{body}."


def spread(answer: Plain) -> str:
    """Return the interval of a share in brackets; of a repeated study what it is the median of."""
    interval = limits(answer["low"], answer["high"], answer["least"])
    if answer["repeats"] == 1:
        return f" ({interval})"
    return f" (median of {answer['repeats']} repetitions, {interval})"
