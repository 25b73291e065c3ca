"""The numbers that `make_operations.py` had TensorFlow compute, as graphs of ours and arrays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from remedis.models.dataflow import Graph, Node, Ref

FOLDER = Path(__file__).parent / "operations"
STORED = json.loads((FOLDER / "operations.json").read_text(encoding="utf-8"))
NUMBERS = dict(np.load(FOLDER / "operations.npz"))
IMAGE = Node("image", "Placeholder")


class Stored(NamedTuple):
    """A graph, what TensorFlow makes of it, and in which precision."""

    graph: Graph
    expected: dict[Ref, np.ndarray]
    precision: str
    image: np.ndarray
    variables: dict[str, np.ndarray]


def array(place: list[Any]) -> np.ndarray:
    kind, offset, shape = place
    return NUMBERS[kind][offset : offset + int(np.prod(shape))].reshape(shape)


def plain(value: Any) -> Any:
    """Return an attribute as a `Node` has it."""
    if isinstance(value, dict):
        return array(value["tensor"])
    return tuple(plain(item) for item in value) if isinstance(value, list) else value


def attributes(stored: dict[str, Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in stored["attributes"].items()}


def cases(op: str) -> Iterator[Stored]:
    """Yield each case of an operation as a graph of constants and the one node."""
    for case in STORED["cases"]:
        if case["op"] != op:
            continue
        inputs = [Node(f"input_{i}", "Const", (), {"value": array(place)}) for i, place in enumerate(case["inputs"])]
        node = Node("node", op, tuple(Ref(item.name) for item in inputs), attributes(case))
        expected = {Ref("node", i): array(place) for i, place in enumerate(case["outputs"])}
        nodes = {item.name: item for item in (IMAGE, *inputs, node)}
        graph = Graph("image", (None,) * 4, nodes, {str(ref.output): ref for ref in expected})
        yield Stored(graph, expected, case["precision"], np.zeros((1, 1, 1, 1)), {})


def graphs() -> dict[str, Stored]:
    """Return the whole graphs by name and precision."""
    found = {}
    for stored in STORED["graphs"]:
        nodes = {
            node["name"]: Node(node["name"], node["op"], tuple(Ref(*ref) for ref in node["inputs"]), attributes(node))
            for node in stored["nodes"]
        }
        output, image = Ref(*stored["output"]), array(stored["image"])
        graph = Graph("image", (None, None, None, image.shape[-1]), nodes, {"output": output})
        variables = {node.name: node.attributes["stored"] for node in nodes.values() if node.op == "Variable"}
        expected = {output: array(stored["expected"])}
        name = f"{stored['name']}-{stored['precision']}"
        found[name] = Stored(graph, expected, stored["precision"], image, variables)
    return found
