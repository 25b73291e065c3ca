"""Which file a row of a table of labels means."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

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
        self._by_end: dict[str, list[str]] = {}
        self._bare: dict[str, list[str]] = {}
        for name in names:
            bare = _bare(name)
            self._by_end.setdefault(name.rpartition("/")[2], []).append(name)
            self._bare.setdefault(bare.rpartition("/")[2], []).append(name)

    def named(self, value: str) -> list[str]:
        """Return the files that a value may mean, by the first of these that finds any.

        Its path from the folder, or from the table's folder; the end of a path, such as a file's name; the end of a
        path without the file's ending; its path once leading folders, such as a release's name, are taken off.
        """
        plain = value.replace("\\", "/").removeprefix("./")
        last = plain.rpartition("/")[2]
        whole, bare = self._by_end.get(last, []), self._bare.get(last, [])
        exact = {plain, self._from(self._folder, plain), self._from(self._table, plain)}
        return (
            [name for name in whole if name in exact]
            or [name for name in whole if _ends(name, plain)]
            or [name for name in bare if _ends(_bare(name), plain)]
            or [name for name in whole if _ends(plain, name)]
            or [name for name in bare if _ends(plain, _bare(name))]
        )

    def _from(self, base: Path, value: str) -> str:
        """Return a path from `base` (or an absolute one) as a path from the folder."""
        return os.path.relpath(os.path.normpath(base / value), self._folder).replace(os.sep, "/")

    def describe(self, value: str) -> str:
        """Return why a value names no image."""
        there = any((base / value).is_file() for base in (self._folder, self._table))
        return "is there but is no image" if there else "is not there"


def _bare(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(""))


def _ends(name: str, end: str) -> bool:
    return name == end or name.endswith("/" + end)


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
