"""TFRecord files, tf.train.Examples and tfds folders written from their descriptions: no TensorFlow, no protobuf.

Framing: tensorflow/core/lib/io/record_writer.h. crc32c: RFC 3720 B.4, one bit at a time. Wire format: protobuf's page
on encoding; field numbers: tensorflow/core/example/example.proto and feature.proto.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

Values = Sequence[bytes] | Sequence[float] | Sequence[int]


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ 0x82F63B78 if crc & 1 else crc >> 1
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) & 0xFFFFFFFF) + 0xA282EAD8 & 0xFFFFFFFF)


def framed(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return length + masked(length) + data + masked(data)


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1  # negative numbers as two's complement
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def example(features: Mapping[str, Values], *, packed: bool = True) -> bytes:
    entries = b""
    for name, values in features.items():
        entries += field(1, field(1, name.encode()) + field(2, _feature(values, packed)))
    return field(1, entries)


def _feature(values: Values, packed: bool) -> bytes:
    if not values:
        return b""
    if isinstance(values[0], bytes):
        return field(1, b"".join(field(1, bytes(value)) for value in values))  # type: ignore[arg-type]
    if isinstance(values[0], float):
        numbers = [struct.pack("<f", value) for value in values]
        return field(2, field(1, b"".join(numbers)) if packed else b"".join(b"\x0d" + each for each in numbers))
    numbers = [varint(int(value)) for value in values]
    return field(3, field(1, b"".join(numbers)) if packed else b"".join(b"\x08" + each for each in numbers))


CLASS = "tensorflow_datasets.core.features."
IMAGE: dict[str, Any] = {
    "pythonClassName": f"{CLASS}image_feature.Image",
    "image": {"shape": {"dimensions": ["-1", "-1", "3"]}, "dtype": "uint8", "encodingFormat": "png"},
}


def class_label(count: int) -> dict[str, Any]:
    return {
        "pythonClassName": f"{CLASS}class_label_feature.ClassLabel", "classLabel": {"numClasses": str(count)}
    }  # fmt: skip


def scalar(dtype: str) -> dict[str, Any]:
    return {
        "pythonClassName": f"{CLASS}scalar.Scalar", "tensor": {"shape": {}, "dtype": dtype, "encoding": "none"}
    }  # fmt: skip


def features_dict(features: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "pythonClassName": f"{CLASS}features_dict.FeaturesDict", "featuresDict": {"features": dict(features)}
    }  # fmt: skip


def data_set(
    folder: Path,
    splits: Mapping[str, Sequence[Sequence[Mapping[str, Values]]]],
    features: Mapping[str, Any],
    *,
    labels: Mapping[str, Sequence[str]] | None = None,
    template: str | None = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
    name: str = "cells",
) -> Path:
    """Write a version's folder: for each split its shards, for each shard its records."""
    folder.mkdir(parents=True)
    entries = []
    for split, shards in splits.items():
        entry: dict[str, Any] = {"name": split, "numBytes": "1", "shardLengths": [str(len(shard)) for shard in shards]}
        if template is not None:
            entry["filepathTemplate"] = template
        for number, records in enumerate(shards):
            path = folder / shard_name(template, name, split, number, len(shards))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"".join(framed(example(record)) for record in records))
        entries.append(entry)
    info = {
        "name": name, "version": "1.0.0", "fileFormat": "tfrecord", "splits": entries, "moduleName": "evil.module",
        "supervisedKeys": {"tuple": {"items": [{"featureKey": "image"}, {"featureKey": "label"}]}},
    }  # fmt: skip
    (folder / "dataset_info.json").write_text(json.dumps(info))
    (folder / "features.json").write_text(json.dumps(features_dict(features)))
    for key, names in (labels or {}).items():
        (folder / f"{key}.labels.txt").write_text("\n".join(names) + "\n")
    return folder


def shard_name(template: str | None, name: str, split: str, number: int, count: int) -> str:
    text = template or "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
    for word, value in (
        ("DATASET", name), ("SPLIT", split), ("FILEFORMAT", "tfrecord"), ("SHARD_INDEX", f"{number:05d}"),
        ("NUM_SHARDS", f"{count:05d}"), ("SHARD_X_OF_Y", f"{number:05d}-of-{count:05d}"),
    ):  # fmt: skip
        text = text.replace("{" + word + "}", value)
    return text
