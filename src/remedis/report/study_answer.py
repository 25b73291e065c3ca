"""A study's answer: which share of the labels reaches what the baseline needs all of them for, scenario by scenario."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from remedis.report.numbers import counted, figure, span
from remedis.report.study_audit import Lone, highest, lone_words, shortcuts
from remedis.report.study_folder import ADAPTED, IN, OUT, Row, StudyFolder
from remedis.report.study_names import Names, listed, method, scenario

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
        "at_most": any(row["at_most"] for row in rows),
        "repeats": len(rows),
        "least": min(row["fraction"] for row in study.tables["curves"] if _same(row, first)),
        "own": _whole(study, first),
        "lone": None if lone is None else {"words": lone.words, "value": lone.value, "dataset": lone.data_set},
    }


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


def at_chance(answer: Plain) -> bool:
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
        body = f"with {most}{share(answer['fraction'])} of the labels{_spread(answer)} {encoder} reaches {line}, "
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


def heading(study: StudyFolder, found: Sequence[Plain], names: Names) -> list[Plain]:
    """Return the answer to the whole study as pieces of one sentence: `text`, and `strong` where it is a number."""
    if not study.others or not found:
        pieces = _alone(study, names)
    elif len({(each["encoder"], each["label"], each["method"]) for each in found}) == 1:
        pieces = _one(found, names)
    else:
        pieces = _many(found, names)
    return [*pieces, *_caution(study, names)]


def _piece(text: str, *, strong: bool = False) -> Plain:
    return {"text": text, "strong": strong}


def _one(found: Sequence[Plain], names: Names) -> list[Plain]:
    """Return the answer where one encoder is compared, on one label and with one method."""
    pieces: list[Plain] = []
    alone = len({each["dataset"] for each in found if each["scenario"] == IN}) <= 1
    for number, each in enumerate(found):
        encoder, baseline = names.encoder(each["encoder"]), names.encoder(each["baseline"])
        where = _where(each, names, alone=alone)
        pieces += [_piece("; ")] * (number > 0)
        if at_chance(each):
            who = f"neither {encoder} nor {baseline} is" if own_at_chance(each) else f"{baseline} is not"
            pieces.append(_piece(f"{where}{who} better than chance"))
        elif reaches(each):
            most = "at most " if each["at_most"] else ""
            pieces += [_piece(f"{where}with {most}"), _piece(share(each["fraction"]), strong=True)]
            words = f"{_of(each, names)}{_spread(each)} {encoder} reaches what {baseline} needs all of them for"
            pieces.append(_piece(f" {words}"))
        else:
            words = f"{encoder} does not reach what {baseline} needs all labels for"
            pieces.append(_piece(f"{where}{words}"))
    first = pieces[0]["text"]
    named = first.startswith((names.encoder(found[0]["encoder"]), names.baseline))
    pieces[0]["text"] = first if named else first[:1].upper() + first[1:]
    return pieces


def _of(answer: Plain, names: Names) -> str:
    if answer["scenario"] == OUT:
        return f"of {names.data_set(answer['train_dataset'])}’s labels"
    return "of its labels" if answer["scenario"] == ADAPTED else "of the labels"


def _spread(answer: Plain) -> str:
    """Return the interval of a share in brackets; of a repeated study what it is the median of."""
    interval = limits(answer["low"], answer["high"], answer["least"])
    if answer["repeats"] == 1:
        return f" ({interval})"
    return f" (median of {answer['repeats']} repetitions, {interval})"


def _where(answer: Plain, names: Names, *, alone: bool) -> str:
    data_set = names.data_set(answer["dataset"])
    if answer["scenario"] == IN:
        return "" if alone else f"on {data_set} "
    return f"adapted to {data_set} " if answer["scenario"] == ADAPTED else f"on {data_set}, without any label of it, "


def _many(found: Sequence[Plain], names: Names) -> list[Plain]:
    """Return the answer over several encoders, labels or methods: how many reach the baseline, and with how much."""
    pieces = [_piece(f"What {names.baseline} needs all labels for is reached ")]
    for number, name in enumerate(dict.fromkeys(each["scenario"] for each in found)):
        own = [each for each in found if each["scenario"] == name]
        some = [each for each in own if reaches(each) and not at_chance(each)]
        pieces += [_piece("; " if number else ""), _piece(f"{scenario(name)} in ")]
        pieces.append(_piece(f"{len(some)} of {len(own)}", strong=True))
        if some:
            shares = sorted(each["fraction"] for each in some)
            ends = list(dict.fromkeys((share(shares[0]), share(shares[-1]))))
            pieces.append(_piece(f"{' comparisons' * (number == 0)} with {' to '.join(ends)} of them"))
        elif number == 0:
            pieces.append(_piece(" comparisons"))
    return pieces


def _alone(study: StudyFolder, names: Names) -> list[Plain]:
    """Return the answer where there is nothing to compare with: what the encoder reaches with all labels."""
    pieces = [_piece(f"With all labels {names.baseline} reaches AUROC ")]
    rows = [row for row in study.tables["curves"] if row["fraction"] == 1]
    for number, name in enumerate(dict.fromkeys(row["scenario"] for row in rows)):
        values = [row["auroc"] for row in rows if row["scenario"] == name and row["auroc"] is not None]
        ends = list(dict.fromkeys((figure(min(values), 2), figure(max(values), 2)))) if values else ["not defined"]
        pieces += [_piece("; " if number else ""), _piece(" to ".join(ends), strong=True), _piece(f" {scenario(name)}")]
    return pieces


def _caution(study: StudyFolder, names: Names) -> list[Plain]:
    """Return the end of the sentence: what trivial features reach where a study is learnt and tested."""
    found = shortcuts(study)
    if not found:
        return []
    lone = found[0]
    where = f" on {names.data_set(lone.data_set)}" if len(study.job["data_sets"]) > 1 else ""
    return [_piece(f" – but {lone_words(lone)} "), _piece(figure(lone.value, 2), strong=True), _piece(where)]


def compared(study: StudyFolder, names: Names) -> str:
    """Return what was compared with what, and on how much, in a line or two."""
    job = study.job
    others = listed(names.encoder(each) for each in study.others)
    who = f"{others} against {names.baseline}" if others else names.baseline
    how = listed(dict.fromkeys(method(row["method"]) for row in study.tables["curves"]))
    shares = [min(job["label_fractions"]), 1.0]
    drawn = f", each share below 100% drawn {job['draws']:,} times" if shares[0] < 1 else ""
    sizes = {row["dataset"]: (row["n"], row["n_patients"]) for row in study.tables["curves"]}
    tested = listed(
        f"{counted(images, 'images')} of {counted(patients, 'patients')} of {names.data_set(data_set)}"
        for data_set, (images, patients) in sizes.items()
    )
    used = " to ".join(share(each) for each in dict.fromkeys(shares))
    return f"{who} ({how}), with {used} of the labels{drawn}; tested on {tested}."
