"""Operations of a TensorFlow graph that sum up along dimensions: reductions and products of matrices.

Sources: the pages of `tf.raw_ops` (https://www.tensorflow.org/api_docs/python/tf/raw_ops), by the names of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from remedis.errors import ConvertError
from remedis.models.dataflow import Node
from remedis.models.graph.context import Context, Operation, allow, integers


def _reduction(function: Callable[[Tensor, list[int]], Tensor]) -> Operation:
    """Return an operation over the axes in the second input; `function` keeps them as sides of 1.

    The attribute `keep_dims` says whether they stay. No axes at all leave x as it is.
    """

    def operation(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
        x, axes = inputs
        if any(not -x.ndim <= axis < x.ndim for axis in integers(axes)):
            raise ConvertError(
                f"the axes are {integers(axes)} of {x.ndim} dimensions, numbers below that were expected"
            )
        dims = sorted({axis % x.ndim for axis in integers(axes)})
        if dims:
            x = function(x, dims)
        kept = node.attributes.get("keep_dims", False)
        return x if kept else x.reshape([side for dim, side in enumerate(x.shape) if dim not in dims])

    return operation


def _one_by_one(function: Callable[[Tensor, int], Tensor]) -> Callable[[Tensor, list[int]], Tensor]:
    """Return a reduction over several dimensions from one over a single dimension."""

    def reduce_all(x: Tensor, dims: list[int]) -> Tensor:
        for dim in dims:
            x = function(x, dim)
        return x

    return reduce_all


def _matrix_product(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return a b of two matrices, each transposed where an attribute says so (tf.raw_ops.MatMul)."""
    a, b = inputs
    if a.ndim != 2 or b.ndim != 2:
        raise ConvertError(f"the inputs have {a.ndim} and {b.ndim} dimensions, matrices were expected")
    a = a.T if node.attributes.get("transpose_a", False) else a
    b = b.T if node.attributes.get("transpose_b", False) else b
    allow((a.shape[0], b.shape[1]), a)
    return a @ b


def _matrix_products(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return a b of stacks of matrices, the stacks stretched (tf.raw_ops.BatchMatMulV2)."""
    a, b = inputs
    a = a.mT if node.attributes.get("adj_x", False) else a
    b = b.mT if node.attributes.get("adj_y", False) else b
    allow((*np.broadcast_shapes(tuple(a.shape[:-2]), tuple(b.shape[:-2])), a.shape[-2], b.shape[-1]), a)
    return a @ b


def _einsum(node: Node, inputs: Sequence[Tensor], context: Context) -> Tensor:
    """Return the sum of products that the attribute `equation` describes (tf.raw_ops.Einsum)."""
    equation = node.attributes["equation"]
    sizes = torch.einsum(equation, *(torch.empty(x.shape, device="meta") for x in inputs))  # takes no memory
    allow(sizes.shape, inputs[0])
    return torch.einsum(equation, *inputs)


REDUCTIONS: dict[str, Operation] = {
    "All": _reduction(_one_by_one(lambda x, dim: x.all(dim, keepdim=True))),
    "Any": _reduction(_one_by_one(lambda x, dim: x.any(dim, keepdim=True))),
    "Max": _reduction(lambda x, dims: x.amax(dims, keepdim=True)),
    "Mean": _reduction(lambda x, dims: x.mean(dims, keepdim=True)),
    "Min": _reduction(lambda x, dims: x.amin(dims, keepdim=True)),
    "Prod": _reduction(_one_by_one(lambda x, dim: x.prod(dim, keepdim=True, dtype=x.dtype))),
    "Sum": _reduction(lambda x, dims: x.sum(dims, keepdim=True, dtype=x.dtype)),
    "BatchMatMulV2": _matrix_products,
    "Einsum": _einsum,
    "MatMul": _matrix_product,
}
