"""numpy's .npz files: a record a picture, read without unpacking the file and without pickle.

An npz is a zip of .npy members; a member is a header (numpy.lib.format) and the values. A member that is stored as it
is is read where it lies. One that is deflated is unpacked piece by piece (`remedis.data.inflated`).
"""

from __future__ import annotations

import io
import math
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from remedis.data.inflated import Deflated, Inflated
from remedis.data.picture_arrays import Held, as_picture, chosen, placed
from remedis.errors import ReadError

HEAD = b"PK\x03\x04"
LARGEST_WHOLE = 1 << 30
"""Bytes of a member that is read as a whole, such as labels."""

_LOCAL = struct.Struct("<26xHH")  # the end of a zip's local header: lengths of the name and of the extra field
_ENCRYPTED = 1
_MOST_MEMBERS = 4096
_BLOCK = 1 << 20
_RAW = -15  # zlib's word for deflate without a header of its own, as zip files hold it
_LONGEST_HEADER = 1 << 16


class Member(NamedTuple):
    """One array of an npz.

    Attributes:
        held: Its name (without .npy), shape and values.
        start: Where its bytes, deflated or not, begin in the file.
        packed: How many they are.
        header: How many unpacked bytes come before the values.
        deflated: Whether they are deflated.
    """

    held: Held
    start: int
    packed: int
    header: int
    deflated: bool


def is_npz(path: Path, head: bytes) -> bool:
    """Return whether a file that begins with `head` is an npz; another zip is told apart by its name."""
    return head[:4] == HEAD and path.suffix.lower() == ".npz"


def members(path: Path) -> dict[str, Member]:
    """Return the arrays of a file by name, in its order; a process reads each state of a file once.

    Raises:
        ReadError: The file cannot be read, is damaged, or a member is no plain array.
    """
    try:
        stat = path.stat()
        return _members(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise ReadError(f"cannot be read ({os.strerror(error.errno or 0)})", where=path) from error


@lru_cache(maxsize=64)
def _members(path: Path, _changed: int, size: int) -> dict[str, Member]:
    try:
        with zipfile.ZipFile(path) as file:
            infos = file.infolist()
            if len(infos) > _MOST_MEMBERS:
                raise ReadError(f"holds {len(infos):,} members, at most {_MOST_MEMBERS:,} were expected", where=path)
            found = [_member(path, info, size) for info in infos if info.filename.endswith(".npy")]
    except zipfile.BadZipFile as error:
        raise ReadError(f"is no whole zip file ({error}); get the file anew", where=path) from error
    return {each.held.name: each for each in found}


def _member(path: Path, info: zipfile.ZipInfo, size: int) -> Member:
    where = f"{path}, {info.filename}"
    if info.flag_bits & _ENCRYPTED or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ReadError("is encrypted or packed in another way than deflate; numpy writes neither", where=where)
    start = _start(path, info, size, where)
    deflated = info.compress_type == zipfile.ZIP_DEFLATED
    with path.open("rb") as opened:
        opened.seek(start)
        head = opened.read(min(info.compress_size, _LONGEST_HEADER))
    try:
        beginning = io.BytesIO(zlib.decompressobj(_RAW).decompress(head, _LONGEST_HEADER) if deflated else head)
    except zlib.error as error:
        raise ReadError(f"cannot be unpacked ({error}); get the file anew", where=where) from error
    shape, fortran, dtype = _header(beginning, where)
    header = beginning.tell()
    if fortran and len(shape) > 1 and 0 not in shape:
        raise ReadError("is stored column by column (Fortran order); save it with numpy.ascontiguousarray", where=where)
    if header + math.prod(shape) * dtype.itemsize != info.file_size:
        raise ReadError(
            f"its header promises an array {shape} of {dtype.name}, the member has {info.file_size:,} bytes",
            where=where,
        )
    return Member(Held(info.filename.removesuffix(".npy"), shape, dtype), start, info.compress_size, header, deflated)


def _header(opened: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order and type by the header of a .npy file; numpy's parser takes literals only."""
    try:
        version = np.lib.format.read_magic(opened)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(opened)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(opened)
        else:
            raise ReadError(f"has a header of version {version}, (1, 0) or (2, 0) was expected", where=where)
    except ValueError as error:
        raise ReadError(f"has no header of a .npy file ({error})", where=where) from error
    if dtype.hasobject:
        raise ReadError("holds Python objects (pickle), which are never loaded; numbers were expected", where=where)
    if any(length < 0 for length in shape):
        raise ReadError(f"its header promises the shape {shape}", where=where)
    return shape, fortran, dtype


def _start(path: Path, info: zipfile.ZipInfo, size: int, where: str) -> int:
    with path.open("rb") as file:
        file.seek(info.header_offset)
        head = file.read(_LOCAL.size)
    if len(head) < _LOCAL.size or head[:4] != HEAD:
        raise ReadError("is not where the zip's directory says; get the file anew", where=where)
    name, extra = _LOCAL.unpack(head)
    start = info.header_offset + _LOCAL.size + int(name) + int(extra)
    if start + info.compress_size > size:
        raise ReadError("is cut short; get the file anew", where=where)
    return start


def pictures(path: Path, key: str | None = None) -> tuple[Held, ...]:
    """Return the arrays whose pictures are the file's records (`picture_arrays.chosen`).

    Raises:
        ReadError: The file is damaged, or holds no pictures.
    """
    return chosen([each.held for each in members(path).values()], path, key)


def picture(path: Path, number: int, key: str | None = None) -> npt.NDArray[Any]:
    """Return one record, (H, W) grey or (H, W, 3) red, green, blue.

    Args:
        path: The file.
        number: The record, counted from 0 through all arrays of pictures.
        key: The array that is wanted, and `number` counts in it alone.

    Raises:
        ReadError: There is no such record, or it cannot be unpacked.
    """
    held, row = placed(pictures(path, key), number, path)
    return as_picture(_row(path, members(path)[held.name], row))


def _row(path: Path, member: Member, row: int) -> npt.NDArray[Any]:
    shape, dtype = member.held.shape[1:], member.held.dtype
    length = math.prod(shape) * dtype.itemsize
    if member.deflated:
        stat = path.stat()
        data = _inflated(path, stat.st_mtime_ns, stat.st_size, member).row(row)
    else:
        with path.open("rb") as file:
            file.seek(member.start + member.header + row * length)
            data = file.read(length)
    if len(data) != length:
        raise ReadError(f"record {row} of {member.held.name} is cut short; get the file anew", where=path)
    return np.frombuffer(data, dtype).reshape(shape)


@lru_cache(maxsize=16)
def _inflated(path: Path, _changed: int, _size: int, member: Member) -> Inflated:
    length = math.prod(member.held.shape[1:]) * member.held.dtype.itemsize
    return Inflated(Deflated(path, member.start, member.packed, member.header), length, member.held.shape[0])


def array(path: Path, name: str) -> npt.NDArray[Any]:
    """Return a small array as a whole, such as labels, held against its check sum.

    Raises:
        ReadError: There is no such array, it is too large, or damaged.
    """
    held = members(path).get(name)
    if held is None:
        raise ReadError(f"holds no array {name!r}; it holds {', '.join(members(path)) or 'none'}", where=path)
    if math.prod(held.held.shape) * held.held.dtype.itemsize > LARGEST_WHOLE:
        raise ReadError(f"{held.held.described} is larger than {LARGEST_WHOLE:,} bytes", where=path)
    data = b"".join(_checked(path, name))
    return np.frombuffer(data[held.header :], held.held.dtype).reshape(held.held.shape)


def check(path: Path, name: str) -> None:
    """Read a member to its end and hold it against its check sum (CRC-32), without keeping it.

    Raises:
        ReadError: Its bytes are not those that were written.
    """
    for _ in _checked(path, name):
        pass


def _checked(path: Path, name: str) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(path) as file, file.open(f"{name}.npy") as opened:
            while block := opened.read(_BLOCK):
                yield block
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ReadError(f"the bytes of {name} do not fit their check sum; get the file anew", where=path) from error
    except OSError as error:
        raise ReadError(f"cannot be read ({os.strerror(error.errno or 0)})", where=path) from error
