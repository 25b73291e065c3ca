"""Who is in a study and who was left out: a flow diagram and a table of each data set, from flow.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remedis.report.numbers import class_words, counted, share
from remedis.report.study_folder import StudyFolder
from remedis.report.study_names import Names, listed
from remedis.report.study_people import people
from remedis.report.subgroups import SEXES

Plain = dict[str, Any]
_PARTS = {"train": "learnt from", "validation": "chose settings", "test": "tested"}
_COLUMN = {"train": "train_dataset", "validation": "train_dataset", "test": "dataset"}


def flows(study: StudyFolder, names: Names) -> list[Plain]:
    """Return for each data set `steps` and `parts` of its diagram, what is said of its parts, and `table`.

    The images of the first step are those left out and those of the parts, one by one.
    """
    found = []
    for data_set, said in study.flow.items():
        parts = {name: said["parts"][name] for name in _PARTS if name in said.get("parts", {})}
        called = {name: _called(study, data_set, name) for name in parts}
        found.append({
            "data_set": names.data_set(data_set),
            "steps": _steps(said, names.data_set(data_set)),
            "parts": [
                {"name": called[name], "tested": called[name] == _PARTS["test"], "images": each["images"],
                 "units_words": _patients(said, each), "used": _used(said, name)}
                for name, each in parts.items()
            ],
            "words": _words(said),
            "heads": list(called.values()),
            "table": _table(said, parts),
        })  # fmt: skip
    return found


def _called(study: StudyFolder, data_set: str, part: str) -> str:
    """Return what a part is called: what it did, or that no scenario asks for it."""
    used = any(row[_COLUMN[part]] == data_set for row in study.tables["curves"])
    return _PARTS[part] if used else f"{part} part, not used"


def _steps(said: Plain, name: str) -> list[Plain]:
    """Return the first step with who is left out of it: rows that stand in no part, by reason where these add up."""
    reasons = {why: count for why, count in said.get("left_out", {}).items() if count}
    out = said["rows"] - sum(each["images"] for each in said.get("parts", {}).values())
    if out and sum(reasons.values()) != out:  # a folder of before: its reasons overlap
        reasons = {", ".join(reasons) or "not said why": out}
    left = [{"why": why, "count": count} for why, count in reasons.items()] if out else []
    return [{"images": said["rows"], "name": f"images in {name}", "out": left}]


def _units(said: Plain) -> str:
    return "images" if said.get("units") == "images" else "patients"


def _patients(said: Plain, size: Plain) -> str:
    return "" if _units(said) == "images" else counted(size["patients"], "patients")


def _used(said: Plain, part: str) -> list[str]:
    """Return for each label how many of a part are used for it; nothing where that is all of it for all of them."""
    labels = {label: each["parts"][part] for label, each in said.get("labels", {}).items()}
    if all(each["images"] == said["parts"][part]["images"] for each in labels.values()):
        return []
    return [f"{label}: {people(each['images'], each['patients'], _units(said))}" for label, each in labels.items()]


def _words(said: Plain) -> str:
    return " ".join([*_of_parts(said), *_of_patients(said), *_of_labels(said), *_of_unreadable(said)])


def _of_parts(said: Plain) -> list[str]:
    """Return which parts a column gives and which were drawn."""
    drawn = said.get("drawn") or []
    given = said.get("given")
    if given is None:  # a folder of before: where all was drawn the column may be absent
        given = [part for part in _PARTS if part not in drawn] if len(drawn) < len(_PARTS) - 1 else []
    found = [f"The manifest gives the part{'s' * (len(given) > 1)} {listed(given)}."] * bool(given)
    if unused := said.get("split_unused"):
        words = ", ".join(f"{word} {count:,}" for word, count in unused.items())
        found.append(f"The column split counts as absent, as none of its rows says train ({words}).")
    if drawn:
        by = _units(said).removesuffix("s")
        found.append(f"{listed(drawn).capitalize()} drawn by {by}, stratified by label.")
    return found


def _of_patients(said: Plain) -> list[str]:
    leaking = said.get("leaking_patients", 0)
    if _units(said) == "images":
        return ["The manifest names no patients, so that images of one may stand in more than one part."]
    if leaking:
        return [f"{counted(leaking, 'patients')} {'stands' if leaking == 1 else 'stand'} in more than one part."]
    return ["No patient stands in more than one part."]


def _of_labels(said: Plain) -> list[str]:
    """Return how many rows of the parts each label lacks."""
    return [
        f"{each['lacking']:,} of the images in the parts {'is' if each['lacking'] == 1 else 'are'} not used for {label}"
        f"{' (' + ', '.join(each['why']) + ')' if each.get('why') else ''}."
        for label, each in said.get("labels", {}).items()
        if each.get("lacking")
    ]


def _of_unreadable(said: Plain) -> list[str]:
    """Return how many images could not be read, and how many of the test part were tested."""
    unreadable, tested, part = said.get("unreadable", 0), said.get("tested"), said.get("parts", {}).get("test", {})
    found = []
    if unreadable:
        found.append(f"{counted(unreadable, 'images')} could not be read and "
                     f"{'is' if unreadable == 1 else 'are'} counted here all the same.")  # fmt: skip
    if tested is not None and tested < part["images"]:
        found.append(f"{tested:,} of the {counted(part['images'], 'images')} in the test part "
                     f"{'was' if tested == 1 else 'were'} tested: those that every encoder and method could "
                     "score.")  # fmt: skip
    return found


def _table(said: Plain, parts: Mapping[str, Plain]) -> list[Plain]:
    rows = [{"name": "images", "cells": [f"{each['images']:,}" for each in parts.values()]}]
    if _units(said) != "images":
        rows.append({"name": "patients", "cells": [f"{each['patients']:,}" for each in parts.values()]})
    rows += _classes(said.get("by_class", {}), parts)
    rows += _shares(said.get("sex", {}), parts, SEXES | {"not given": "sex not given"})
    ages = said.get("age", {})
    if any(ages.get(name) for name in parts):
        rows.append({"name": "age, median (quartiles)", "cells": [_age(ages.get(name)) for name in parts]})
    return rows


def _classes(by_label: Mapping[str, Any], parts: Mapping[str, Plain]) -> list[Plain]:
    found = []
    for label, by_part in by_label.items():
        called = {name: class_words(label, name) for own in by_part.values() for name in own}
        lacking = {name: each["images"] - sum(by_part.get(name, {}).values()) for name, each in parts.items()}
        rest = {"": f"{label}: not used"} if any(lacking.values()) else {}
        whole = {name: {**by_part.get(name, {}), **dict.fromkeys(rest, count)} for name, count in lacking.items()}
        found += _shares(whole, parts, called | rest)
    return found


def _shares(
    by_part: Mapping[str, Mapping[str, int]], parts: Mapping[str, Plain], called: Mapping[str, str]
) -> list[Plain]:
    names = dict.fromkeys(name for part in parts for name in by_part.get(part, {}))
    return [
        {
            "name": called.get(name, name),
            "cells": [
                f"{by_part.get(part, {}).get(name, 0):,} ({share(by_part.get(part, {}).get(name, 0), each['images'])})"
                for part, each in parts.items()
            ],
        }
        for name in names
    ]


def _age(age: Mapping[str, float] | None) -> str:
    if not age or age.get("median") is None:
        return "–"
    return f"{age['median']:g} ({age['low']:g}–{age['high']:g})"
