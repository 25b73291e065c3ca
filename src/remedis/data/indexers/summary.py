"""A manifest in figures: images, patients, parts, labels with their classes, what was left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from remedis.data.conditions import as_text
from remedis.data.indexers.words import counted
from remedis.data.manifest import patient_keys
from remedis.data.splits import SPLITS, split_column

MOST_CLASSES = 20
ROWS_A_WORD, ROWS_A_NUMBER = 2, 5
"""Rows a class on average, fewer and a column of words or of whole numbers is a description or a measure."""

KNOWN = frozenset({
    "image", "frame", "x", "y", "size", "mpp", "patient_id", "study_id", "series_id", "site", "split", "view", "sex",
    "age", "width", "height", "original_width", "original_height", "modality", "body_part", "laterality",
    "manufacturer", "photometric", "transfer_syntax", "pixel_spacing_row_mm", "pixel_spacing_column_mm", "index",
    "simulated", "finding_labels", "label_source", "label_method", "follow_up", "readers", "boxes", "study_date",
    "study_time", "nih_image",
    "slide", "node", "x_coord", "y_coord", "wilds_split",
})  # fmt: skip
"""Columns that describe an image and are not taken for its label unless they are named."""


def label_columns(table: pa.Table) -> dict[str, dict[str, int]]:
    """Return the columns that look like labels, in order, each with its classes (as text) and their rows.

    These are columns of text, truth values or whole numbers that are none of the described ones, with two classes, or
    up to 20 that have several rows each.
    """
    found = {}
    for name in table.column_names:
        if not is_described(name, table):
            classes = classes_of(table[name])
            if _are_classes(classes, is_number=not pa.types.is_string(table[name].type)):
                found[name] = classes
    return found


def is_described(name: str, table: pa.Table) -> bool:
    """Return whether a column describes an image, or numbers another column, and is no label of its own."""
    return name in KNOWN or name.endswith("_id") or _is_order(name, table)


def _is_order(name: str, table: pa.Table) -> bool:
    """Return whether a column only numbers another one's classes or votes: `label_index` or `label_votes`."""
    return any(
        name.removesuffix(ending) != name and name.removesuffix(ending) in table.column_names
        for ending in ("_index", "_votes")
    )


def _are_classes(classes: dict[str, int], *, is_number: bool) -> bool:
    if not 2 <= len(classes) <= MOST_CLASSES or (is_number and any("." in name for name in classes)):
        return False
    rows = sum(classes.values())
    return len(classes) == 2 or len(classes) * (ROWS_A_NUMBER if is_number else ROWS_A_WORD) <= rows


def classes_of(column: pa.ChunkedArray) -> dict[str, int]:
    """Return the classes of a column as text, sorted as numbers where all are, with their rows; nulls left out."""
    counts = {as_text(each["values"]): int(each["counts"]) for each in column.value_counts().to_pylist()}
    counts.pop("", None)
    return {name: counts[name] for name in sorted(counts, key=_order)}


def _order(name: str) -> tuple[int, float, str]:
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name


def summary(table: pa.Table, facts: dict[str, Any]) -> dict[str, Any]:
    """Return what a manifest holds, as plain values."""
    words = split_column(table).words
    found = words.to_pylist() if words is not None else []
    return {
        "images": table.num_rows,
        "files": len(table["image"].unique()),
        "patients": _patients(table, facts),
        "split": {part: found.count(part) for part in SPLITS if part in found},
        "labels": label_columns(table),
        "of_one_class": [name for name in table.column_names if _has_one_class(name, table)],
        "left_out": dict(facts.get("left_out", {})),
    }


def _has_one_class(name: str, table: pa.Table) -> bool:
    return not is_described(name, table) and pa.types.is_integer(table[name].type) and len(classes_of(table[name])) == 1


def _patients(table: pa.Table, facts: dict[str, Any]) -> int | None:
    if "patient_id" not in table.column_names:
        return None
    return len(np.unique(patient_keys(table, data_set=facts.get("data_set"))))


def lines(found: dict[str, Any]) -> list[str]:
    """Return the summary for a person: what there is, and the labels beside what was left out."""
    people = counted(found["patients"], "patient") if found["patients"] is not None else "no patient_id"
    parts = " · ".join(f"{part} {count:,}" for part, count in found["split"].items())
    what = f"{counted(found['images'], 'image')}, {people}, {f'split {parts}' if parts else 'no split'}"
    left_out = " · ".join(f"{reason} {count:,}" for reason, count in found["left_out"].items()) or "nothing"
    labels = _labels(found["labels"], found["images"], found["of_one_class"])
    return [what, f"{labels}          left out: {left_out}" if len(labels + left_out) < 90 else labels] + (
        [f"left out: {left_out}"] if len(labels + left_out) >= 90 else []
    )


def _labels(labels: dict[str, dict[str, int]], images: int, of_one_class: list[str]) -> str:
    if not labels:
        single = f" with two classes; {counted(len(of_one_class), 'column')} of one" if of_one_class else ""
        return f"labels: none{single}"
    phrases = []
    for name, classes in list(labels.items())[:6]:
        known = sum(classes.values())
        if set(classes) == {"0", "1"}:
            phrases.append(f"{name} {classes['1']:,} of {known:,}")
        else:
            unknown = f" ({images - known:,} unknown)" if known < images else ""
            phrases.append(f"{name} {len(classes)} classes{unknown}")
    more = f" · {len(labels) - 6} more" if len(labels) > 6 else ""
    return f"labels: {' · '.join(phrases)}{more}"
