"""What is known of an image before anybody looks at what it shows: size, brightness, site, view, and who it is of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from remedis.data.conditions import as_text
from remedis.data.decoded import Decoded
from remedis.data.manifest import Manifest, codes_of

Floats = npt.NDArray[np.float32]

MOST_VALUES = 50
"""Values of a column that become features of their own, the most frequent ones; the rest has none."""


@dataclass(frozen=True)
class Trivial:
    """One group of features that say nothing of what the image shows.

    Attributes:
        name: `size`, `original size`, `brightness`, `site`, `view`, `sex` or `age`.
        words: What it is, for a sentence with "alone" behind it.
        features: (N, D); NaN throughout a row where it is not known.
        shortcut: Whether a classifier that uses it cheats; sex and age can be part of an honest answer.
    """

    name: str
    words: str
    features: Floats
    shortcut: bool = True


def trivial_features(rows: Manifest, decoded: Decoded | None = None) -> list[Trivial]:
    """Return the groups that a manifest and its pixels have, each with two values at least.

    Args:
        rows: The manifest.
        decoded: Its pixels; without them there is no brightness, and sizes are those of the table.
    """
    table = rows.table
    groups = [
        Trivial("size", "image size and aspect", _sizes(table, decoded)),
        Trivial("original size", "size and aspect of the original", log_sides(table, "original_")),
        Trivial("brightness", "brightness", _brightness(table, decoded)),
        Trivial("site", "the site", _one_hot(table, "site", missing=rows.data_set)),
        Trivial("view", "the view", _one_hot(table, "view")),
        Trivial("sex", "the sex", _one_hot(table, "sex"), shortcut=False),
        Trivial("age", "the age", _numbers(table, "age"), shortcut=False),
    ]
    return [group for group in groups if _differs(group.features)]


def log_sides(table: pa.Table, prefix: str = "") -> Floats:
    """Return (N, 3) logarithms of width, height and aspect as the columns say; NaN where one is not known."""
    width, height = (_numbers(table, f"{prefix}{side}")[:, 0] for side in ("width", "height"))
    return _logarithms(width, height)


def _logarithms(width: npt.NDArray[np.floating], height: npt.NDArray[np.floating]) -> Floats:
    known = (width > 0) & (height > 0)
    w, h = (np.log(np.where(known, side, np.nan)) for side in (width, height))
    return np.stack([w, h, w - h], axis=1).astype(np.float32)


def _sizes(table: pa.Table, decoded: Decoded | None) -> Floats:
    if {"width", "height"} <= set(table.column_names) or decoded is None:
        return log_sides(table)
    sides = np.full((table.num_rows, 2), np.nan)
    there = decoded.of_row >= 0
    sides[there] = decoded.sizes[decoded.of_row[there]]
    return _logarithms(sides[:, 0], sides[:, 1])


def _brightness(table: pa.Table, decoded: Decoded | None) -> Floats:
    features = np.full((table.num_rows, 4), np.nan, np.float32)
    if decoded is not None:
        there = decoded.of_row >= 0
        features[there] = decoded.brightness[decoded.of_row[there]]
    return features


def _numbers(table: pa.Table, name: str) -> Floats:
    """Return (N, 1) a column's numbers; NaN where it is empty, or is no column of numbers."""
    nothing = np.full((table.num_rows, 1), np.nan, np.float32)
    if name not in table.column_names:
        return nothing
    column = table[name]
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return nothing
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float32)[:, None]


def _one_hot(table: pa.Table, name: str, missing: str | None = None) -> Floats:
    """Return (N, D) ones where the row has the value, a column a value; an empty cell has none, or `missing`."""
    if name not in table.column_names:
        return np.full((table.num_rows, 1), np.nan, np.float32)
    column = table[name]
    values = pa.chunked_array([pa.array([as_text(value) or missing for value in column.to_pylist()], pa.string())])
    codes = codes_of(values)
    counts = np.bincount(codes[codes >= 0], minlength=1)
    kept = np.argsort(-counts, kind="stable")[:MOST_VALUES]
    return np.asarray(codes[:, None] == kept, np.float32)


def _differs(features: Floats) -> bool:
    known = features[~np.isnan(features).any(axis=1)]
    return len(known) > 1 and bool(np.ptp(known, axis=0).max() > 0)
