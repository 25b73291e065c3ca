"""Who a study is about: rows, patients, classes, sex and age of every part, and who was left out and why."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from remedis.data.conditions import as_text
from remedis.data.splits import leaking_patients
from remedis.evaluate.targets import class_counts
from remedis.study.question import DataSet

Integers = npt.NDArray[np.int64]


def flow_of(data_set: DataSet, unreadable: int) -> dict[str, Any]:
    """Return plain values for flow.json, of the first repetition's parts.

    Args:
        data_set: A data set of the study.
        unreadable: Images that could not be read.
    """
    parts = data_set.parts[0]
    rows = {name: getattr(parts, name) for name in ("train", "validation", "test")}
    left_out = {why: count for each in data_set.targets for why, count in each.left_out.items()}
    if parts.elsewhere:
        left_out["split is none of train, validation, test"] = parts.elsewhere
    return {
        "rows": len(data_set.manifest),
        "data_set": data_set.manifest.data_set,
        "other_site": data_set.other_site,
        "left_out": left_out,
        "drawn": list(parts.drawn),
        "unreadable": unreadable,
        "leaking_patients": len(leaking_patients(data_set.manifest.table, data_set=data_set.manifest.data_set)),
        "units": data_set.units.words,
        "parts": {name: {"images": len(own), "patients": data_set.units.count(own)} for name, own in rows.items()},
        "by_class": {
            each.label: {name: class_counts(each.codes[own], each.classes) for name, own in rows.items()}
            for each in data_set.targets
        },
        "sex": {name: _counts(data_set.manifest.table, "sex", own) for name, own in rows.items()},
        "age": {name: _ages(data_set.manifest.table, own) for name, own in rows.items()},
    }


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
