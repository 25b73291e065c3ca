"""Files that hold many pictures as records, beside packs: TFRecord and the batches of CIFAR."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from remedis.data import cifar, tfrecord
from remedis.data.stored import Meaning, Stored
from remedis.errors import ReadError

Kind = Literal["tfrecord", "cifar"]
_HEAD = 16


def kind_of(path: Path, head: bytes) -> Kind | None:
    """Return what kind of container a file is that begins with `head` (16 bytes or more); None for another file."""
    if tfrecord.is_tfrecord(head):
        return "tfrecord"
    return "cifar" if cifar.is_batch(path, head) else None


def holds_records(path: Path) -> bool:
    """Return whether a file is a container, by its first bytes; a process looks at each file once.

    A name that ends as images do is not looked at.
    """
    from remedis.data.readers import image_suffixes

    if path.suffix.lower() in image_suffixes:
        return False
    try:
        return _look(path) is not None
    except OSError:
        return False  # the reader says why


@lru_cache(maxsize=4096)
def _look(path: Path) -> Kind | None:
    with path.open("rb") as file:
        return kind_of(path, file.read(_HEAD))


def count(path: Path, kind: Kind) -> int:
    """Return how many records can be found in a container.

    Raises:
        ReadError: It cannot be read, or there is none.
    """
    if kind == "cifar":
        return cifar.open_batch(path).count
    walk = tfrecord.walk(path)
    if not len(walk.offsets):
        raise ReadError(walk.problem or "holds no records", where=path)
    return len(walk.offsets)


def content(path: Path, number: int, key: str | None = None) -> bytes | npt.NDArray[np.uint8]:
    """Return what one record holds: an encoded picture, or (H, W, 3) pixels.

    Args:
        path: The container.
        number: The record, counted from 0.
        key: In a TFRecord, the feature that holds the picture.

    Raises:
        ReadError: The file is no container, there is no such record, or it is damaged.
    """
    try:
        with path.open("rb") as file:
            kind = kind_of(path, file.read(_HEAD))
    except OSError as error:
        raise ReadError(f"cannot be read ({error.strerror})", where=path) from error
    if kind is None:
        raise ReadError(f"record {number} was asked for, the file holds no records", where=path)
    return tfrecord.picture(path, number, key) if kind == "tfrecord" else cifar.picture(path, number)


def as_file(path: Path, number: int, key: str | None = None) -> bytes:
    """Return one record as the bytes of an image file; bare pixels become a PNG of the same pixels."""
    found = content(path, number, key)
    if isinstance(found, bytes):
        return found
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(found).save(written, format="PNG")
    return written.getvalue()


def as_stored(pixels: npt.NDArray[Any]) -> Stored:
    """Return bare pixels as a decoder would."""
    facts = {"format": "CIFAR", "bits": 8, "stored_colours": "RGB"}
    return Stored(pixels=pixels[None], meanings=(Meaning(bits=8),), facts=facts)
