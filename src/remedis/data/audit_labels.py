"""What an audit finds in the labels: one class alone, few rows, shares that differ between parts and sites."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from remedis.data import splits
from remedis.data.conditions import as_text
from remedis.data.finding import Finding, Severity, finding_of
from remedis.data.indexers.summary import MOST_CLASSES, classes_of, is_described
from remedis.data.manifest import Manifest, patient_keys

Words = npt.NDArray[np.str_]

FEW = 10
"""Rows of a class; fewer, and no figure of it means much."""

RARE = 0.01
"""Share of the rows below which a class is rare: its AUROC then says little of how many alarms are false."""

SHIFT, ERRORS = 0.1, 3.0
"""Shares of a class in two groups differ where they do by this much, and by so many standard errors over patients."""


def of_labels(table: pa.Table, labels: Sequence[str]) -> Iterator[Finding]:
    """Find labels that cannot be learnt from; of columns that nobody named, only those that say nothing."""
    for name in labels or [each for each in table.column_names if not is_described(each, table)]:
        classes = classes_of(table[name])
        if len(classes) < 2:
            what = f"has one class ({next(iter(classes))})" if classes else "is empty"
            yield Finding("label", "error" if labels else "warning", f"{name} {what}", table.num_rows)
        elif labels:
            yield from _of_label(table, name, classes)


def of_balance(rows: Manifest, labels: Sequence[str]) -> Iterator[Finding]:
    """Find classes that are rare, or whose share differs between the parts of the split or between sites.

    A share that differs between parts makes thresholds and calibration of one wrong in the other; one that differs
    between sites makes the site a shortcut. A patient counts once a group, for images of one are much alike.
    """
    table = rows.table
    patients = patient_keys(table, data_set=rows.data_set)
    groups = {"part": splits.split_column(table).words, "site": table["site"] if "site" in table.column_names else None}
    for label in labels:
        classes = classes_of(table[label])
        total = sum(classes.values())
        rare = [f"{name} in {count:,} of {total:,}" for name, count in classes.items() if FEW <= count < RARE * total]
        if len(classes) > 1 and rare:
            yield finding_of("balance", "warning", f"{label} has classes rarer than 1 in 100", rare)
        values = np.array([as_text(value) for value in table[label].to_pylist()])
        for what, column in groups.items():
            if column is not None and 2 <= len(classes) <= MOST_CLASSES:
                names = np.array([as_text(value) for value in column.to_pylist()])
                yield from _of_groups(label, what, (values, names, patients))


def _of_groups(label: str, what: str, columns: tuple[Words, Words, npt.NDArray[np.int64]]) -> Iterator[Finding]:
    """Compare each class's share in the two groups where it is highest and lowest."""
    values, names, patients = columns
    known = (values != "") & (names != "")
    groups = [name for name in np.unique(names[known]) if (names[known] == name).sum() >= FEW]
    if what == "part":  # a part of one class is said to be so
        groups = [name for name in groups if len(np.unique(values[known & (names == name)])) > 1]
    classes, differing = np.unique(values[known]), []
    for each in classes[1:] if len(classes) == 2 else classes:
        shares = {}
        for group in groups:
            rows = known & (names == group)
            shares[str(group)] = (float((values[rows] == each).mean()), len(np.unique(patients[rows])))
        if len(shares) < 2:
            return
        high, low = (of(shares, key=lambda name: shares[name][0]) for of in (max, min))
        (most, n), (least, m) = shares[high], shares[low]
        pooled = (most * n + least * m) / (n + m)
        error = np.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
        if most - least > max(SHIFT, ERRORS * error):
            differing.append(f"{each} is {most:.0%} of {high} and {least:.0%} of {low}")
    if differing:
        where = "the parts of the split" if what == "part" else "sites"
        yield finding_of("balance", "warning", f"{label} is not the same mixture in {where}", differing)


def _of_label(table: pa.Table, name: str, classes: dict[str, int]) -> Iterator[Finding]:
    words = splits.split_column(table).words
    if words is not None:
        column = np.array([word or "" for word in words.to_pylist()])
        found = {part: classes_of(table[name].filter(pa.array(column == part))) for part in splits.SPLITS}
        yield from _of_parts(name, found, {part: int((column == part).sum()) for part in splits.SPLITS})
    few = {each: count for each, count in classes.items() if count < FEW}
    if few:
        words_of = ", ".join(f"{each} in {count}" for each, count in few.items())
        yield Finding("label", "warning", f"{name} has classes with fewer than {FEW} rows: {words_of}", len(few))


def _of_parts(name: str, found: dict[str, dict[str, int]], rows: dict[str, int]) -> Iterator[Finding]:
    for part, classes in found.items():
        if rows[part] and len(classes) < 2:
            what = f"has one class ({next(iter(classes))})" if classes else "is empty"
            severity: Severity = "error" if part in ("train", "test") else "warning"
            yield Finding("label", severity, f"{name} {what} in the {part} part", rows[part])
    unlearnt = sorted(set(found["test"]) - set(found["train"]))
    if unlearnt and found["train"]:
        message = f"{name} has classes in the test part that the train part lacks"
        yield finding_of("label", "warning", message, unlearnt)
