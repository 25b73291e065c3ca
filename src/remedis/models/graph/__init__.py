"""Execute a TensorFlow graph in torch, operation by operation: the original itself as the witness.

What each operation computes stands in `graph.ops` and the files that it joins; here is the order and the memory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from remedis.errors import ConvertError
from remedis.models.dataflow import Graph, Node, Ref
from remedis.models.graph.context import Context, Values
from remedis.models.graph.ops import OPERATIONS

__all__ = ["Values", "refuse_unknown", "run"]


@torch.no_grad()
def run(
    graph: Graph,
    image: Tensor,
    variables: Values,
    refs: Sequence[Ref] | None = None,
    *,
    dtype: torch.dtype = torch.float64,
) -> dict[Ref, Tensor]:
    """Execute what `refs` depend on, and nothing else.

    Every float in the graph (variables, constants, casts to any float) has the type `dtype`; a constant stored in
    float32 keeps its rounded value. Integers and bools keep their kinds. Each tensor is let go after its last use, and
    a variable is read only when the operation that needs it comes next, so that one kernel at a time is in memory.

    Args:
        graph: The computation.
        image: (N, H, W, C) in TensorFlow's layout, in the range that the original expects.
        variables: A variable's value by its key in the bundle.
        refs: Outputs of nodes to return; None for the graph's outputs.
        dtype: The precision, `torch.float64` or `torch.float32`.

    Returns:
        Each of `refs` with its value, in TensorFlow's layout, on the image's device.

    Raises:
        ConvertError: An operation is unknown (said before anything is executed), its attributes or inputs do not fit
            it, or the image does not fit the graph's shape.
    """
    asked = list(dict.fromkeys(graph.outputs.values() if refs is None else refs))
    refuse_unknown(graph, asked)
    _refuse_shape(graph, image)
    context = Context(image.to(dtype), graph.image, variables, dtype)
    order = _order(graph, asked)
    uses = Counter(ref for node in order for ref in node.inputs)
    uses.update(asked)
    values: dict[Ref, Tensor] = {}
    for node in order:
        inputs = [_value(values, ref, node) for ref in node.inputs]
        outputs = _execute(node, inputs, context)
        for ref in node.inputs:
            uses[ref] -= 1
            if not uses[ref]:
                values.pop(ref, None)
        for index, output in enumerate(outputs):
            if uses[Ref(node.name, index)]:
                values[Ref(node.name, index)] = output
    return {ref: _value(values, ref, graph.nodes[ref.node]) for ref in asked}


def refuse_unknown(graph: Graph, refs: Sequence[Ref]) -> None:
    """Refuse a graph in which `refs` depend on an operation that is not in the table.

    Raises:
        ConvertError: There are such operations; it names each with the first node that has it.
    """
    unknown: dict[str, str] = {}
    for node in graph.needed_for(tuple(refs)):
        if node.op not in OPERATIONS:
            unknown.setdefault(node.op, node.name)
    if unknown:
        listed = ", ".join(f"{op} (node {name})" for op, name in list(unknown.items())[:5])
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise ConvertError(
            f"the graph has the operations {listed}{more}, which are not among the {len(OPERATIONS)} that can be"
            f" executed without TensorFlow; convert a model whose graph is a plain BiT"
        )


def _order(graph: Graph, refs: Sequence[Ref]) -> list[Node]:
    """Return the nodes that `refs` depend on so that each stands as close before its first use as can be.

    The graph's own order may have all variables first, and then all of them would be in memory at once. A walk from
    the end, into each node's inputs from the first to the last, puts a variable right before the node that needs it.
    """
    before: set[str] = set()
    for node in graph.needed_for(tuple(refs)):
        _refuse_input_from_later(node, before)
        before.add(node.name)
    order: list[Node] = []
    placed: set[str] = set()
    stack = [ref.node for ref in reversed(refs)]
    while stack:
        node = graph.nodes[stack[-1]]
        waiting = [] if node.name in placed else [ref.node for ref in node.inputs if ref.node not in placed]
        if waiting:
            stack.extend(reversed(waiting))
            continue
        stack.pop()
        if node.name not in placed:
            placed.add(node.name)
            order.append(node)
    return order


def _refuse_input_from_later(node: Node, before: set[str]) -> None:
    """Refuse a node that takes an input from one that is missing or stands later: a circle would never end."""
    for ref in node.inputs:
        if ref.node not in before:
            raise ConvertError(
                f"the input {ref.node} is missing or comes later, an earlier node was expected", where=node.name
            )


def _refuse_shape(graph: Graph, image: Tensor) -> None:
    """Refuse an image that the graph was not made for."""
    fits = len(graph.shape) == image.ndim and all(
        side in (None, found) for side, found in zip(graph.shape, image.shape, strict=True)
    )
    if not fits:
        shape = ", ".join("any" if side is None else str(side) for side in graph.shape)
        raise ConvertError(f"the image has shape {tuple(image.shape)}, the graph expects ({shape})", where=graph.image)


def _execute(node: Node, inputs: Sequence[Tensor], context: Context) -> tuple[Tensor, ...]:
    """Return the outputs of one node; whatever does not fit is one line that names the node."""
    try:
        outputs = OPERATIONS[node.op](node, inputs, context)
    except ConvertError as error:
        raise ConvertError(f"{node.op}: {error}", where=node.name) from error
    except KeyError as error:
        raise ConvertError(f"{node.op} lacks {error}, which its computation needs", where=node.name) from error
    except (
        ArithmeticError,
        AttributeError,
        IndexError,
        NotImplementedError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in inputs)
        first = str(error).split("\n", 1)[0]
        raise ConvertError(
            f"{node.op} cannot be computed of inputs of shapes {shapes}: {first}", where=node.name
        ) from error
    return outputs if isinstance(outputs, tuple) else (outputs,)


def _value(values: dict[Ref, Tensor], ref: Ref, node: Node) -> Tensor:
    """Return the value of `ref`, which `node` needs."""
    if ref not in values:
        raise ConvertError(f"the output {ref.output} of {ref.node} does not exist", where=node.name)
    return values[ref]
