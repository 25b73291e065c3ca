"""Who a study is about: rows, patients, classes, sex and age of every part, and who was left out and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from remedis.data.conditions import as_text
from remedis.data.splits import SPLITS, split_column
from remedis.evaluate.targets import UNKNOWN, Target, class_counts
from remedis.study.question import DataSet

Integers = npt.NDArray[np.int64]
Rows = Mapping[str, Integers]


def flow_of(data_set: DataSet, unreadable: int, tested: Integers | None) -> dict[str, Any]:
    """Return plain values for flow.json, of the first repetition's parts.

    `rows` is the sum of `left_out` and of the images of `parts`. A row that is used for one label and lacks another
    stands in its part; `labels` says how many of each part are used for each label.

    Args:
        data_set: A data set of the study.
        unreadable: Images that some encoder could not read.
        tested: Rows of the test part that every encoder and method could score; None where nothing is tested.
    """
    parts = data_set.parts[0]
    rows = {name: getattr(parts, name) for name in SPLITS}
    table = data_set.manifest.table
    return {
        "rows": len(data_set.manifest),
        "data_set": data_set.manifest.data_set,
        "other_site": data_set.other_site,
        "left_out": _left_out(data_set),
        "given": _given(data_set),
        "drawn": list(parts.drawn),
        "split_unused": dict(parts.unused),
        "unreadable": unreadable,
        "tested": None if tested is None else len(tested),
        "leaking_patients": _leaking(data_set, rows),
        "units": data_set.units.words,
        "parts": {name: _size(data_set, own) for name, own in rows.items()},
        "labels": {each.label: _of_label(data_set, each, rows, tested) for each in data_set.targets},
        "by_class": {
            each.label: {name: class_counts(each.codes[own], each.classes) for name, own in rows.items()}
            for each in data_set.targets
        },
        "sex": {name: _counts(table, "sex", own) for name, own in rows.items()},
        "age": {name: _ages(table, own) for name, own in rows.items()},
    }


def _left_out(data_set: DataSet) -> dict[str, int]:
    """Return reason and number of the rows that stand in no part."""
    reasons = [each.left_out for each in data_set.targets]
    if len(reasons) == 1:
        found = dict(reasons[0])
    else:
        lacking = np.all([each.codes == UNKNOWN for each in data_set.targets], axis=0)
        why = ", ".join(dict.fromkeys(why for each in reasons for why in each))
        found = {f"used for no label ({why})": int(lacking.sum())}
    found["split is none of train, validation, test"] = data_set.parts[0].elsewhere
    return {why: count for why, count in found.items() if count}


def _given(data_set: DataSet) -> list[str]:
    """Return the parts that a column of the manifest gives; a repeated study draws all of them."""
    if len(data_set.parts) > 1 or split_column(data_set.manifest.table).words is None:
        return []
    return [name for name in SPLITS if name not in data_set.parts[0].drawn]


def _leaking(data_set: DataSet, rows: Rows) -> int:
    """Return how many patients stand in more than one part."""
    each = np.concatenate([np.unique(data_set.units.codes[own]) for own in rows.values()])
    return int((np.unique(each, return_counts=True)[1] > 1).sum())


def _of_label(data_set: DataSet, label: Target, rows: Rows, tested: Integers | None) -> dict[str, Any]:
    """Return how many rows of each part are used for a label, and why others of the parts are not."""
    used = {name: own[label.codes[own] != UNKNOWN] for name, own in rows.items()}
    lacking = sum(map(len, rows.values())) - sum(map(len, used.values()))
    if tested is not None:
        used["test"] = np.intersect1d(used["test"], tested)
    return {
        "lacking": lacking,
        "why": list(label.left_out) if lacking else [],
        "parts": {name: _size(data_set, own) for name, own in used.items()},
    }


def _size(data_set: DataSet, rows: Integers) -> dict[str, int]:
    return {"images": len(rows), "patients": data_set.units.count(rows)}


def _counts(table: pa.Table, column: str, rows: Integers) -> dict[str, int]:
    if column not in table.column_names:
        return {}
    words = [as_text(value) or "not given" for value in table[column].take(pa.array(rows)).to_pylist()]
    return {word: words.count(word) for word in sorted(set(words))}


def _ages(table: pa.Table, rows: Integers) -> dict[str, float]:
    """Return median and quartiles of the ages that are numbers; nothing where there is none."""
    if "age" not in table.column_names:
        return {}
    try:
        ages = table["age"].take(pa.array(rows)).cast(pa.float64()).drop_null().to_numpy()
    except pa.ArrowInvalid:  # words such as "adult"
        return {}
    if not len(ages):
        return {}
    low, median, high = np.quantile(ages, [0.25, 0.5, 0.75])
    return {"n": len(ages), "median": float(median), "low": float(low), "high": float(high)}
