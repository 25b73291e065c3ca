"""Functions that call functions, written out into one flat graph of what the outputs need.

Source: tensorflow/core/framework/function.proto (how a node's inputs are named inside a function) and graph.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from remedis.errors import ConvertError
from remedis.models.dataflow import Node, Ref
from remedis.models.savedmodel.messages import dtype_name, shape_of, tensor_of

CALLS = ("PartitionedCall", "StatefulPartitionedCall", "TPUPartitionedCall")
BRANCHES = ("If", "StatelessIf")
MOST_NODES = 200_000
DEEPEST = 100  # functions inside functions; one that calls itself would never end

# Inside a function an output is named `node:argument:number`; these operations have more than one named argument,
# elsewhere the number alone counts. Source: the operations' registrations in tensorflow/core/ops.
_NAMED_OUTPUTS = {
    **dict.fromkeys(
        ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"),
        ("y", "batch_mean", "batch_variance", "reserve_space_1", "reserve_space_2", "reserve_space_3"),
    ),
    "TopKV2": ("values", "indices"),
    "Unique": ("y", "idx"),
    "BroadcastGradientArgs": ("r0", "r1"),
    "SoftmaxCrossEntropyWithLogits": ("loss", "backprop"),
}

Resolve = Callable[[str], Ref]


class Flattener:
    """Collects the flat nodes of one graph.

    Args:
        library: Functions by name (FunctionDef).
    """

    def __init__(self, library: Mapping[str, Any]) -> None:
        self.library = library
        self.nodes: dict[str, Node] = {}

    def add(self, node: Node) -> Ref:
        """Add a node that stands for itself and return its output."""
        if len(self.nodes) >= MOST_NODES:
            raise ConvertError(f"the graph has more than {MOST_NODES:,} nodes, no encoder has")
        self.nodes[node.name] = node
        return Ref(node.name)

    def call(self, name: str, arguments: Sequence[Ref], prefix: str = "", depth: int = 0) -> dict[str, Ref]:
        """Write a function's body out, each node named `prefix` and its own name; return its outputs by name.

        Raises:
            ConvertError: It is not in the library, calls itself, or takes another number of arguments.
        """
        function = self.library.get(name)
        if function is None or depth > DEEPEST:
            reason = "is not in the file" if function is None else "calls itself without an end"
            raise ConvertError(f"the function {name!r} {reason}")
        names = [argument.name for argument in function.signature.input_arg]
        if len(names) != len(arguments):
            raise ConvertError(f"the function {name!r} takes {len(names)} arguments, {len(arguments)} are given")
        made: dict[str, tuple[Any, list[Ref]]] = {}
        given: dict[str, Ref] = dict(zip(names, arguments, strict=True))

        def resolve(text: str) -> Ref:
            base, *rest = text.split(":")
            if base in given:
                return given[base]
            if base not in made:
                raise ConvertError(f"the function {name!r} uses {text!r}, which it does not have")
            node, outputs = made[base]
            number = _number(node, rest)
            return outputs[number] if outputs else Ref(prefix + base, number)

        outputs = [argument.name for argument in function.signature.output_arg]
        for node in in_order(needed(function.node_def, [function.ret[output] for output in outputs])):
            made[node.name] = (node, self._write(node, resolve, prefix, depth))
        return {output: resolve(function.ret[output]) for output in outputs}

    def graph(self, nodes: Iterable[Any], replaced: Mapping[str, Ref]) -> Resolve:
        """Write the nodes of a GraphDef out and return how its names (`node:0`) become outputs.

        Args:
            nodes: NodeDefs.
            replaced: Nodes that are not written out: what stands for their first output.
        """
        made: dict[str, tuple[Any, list[Ref]]] = {}

        def resolve(text: str) -> Ref:
            base, _, number = text.partition(":")
            if base in replaced:
                return replaced[base]
            if base not in made:
                raise ConvertError(f"the graph uses {text!r}, which it does not have")
            outputs = made[base][1]
            index = int(number or 0)
            return outputs[index] if outputs else Ref(base, index)

        for node in in_order(nodes):
            if node.name not in replaced:
                made[node.name] = (node, self._write(node, resolve, "", 0))
        return resolve

    def _write(self, node: Any, resolve: Resolve, prefix: str, depth: int) -> list[Ref]:
        """Write one node out; returns its outputs where it is a call, else an empty list."""
        inputs = tuple(resolve(text) for text in node.input if not text.startswith("^"))
        path = prefix + node.name
        if node.op in CALLS or node.op in self.library:
            called = node.attr["f"].func.name if node.op in CALLS else node.op
            return list(self.call(called, inputs, path + "/", depth + 1).values())
        if node.op in BRANCHES:
            branch = "then_branch" if self._constant(inputs[0], path) else "else_branch"
            return list(self.call(node.attr[branch].func.name, inputs[1:], path + "/", depth + 1).values())
        self.add(Node(path, node.op, inputs, attributes_of(node)))
        return []

    def _constant(self, ref: Ref, where: str) -> bool:
        """Return which way a branch goes; only a branch that does not depend on the images is known."""
        node = self.nodes.get(ref.node)
        while node is not None and node.op in ("Identity", "Cast", "StopGradient", "PlaceholderWithDefault"):
            node = self.nodes.get(node.inputs[0].node)
        if node is None or node.op != "Const":
            raise ConvertError(f"the node {where!r} is a branch that depends on what goes in; it cannot be followed")
        return bool(np.all(node.attributes["value"]))


def needed(nodes: Iterable[Any], outputs: Iterable[str]) -> list[Any]:
    """Return the NodeDefs that outputs depend on: functions also assert things, and graphs hold how they are saved."""
    by_name = {node.name: node for node in nodes}
    queue = [name.split(":")[0] for name in outputs]
    wanted = set()
    while queue:
        name = queue.pop()
        if name in by_name and name not in wanted:
            wanted.add(name)
            queue += [text.split(":")[0] for text in by_name[name].input if not text.startswith("^")]
    return [node for name, node in by_name.items() if name in wanted]


def in_order(nodes: Iterable[Any]) -> list[Any]:
    """Return NodeDefs so that each stands after those it takes inputs from (a loop is left where it stands)."""
    by_name = {node.name: node for node in nodes}
    ordered: dict[str, Any] = {}
    for root in by_name.values():
        stack: list[tuple[Any, bool]] = [(root, False)]
        seen: set[str] = set()
        while stack:
            node, ready = stack.pop()
            if node.name in ordered:
                continue
            if ready or node.name in seen:
                ordered[node.name] = node
                continue
            seen.add(node.name)
            stack.append((node, True))
            bases = [text.split(":")[0] for text in node.input if not text.startswith("^")]
            stack += [(by_name[base], False) for base in reversed(bases) if base in by_name and base not in seen]
    return list(ordered.values())


def _number(node: Any, rest: Sequence[str]) -> int:
    """Return which output of a node `argument:number` is."""
    if not rest:
        return 0
    number = int(rest[-1])
    names = _NAMED_OUTPUTS.get(node.op, ())
    return names.index(rest[0]) + number if rest[0] in names else number


def attributes_of(node: Any) -> dict[str, Any]:
    """Return a NodeDef's attributes as plain values, those left out that begin with an underscore.

    Raises:
        ConvertError: A constant makes no sense.
    """
    try:
        return {name: _value(value) for name, value in node.attr.items() if not name.startswith("_")}
    except ConvertError as error:
        raise ConvertError(f"the node {node.name!r} holds {error}") from error


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "list":
        fields = ("s", "i", "f", "b", "type", "shape")
        return tuple(_plain(field, item) for field in fields for item in getattr(value.list, field))
    if kind == "tensor":
        return tensor_of(value.tensor)
    if kind == "func":
        return value.func.name
    return _plain(kind, getattr(value, kind)) if kind else None


def _plain(kind: str, value: Any) -> Any:
    if kind == "s":
        return value.decode("utf-8", "replace")
    if kind == "type":
        return dtype_name(value)
    return shape_of(value) if kind == "shape" else value
