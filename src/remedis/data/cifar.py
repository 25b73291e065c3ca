"""CIFAR-10 and CIFAR-100 as their author published them: batches of 32 × 32 pictures, binary or as Python's pickles.

A record of the binary version is the label (CIFAR-100: coarse, then fine) and 1,024 bytes each of red, green and blue,
row by row; a pickle holds the same as an array (n, 3072) and lists. Pickles are parsed by `remedis.data.pickled` and
never executed. Source: https://www.cs.toronto.edu/~kriz/cifar.html, "Dataset layout".
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.data import pickled
from remedis.errors import ReadError

SIDE = 32
PIXELS = 3 * SIDE * SIDE
LARGEST = 1 << 30  # bytes of a batch that are read at once; CIFAR-100's largest has 155 million
CIFAR10 = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
"""The ten classes in the order of their numbers."""

_BINARY: dict[str, tuple[str, ...]] = {
    r"(data_batch_[1-9]\d*|test_batch)\.bin": ("label",),
    r"(train|test)\.bin": ("coarse_label", "label"),
}
_LABELS = {"labels": "label", "fine_labels": "label", "coarse_labels": "coarse_label"}


@dataclass(frozen=True)
class Batch:
    """One file of pictures.

    Attributes:
        path: The file.
        count: How many whole pictures it holds.
        labels: The class numbers of each picture by column: `label`, of CIFAR-100 `coarse_label` too. Empty for a
            binary batch, see `labels_of`.
        start: Where the first picture lies in the file; None where `pixels` holds them.
        stride: From one picture to the next, in bytes.
        pixels: (count, 3072) uint8.
        left: Bytes after the last whole picture.
    """

    path: Path
    count: int
    labels: dict[str, list[int]] = field(default_factory=dict)
    start: int | None = None
    stride: int = PIXELS
    pixels: npt.NDArray[np.uint8] | None = None
    left: int = 0


def is_batch(path: Path, head: bytes) -> bool:
    """Return whether a file is such a batch: a binary one is told by its name, a pickle by its first bytes."""
    return _columns(path) is not None or (head[:1] == b"\x80" and 2 <= head[1] <= 5 if len(head) > 1 else False)


def _columns(path: Path) -> tuple[str, ...] | None:
    """Return the labels that stand before each picture of a binary batch; None for another file."""
    return next((columns for name, columns in _BINARY.items() if re.fullmatch(name, path.name, re.ASCII)), None)


def open_batch(path: Path) -> Batch:
    """Return where the pictures of a batch lie; a process parses each state of a file once.

    Raises:
        ReadError: The file cannot be read, is damaged, or is no such batch.
    """
    try:
        stat = path.stat()
        return _open(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise ReadError(f"cannot be read ({os.strerror(error.errno or 0)})", where=path) from error


@lru_cache(maxsize=16)
def _open(path: Path, _changed: int, size: int) -> Batch:
    columns = _columns(path)
    if columns is not None:
        stride = len(columns) + PIXELS
        return Batch(path, size // stride, start=len(columns), stride=stride, left=size % stride)
    found = read_dict(path)
    data = found.get("data")
    if not isinstance(data, pickled.Array) or data.values is None or data.values.dtype != np.uint8:
        raise ReadError("holds no array 'data' of bytes; a batch of CIFAR was expected", where=path)
    if data.values.ndim != 2 or data.values.shape[1] != PIXELS:
        raise ReadError(f"holds data of shape {data.values.shape}, (n, {PIXELS}) was expected", where=path)
    labels = {_LABELS[name]: _numbers(path, name, found[name], len(data.values)) for name in _LABELS if name in found}
    kept = None if data.start is not None else np.ascontiguousarray(data.values)
    return Batch(path, len(data.values), labels, data.start, pixels=kept)


def read_dict(path: Path) -> dict[str, Any]:
    """Return the dict that a pickle holds.

    Raises:
        ReadError: It holds anything else, or more than plain data.
    """
    if path.stat().st_size > LARGEST:
        raise ReadError(f"is larger than {LARGEST:,} bytes, no batch of CIFAR is", where=path)
    found = pickled.load(path.read_bytes(), str(path))
    if not isinstance(found, dict):
        raise ReadError("holds no dict; a batch of CIFAR was expected", where=path)
    return found


def _numbers(path: Path, name: str, found: Any, count: int) -> list[int]:
    if isinstance(found, pickled.Array) and found.values is not None and found.values.dtype.kind in "iu":
        found = found.values.reshape(-1).tolist()
    if not isinstance(found, list) or not all(type(each) is int for each in found) or len(found) != count:
        raise ReadError(f"{name!r} is no list of {count:,} whole numbers, one a picture", where=path)
    return found


def labels_of(batch: Batch) -> dict[str, list[int]]:
    """Return the class numbers of each picture, read from the file where it is a binary one."""
    columns = _columns(batch.path)
    if columns is None:
        return batch.labels
    with batch.path.open("rb") as file:
        records = np.fromfile(file, np.uint8, batch.count * batch.stride).reshape(-1, batch.stride)
    return {name: records[:, place].tolist() for place, name in enumerate(columns)}


def picture(path: Path, number: int) -> npt.NDArray[np.uint8]:
    """Return one picture of a batch, (32, 32, 3) red, green, blue.

    Raises:
        ReadError: There is no such picture, or the file is damaged.
    """
    batch = open_batch(path)
    if not 0 <= number < batch.count:
        raise ReadError(f"picture {number} was asked for, the file holds {batch.count:,}", where=path)
    if batch.pixels is not None:
        planes = batch.pixels[number]
    else:
        with path.open("rb") as file:
            file.seek((batch.start or 0) + number * batch.stride)
            planes = np.frombuffer(file.read(PIXELS), np.uint8)
    if len(planes) != PIXELS:
        raise ReadError(f"picture {number} is cut short; get the file anew", where=path)
    return np.ascontiguousarray(planes.reshape(3, SIDE, SIDE).transpose(1, 2, 0))
