"""TensorFlow's variables bundle: `variables.index`, a table from keys to places, and the data files beside it.

Source: tensorflow/core/protobuf/tensor_bundle.proto, tensorflow/core/util/tensor_bundle/tensor_bundle.cc; the table is
LevelDB's (its doc/table_format.md).
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from google.protobuf.message import DecodeError

from remedis.errors import ConvertError
from remedis.models.savedmodel.messages import array_of, dtype_name, message, shape_of

Array = np.ndarray[Any, Any]

MAGIC = 0xDB4775248B80FB57
SLICE = b"\0"  # what the key of a slice begins with; names of variables do not
FOOTER = 48  # bytes: two block handles, padding, the magic number
TRAILER = 5  # bytes after a block: how it is compressed, and its crc32c
LARGEST_INDEX = 1 << 28  # bytes; R152x2's has 30,000
AGAIN = "the file is damaged or cut off, get it again"


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies.

    Attributes:
        dtype: TensorFlow's name of its type.
        shape: Its sides.
        shard: Number of the data file.
        offset: Where it begins there.
        size: Bytes.
        crc32c: Masked checksum.
        sliced: Whether it is stored in slices, elsewhere.
    """

    dtype: str
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    crc32c: int
    sliced: bool = False


class Bundle:
    """Tensors by key, read when they are asked for, each checked against its crc32c.

    Args:
        index: The path of `variables.index`.

    Raises:
        ConvertError: A file is missing, cut off or damaged.
    """

    def __init__(self, index: Path) -> None:
        self.index = index
        table = dict(_table(index))
        header = _parsed(index, "BundleHeader", table.pop(b"", b""))
        self.shards = max(1, header.num_shards)
        if header.endianness:
            raise ConvertError("is a bundle of a big-endian machine, little-endian was expected", where=index)
        # Parts of a variable that was stored in slices have keys that are no text; nothing reads them.
        self.entries = {key.decode(): _entry(index, value) for key, value in table.items() if not key.startswith(SLICE)}
        for number in {entry.shard for entry in self.entries.values()}:
            _refuse_short(self.path(number), self.entries, number)

    def path(self, shard: int) -> Path:
        """Return the path of a data file."""
        return self.index.with_suffix(f".data-{shard:05d}-of-{self.shards:05d}")

    @property
    def paths(self) -> list[Path]:
        """The index and every data file."""
        return [self.index, *(self.path(number) for number in range(self.shards))]

    def read(self, key: str) -> Array:
        """Return a tensor of numbers.

        Raises:
            ConvertError: There is none of this key, or its bytes are not those that were written.
        """
        entry = self._entry(key)
        content = self._bytes(entry)
        if _masked(google_crc32c.value(content)) != entry.crc32c:
            raise ConvertError(f"the bytes of {key!r} do not fit their crc32c; {AGAIN}", where=self.path(entry.shard))
        try:
            return array_of(content, entry.dtype, entry.shape)
        except (ConvertError, TypeError) as error:
            raise ConvertError(f"{key!r}: {error}", where=self.index) from error

    def read_string(self, key: str) -> bytes:
        """Return a tensor that holds one string of bytes.

        Raises:
            ConvertError: There is none of this key, it is no string, or its bytes are damaged.
        """
        entry = self._entry(key)
        if entry.dtype != "string" or math.prod(entry.shape) != 1:
            raise ConvertError(f"{key!r} is {entry.dtype} {entry.shape}, one string was expected", where=self.index)
        content = self._bytes(entry)
        length, start = _varint(self.index, content, 0)
        text = content[start + 4 :]
        # The checksum runs over the length as a number of 4 or 8 bytes, its own checksum, then the bytes.
        number = struct.pack("<I" if length < 1 << 32 else "<Q", length)
        crc = google_crc32c.extend(google_crc32c.value(number), content[start : start + 4])
        if len(text) != length or _masked(google_crc32c.extend(crc, text)) != entry.crc32c:
            raise ConvertError(f"the bytes of {key!r} do not fit their crc32c; {AGAIN}", where=self.path(entry.shard))
        return text

    def _entry(self, key: str) -> Entry:
        if key not in self.entries:
            raise ConvertError(f"holds no variable {key!r}, which the graph reads; {AGAIN}", where=self.index)
        if self.entries[key].sliced:
            raise ConvertError(
                f"{key!r} is stored in slices (a partitioned variable, or one cut for small files); whole ones can be "
                "read, save it again without",
                where=self.index,
            )
        return self.entries[key]

    def _bytes(self, entry: Entry) -> bytes:
        with self.path(entry.shard).open("rb") as file:
            file.seek(entry.offset)
            return file.read(entry.size)


def _masked(crc: int) -> int:
    """Return a crc32c as TensorFlow stores it (tensorflow/core/lib/hash/crc32c.h: Mask)."""
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _refuse_short(path: Path, entries: dict[str, Entry], shard: int) -> None:
    if not path.is_file():
        raise ConvertError("there is no such file; a SavedModel needs its variables", where=path)
    size = path.stat().st_size
    for key, entry in entries.items():
        if entry.shard == shard and entry.offset + entry.size > size:
            needed = entry.offset + entry.size
            raise ConvertError(f"has {size:,} bytes, {key!r} ends at {needed:,}; {AGAIN}", where=path)


def _entry(path: Path, value: bytes) -> Entry:
    proto = _parsed(path, "BundleEntry", value)
    shape = shape_of(proto.shape)
    if shape is None or None in shape or min(proto.offset, proto.size, proto.shard_id) < 0:
        raise ConvertError(f"an entry makes no sense; {AGAIN}", where=path)
    sides = tuple(side for side in shape if side is not None)
    sliced = bool(proto.slices)
    return Entry(dtype_name(proto.dtype), sides, proto.shard_id, proto.offset, proto.size, proto.crc32c, sliced)


def _parsed(path: Path, name: str, value: bytes) -> Any:
    try:
        return message(name).FromString(value)
    except DecodeError as error:
        raise ConvertError(f"an entry is no {name}; {AGAIN}", where=path) from error


def _table(path: Path) -> Iterator[tuple[bytes, bytes]]:
    """Yield the keys and values of a LevelDB table file."""
    if not path.is_file():
        raise ConvertError("there is no such file; a SavedModel needs its variables", where=path)
    if not FOOTER <= path.stat().st_size <= LARGEST_INDEX:
        raise ConvertError(f"has {path.stat().st_size:,} bytes; {AGAIN}", where=path)
    content = path.read_bytes()
    if struct.unpack("<Q", content[-8:])[0] != MAGIC:
        raise ConvertError(f"is no table of variables (its last bytes are others); {AGAIN}", where=path)
    footer = content[-FOOTER:]
    _, at = _handle(path, footer, 0)
    handle, _ = _handle(path, footer, at)
    for _, value in _block(path, content, handle):
        block, _ = _handle(path, value, 0)
        yield from _block(path, content, block)


def _handle(path: Path, content: bytes, at: int) -> tuple[tuple[int, int], int]:
    offset, at = _varint(path, content, at)
    size, at = _varint(path, content, at)
    return (offset, size), at


def _block(path: Path, content: bytes, handle: tuple[int, int]) -> Iterator[tuple[bytes, bytes]]:
    offset, size = handle
    body, trailer = content[offset : offset + size], content[offset + size : offset + size + TRAILER]
    if len(trailer) < TRAILER or size < 4:
        raise ConvertError(f"a block ends after the file; {AGAIN}", where=path)
    if _masked(google_crc32c.value(body + trailer[:1])) != struct.unpack("<I", trailer[1:])[0]:
        raise ConvertError(f"a block does not fit its crc32c; {AGAIN}", where=path)
    if trailer[0]:
        raise ConvertError("a block is compressed, TensorFlow writes plain ones", where=path)
    restarts = struct.unpack("<I", body[-4:])[0]
    yield from _entries(path, body[: max(0, len(body) - 4 - 4 * restarts)])


def _entries(path: Path, body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield a block's entries: each key says how much of the one before it goes on."""
    key, at = b"", 0
    while at < len(body):
        shared, at = _varint(path, body, at)
        own, at = _varint(path, body, at)
        length, at = _varint(path, body, at)
        if shared > len(key) or at + own + length > len(body):
            raise ConvertError(f"an entry ends after its block; {AGAIN}", where=path)
        key = key[:shared] + body[at : at + own]
        yield key, body[at + own : at + own + length]
        at += own + length


def _varint(path: Path, content: bytes, at: int) -> tuple[int, int]:
    """Return a number of 7 bits a byte, and where the next one begins."""
    value = 0
    for shift in range(0, 64, 7):
        if at >= len(content):
            break
        byte = content[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise ConvertError(f"a number does not end; {AGAIN}", where=path)
