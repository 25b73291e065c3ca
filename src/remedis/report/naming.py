"""What images and patients are called on the page: running numbers, or names where a person asked for them."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa

_IDENTIFYING = re.compile(r"(^|_)(image|file|path|patient|subject|person|name|accession|mrn|birth|dob|id|uid)($|_|\d)")
HIDDEN = "…"


class Naming:
    """Names of the rows of one table.

    Args:
        table: Rows with the manifest's columns.
        prefix: Begins a running number: `image`, `tested image`, `training image`.
        names: Whether paths and patients' own numbers are shown.
    """

    def __init__(self, table: pa.Table, prefix: str, *, names: bool) -> None:
        self._table, self._prefix, self._names = table, prefix, names

    def image(self, row: int) -> str:
        """Return `image 17`, or its path (and frame)."""
        if not self._names:
            return f"{self._prefix} {row + 1:,}"
        frame = self._cell("frame", row)
        return f"{self._cell('image', row)}{f' frame {frame}' if frame is not None else ''}"

    def patient(self, row: int) -> str | None:
        """Return the patient's own number where names are shown."""
        patient = self._cell("patient_id", row) if self._names else None
        return None if patient is None else f"patient {patient}"

    def _cell(self, column: str, row: int) -> Any:
        return self._table[column][row].as_py() if column in self._table.column_names else None


def path_shown(path: Any, *, names: bool) -> str:
    """Return a path as it was typed, or its last part alone: folders above can be named after people."""
    text = str(path)
    return text if names else re.split(r"[/\\]", text.rstrip("/\\"))[-1] or text


def condition_shown(condition: str, *, names: bool) -> str:
    """Return a condition `COLUMN=VALUE`, the value hidden where the column's name says that it tells people apart."""
    column, sign, _ = condition.partition("=")
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", column.strip(" !")).lower()
    if names or not sign or not _IDENTIFYING.search(words):
        return condition
    return f"{column}{sign}{HIDDEN}"


def bare(name: str) -> str:
    """Return a file's name without `.parquet`."""
    return name.removesuffix(".parquet") or name


def distinct(shown: dict[str, str]) -> dict[str, str]:
    """Return the same names, numbered where two would be alike."""
    found = {}
    for typed, name in shown.items():
        alike = [other for other, own in shown.items() if own == name]
        found[typed] = name if len(alike) == 1 else f"{name} ({alike.index(typed) + 1})"
    return found
