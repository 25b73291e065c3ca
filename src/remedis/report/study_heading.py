"""The answer to a whole study in one sentence, and what was compared with what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from remedis.report.numbers import figure
from remedis.report.study_answer import at_chance, own_at_chance, reaches, share, spread
from remedis.report.study_audit import lone_words, shortcuts
from remedis.report.study_folder import ADAPTED, IN, OUT, StudyFolder
from remedis.report.study_names import Names, listed, method, scenario
from remedis.report.study_people import images_tested

Plain = dict[str, Any]


def heading(study: StudyFolder, found: Sequence[Plain], names: Names) -> list[Plain]:
    """Return the answer to the whole study as pieces of one sentence: `text`, and `strong` where it is a number."""
    if not found:
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
            words = f"{_of(each, names)}{spread(each)} {encoder} reaches what {baseline} needs all of them for"
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


def _where(answer: Plain, names: Names, *, alone: bool) -> str:
    data_set = names.data_set(answer["dataset"])
    if answer["scenario"] == IN:
        return "" if alone else f"on {data_set} "
    return f"adapted to {data_set} " if answer["scenario"] == ADAPTED else f"on {data_set}, without any label of it, "


def _many(found: Sequence[Plain], names: Names) -> list[Plain]:
    """Return the answer over several encoders, labels or methods: how many reach the baseline, and with how much.

    Where the baseline is no better than chance, reaching it says nothing: such comparisons are counted apart.
    """
    scenarios = {name: [each for each in found if each["scenario"] == name] for name in _scenarios(found)}
    told = {name: own for name, own in scenarios.items() if not all(map(at_chance, own))}
    chance = f"{names.baseline} is no better than chance in"
    if not told:
        return [_piece(f"{chance} all {len(found)} comparisons, so that no share of the labels can be told")]
    pieces = [_piece(f"What {names.baseline} needs all labels for is reached ")]
    for number, (name, own) in enumerate(told.items()):
        some = [each for each in own if not at_chance(each)]
        pieces += [_piece("; " if number else ""), _piece(f"{scenario(name)} in "), *_counted(some, first=not number)]
        others = len(own) - len(some)
        pieces += [_piece(f", and {chance} {others} {'other' if others == 1 else 'others'}")] * (others > 0)
    untold = listed(scenario(name) for name in scenarios if name not in told)
    return [*pieces, *[_piece(f"; {untold} {chance} every comparison")] * bool(untold)]


def _scenarios(found: Sequence[Plain]) -> list[str]:
    return list(dict.fromkeys(each["scenario"] for each in found))


def _counted(own: Sequence[Plain], *, first: bool) -> list[Plain]:
    """Return `3 of 4 comparisons with 20% to 40% of them`."""
    some = sorted((each for each in own if reaches(each)), key=lambda each: float(each["fraction"]))
    pieces = [_piece(f"{len(some)} of {len(own)}", strong=True)]
    pieces += [_piece(" comparison" if len(own) == 1 else " comparisons")] * first
    if some:
        ends = list(dict.fromkeys(share(each["fraction"]) for each in (some[0], some[-1])))
        if some[0]["at_most"]:
            ends[0] = f"at most {ends[0]}" if len(ends) == 1 else f"≤ {ends[0]}"
        pieces.append(_piece(f" with {' to '.join(ends)} of them"))
    return pieces


def _alone(study: StudyFolder, names: Names) -> list[Plain]:
    """Return the answer where there is nothing to compare with: what each encoder reaches with all labels."""
    pieces: list[Plain] = []
    between = ", " if len(study.present) > 1 else "; "
    for place, encoder in enumerate(study.present):
        rows = [row for row in study.tables["curves"] if row["fraction"] == 1 and row["encoder"] == encoder]
        who = f"; {names.encoder(encoder)}" if place else f"With all labels {names.encoder(encoder)} reaches AUROC"
        pieces.append(_piece(f"{who} "))
        for number, name in enumerate(dict.fromkeys(row["scenario"] for row in rows)):
            values = [row["auroc"] for row in rows if row["scenario"] == name and row["auroc"] is not None]
            ends = [figure(each, 2) for each in (min(values), max(values))] if values else ["not defined"]
            pieces += [_piece(between)] * (number > 0)
            pieces += [_piece(" to ".join(dict.fromkeys(ends)), strong=True), _piece(f" {scenario(name)}")]
    if study.others and study.baseline not in study.present:
        pieces.append(_piece(f"; of {names.baseline} there is no figure to compare with"))
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
    shares = [min(job["label_fractions"]), 1.0]
    drawn = f", each share below 100% drawn {job['draws']:,} times" if shares[0] < 1 else ""
    tested = [images_tested(study, each, f" of {names.data_set(each)}") for each in job["data_sets"]]
    used = " to ".join(share(each) for each in dict.fromkeys(shares))
    return f"{who(study, names)}, with {used} of the labels{drawn}; tested on {listed(filter(None, tested))}."


def who(study: StudyFolder, names: Names) -> str:
    """Return `run/last against base (probe)`: the encoders that have rows, each with its methods where they differ."""
    present = study.present
    alike = len({tuple(methods) for methods in present.values()}) == 1
    how = {name: listed(method(each) for each in methods) for name, methods in present.items()}
    called = {name: names.encoder(name) + ("" if alike else f" ({how[name]})") for name in present}
    others = listed(called[name] for name in called if name != study.baseline)
    baseline = called.get(study.baseline, "")
    words = f"{others} against {baseline}" if others and baseline else others or baseline
    return f"{words} ({next(iter(how.values()))})" if alike and how else words
