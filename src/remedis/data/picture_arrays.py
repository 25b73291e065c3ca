"""Which arrays of a file hold its pictures, and how their records are numbered: what npz and HDF5 files share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from remedis.data.limits import check_size
from remedis.errors import ReadError

_NAMED = re.compile(r"(.*[/_])?(images?|x)", re.I)
_MOST_SHOWN = 6


class Held(NamedTuple):
    """One array of a file.

    Attributes:
        name: What the file calls it; in HDF5 its path.
        shape: Its axes.
        dtype: Its values.
    """

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]

    @property
    def described(self) -> str:
        """The array for messages: `x (3, 96, 96, 3) uint8`."""
        return f"{self.name} {self.shape} {self.dtype.name}"


def are_pictures(held: Held) -> bool:
    """Return whether an array is (N, H, W), (N, H, W, 1) or (N, H, W, 3) of uint8, or without colours of uint16."""
    colours = held.shape[3] if len(held.shape) == 4 else 1
    if len(held.shape) not in (3, 4) or colours not in (1, 3) or min(held.shape[1:3]) < 2:
        return False
    native = held.dtype.newbyteorder("=")
    return native == np.uint8 or (native == np.uint16 and colours == 1)


def chosen(held: Sequence[Held], where: str | Path, key: str | None = None) -> tuple[Held, ...]:
    """Return the arrays whose pictures are the records of a file, one after the other.

    Args:
        held: The file's arrays, in its order.
        where: The file.
        key: The array that is wanted. Without it all that are called images, image or x, or end so (`train_images`),
            else the only one that holds pictures.

    Raises:
        ReadError: There is none, or several could be meant; or its pictures are larger than the limit.
    """
    if key is not None:
        found = [each for each in held if each.name == key]
        if not found:
            raise ReadError(f"holds no array {key!r}; it holds {_listed(held)}", where=where)
        if not are_pictures(found[0]):
            wanted = "(N, H, W) or (N, H, W, 3) of uint8 was expected"
            raise ReadError(f"the array {found[0].described} holds no pictures, {wanted}", where=where)
    else:
        pictures = [each for each in held if are_pictures(each)]
        found = [each for each in pictures if _NAMED.fullmatch(each.name)] or pictures
        if not found:
            raise ReadError(f"none of its arrays holds pictures; it holds {_listed(held)}", where=where)
        if len(found) > 1 and not _NAMED.fullmatch(found[0].name):
            raise ReadError(f"nothing tells which array holds the pictures; it holds {_listed(held)}", where=where)
    for each in found:
        check_size(f"{where}, {each.name}", each.shape[2], each.shape[1])
    return tuple(found)


def _listed(held: Sequence[Held]) -> str:
    shown = [each.described for each in held[:_MOST_SHOWN]]
    return f"{', '.join(shown)}{' …' if len(held) > _MOST_SHOWN else ''}" or "no array"


def placed(arrays: Sequence[Held], number: int, where: str | Path) -> tuple[Held, int]:
    """Return the array and the place in it of a record.

    Raises:
        ReadError: There is no such record.
    """
    left = number
    for each in arrays:
        if 0 <= left < each.shape[0]:
            return each, left
        left -= each.shape[0]
    raise ReadError(f"record {number} was asked for, the file holds {total(arrays):,}", where=where)


def total(arrays: Sequence[Held]) -> int:
    """Return how many records some arrays hold."""
    return sum(each.shape[0] for each in arrays)


def as_picture(values: npt.NDArray[np.generic]) -> npt.NDArray[np.generic]:
    """Return one record (H, W), (H, W, 1) or (H, W, 3) as (H, W) or (H, W, 3), in the machine's byte order."""
    plane = values[..., 0] if values.ndim == 3 and values.shape[2] == 1 else values
    return np.ascontiguousarray(plane, plane.dtype.newbyteorder("="))
