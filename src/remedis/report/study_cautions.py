"""What a reader of a study must know before believing it, the most weighty first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from remedis.evaluate.intervals import FEW_UNITS
from remedis.report.numbers import counted, figure
from remedis.report.study_answer import at_chance, place
from remedis.report.study_audit import lone_words, shortcuts
from remedis.report.study_folder import StudyFolder
from remedis.report.study_names import Names, listed
from remedis.report.study_people import nameless, ranged

Plain = dict[str, Any]
_FEW_DRAWS = 5


def cautions(study: StudyFolder, answers: Sequence[Plain], names: Names, *, simulated: bool) -> list[str]:
    """Return what a reader must know, as sentences."""
    found = [*_errors(study, names), *_leaks(study, names), *_nameless(study, names), *_shortcuts(study, names)]
    if simulated:
        found.append("The images are simulated; the figures say nothing about patients.")
    found += [*_chance(answers, names), *_small(study, names), *_draws(study)]
    if len(answers) > 1 and len({(each["encoder"], each["label"], each["method"]) for each in answers}) > 1:
        found.append(
            f"{len(answers)} comparisons stand here; none was named the primary one, and only tests with all labels "
            "are adjusted for their number, within a scenario."
        )
    if study.repeats > 1:
        found.append(
            "Repetitions draw their parts from the same images; their spread is no interval over other patients."
        )
    found.append(
        "The figures are of collections of images, not of a population; prevalence changes with the place."
    )  # fmt: skip
    return list(dict.fromkeys(found))


def _errors(study: StudyFolder, names: Names) -> list[str]:
    return [
        f"{names.data_set(data_set)}: the audit found an error ({each['kind']}): {each['message']}."
        for data_set, found in study.audit.items()
        for each in found
        if each["severity"] == "error"
    ]


def _leaks(study: StudyFolder, names: Names) -> list[str]:
    return [
        f"{names.data_set(data_set)}: {counted(said['leaking_patients'], 'patients')} "
        f"{'stands' if said['leaking_patients'] == 1 else 'stand'} in more than one part; what is tested was partly "
        "learnt."
        for data_set, said in study.flow.items()
        if said.get("leaking_patients")
    ]


def _shortcuts(study: StudyFolder, names: Names) -> list[str]:
    """Return a sentence for each data set and label: the trivial feature that tells most."""
    found: dict[tuple[str, str], str] = {}
    for lone in shortcuts(study):
        words = (
            f"{names.data_set(lone.data_set)}, {lone.label}: {lone_words(lone, own=True)} AUROC "
            f"{figure(lone.value, 2)} ({figure(lone.low, 2)}–{figure(lone.high, 2)}), without a look at what the "
            "images show; the encoders may rest on it too."
        )
        found.setdefault((lone.data_set, lone.label), words)
    return list(found.values())


def _chance(answers: Sequence[Plain], names: Names) -> list[str]:
    places = dict.fromkeys(f"{each['label']} {place(each, names)}" for each in answers if at_chance(each))
    return [
        f"{names.baseline} with all labels is no better than chance at {words}; no share of labels can be told there."
        for words in places
    ]


def _small(study: StudyFolder, names: Names) -> list[str]:
    sizes: dict[str, set[int]] = {}
    for row in study.tables["curves"]:
        sizes.setdefault(row["dataset"], set()).add(row["n_patients"])
    return [
        f"The intervals on {names.data_set(data_set)} rest on {ranged(few, study.units(data_set))}, too few to be "
        "believed."
        for data_set, own in sizes.items()
        if (few := [each for each in own if each < FEW_UNITS])
    ]


def _nameless(study: StudyFolder, names: Names) -> list[str]:
    words = nameless(study, names)
    return [
        f"{words} (patient_id): images of one patient may stand in more than one part, and count as independent."
    ] * bool(words)


def _draws(study: StudyFolder) -> list[str]:
    few = sorted({row["draws"] for row in study.tables["curves"] if row["fraction"] < 1 and row["draws"] < _FEW_DRAWS})
    if not few:
        return []
    words = listed(str(each) for each in few)
    return [f"A share below 100% stands on {words} draws of the labels; their spread is hardly known."]
