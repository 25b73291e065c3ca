"""Files that hold many pictures as records, beside packs: TFRecord, npz, HDF5 and the batches of CIFAR."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy.typing as npt

from remedis.data import cifar, hdf5, npz, tfrecord
from remedis.data.picture_arrays import total
from remedis.data.stored import Meaning, Stored
from remedis.errors import ReadError

Kind = Literal["tfrecord", "cifar", "npz", "hdf5"]
_HEAD = 16
_FORMATS: dict[Kind, str] = {"tfrecord": "TFRecord", "cifar": "CIFAR", "npz": "npz", "hdf5": "HDF5"}


def kind_of(path: Path, head: bytes) -> Kind | None:
    """Return what kind of container a file is that begins with `head` (16 bytes or more); None for another file."""
    if tfrecord.is_tfrecord(head):
        return "tfrecord"
    if npz.is_npz(path, head):
        return "npz"
    if hdf5.is_hdf5(head):
        return "hdf5"
    return "cifar" if cifar.is_batch(path, head) else None


def holds_records(path: Path) -> bool:
    """Return whether a file is a container, by its first bytes; a process looks at each file once.

    A name that ends as images do is not looked at.

    Raises:
        MissingExtraError: It is HDF5 and h5py is not installed.
    """
    from remedis.data.readers import image_suffixes

    if path.suffix.lower() in image_suffixes:
        return False
    try:
        kind = _look(path)
    except OSError:
        return False  # the reader says why
    if kind == "hdf5":
        hdf5.check_installed()  # one line here, not one for each image
    return kind is not None


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
    if kind != "tfrecord":
        return total((npz if kind == "npz" else hdf5).pictures(path))
    walk = tfrecord.walk(path)
    if not len(walk.offsets):
        raise ReadError(walk.problem or "holds no records", where=path)
    return len(walk.offsets)


def content(path: Path, number: int, key: str | None = None) -> bytes | npt.NDArray[Any]:
    """Return what one record holds: an encoded picture, or pixels (H, W) or (H, W, 3), uint8 or grey uint16.

    Args:
        path: The container.
        number: The record, counted from 0.
        key: In a TFRecord the feature, in npz and HDF5 the array that holds the picture.

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
    if kind == "cifar":
        return cifar.picture(path, number)
    if kind == "tfrecord":
        return tfrecord.picture(path, number, key)
    return npz.picture(path, number, key) if kind == "npz" else hdf5.picture(path, number, key)


def as_file(path: Path, number: int, key: str | None = None) -> bytes:
    """Return one record as the bytes of an image file; bare pixels become a PNG of the same pixels."""
    found = content(path, number, key)
    if isinstance(found, bytes):
        return found
    from PIL import Image

    written = io.BytesIO()
    Image.fromarray(found).save(written, format="PNG")
    return written.getvalue()


def as_stored(pixels: npt.NDArray[Any], path: Path) -> Stored:
    """Return bare pixels of the container `path` as a decoder would."""
    bits = 8 * pixels.dtype.itemsize
    colours = "RGB" if pixels.ndim == 3 else "grey"
    facts = {"format": _FORMATS[_look(path) or "cifar"], "bits": bits, "stored_colours": colours}
    return Stored(pixels=pixels[None], meanings=(Meaning(bits=bits),), facts=facts)
