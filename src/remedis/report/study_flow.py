"""Who is in a study and who was left out: a flow diagram and a table of each data set, from flow.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from remedis.report.numbers import class_words, counted, share
from remedis.report.study_folder import StudyFolder
from remedis.report.study_names import Names, listed
from remedis.report.subgroups import SEXES

Plain = dict[str, Any]
_PARTS = {"train": "learnt from", "validation": "chose settings", "test": "tested"}


def flows(study: StudyFolder, names: Names) -> list[Plain]:
    """Return for each data set `steps` and `parts` of its diagram, what is said of its parts, and `table`."""
    found = []
    for data_set, said in study.flow.items():
        parts = {name: said["parts"][name] for name in _PARTS if name in said.get("parts", {})}
        found.append({
            "data_set": names.data_set(data_set),
            "steps": _steps(said, names.data_set(data_set)),
            "parts": [
                {"name": _PARTS[name], "tested": name == "test", "images": each["images"],
                 "units_words": counted(each["patients"], "patients")}
                for name, each in parts.items()
            ],
            "words": _words(said),
            "heads": [_PARTS[name] for name in parts],
            "table": _table(said, parts),
        })  # fmt: skip
    return found


def _steps(said: Plain, name: str) -> list[Plain]:
    out = [{"why": why, "count": count} for why, count in said.get("left_out", {}).items() if count]
    if said.get("unreadable"):
        out.append({"why": "could not be read", "count": said["unreadable"]})
    return [{"images": said["rows"], "name": f"images in {name}", "out": out}]


def _words(said: Plain) -> str:
    drawn, leaking = said.get("drawn") or [], said.get("leaking_patients", 0)
    given = [part for part in ("train", "validation", "test") if part not in drawn]
    words = f"The manifest gives the parts {listed(given)}." if given else ""
    if drawn:
        words += f" {listed(drawn).capitalize()} drawn by patient, stratified by label."
    words += (
        f" {counted(leaking, 'patients')} stand in more than one part."
        if leaking
        else " No patient stands in more than one part."
    )
    return words.strip()


def _table(said: Plain, parts: Mapping[str, Plain]) -> list[Plain]:
    rows = [
        {"name": "images", "cells": [f"{each['images']:,}" for each in parts.values()]},
        {"name": "patients", "cells": [f"{each['patients']:,}" for each in parts.values()]},
    ]
    rows += _classes(said.get("by_class", {}), parts)
    rows += _shares(said.get("sex", {}), parts, SEXES | {"not given": "sex not given"})
    ages = said.get("age", {})
    if any(ages.get(name) for name in parts):
        rows.append({"name": "age, median (quartiles)", "cells": [_age(ages.get(name)) for name in parts]})
    return rows


def _classes(by_label: Mapping[str, Any], parts: Mapping[str, Plain]) -> list[Plain]:
    found = []
    for label, by_part in by_label.items():
        found += _shares(by_part, parts, {name: class_words(label, name) for own in by_part.values() for name in own})
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
