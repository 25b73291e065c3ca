"""Operations of a TensorFlow graph that compute each element by itself, with TensorFlow's broadcasting (numpy's).

Sources: the pages of `tf.raw_ops` (https://www.tensorflow.org/api_docs/python/tf/raw_ops), by the names of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from remedis.errors import ConvertError
from remedis.models.dataflow import Node
from remedis.models.graph.context import Context, Operation, stretched


def _of_one(function: Callable[[Tensor], Tensor]) -> Operation:
    """Return an operation of one input that keeps its type."""

    def operation(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
        (x,) = inputs
        return function(x)

    return operation


def _of_two(function: Callable[[Tensor, Tensor], Tensor]) -> Operation:
    """Return an operation of two inputs, each stretched to their common shape."""

    def operation(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
        x, y = inputs
        if x.dtype != y.dtype:  # torch would promote; TensorFlow refuses
            raise ConvertError(f"the inputs have the types {x.dtype} and {y.dtype}, one type was expected")
        stretched(x, y)
        return function(x, y)

    return operation


def _divide(x: Tensor, y: Tensor) -> Tensor:
    """Return x / y, integers rounded towards zero (tf.raw_ops.Div, RealDiv)."""
    return x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc")


def _floor_divide(x: Tensor, y: Tensor) -> Tensor:
    """Return x / y rounded down (tf.raw_ops.FloorDiv)."""
    return torch.floor(x / y) if x.is_floating_point() else torch.div(x, y, rounding_mode="floor")


def _divide_no_nan(x: Tensor, y: Tensor) -> Tensor:
    """Return x / y, and 0 wherever y is 0 (tf.raw_ops.DivNoNan)."""
    return torch.where(y == 0, torch.zeros((), dtype=x.dtype, device=x.device), x / y)


def _squared_difference(x: Tensor, y: Tensor) -> Tensor:
    """Return (x - y)² (tf.raw_ops.SquaredDifference)."""
    return torch.square(x - y)


def _add_all(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return the sum of all inputs, which have one shape (tf.raw_ops.AddN)."""
    return reduce(torch.add, inputs)


def _add_bias(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return x plus a number for each channel (tf.raw_ops.BiasAdd)."""
    x, bias = inputs
    if bias.ndim != 1:
        raise ConvertError(f"the bias has {bias.ndim} dimensions, 1 was expected")
    if node.attributes.get("data_format", "NHWC") == "NCHW":
        bias = bias.reshape(-1, *[1] * (x.ndim - 2))
    stretched(x, bias)
    return x + bias


def _cast(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return x in the type `DstT`, fractions cut off (tf.raw_ops.Cast); all floats have one precision here."""
    return inputs[0].to(context.kind(node.attributes["DstT"]))


def _select(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return x where the condition holds, else y; a vector chooses among rows (tf.raw_ops.Select)."""
    condition, x, y = inputs
    if condition.ndim == 1 and x.ndim > 1:
        condition = condition.reshape(-1, *[1] * (x.ndim - 1))
    stretched(x, condition, y)
    return torch.where(condition, x, y)


def _select_broadcast(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return x where the condition holds, else y, all three stretched (tf.raw_ops.SelectV2)."""
    condition, x, y = inputs
    stretched(x, condition, y)
    return torch.where(condition, x, y)


def _softmax(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return the softmax over the last dimension (tf.raw_ops.Softmax)."""
    return torch.softmax(inputs[0], dim=-1)


_ONE: Mapping[str, Callable[[Tensor], Tensor]] = {
    "Abs": torch.abs,
    "Exp": torch.exp,
    "Log": torch.log,
    "LogicalNot": torch.logical_not,
    "Neg": torch.neg,
    "OnesLike": torch.ones_like,
    "Reciprocal": torch.reciprocal,
    "Relu": torch.relu,
    "Relu6": F.relu6,
    "Rsqrt": torch.rsqrt,
    "Sigmoid": torch.sigmoid,
    "Sqrt": torch.sqrt,
    "Square": torch.square,
    "Tanh": torch.tanh,
    "ZerosLike": torch.zeros_like,
}
_TWO: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "Add": torch.add,
    "AddV2": torch.add,
    "Div": _divide,
    "DivNoNan": _divide_no_nan,
    "Equal": torch.eq,
    "FloorDiv": _floor_divide,
    "FloorMod": torch.remainder,
    "Greater": torch.gt,
    "GreaterEqual": torch.ge,
    "Less": torch.lt,
    "LessEqual": torch.le,
    "LogicalAnd": torch.logical_and,
    "LogicalOr": torch.logical_or,
    "Maximum": torch.maximum,
    "Minimum": torch.minimum,
    "Mul": torch.mul,
    "NotEqual": torch.ne,
    "Pow": torch.pow,
    "RealDiv": _divide,
    "SquaredDifference": _squared_difference,
    "Sub": torch.sub,
}
ELEMENTWISE: dict[str, Operation] = {
    **{name: _of_one(function) for name, function in _ONE.items()},
    **{name: _of_two(function) for name, function in _TWO.items()},
    "AddN": _add_all,
    "BiasAdd": _add_bias,
    "Cast": _cast,
    "Select": _select,
    "SelectV2": _select_broadcast,
    "Softmax": _softmax,
}
