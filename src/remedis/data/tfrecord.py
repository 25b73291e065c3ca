"""TFRecord files: where each record lies, its check sums, and the tf.train.Example that it holds; without TensorFlow.

A record is its length (uint64, little-endian), the masked crc32c of these eight bytes, the data, and the masked crc32c
of the data. Sources: tensorflow/core/lib/io/record_writer.h, tensorflow/core/lib/hash/crc32c.h,
tensorflow/core/example/example.proto and feature.proto.
"""

from __future__ import annotations

import io
import os
import struct
from array import array
from functools import cache, lru_cache
from pathlib import Path
from typing import IO, Any, NamedTuple

import google_crc32c
import numpy as np
import numpy.typing as npt

from remedis.errors import ReadError

HEAD, FOOT = 12, 4  # bytes before and after a record's data
Values = list[bytes] | list[float] | list[int]
PICTURE_KEYS = ("image", "image/encoded")
"""Features that hold the picture where nobody says which one does, in this order."""


class Walk(NamedTuple):
    """Where a file's records begin.

    Attributes:
        offsets: (n,) int64 bytes from the file's beginning.
        problem: Why nothing can be found after the last one, or nothing.
    """

    offsets: npt.NDArray[np.int64]
    problem: str = ""


def masked_crc(data: bytes) -> int:
    """Return the crc32c (Castagnoli) of some bytes, turned and shifted so that sums of sums stay apart."""
    crc = int(google_crc32c.value(data))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def is_tfrecord(head: bytes) -> bool:
    """Return whether a file that begins with `head` (12 bytes or more) is a TFRecord: its first length has its sum."""
    # No record reaches 2^48 bytes, so that other files are told apart without computing anything.
    return len(head) >= HEAD and head[6:8] == b"\0\0" and masked_crc(head[:8]) == _number(head[8:HEAD])


def _number(four: bytes) -> int:
    return int.from_bytes(four, "little")


def walk(path: Path) -> Walk:
    """Return where the records of a file begin, by their lengths alone; walked once a process and state of the file.

    A length whose check sum is wrong, or that promises more than the file holds, ends the walk: what follows cannot be
    found. No length makes anything be allocated.

    Raises:
        ReadError: The file cannot be opened.
    """
    try:
        stat = path.stat()
        return _walk(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise ReadError(f"cannot be read ({os.strerror(error.errno or 0)})", where=path) from error


@lru_cache(maxsize=4096)  # 8 bytes a record; more shards than this are walked again and again
def _walk(path: Path, _changed: int, size: int) -> Walk:
    offsets, place = array("q"), 0
    with path.open("rb", buffering=0) as file:
        while place < size:
            problem, length = _length(file, place, size, len(offsets))
            if problem:
                return Walk(np.array(offsets, np.int64), problem)
            offsets.append(place)
            place += HEAD + length + FOOT
    return Walk(np.array(offsets, np.int64))


def _length(file: IO[bytes], place: int, size: int, number: int) -> tuple[str, int]:
    """Return why the record at `place` cannot be followed, or nothing, and how long its data are."""
    file.seek(place)
    head = file.read(HEAD)
    if len(head) < HEAD:
        return f"the file is cut short in the length of record {number}", 0
    if masked_crc(head[:8]) != _number(head[8:]):
        packed = "; the file is compressed with gzip, unpack it" if place == 0 and head[:2] == b"\x1f\x8b" else ""
        return f"the length of record {number} does not fit its check sum{packed}", 0
    length = int(struct.unpack("<Q", head[:8])[0])
    left = size - place - HEAD - FOOT
    if length > left:
        return f"record {number} promises {length:,} bytes and {max(left, 0):,} are left: the file is cut short", 0
    return "", length


def record(path: Path, number: int) -> bytes:
    """Return the data of one record, checked against both sums.

    Raises:
        ReadError: There is no such record, or its bytes are not those that were written.
    """
    found = walk(path)
    if not 0 <= number < len(found.offsets):
        known = f"record {number} was asked for, the file holds {len(found.offsets):,}"
        raise ReadError(f"{known}{f'; {found.problem}' if found.problem else ''}", where=path)
    with path.open("rb") as file:
        file.seek(int(found.offsets[number]))
        return _checked(file, path, number)


def _checked(file: io.BufferedReader, path: Path, number: int) -> bytes:
    head = file.read(HEAD)
    left = os.fstat(file.fileno()).st_size - file.tell() - FOOT
    length = int(struct.unpack("<Q", head[:8])[0]) if len(head) == HEAD else left + 1
    if length > left or masked_crc(head[:8]) != _number(head[8:]):
        raise ReadError(f"record {number} is not where it was; the file was changed meanwhile", where=path)
    data = file.read(length)
    if masked_crc(data) != _number(file.read(FOOT)):
        raise ReadError(f"the bytes of record {number} do not fit their check sum; get the file anew", where=path)
    return data


@cache
def _example() -> Any:
    """Return the class of tf.train.Example's message, which TensorBoard does not ship."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    kinds = descriptor_pb2.FieldDescriptorProto
    package = "remedis.tensorflow_example"
    file = descriptor_pb2.FileDescriptorProto(
        name="remedis/tensorflow_example.proto", package=package, syntax="proto3"
    )  # fmt: skip
    for name, kind in (
        ("BytesList", kinds.TYPE_BYTES), ("FloatList", kinds.TYPE_FLOAT), ("Int64List", kinds.TYPE_INT64)
    ):  # fmt: skip
        file.message_type.add(name=name).field.add(name="value", number=1, type=kind, label=kinds.LABEL_REPEATED)
    feature = file.message_type.add(name="Feature")
    feature.oneof_decl.add(name="kind")
    for number, (name, kind) in enumerate(
        (("bytes_list", "BytesList"), ("float_list", "FloatList"), ("int64_list", "Int64List")), start=1
    ):
        feature.field.add(
            name=name, number=number, type=kinds.TYPE_MESSAGE, type_name=f".{package}.{kind}", oneof_index=0, label=1
        )
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=kinds.TYPE_STRING, label=1)
    entry.field.add(name="value", number=2, type=kinds.TYPE_MESSAGE, type_name=f".{package}.Feature", label=1)
    features.field.add(
        name="feature", number=1, type=kinds.TYPE_MESSAGE, type_name=f".{package}.Features.FeatureEntry",
        label=kinds.LABEL_REPEATED,
    )  # fmt: skip
    file.message_type.add(name="Example").field.add(
        name="features", number=1, type=kinds.TYPE_MESSAGE, type_name=f".{package}.Features", label=1
    )
    pool = descriptor_pool.DescriptorPool()  # of its own: nothing that TensorFlow registers can be in the way
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.Example"))


def example(data: bytes, where: str) -> dict[str, Values]:
    """Return the features of a tf.train.Example: bytes, floats or whole numbers by name; an empty list for none.

    Raises:
        ReadError: The bytes are no Example.
    """
    from google.protobuf.message import DecodeError

    try:
        message = _example().FromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise ReadError("is no tf.train.Example, which was expected", where=where) from error
    found: dict[str, Values] = {}
    for name, feature in message.features.feature.items():
        kind = feature.WhichOneof("kind")
        found[name] = list(getattr(feature, kind).value) if kind else []
    return found


def picture(path: Path, number: int, key: str | None = None) -> bytes:
    """Return the encoded picture that one record holds.

    Args:
        path: The TFRecord file.
        number: The record, counted from 0.
        key: The feature that holds it; without it one of `PICTURE_KEYS`, else the record's only feature of bytes.

    Raises:
        ReadError: There is no such record, it is damaged, or nothing tells which feature is the picture.
    """
    where = record_name(path, number)
    return picture_of(example(record(path, number), where), where, key)


def record_name(path: str | Path, number: int) -> str:
    """Return how a record is named in messages."""
    return f"{path}, record {number}"


def picture_of(features: dict[str, Values], where: str, key: str | None = None) -> bytes:
    """Return the encoded picture among the features of an Example, see `picture`."""
    held = {name: values[0] for name, values in features.items() if len(values) == 1 and isinstance(values[0], bytes)}
    if key is not None:
        if key not in held:
            raise ReadError(
                f"the feature {key!r} is not one string of bytes, an encoded picture was expected", where=where
            )
        return held[key]
    named = [name for name in PICTURE_KEYS if name in held] or list(held)
    if not named or (len(named) > 1 and named[0] not in PICTURE_KEYS):
        known = ", ".join(sorted(features)[:8]) or "nothing"
        raise ReadError(f"nothing tells which feature is the picture; it holds {known}", where=where)
    return held[named[0]]
