"""A computation as nodes: what `savedmodel` reads out of TensorFlow's files and `graph` executes.

Nothing here knows of protobuf or of torch. Calls of functions are already written out into the nodes of what is
called, so that a graph is flat: it can be executed node by node, and followed from the image to the output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Ref(NamedTuple):
    """One output of a node."""

    node: str
    output: int = 0


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        name: Unique in its graph.
        op: TensorFlow's name of the operation (`Conv2D`).
        inputs: Where each input comes from, control inputs left out.
        attributes: Plain Python values by TensorFlow's names: int, float, bool, str (bytes decoded), a dtype as its
            name (`float32`), a shape as a tuple of int or None (None for an unknown rank), a tensor as a numpy
            array, lists of these as tuples.
    """

    name: str
    op: str
    inputs: tuple[Ref, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """A flat computation from one image tensor to named outputs.

    Attributes:
        image: The node of op `Placeholder` that stands for the images.
        shape: Its shape, None where a side is free: (N, H, W, C).
        nodes: By name, each after those it takes its inputs from. A variable is a node of op `Variable` whose
            attribute `key` names it in the bundle; reading it gives its value. A captured constant is a `Const`.
        outputs: By the key that the original gives them, in its order; `output` where it gives a bare tensor.
    """

    image: str
    shape: tuple[int | None, ...]
    nodes: Mapping[str, Node]
    outputs: Mapping[str, Ref]

    def needed_for(self, refs: tuple[Ref, ...]) -> list[Node]:
        """Return the nodes that `refs` depend on, in an order of execution."""
        wanted = {ref.node for ref in refs}
        for node in reversed(list(self.nodes.values())):
            if node.name in wanted:
                wanted.update(ref.node for ref in node.inputs)
        return [node for node in self.nodes.values() if node.name in wanted]
