"""A label column as classes to learn: two or more values of any type, unknown ones marked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pyarrow as pa

from remedis.data import manifest
from remedis.data.conditions import as_text
from remedis.errors import LabelError, ManifestError, UsageError, nearest
from remedis.evaluate.metrics import Booleans, Floats, Integers

UNKNOWN = -1
_MANY_VALUES = 10
_ROWS_A_VALUE = 5


@dataclass(frozen=True)
class Target:
    """What a probe learns from one label column.

    Attributes:
        label: The column.
        classes: Its values as text in natural order (numbers by size, then words); with two classes the second is
            the positive one.
        codes: (N,) each row's place in `classes`, or `UNKNOWN`.
        left_out: Reason and number of rows without a code.
    """

    label: str
    classes: tuple[str, ...]
    codes: Integers
    left_out: dict[str, int]

    @property
    def kind(self) -> Literal["binary", "multiclass"]:
        """Two classes, or more."""
        return "binary" if len(self.classes) == 2 else "multiclass"

    @property
    def known(self) -> Integers:
        """The rows with a class, in order."""
        return np.flatnonzero(self.codes != UNKNOWN)

    @property
    def score_columns(self) -> tuple[str, ...]:
        """Names of the probabilities in predictions: `score_LABEL`, or `score_LABEL=CLASS` for several classes."""
        if self.kind == "binary":
            return (f"score_{self.label}",)
        return tuple(f"score_{self.label}={name}" for name in self.classes)

    def truth(self, rows: Integers) -> Booleans:
        """Return (n,) True for the positive class, or with several classes (n, K)."""
        codes = self.codes[rows]
        return np.asarray(codes == 1 if self.kind == "binary" else codes[:, None] == np.arange(len(self.classes)))


def target(
    table: pa.Table, label: str, *, positive: str | None = None, exclude: Sequence[str] = (), where: str = ""
) -> Target:
    """Return a label column as a target.

    Args:
        table: Rows with the column.
        label: The column's name; null, NaN and empty text are unknown.
        positive: The class whose probability is the score, of two.
        exclude: Classes whose rows are left out; a class that this label does not have is passed over.
        where: File or folder for the messages.

    Raises:
        ManifestError: There is no such column.
        LabelError: The column is empty, has one class, or looks like a measurement or a name.
        UsageError: `positive` is no class of it.
    """
    texts, codes = values_of(table, label, where=where)
    _refuse_measurement(texts, codes, label, where)
    left_out = {"label is empty": int((codes == UNKNOWN).sum())}
    for name in exclude:
        if name in texts:
            rows = codes == texts.index(name)
            codes, left_out[f"class {name} is excluded"] = np.where(rows, UNKNOWN, codes), int(rows.sum())
    present = sorted(set(codes.tolist()) - {UNKNOWN}, key=lambda code: natural(texts[code]))
    classes = tuple(texts[code] for code in present)
    _refuse_too_few(classes, codes, label, where)
    classes = _positive_last(classes, positive, label)
    place = np.full(len(texts) + 1, UNKNOWN)
    place[[texts.index(name) for name in classes]] = np.arange(len(classes))
    return Target(label, classes, place[codes], {why: count for why, count in left_out.items() if count})


def align(other: Target, table: pa.Table, *, where: str = "", exclude: Sequence[str] = ()) -> Target:
    """Return the label column of another table with the classes of `other`; values it lacks are left out and counted.

    Raises:
        ManifestError: There is no such column.
        LabelError: Fewer than two of the classes are there.
    """
    texts, codes = values_of(table, other.label, where=where)
    left_out = {"label is empty": int((codes == UNKNOWN).sum())}
    place = np.full(len(texts) + 1, UNKNOWN)
    for code, name in enumerate(texts):
        if name in other.classes:
            place[code] = other.classes.index(name)
        else:
            why = f"class {name} is excluded" if name in exclude else f"class {name} was not learnt"
            left_out[why] = int((codes == code).sum())
    aligned = replace(other, codes=place[codes], left_out={why: count for why, count in left_out.items() if count})
    present = [other.classes[code] for code in sorted(set(aligned.codes.tolist()) - {UNKNOWN})]
    if len(present) < 2:
        found = f"only class {present[0]} of" if present else "none of"
        raise LabelError(
            f"label {other.label!r} has {found} {', '.join(other.classes)}; two classes are needed to test on",
            where=where,
        )
    return aligned


def values_of(table: pa.Table, label: str, *, where: str = "") -> tuple[list[str], Integers]:
    """Return the distinct values of a column as text, and each row's place among them (`UNKNOWN` where it is empty).

    Raises:
        ManifestError: There is no such column; names the nearest.
    """
    if label not in table.column_names:
        raise ManifestError(f"there is no column {label!r}, {nearest(label, table.column_names)}", where=where or None)
    codes = manifest.codes_of(table[label])
    distinct = [as_text(value) for value in table[label].unique().to_pylist() if value is not None]
    texts = sorted({text for text in distinct if text})
    places = {text: place for place, text in enumerate(texts)}
    return texts, np.array([places.get(text, UNKNOWN) for text in distinct] + [UNKNOWN])[codes]


def natural(name: str) -> tuple[int, float, str]:
    """Return a key that sorts numbers by size and before words."""
    try:
        number = float(name)
    except ValueError:
        return (1, 0.0, name)
    return (0, number, name) if math.isfinite(number) else (1, 0.0, name)


def check_excluded(table: pa.Table, labels: Sequence[str], exclude: Sequence[str]) -> None:
    """Refuse an excluded class that no label has.

    Raises:
        UsageError: Names the nearest class.
    """
    known = {text for label in labels for text in values_of(table, label)[0]}
    for name in exclude:
        if name not in known:
            raise UsageError(f"--exclude-class {name}: no label has this class, {nearest(name, known)}")


def one_hot(codes: Integers, classes: int) -> Floats:
    """Return (N, classes) ones where the row is of the class."""
    return np.asarray(codes[:, None] == np.arange(classes), dtype=np.float64)


def _refuse_measurement(texts: list[str], codes: Integers, label: str, where: str) -> None:
    """A column of many values that hardly repeat is a measurement or a name, not classes."""
    if len(texts) <= _MANY_VALUES:
        return
    rows = int((codes != UNKNOWN).sum())
    typical = np.median(np.bincount(codes[codes != UNKNOWN]))
    broken = sum(1 for text in texts if natural(text)[0] == 0 and not float(text).is_integer())
    if typical < _ROWS_A_VALUE or broken > _MANY_VALUES:
        raise LabelError(
            f"label {label!r} has {len(texts)} different values in {rows} rows, which looks like a measurement or "
            "a name; classes that repeat are needed, so put it into a few groups first",
            where=where or None,
        )


def _refuse_too_few(classes: tuple[str, ...], codes: Integers, label: str, where: str) -> None:
    if not classes:
        raise LabelError(
            f"label {label!r} is empty in all {len(codes)} rows, two classes are needed; choose another label",
            where=where or None,
        )
    if len(classes) == 1:
        raise LabelError(
            f"label {label!r} has one class ({classes[0]}), two are needed; choose another label or more rows",
            where=where or None,
        )


def _positive_last(classes: tuple[str, ...], positive: str | None, label: str) -> tuple[str, ...]:
    if positive is None:
        return classes
    if len(classes) > 2:
        raise UsageError(
            f"--positive {positive}: label {label!r} has {len(classes)} classes, each gets its own score; leave it out"
        )
    if positive not in classes:
        raise UsageError(f"--positive {positive}: label {label!r} has no such class, {nearest(positive, classes)}")
    return (*(name for name in classes if name != positive), positive)


def class_counts(codes: Integers, classes: Sequence[str]) -> dict[str, int]:
    """Return how many rows each class has."""
    found = Counter(codes[codes != UNKNOWN].tolist())
    return {name: found[place] for place, name in enumerate(classes)}
