"""Operations of a TensorFlow graph that bring values in (constants, variables, the image) or hand them on unchanged.

Sources: the pages of `tf.raw_ops` (https://www.tensorflow.org/api_docs/python/tf/raw_ops), by the names of the table;
`Variable` is ours (`dataflow.Graph`).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from remedis.errors import ConvertError
from remedis.models.dataflow import Node
from remedis.models.graph.context import Context, Operation


def _constant(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return the stored array (tf.raw_ops.Const); a float keeps its stored, rounded value."""
    return context.tensor(node.attributes["value"])


def _variable(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return the value that the bundle has under the attribute `key`."""
    return context.tensor(context.variables(node.attributes["key"]))


def _placeholder(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return the image, or what stands in for an input that is not given.

    tf.raw_ops.Placeholder has no such value, tf.raw_ops.PlaceholderWithDefault its one input.
    """
    if node.name == context.image_node:
        return context.image
    if not inputs:
        raise ConvertError("it is an input beside the image and has no default, one input was expected")
    return inputs[0]


def _same(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return the one input (tf.raw_ops.Identity, ReadVariableOp, StopGradient, PreventGradient, CheckNumerics)."""
    (x,) = inputs
    return x


def _same_each(node: Node, inputs: Sequence[Tensor], context: Context) -> tuple[Tensor, ...]:
    """Return every input (tf.raw_ops.IdentityN)."""
    return tuple(inputs)


def _same_shape(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return the input, which must have the attribute `shape` (tf.raw_ops.EnsureShape)."""
    (x,), shape = inputs, node.attributes["shape"]
    fits = shape is None or (len(shape) == x.ndim and all(a in (None, b) for a, b in zip(shape, x.shape, strict=True)))
    if not fits:
        raise ConvertError(f"the shape is {tuple(x.shape)}, the graph expects {shape}")
    return x


SOURCES: dict[str, Operation] = {
    "CheckNumerics": _same,
    "Const": _constant,
    "EnsureShape": _same_shape,
    "Identity": _same,
    "IdentityN": _same_each,
    "Placeholder": _placeholder,
    "PlaceholderWithDefault": _placeholder,
    "PreventGradient": _same,
    "ReadVariableOp": _same,
    "StopGradient": _same,
    "Variable": _variable,
}
