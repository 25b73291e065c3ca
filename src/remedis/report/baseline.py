"""Who is in each part: images, patients, classes, sex, age, view and site, as a table of characteristics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from remedis.evaluate.parts import units_of
from remedis.evaluate.targets import UNKNOWN, values_of
from remedis.report.numbers import class_words, counted, share
from remedis.report.part_rows import Part, parts
from remedis.report.probe_folder import ProbeFolder
from remedis.report.subgroups import SEXES
from remedis.report.tested import Tested

Plain = dict[str, Any]
MOST_VALUES = 8
_COLUMNS = ("sex", "view", "site")


def baseline(probe: ProbeFolder, tested: Tested) -> list[Plain]:
    """Return the characteristics of each part of a label: counts, and the median and quartiles of age."""
    cluster = probe.config.get("cluster")
    return [
        {
            "name": part.name,
            "images": len(part.rows),
            "units": units_of(part.table, cluster).count(part.rows),
            "classes": {
                name: int((part.codes == code).sum()) for code, name in enumerate(tested.classes)
            },
            **{column: _values(part, column) for column in _COLUMNS},
            "age": _age(part),
        }
        for part in parts(probe, tested)
    ]  # fmt: skip


def _values(part: Part, column: str) -> Plain:
    """Return each value's number of rows; the unknown under an empty name; nothing without the column."""
    if column not in part.table.column_names:
        return {}
    texts, codes = values_of(part.table, column)
    own = codes[part.rows]
    found = {text: int((own == code).sum()) for code, text in enumerate(texts)}
    return {text: count for text, count in (found | {"": int((own == UNKNOWN).sum())}).items() if count}


def _age(part: Part) -> Plain | None:
    """Return how many ages are known and their quartiles in years; None where none is known or they are words."""
    if "age" not in part.table.column_names:
        return None
    try:
        ages = part.table["age"].take(pa.array(part.rows)).cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        return None
    known = ages[np.isfinite(ages)]
    if not len(known):
        return None
    low, median, high = np.quantile(known, [0.25, 0.5, 0.75]).tolist()
    return {"known": len(known), "low": low, "median": median, "high": high}


def rows(label: str, found: Sequence[Plain], unit: str) -> list[Plain]:
    """Return the table's rows as words: a name, and a cell for each part."""
    table = [_row("images", [f"{part['images']:,}" for part in found])]
    if unit != "images":
        table.append(
            _row(unit if unit == "patients" else f"values of {unit}", [f"{part['units']:,}" for part in found])
        )
    for name in found[0]["classes"]:
        table.append(_row(class_words(label, name), [_of(part["classes"][name], part["images"]) for part in found]))
    for column in _COLUMNS:
        table += _column_rows(column, found)
    if any(part["age"] for part in found):
        table.append(_row("age in years, median (quartiles)", [_age_words(part) for part in found]))
    return table


def _column_rows(column: str, found: Sequence[Plain]) -> list[Plain]:
    names = sorted({name for part in found for name in part[column]} - {""})
    if not names:
        return []
    if len(names) > MOST_VALUES:
        return [_row(column, [counted(len(set(part[column]) - {""}), "values") for part in found])]
    if any("" in part[column] for part in found):
        names.append("")
    return [
        _row(
            f"{column}: {SEXES.get(name, name) if column == 'sex' else name}" if name else f"{column} not given",
            [_of(part[column].get(name, 0), part["images"]) for part in found],
        )
        for name in names
    ]


def _of(count: int, images: int) -> str:
    return f"{count:,} ({share(count, images)})"


def _age_words(part: Plain) -> str:
    age = part["age"]
    if age is None:
        return "not given"
    unknown = part["images"] - age["known"]
    words = f"{age['median']:.0f} ({age['low']:.0f}–{age['high']:.0f})"
    return f"{words}, {unknown:,} not given" if unknown else words


def _row(name: str, cells: list[str]) -> Plain:
    return {"name": name, "cells": cells}
