"""Which file a row of a table of labels means."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable, Sequence
from pathlib import Path

from remedis.errors import ManifestError


class Files:
    """The image files of a folder, found by what tables call them.

    Args:
        folder: The folder.
        names: Paths of its images, relative to it.
        table: Where the table lies; paths may be relative to its folder.
    """

    def __init__(self, folder: Path, names: Sequence[str], table: Path) -> None:
        self._folder, self._table = folder.resolve(), table.resolve().parent
        self._names = list(names)
        self._whole = {name: [name] for name in names}
        self._bare = _grouped(names, _bare)
        self._tails: dict[tuple[bool, int], dict[str, list[str]]] = {}

    def named(self, value: str) -> list[str]:
        """Return the files that a value may mean, by the first of these that finds any.

        Its path from the folder, or from the table's folder; the end of a path, such as a file's name; the end of a
        path without the file's ending; its path once leading folders, such as a release's name, are taken off.
        """
        plain = value.replace("\\", "/").removeprefix("./")
        for path in (plain, self._from(self._folder, plain), self._from(self._table, plain)):
            if path in self._whole:
                return [path]
        return self._ending_in(plain, bare=False) or self._ending_in(plain, bare=True) or self._stripped(plain)

    def _ending_in(self, value: str, *, bare: bool) -> list[str]:
        """Return the files whose path ends in the value, component by component."""
        key = (bare, value.count("/") + 1)
        if key not in self._tails:  # made for the few depths that a table has, so that a look-up costs nothing
            self._tails[key] = _grouped(self._names, lambda name: _tail(_bare(name) if bare else name, key[1]))
        return self._tails[key].get(value, [])

    def _stripped(self, value: str) -> list[str]:
        parts = value.split("/")
        ends = ["/".join(parts[start:]) for start in range(1, len(parts))]
        return next((found for end in ends if (found := self._whole.get(end) or self._bare.get(end))), [])

    def _from(self, base: Path, value: str) -> str:
        """Return a path from `base` (or an absolute one) as a path from the folder."""
        return os.path.relpath(os.path.join(base, value), self._folder).replace(os.sep, "/")  # noqa: PTH118  # quicker

    def describe(self, value: str) -> str:
        """Return why a value names no image."""
        there = any((base / value).is_file() for base in (self._folder, self._table))
        return "is there but is no image" if there else "is not there"


def _bare(name: str) -> str:
    return posixpath.splitext(name)[0]


def _tail(name: str, components: int) -> str:
    return "/".join(name.split("/")[-components:])


def _grouped(names: Sequence[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        found.setdefault(key(name), []).append(name)
    return found


def match_rows(values: Sequence[str | None], files: Files, *, table: Path, column: str, folder: Path) -> list[str]:
    """Return for each row the path of its file.

    Args:
        values: What the rows say.
        files: What they may mean.
        table: The table's file, for messages.
        column: Its column, for messages.
        folder: The folder of images, for messages.

    Raises:
        ManifestError: Rows that name no file, or one that could mean several; two values that mean one file.
    """
    found: list[str] = []
    missing: list[int] = []
    meant: dict[str, str] = {}
    advice = f"write the paths from {folder}"
    for number, value in enumerate(values):
        names = files.named(value) if value else []
        if len(names) > 1:
            raise ManifestError(f"{column} {value!r} could be {names[0]} or {names[1]}; {advice}", where=table)
        if not names:
            missing.append(number)
            continue
        if meant.setdefault(names[0], str(value)) != value:
            both = f"{meant[names[0]]!r} and {value!r}"
            raise ManifestError(f"{column} {both} both mean {names[0]}; {advice}", where=table)
        found.append(names[0])
    if missing:
        raise ManifestError(_missing(values, missing, files, column=column, folder=folder), where=table)
    return found


def _missing(values: Sequence[str | None], missing: Sequence[int], files: Files, *, column: str, folder: Path) -> str:
    value = values[missing[0]]
    why = f"with {column} {value!r}, which {files.describe(value)}" if value else f"where {column} is empty"
    return (
        f"{len(missing):,} of {len(values):,} rows name no image file, the first is row {missing[0] + 1} {why}; looked "
        f"under {folder} for the path, the name and the name without ending; take these rows out, or name the right "
        "column with --image-column"
    )
