"""Conditions on rows, `COLUMN=VALUE` and `COLUMN!=VALUE`, as `--where` takes them."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from remedis.errors import ManifestError, UsageError, nearest


def keep(table: pa.Table, conditions: Sequence[str], *, where: str) -> npt.NDArray[np.int64]:
    """Return the numbers of the rows for which every condition holds.

    Numbers are compared as numbers, so that `1` is 1 and 1.0; all else as text without blanks at its ends. An empty
    VALUE means "unknown". A row whose cell is empty is not equal to any other VALUE.

    Args:
        table: The rows.
        conditions: `COLUMN=VALUE` or `COLUMN!=VALUE`.
        where: File or folder, for messages.

    Raises:
        UsageError: A condition has another form.
        ManifestError: There is no such column, or no row is left.
    """
    kept = np.ones(table.num_rows, np.bool_)
    for condition in conditions:
        column, value, equal = _parsed(condition)
        if column not in table.column_names:
            hint = nearest(column, table.column_names)
            raise ManifestError(f"--where {condition}: there is no column {column!r}, {hint}", where=where or None)
        is_value = _equals(table[column], value)
        kept &= is_value if equal else ~is_value
    if not kept.any():
        raise ManifestError(
            f"--where {' --where '.join(conditions)}: no row of {table.num_rows:,} is left, "
            f"{_found(table, conditions[-1])}",
            where=where or None,
        )
    return np.flatnonzero(kept)


def _parsed(condition: str) -> tuple[str, str, bool]:
    column, sign, value = condition.partition("=")
    if not sign or not column.strip("! "):
        raise UsageError(f"--where is {condition!r}, COLUMN=VALUE or COLUMN!=VALUE was expected")
    return column.removesuffix("!").strip(), value.strip(), not column.endswith("!")


def _equals(column: pa.ChunkedArray, value: str) -> npt.NDArray[np.bool_]:
    codes = column.combine_chunks()
    if isinstance(codes, pa.ChunkedArray):
        codes = codes.chunk(0)
    if not pa.types.is_dictionary(codes.type):
        codes = codes.dictionary_encode()
    texts = [as_text(each) for each in codes.dictionary.to_pylist()]
    wanted = _in_form_of(codes.dictionary.type, value)
    matches = np.array([text == wanted for text in texts] + [value == ""])  # the last one stands for null
    return np.asarray(matches[codes.indices.fill_null(len(texts)).to_numpy(zero_copy_only=False)])


def _in_form_of(kind: pa.DataType, value: str) -> str:
    """Return a VALUE as `as_text` writes a cell of this type."""
    if pa.types.is_boolean(kind):
        return value.capitalize()
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        for number in (int, float):
            with contextlib.suppress(ValueError, OverflowError):
                return as_text(number(value))
    return value


def as_text(value: object) -> str:
    """Return a cell as text: `1` for 1, 1.0 and "1"; nothing for a null or NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _found(table: pa.Table, condition: str) -> str:
    column, value, _ = _parsed(condition)
    texts = {as_text(each) for each in table[column].unique().to_pylist()} - {""}
    return nearest(value, texts) or f"the column {column!r} is empty"
