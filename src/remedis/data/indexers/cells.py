"""From cells of text to typed columns: numbers where every cell is one, sex as F and M, age in years."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import pyarrow as pa

TEXT = frozenset({"image", "patient_id", "study_id", "series_id", "site", "split", "view", "sex"})
"""Columns that stay text even where every cell is a number; names that end in `id` do too."""

_WHOLE = re.compile(r"-?(0|[1-9]\d*)", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_AGE = re.compile(r"(\d+(?:\.\d+)?)\s*([DWMY]?)", re.I | re.ASCII)
_A_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0, "": 1.0}
_FEMALE = frozenset({"f", "female", "woman", "w", "weiblich", "femme", "mujer"})
_MALE = frozenset({"m", "male", "man", "männlich", "homme", "hombre"})
OLDEST = 130.0


def typed(name: str, column: pa.Array) -> pa.Array:
    """Return a column of text as int64 or float64 where every known cell is such a number in canonical form.

    A cell such as `007`, `+1` or `1,5` makes the column text, and so does a whole number that would not survive.
    """
    texts = [text for text in column.to_pylist() if text is not None]
    if name in TEXT or re.search(r"(^|_)id$", name, re.I) or not texts:
        return column
    if all(_WHOLE.fullmatch(text) and text != "-0" for text in texts):
        return column.cast(pa.int64()) if all(-(1 << 63) <= int(text) < 1 << 63 for text in texts) else column
    if all(_NUMBER.fullmatch(text) and _survives(text) for text in texts):
        return pa.array([None if text is None else float(text) for text in column.to_pylist()], pa.float64())
    return column


def _survives(text: str) -> bool:
    return math.isfinite(float(text)) and not (_WHOLE.fullmatch(text) and abs(int(text)) > 1 << 53)


def sexes(column: pa.Array) -> tuple[pa.Array, Counter[str]]:
    """Return F, M or null for each cell, and the words that are neither with their numbers.

    In a column that also says H (Spanish hombre, French homme), M is not told apart and becomes null.
    """
    words = [None if text is None else text.casefold() for text in column.to_pylist()]
    male = _MALE - {"m"} if "h" in words else _MALE
    found = [None if word is None else "F" if word in _FEMALE else "M" if word in male else None for word in words]
    return pa.array(found, pa.string()), _lost(column, found)


def ages(column: pa.Array) -> tuple[pa.Array, Counter[str]]:
    """Return float64 years, and the cells that are no age with their numbers.

    Takes plain numbers of years, and DICOM's Age Strings (`045Y`, `006M`, `012W`, `010D`, PS3.5 6.2). Ages over 130
    years are errors and become null.
    """
    found = [None if text is None else years(text) for text in column.to_pylist()]
    return pa.array(found, pa.float64()), _lost(column, found)


def years(text: str) -> float | None:
    """Return an age in years, None where the text is none or is over 130 years."""
    match = _AGE.fullmatch(text.strip())
    if match is None:
        return None
    years = float(match[1]) / _A_YEAR[match[2].upper()]
    return years if years <= OLDEST else None


def _lost(column: pa.Array, found: Sequence[object]) -> Counter[str]:
    pairs = zip(column.to_pylist(), found, strict=True)
    return Counter(text for text, value in pairs if text is not None and value is None)
