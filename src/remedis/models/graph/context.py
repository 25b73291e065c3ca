"""What the operations of a TensorFlow graph share while one image passes through: precision, variables, a memory limit.

An operation is a function of a node, its inputs and a `Context`, and returns one tensor, or a tuple of them where the
operation has several outputs. Tensors keep TensorFlow's layout and kinds, except that every float has the precision
that the graph is executed in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from remedis.errors import ConvertError
from remedis.models.dataflow import Node

Values = Callable[[str], np.ndarray[Any, Any]]
"""A variable's value by its key in the bundle."""

LARGEST_BYTES = 2**31
"""The largest tensor that one operation may make: 16 images of 448 px in float64 after a stem of 128 channels take
half of it; a file that asks for more is damaged or means harm."""

INTEGERS = {
    "bool": torch.bool,
    "int8": torch.int8,
    "int16": torch.int16,
    "int32": torch.int32,
    "int64": torch.int64,
    "uint8": torch.uint8,
}
FLOATS = ("bfloat16", "half", "float16", "float", "float32", "double", "float64")


@dataclass(frozen=True)
class Context:
    """One execution.

    Attributes:
        image: The images, (N, H, W, C).
        image_node: The name of the node that stands for them.
        variables: A variable's value by its key in the bundle.
        dtype: The precision of every float in the graph.
    """

    image: Tensor
    image_node: str
    variables: Values
    dtype: torch.dtype

    def kind(self, name: str) -> torch.dtype:
        """Return torch's type for TensorFlow's, all floats in the precision of this execution.

        Raises:
            ConvertError: TensorFlow's type is neither a float nor an integer that torch computes with.
        """
        if name in FLOATS:
            return self.dtype
        if name not in INTEGERS:
            raise ConvertError(f"the type is {name}, {', '.join((*INTEGERS, *FLOATS))} were expected")
        return INTEGERS[name]

    def tensor(self, array: np.ndarray[Any, Any]) -> Tensor:
        """Return a copy of an array, on the image's device; a float keeps its value and changes its width."""
        dtype = self.kind(array.dtype.name)
        width = {torch.float64: np.float64, torch.float32: np.float32}.get(dtype, array.dtype)
        # astype copies, so that read-only and mapped arrays are never written to, nor kept open
        copy = array.astype(width) if array.ndim else np.array(array, dtype=width)
        return torch.from_numpy(copy).to(self.image.device, dtype)


Operation = Callable[[Node, Sequence[Tensor], Context], Tensor | tuple[Tensor, ...]]
"""A node, its inputs and the execution, to the node's outputs."""


def integers(tensor: Tensor) -> list[int]:
    """Return a tensor of integers, a scalar too, as a list."""
    return [int(number) for number in tensor.reshape(-1).tolist()]


def scalar(tensor: Tensor) -> int:
    """Return the one integer in a tensor.

    Raises:
        ValueError: There is not exactly one.
    """
    (number,) = integers(tensor)
    return number


def stretched(*tensors: Tensor) -> tuple[int, ...]:
    """Return the shape that tensors are stretched to, TensorFlow's broadcasting (numpy's).

    Raises:
        ConvertError: It would be a tensor over `LARGEST_BYTES` of the first one's elements.
        ValueError: The shapes do not fit each other.
    """
    shape = np.broadcast_shapes(*(tuple(tensor.shape) for tensor in tensors))
    allow(shape, tensors[0])
    return shape


def allow(shape: Iterable[int], like: Tensor) -> None:
    """Refuse a tensor of this shape and the element size of `like` where it is absurdly large.

    Raises:
        ConvertError: It is over `LARGEST_BYTES`, or a side is negative.
    """
    sides = list(shape)
    if min(sides, default=0) < 0:
        raise ConvertError(f"the shape is {sides}, no negative side was expected")
    found = math.prod(sides) * like.element_size()
    if found > LARGEST_BYTES:
        raise ConvertError(f"a tensor of {found:,} bytes is asked for, at most {LARGEST_BYTES:,} were expected")
