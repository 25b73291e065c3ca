"""HDF5 files: a record a picture, read without unpacking the file; h5py is an extra.

Only data that lie in the file itself are read: no links to other files, no external storage, no virtual sets.
"""

from __future__ import annotations

import math
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.data.picture_arrays import Held, as_picture, chosen, placed
from remedis.errors import MissingExtraError, ReadError

HEAD = b"\x89HDF\r\n\x1a\n"
LARGEST_WHOLE = 1 << 30
"""Bytes of a data set that is read as a whole, such as labels."""

_CHUNK_CACHE = 1 << 26  # bytes of unpacked chunks that HDF5 keeps of each data set


def is_hdf5(head: bytes) -> bool:
    """Return whether a file that begins with `head` is HDF5."""
    return head[:8] == HEAD


def check_installed() -> None:
    """Refuse to go on without h5py.

    Raises:
        MissingExtraError: Says the pip line.
    """
    try:
        import h5py  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("h5py", "hdf5", needed_for="reading HDF5 files (.h5)") from error


def held(path: Path) -> tuple[Held, ...]:
    """Return the arrays of numbers in a file, sorted by their paths; a process looks at each state of a file once.

    Raises:
        ReadError: The file cannot be read, or is no HDF5.
        MissingExtraError: h5py is not installed.
    """
    return _opened(path)[1]


def _opened(path: Path) -> tuple[dict[str, Any], tuple[Held, ...]]:
    """Return the data sets of a file, open, and what they hold."""
    check_installed()
    try:
        stat = path.stat()
        return _open(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        # HDF5's own errors have no number, their words are long and about its insides
        reason = os.strerror(error.errno) if error.errno else "it is no whole HDF5 file; get it anew"
        raise ReadError(f"cannot be read ({reason})", where=path) from error


@lru_cache(maxsize=16)
def _open(path: Path, _changed: int, _size: int) -> tuple[dict[str, Any], tuple[Held, ...]]:
    import h5py

    file = h5py.File(path, "r", locking="best-effort", rdcc_nbytes=_CHUNK_CACHE)
    found: dict[str, Any] = {}  # kept open, since HDF5 keeps unpacked chunks with an open data set

    def note(name: str, entry: Any) -> None:
        if not isinstance(entry, h5py.Dataset) or entry.external or entry.is_virtual:
            return
        if entry.shape is not None and entry.dtype.kind in "biuf":
            found[name] = entry

    file.visititems(note)
    names = sorted(found)
    return found, tuple(Held(name, tuple(int(side) for side in found[name].shape), found[name].dtype) for name in names)


def pictures(path: Path, key: str | None = None) -> tuple[Held, ...]:
    """Return the arrays whose pictures are the file's records (`picture_arrays.chosen`).

    Raises:
        ReadError: The file is damaged, or holds no pictures.
    """
    return chosen(held(path), path, key)


def picture(path: Path, number: int, key: str | None = None) -> npt.NDArray[Any]:
    """Return one record, (H, W) grey or (H, W, 3) red, green, blue.

    Args:
        path: The file.
        number: The record, counted from 0 through all arrays of pictures.
        key: The array that is wanted, and `number` counts in it alone.

    Raises:
        ReadError: There is no such record, or it cannot be unpacked.
    """
    found, row = placed(pictures(path, key), number, path)
    return as_picture(_read(path, found.name, row))


def array(path: Path, name: str) -> npt.NDArray[Any]:
    """Return a small array as a whole, such as labels.

    Raises:
        ReadError: There is no such array, it is too large, or damaged.
    """
    found = next((each for each in held(path) if each.name == name), None)
    if found is None:
        raise ReadError(
            f"holds no array {name!r}; it holds {', '.join(each.name for each in held(path)) or 'none'}", where=path
        )
    if math.prod(found.shape) * found.dtype.itemsize > LARGEST_WHOLE:
        raise ReadError(f"{found.described} is larger than {LARGEST_WHOLE:,} bytes", where=path)
    return _read(path, name, ...)


def _read(path: Path, name: str, place: Any) -> npt.NDArray[Any]:
    try:
        return np.asarray(_opened(path)[0][name][place])
    except (OSError, RuntimeError, KeyError, ValueError) as error:  # what h5py makes of a damaged file
        raise ReadError(f"{name} cannot be read; the file is damaged or cut short, get it anew", where=path) from error
