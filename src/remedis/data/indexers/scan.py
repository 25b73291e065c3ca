"""Which image files lie in a folder and the folders below it."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from remedis.data.indexers.words import counted
from remedis.data.readers import is_image_file
from remedis.errors import InputError


@dataclass(frozen=True)
class Scan:
    """The image files of a folder.

    Attributes:
        names: Their paths relative to the folder, with forward slashes, sorted.
        others: How many files are no images.
        left_out: Reason and number of what could not be looked at.
    """

    names: list[str]
    others: int = 0
    left_out: dict[str, int] = field(default_factory=dict)


def scan(folder: Path) -> Scan:
    """Return the image files of a folder, recursively; what begins with a dot is passed over.

    Links to folders are followed, each folder is visited once, real folders before links to them.

    Raises:
        InputError: There is no such folder, or no image in it.
    """
    if not folder.exists():
        raise InputError("there is no such folder", where=folder)
    if not folder.is_dir():
        raise InputError("is a file, a folder of images was expected", where=folder)
    walk = _Walk()
    walk.visit(folder, "")
    while walk.links:
        path, prefix = walk.links.pop(0)
        walk.visit(path, prefix)
    if not walk.names:
        found = f"no image among {counted(walk.others, 'file')}" if walk.others else "no image"
        raise InputError(
            f"there is {found} in it or below it; JPEG, PNG, TIFF, BMP, WebP, GIF or DICOM was expected",
            where=folder,
        )
    return Scan(sorted(walk.names), walk.others, dict(walk.left_out))


class _Walk:
    def __init__(self) -> None:
        self.names: list[str] = []
        self.links: list[tuple[Path, str]] = []
        self.others = 0
        self.left_out: Counter[str] = Counter()
        self._seen: set[tuple[int, int]] = set()

    def visit(self, folder: Path, prefix: str) -> None:
        stack = [(folder, prefix)]
        while stack:
            path, name = stack.pop()
            if self._is_new(path):
                stack += reversed(self._open(path, name))

    def _is_new(self, folder: Path) -> bool:
        stat = folder.stat()
        key = (stat.st_dev, stat.st_ino)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _open(self, folder: Path, prefix: str) -> list[tuple[Path, str]]:
        """Note the folder's files and links, and return its folders."""
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except PermissionError:
            self.left_out["folders that may not be opened"] += 1
            return []
        folders = []
        for entry in entries:
            if entry.name.startswith("."):
                continue
            path, name = Path(entry.path), prefix + entry.name
            if entry.is_dir(follow_symlinks=False):
                folders.append((path, name + "/"))
            elif entry.is_dir():
                self.links.append((path, name + "/"))
            else:
                self._note_file(path, name)
        return folders

    def _note_file(self, path: Path, name: str) -> None:
        if not is_image_file(path):
            self.others += 1
        elif not path.is_file():
            self.left_out["links to nothing"] += 1
        elif not _is_text(name):
            self.left_out["file names that are no UTF-8"] += 1
        else:
            self.names.append(name)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
