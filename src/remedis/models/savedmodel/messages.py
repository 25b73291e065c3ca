"""TensorFlow's protobuf messages: those that TensorBoard ships, the few that it lacks, and tensors out of them.

Sources: tensorflow/core/protobuf/saved_model.proto and tensor_bundle.proto, tensorflow/core/framework/types.proto and
tensor.proto.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorboard.compat.proto import meta_graph_pb2, tensor_shape_pb2

from remedis.errors import ConvertError

LARGEST_CONSTANT = 1 << 31  # bytes; protobuf itself ends there

DTYPES: dict[int, str] = {
    1: "float32", 2: "float64", 3: "int32", 4: "uint8", 5: "int16", 6: "int8", 7: "string", 9: "int64", 10: "bool",
    14: "bfloat16", 17: "uint16", 19: "float16", 20: "resource", 21: "variant", 22: "uint32", 23: "uint64",
}  # fmt: skip
_FIELDS = {
    "float32": "float_val", "float64": "double_val", "int64": "int64_val", "bool": "bool_val", "float16": "half_val",
    "bfloat16": "half_val", "uint32": "uint32_val", "uint64": "uint64_val", "string": "string_val",
}  # fmt: skip


def dtype_name(number: int) -> str:
    """Return TensorFlow's name of a type, `type N` where it is none that networks use."""
    return DTYPES.get(number, f"type {number}")


@cache
def message(name: str) -> Any:
    """Return the class of `SavedModel`, `BundleHeader` or `BundleEntry`."""
    file = _file()
    pool = descriptor_pool.Default()
    try:
        pool.FindFileByName(file.name)
    except KeyError:
        pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{file.package}.{name}"))


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="remedis/tensorflow_files.proto", package="remedis.tensorflow_files", syntax="proto3",
        dependency=[meta_graph_pb2.DESCRIPTOR.name, tensor_shape_pb2.DESCRIPTOR.name],
    )  # fmt: skip
    kinds = descriptor_pb2.FieldDescriptorProto
    package = "." + meta_graph_pb2.DESCRIPTOR.package
    _add(file, "SavedModel", [
        ("saved_model_schema_version", 1, kinds.TYPE_INT64, ""),
        ("meta_graphs", 2, kinds.TYPE_MESSAGE, f"*{package}.MetaGraphDef"),
    ])  # fmt: skip
    _add(file, "BundleHeader", [("num_shards", 1, kinds.TYPE_INT32, ""), ("endianness", 2, kinds.TYPE_INT32, "")])
    _add(file, "BundleEntry", [
        ("dtype", 1, kinds.TYPE_INT32, ""),
        ("shape", 2, kinds.TYPE_MESSAGE, f"{package}.TensorShapeProto"),
        ("shard_id", 3, kinds.TYPE_INT32, ""),
        ("offset", 4, kinds.TYPE_INT64, ""),
        ("size", 5, kinds.TYPE_INT64, ""),
        ("crc32c", 6, kinds.TYPE_FIXED32, ""),
        ("slices", 7, kinds.TYPE_BYTES, "*"),
    ])  # fmt: skip
    return file


def _add(file: Any, name: str, fields: list[tuple[str, int, Any, str]]) -> None:
    """Add a message; a `*` before the type's name makes the field a repeated one."""
    made = file.message_type.add(name=name)
    for field_name, number, kind, type_name in fields:
        repeated = type_name.startswith("*")
        made.field.add(
            name=field_name, number=number, type=kind, type_name=type_name.lstrip("*") or None,
            label=3 if repeated else 1,  # LABEL_REPEATED, LABEL_OPTIONAL
        )  # fmt: skip


def shape_of(proto: Any) -> tuple[int | None, ...] | None:
    """Return a TensorShapeProto's sides, None for a free one; None where even the rank is free."""
    if proto.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else int(dim.size) for dim in proto.dim)


def tensor_of(proto: Any) -> np.ndarray[Any, Any]:
    """Return what a TensorProto holds.

    Raises:
        ConvertError: Its type is none that networks use, its size is absurd or does not fit its bytes.
    """
    shape = tuple(int(dim.size) for dim in proto.tensor_shape.dim)
    name = dtype_name(proto.dtype)
    if name == "string":
        return np.array(list(proto.string_val), dtype=object)
    if name not in DTYPES.values() or name in ("resource", "variant"):
        raise ConvertError(f"a constant of {name}, numbers were expected")
    count = math.prod(shape)
    if min(shape, default=0) < 0 or count * 8 > LARGEST_CONSTANT:
        raise ConvertError(f"a constant of shape {shape}, that is no sensible size")
    if proto.tensor_content:
        return array_of(proto.tensor_content, name, shape)
    values = list(getattr(proto, _FIELDS.get(name, "int_val")))
    if len(values) > count:
        raise ConvertError(f"a constant of shape {shape} with {len(values)} values")
    if name in ("float16", "bfloat16"):
        return _filled(array_of(np.array(values, np.uint16).tobytes(), name, (len(values),)), count).reshape(shape)
    return _filled(np.array(values, dtype=name), count).reshape(shape)


def _filled(values: np.ndarray[Any, Any], count: int) -> np.ndarray[Any, Any]:
    """Return `count` values: the last one given is repeated, as tensor.proto says; none given are zeros."""
    last = values[-1:] if len(values) else np.zeros(1, values.dtype)
    return np.concatenate([values, np.repeat(last, count - len(values))])


def array_of(content: bytes, dtype: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    """Return little-endian bytes as an array; bfloat16 becomes float32, exactly.

    Raises:
        ConvertError: The bytes are more or fewer than the shape needs.
    """
    stored = np.dtype("uint16" if dtype == "bfloat16" else dtype).newbyteorder("<")
    if len(content) != math.prod(shape) * stored.itemsize:
        raise ConvertError(f"{len(content)} bytes for a tensor {shape} of {dtype}")
    values = np.frombuffer(content, stored).reshape(shape)
    if dtype == "bfloat16":
        return (values.astype(np.uint32) << np.uint32(16)).view(np.float32)
    return values.astype(stored.newbyteorder("="), copy=False)
