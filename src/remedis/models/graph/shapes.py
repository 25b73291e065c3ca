"""Operations of a TensorFlow graph that make, take or change shapes, and move elements without computing with them.

Sources: the pages of `tf.raw_ops` (https://www.tensorflow.org/api_docs/python/tf/raw_ops), by the names of the table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import EllipsisType

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from remedis.errors import ConvertError
from remedis.models.dataflow import Node
from remedis.models.graph.context import Context, Operation, allow, integers, scalar

Index = int | slice | EllipsisType | None


def _reshape(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return x in another shape, in which one side may be -1 (tf.raw_ops.Reshape)."""
    x, shape = inputs
    return x.reshape(integers(shape))


def _numbers(node: Node, numbers: Sequence[int] | int, context: Context, attribute: str = "out_type") -> Tensor:
    """Return integers of the type that an attribute names, int32 where it is not given."""
    kind = context.kind(node.attributes.get(attribute, "int32"))
    return torch.tensor(numbers, dtype=kind, device=context.image.device)


def _shape(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return the sides of x (tf.raw_ops.Shape)."""
    return _numbers(node, list(inputs[0].shape), context)


def _shapes(node: Node, inputs: Sequence[Tensor], context: Context) -> tuple[Tensor, ...]:
    """Return the sides of every input (tf.raw_ops.ShapeN)."""
    return tuple(_numbers(node, list(x.shape), context) for x in inputs)


def _size(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return how many elements x has (tf.raw_ops.Size)."""
    return _numbers(node, inputs[0].numel(), context)


def _rank(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return how many dimensions x has, in int32 (tf.raw_ops.Rank)."""
    return torch.tensor(inputs[0].ndim, dtype=torch.int32, device=context.image.device)


def _pack(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return the inputs side by side in another dimension, `axis` (tf.raw_ops.Pack)."""
    allow((len(inputs), *inputs[0].shape), inputs[0])
    return torch.stack(list(inputs), dim=node.attributes.get("axis", 0))


def _unpack(node: Node, inputs: Sequence[Tensor], context: Context) -> tuple[Tensor, ...]:
    """Return the `num` parts of x along `axis`, without that dimension (tf.raw_ops.Unpack)."""
    parts = inputs[0].unbind(node.attributes.get("axis", 0))
    if len(parts) != node.attributes["num"]:
        raise ConvertError(f"the side has {len(parts)} parts, {node.attributes['num']} were expected")
    return parts


def _concatenate(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return the inputs one after another along the axis in the last input (tf.raw_ops.ConcatV2)."""
    *parts, axis = inputs
    allow((sum(part.numel() for part in parts),), parts[0])
    return torch.cat(parts, dim=scalar(axis))


def _split(node: Node, inputs: Sequence[Tensor], context: Context) -> tuple[Tensor, ...]:
    """Return `num_split` equal parts of the second input along the axis in the first (tf.raw_ops.Split)."""
    axis, x = inputs
    side, count = x.shape[scalar(axis)], node.attributes["num_split"]
    if side % count:
        raise ConvertError(f"a side of {side} has no {count} equal parts, a multiple was expected")
    return torch.split(x, side // count, scalar(axis))


def _split_into(node: Node, inputs: Sequence[Tensor], context: Context) -> tuple[Tensor, ...]:
    """Return parts of the given sizes, of which one may be -1 (tf.raw_ops.SplitV)."""
    x, sizes, axis = inputs
    known = integers(sizes)
    rest = x.shape[scalar(axis)] - sum(size for size in known if size >= 0)
    return torch.split(x, [size if size >= 0 else rest for size in known], scalar(axis))


def _strided_slice(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return a part of x by begin, end and stride of each dimension, as the masks change them.

    tf.raw_ops.StridedSlice: bit i of a mask is about the i-th number. Numpy's indexing means the same, with a step
    backwards too, which torch lacks.
    """
    x, *numbers = inputs
    index = tuple(_index(node, i, *where) for i, where in enumerate(zip(*map(integers, numbers), strict=True)))
    if all(part.step > 0 for part in index if isinstance(part, slice)):
        return x[index]
    return torch.from_numpy(x.cpu().numpy()[index].copy()).to(x.device)


def _index(node: Node, i: int, begin: int, end: int, stride: int) -> Index:
    """Return the i-th part of an index; of several masks that are set, the first one here counts."""

    def masked(name: str) -> bool:
        return bool(node.attributes.get(name, 0) >> i & 1)

    if masked("ellipsis_mask"):
        return ...
    if masked("new_axis_mask"):
        return None
    if masked("shrink_axis_mask"):
        return begin
    return slice(None if masked("begin_mask") else begin, None if masked("end_mask") else end, stride)


def _slice(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return a part of x by begin and size of each dimension, -1 for all that is left (tf.raw_ops.Slice)."""
    x, begins, sizes = inputs
    for dim, (begin, size) in enumerate(zip(integers(begins), integers(sizes), strict=True)):
        x = x.narrow(dim, begin, x.shape[dim] - begin if size == -1 else size)
    return x


def _gather(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return the parts of x at the given places of an axis, in the shape of the places (tf.raw_ops.GatherV2)."""
    x, places, axis = inputs
    if node.attributes.get("batch_dims", 0):
        raise ConvertError(f"batch_dims is {node.attributes['batch_dims']}, 0 was expected")
    dim = range(x.ndim)[scalar(axis)]
    shape = (*x.shape[:dim], *places.shape, *x.shape[dim + 1 :])
    allow(shape, x)
    return x.index_select(dim, places.reshape(-1).long()).reshape(shape)


def _transpose(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return x with its dimensions in another order (tf.raw_ops.Transpose)."""
    x, order = inputs
    return x.permute(integers(order))


def _squeeze(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return x without the dimensions `squeeze_dims`, or without all of side 1 (tf.raw_ops.Squeeze)."""
    (x,) = inputs
    dims = [range(x.ndim)[dim] for dim in node.attributes.get("squeeze_dims", ())]
    dims = dims or [dim for dim, side in enumerate(x.shape) if side == 1]
    if any(x.shape[dim] != 1 for dim in dims):
        raise ConvertError(f"the dimensions {dims} of {tuple(x.shape)} are to go, sides of 1 were expected")
    return x.reshape([side for dim, side in enumerate(x.shape) if dim not in dims])


def _expand(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return x with one more dimension of side 1 (tf.raw_ops.ExpandDims)."""
    x, axis = inputs
    return x.unsqueeze(scalar(axis))


def _tile(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return x several times in a row along each dimension (tf.raw_ops.Tile)."""
    x, counts = inputs
    allow((side * count for side, count in zip(x.shape, integers(counts), strict=True)), x)
    return x.repeat(integers(counts))


def _stretch(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return x stretched to a shape (tf.raw_ops.BroadcastTo)."""
    x, shape = inputs
    allow(integers(shape), x)
    return x.broadcast_to(integers(shape))


def _common_shape(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return the shape that two shapes are stretched to (tf.raw_ops.BroadcastArgs)."""
    a, b = inputs
    return torch.tensor(np.broadcast_shapes(tuple(integers(a)), tuple(integers(b))), dtype=a.dtype, device=a.device)


def _fill(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return a tensor of one value (tf.raw_ops.Fill)."""
    shape, value = inputs
    allow(integers(shape), value)
    return value.reshape([1] * shape.numel()).repeat(integers(shape))


def _range(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return numbers from the first up to the second, the third apart (tf.raw_ops.Range)."""
    start, limit, delta = (tensor.reshape(()).item() for tensor in inputs)
    count = max(math.ceil((limit - start) / delta), 0)
    allow((count,), inputs[0])
    return start + delta * torch.arange(count, dtype=inputs[0].dtype, device=inputs[0].device)


def _pad(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return x with zeros, or the third input, around it (tf.raw_ops.Pad, PadV2)."""
    x, widths, *value = inputs
    before_after = _widths(x, widths)
    allow((side + a + b for side, (a, b) in zip(x.shape, before_after, strict=True)), x)
    torchs_order = [width for pair in reversed(before_after) for width in pair]  # from the last dimension on
    return F.pad(x, torchs_order, value=value[0].item() if value else 0)


def _mirror(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return x continued as in a mirror; REFLECT leaves the edge out, SYMMETRIC repeats it (tf.raw_ops.MirrorPad)."""
    x, widths = inputs
    mode, most = node.attributes["mode"], 1 if node.attributes["mode"] == "REFLECT" else 0
    for dim, (before, after) in enumerate(_widths(x, widths)):
        if max(before, after) > x.shape[dim] - most:
            raise ConvertError(f"{max(before, after)} of a side of {x.shape[dim]} cannot be mirrored ({mode})")
        places = np.pad(np.arange(x.shape[dim]), (before, after), mode=mode.lower())
        x = x.index_select(dim, torch.from_numpy(places).to(x.device))
    return x


def _widths(x: Tensor, widths: Tensor) -> list[tuple[int, int]]:
    """Return how much is put before and after each dimension."""
    flat = integers(widths)
    if len(flat) != 2 * x.ndim or min(flat, default=0) < 0:
        raise ConvertError(f"the widths are {flat}, two numbers from 0 for each of {x.ndim} dimensions were expected")
    return list(zip(flat[::2], flat[1::2], strict=True))


SHAPES: dict[str, Operation] = {
    "BroadcastArgs": _common_shape,
    "BroadcastTo": _stretch,
    "ConcatV2": _concatenate,
    "ExpandDims": _expand,
    "Fill": _fill,
    "GatherV2": _gather,
    "MirrorPad": _mirror,
    "Pack": _pack,
    "Pad": _pad,
    "PadV2": _pad,
    "Range": _range,
    "Rank": _rank,
    "Reshape": _reshape,
    "Shape": _shape,
    "ShapeN": _shapes,
    "Size": _size,
    "Slice": _slice,
    "Split": _split,
    "SplitV": _split_into,
    "Squeeze": _squeeze,
    "StridedSlice": _strided_slice,
    "Tile": _tile,
    "Transpose": _transpose,
    "Unpack": _unpack,
}
