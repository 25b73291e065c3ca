"""The execution of whole graphs: what comes out, when tensors are let go, and what is refused."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stored_operations import FOLDER, STORED, Stored, graphs
from torch import Tensor

from remedis.errors import ConvertError
from remedis.models.dataflow import Graph, Node, Ref
from remedis.models.graph import refuse_unknown, run
from remedis.models.graph.ops import OPERATIONS

GRAPHS = graphs()
IMAGE = torch.zeros(1, 2, 2, 3)
ADD = {"T": "float32"}


def graph_of(*nodes: Node, output: str | Ref | None = None, shape: tuple[int | None, ...] = (None,) * 4) -> Graph:
    named = {node.name: node for node in (Node("image", "Placeholder"), *nodes)}
    ref = output if isinstance(output, Ref) else Ref(output or nodes[-1].name)
    return Graph("image", shape, named, {"output": ref})


def constant(name: str, value: Any) -> Node:
    return Node(name, "Const", (), {"value": np.asarray(value)})


def nothing(key: str) -> np.ndarray:
    raise AssertionError(f"{key} was read")


def result(graph: Graph, image: Tensor = IMAGE, dtype: torch.dtype = torch.float64) -> Tensor:
    (found,) = run(graph, image, nothing, dtype=dtype).values()
    return found


# What comes out ---------------------------------------------------------------------------------------------------


def difference(stored: Stored, dtype: torch.dtype) -> float:
    found = run(stored.graph, torch.from_numpy(stored.image), stored.variables.__getitem__, dtype=dtype)
    ((ref, expected),) = stored.expected.items()
    assert found[ref].dtype == dtype
    assert tuple(found[ref].shape) == expected.shape
    return float(np.linalg.norm(found[ref].numpy() - expected) / np.linalg.norm(expected))


@pytest.mark.parametrize("name", sorted(GRAPHS))
def test_a_whole_graph_gives_what_tensorflow_gives(name: str) -> None:
    stored = GRAPHS[name]
    # where TensorFlow computed in float32, its own rounding is what is left
    assert difference(stored, torch.float64) < (1e-13 if stored.precision == "float64" else 2e-6)
    assert difference(stored, torch.float32) < 2e-6


@pytest.mark.parametrize("name", ["squared_difference", "square", "fused"])
def test_every_way_to_write_a_group_norm_is_the_same_in_float64(name: str) -> None:
    stored = GRAPHS[f"norm_by_{name}-float32"]
    (expected,) = GRAPHS["norm_by_moments-float64"].expected.values()  # of the same image
    (ref,) = stored.expected
    # eps stands in the graphs as float32(1e-5), 2.5e-8 too small: at a variance of 0.1 that is 1e-12 of the result
    assert difference(stored._replace(expected={ref: expected}), torch.float64) < 1e-11


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("stored", [np.float32(1e-5), np.float32(1e-10), np.float16(0.1), np.float64(0.1)])
def test_a_constant_keeps_its_stored_value(stored: Any, dtype: torch.dtype) -> None:
    found = result(graph_of(constant("c", stored)), dtype=dtype)
    assert found.dtype == dtype
    assert found.item() == torch.tensor(float(stored), dtype=dtype).item()


@pytest.mark.parametrize("target", ["half", "bfloat16", "float32", "float64"])
def test_no_cast_between_floats_rounds(target: str) -> None:
    graph = graph_of(constant("c", np.float64(0.1)), Node("cast", "Cast", (Ref("c"),), {"DstT": target}))
    assert result(graph).item() == 0.1


def test_a_read_only_array_is_copied() -> None:
    array = np.ones(3, np.float32)
    array.setflags(write=False)
    graph = graph_of(Node("v", "Variable", (), {"key": "a/b"}), Node("r", "ReadVariableOp", (Ref("v"),)))
    found = run(graph, IMAGE, {"a/b": array}.__getitem__, dtype=torch.float32)[Ref("r")]
    found += 1
    assert array.sum() == 3


def test_an_input_beside_the_image_has_its_default() -> None:
    graph = graph_of(constant("c", True), Node("training", "PlaceholderWithDefault", (Ref("c"),), {"shape": ()}))
    assert result(graph).item() is True


def test_what_is_asked_for_comes_back_under_its_reference() -> None:
    graph = graph_of(constant("axis", 3), Node("s", "Split", (Ref("axis"), Ref("image")), {"num_split": 3}))
    image = torch.arange(12.0).reshape(1, 2, 2, 3)
    asked = [Ref("s", 2), Ref("image"), Ref("s", 2)]
    found = run(graph, image, nothing, asked)
    assert list(found) == asked[:2]
    torch.testing.assert_close(found[Ref("s", 2)], image[..., 2:].double())
    torch.testing.assert_close(found[Ref("image")], image.double())


# When tensors are let go ------------------------------------------------------------------------------------------


@pytest.fixture
def alive(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """Return, by operation, how many of its results were alive after each call."""
    counts: dict[str, list[int]] = {}
    for op in ("AddV2", "Relu", "Square", "Variable"):
        monkeypatch.setitem(OPERATIONS, op, watched(OPERATIONS[op], counts.setdefault(op, [])))
    return counts


def watched(operation: Any, counts: list[int]) -> Any:
    results: list[weakref.ref[Tensor]] = []

    def call(node: Node, inputs: Sequence[Tensor], context: Any) -> Tensor:
        found: Tensor = operation(node, inputs, context)
        results.append(weakref.ref(found))
        counts.append(sum(known() is not None for known in results))
        return found

    return call


def test_a_chain_holds_one_result_and_makes_the_next(alive: dict[str, list[int]]) -> None:
    names = ["image", *(f"relu_{i}" for i in range(50))]
    graph = graph_of(*(Node(name, "Relu", (Ref(before),)) for before, name in itertools.pairwise(names)))
    result(graph)
    assert alive["Relu"] == [1] + [2] * 49


def test_variables_are_read_one_at_a_time_wherever_they_stand(alive: dict[str, list[int]]) -> None:
    count = 20
    variables = [Node(f"v{i}", "Variable", (), {"key": str(i)}) for i in range(count)]
    kernels = [Node(f"k{i}", "Square", (Ref(f"v{i}"),)) for i in range(count)]  # computed of a variable alone
    names = ["image", *(f"sum{i}" for i in range(count))]
    sums = [Node(names[i + 1], "AddV2", (Ref(names[i]), Ref(f"k{i}")), ADD) for i in range(count)]
    read: list[str] = []

    def value(key: str) -> np.ndarray:
        assert len(alive["AddV2"]) == int(key)  # all sums before it are done
        read.append(key)
        return np.float32([int(key)])

    (found,) = run(graph_of(*variables, *kernels, *sums), IMAGE, value).values()
    assert read == [str(i) for i in range(count)]
    assert max(alive["Variable"]) == max(alive["Square"]) == 1
    assert float(found.max()) == sum(i * i for i in range(count))


def test_a_result_lives_until_its_last_use(alive: dict[str, list[int]]) -> None:
    relu = Node("r", "Relu", (Ref("image"),))
    squares = [Node(f"s{i}", "Square", (Ref("r" if not i else f"s{i - 1}"),)) for i in range(3)]
    late = Node("sum", "AddV2", (Ref("s2"), Ref("r")), ADD)
    image = torch.full((1, 1, 1, 1), 2.0)
    assert result(graph_of(relu, *squares, late), image).item() == 2**8 + 2
    twice = Node("twice", "AddV2", (Ref("r"), Ref("r")), ADD)
    assert result(graph_of(relu, twice), image).item() == 4


# What is refused --------------------------------------------------------------------------------------------------


def test_unknown_operations_are_named_before_anything_is_done() -> None:
    variable = Node("v", "Variable", (), {"key": "v"})
    nodes = [variable, Node("a", "Conv7D", (Ref("v"),)), Node("b", "RandomUniform", (Ref("a"),)), Node("c", "Relu")]
    graph = graph_of(*nodes, output="b")
    with pytest.raises(ConvertError, match=r"Conv7D \(node a\), RandomUniform \(node b\)"):
        run(graph, IMAGE, nothing)
    with pytest.raises(ConvertError, match="Conv7D"):
        refuse_unknown(graph, [Ref("b")])
    refuse_unknown(graph, [Ref("v"), Ref("c")])  # what is not needed does no harm


def test_many_unknown_operations_are_counted() -> None:
    nodes = [Node(f"n{i}", f"Op{i}", (Ref(f"n{i - 1}"),) if i else ()) for i in range(9)]
    with pytest.raises(ConvertError, match=r"Op4 \(node n4\) and 4 more"):
        run(graph_of(*nodes), IMAGE, nothing)


@pytest.mark.parametrize("shape", [(None, None, None), (None, 3, None, 3), (None, 2, 2, 1), (2, 2, 2, 3)])
def test_an_image_that_the_graph_was_not_made_for_is_refused(shape: tuple[int | None, ...]) -> None:
    with pytest.raises(ConvertError, match=r"\(1, 2, 2, 3\), the graph expects \("):
        result(graph_of(Node("y", "Relu", (Ref("image"),)), shape=shape))


CONVOLUTION = {"strides": (1, 1, 1, 1), "padding": "SAME"}
NORM = {"is_training": False, "epsilon": 1e-3}
MANY = np.int32([50_000, 50_000])
WRONG: dict[str, tuple[str, list[Any], dict[str, Any], str]] = {
    "channels": (
        "Conv2D",
        [np.ones((1, 2, 2, 3)), np.ones((1, 1, 2, 4))],
        CONVOLUTION,
        "3 channels meet kernels for 2",
    ),
    "no window": ("MaxPool", [np.ones((1, 2, 2, 3))], {"padding": "SAME"}, "MaxPool lacks 'ksize'"),
    "no padding": ("Conv2D", [np.ones((1, 2, 2, 3)), np.ones((1, 1, 3, 4))], {"strides": (1,) * 4}, "lacks 'padding'"),
    "padding": ("Conv2D", [np.ones((1, 2, 2, 3)), np.ones((1, 1, 3, 4))], {**CONVOLUTION, "padding": "FULL"}, "FULL"),
    "layout": (
        "Conv2D",
        [np.ones((1, 2, 2, 3)), np.ones((1, 1, 3, 4))],
        {**CONVOLUTION, "data_format": "CHWN"},
        "CHWN",
    ),
    "strides": (
        "Conv2D",
        [np.ones((1, 2, 2, 3)), np.ones((1, 1, 3, 4))],
        {**CONVOLUTION, "strides": (1, 0, 1, 1)},
        "0",
    ),
    "rank": ("AvgPool", [np.ones((2, 2, 3))], {**CONVOLUTION, "ksize": (1, 2, 2, 1)}, "3 dimensions, 4"),
    "norm": ("FusedBatchNorm", [np.ones((1, 2, 2, 1)), *[np.ones(9)] * 4], NORM, "each of 1 channels"),
    "types": ("AddV2", [np.ones(2), np.ones(2, np.int32)], ADD, "torch.float64 and torch.int32"),
    "shapes": ("AddV2", [np.ones(2), np.ones(3)], ADD, r"shapes \(2,\), \(3,\)"),
    "inputs": ("Sqrt", [np.ones(2), np.ones(3)], {}, "cannot be computed"),
    "axis": ("Mean", [np.ones((2, 3)), np.int32(2)], {}, r"\[2\] of 2 dimensions"),
    "reshape": ("Reshape", [np.ones(6), np.int32([4, -1])], {}, "cannot be computed"),
    "ensured": ("EnsureShape", [np.ones(6)], {"shape": (None, 6)}, r"\(None, 6\)"),
    "squeeze": ("Squeeze", [np.ones((1, 2))], {"squeeze_dims": (1,)}, "sides of 1"),
    "split": ("Split", [np.int32(0), np.ones(7)], {"num_split": 3}, "no 3 equal parts"),
    "places": ("GatherV2", [np.ones(3), np.int32([3]), np.int32(0)], {}, "cannot be computed"),
    "mirror": ("MirrorPad", [np.ones(3), np.int32([[3, 0]])], {"mode": "REFLECT"}, "mirrored"),
    "mode": ("MirrorPad", [np.ones(3), np.int32([[1, 0]])], {"mode": 3}, "cannot be computed"),
    "negative": ("Pad", [np.ones(3), np.int32([[-1, 0]])], {}, "from 0"),
    "step": ("Range", [np.int32(0), np.int32(3), np.int32(0)], {}, "cannot be computed"),
    "type": ("Cast", [np.ones(3)], {"DstT": "complex64"}, "complex64"),
    "text": ("Identity", [np.array(["words"], dtype=object)], {}, "object"),
    "large Fill": ("Fill", [MANY, np.float32(0)], {}, "20,000,000,000 bytes"),
    "large Tile": ("Tile", [np.ones((1, 1)), MANY], {}, "20,000,000,000 bytes"),
    "large BroadcastTo": ("BroadcastTo", [np.ones((1, 1)), MANY], {}, "20,000,000,000 bytes"),
    "large Range": ("Range", [np.int32(0), np.int32(2**31 - 1), np.int32(1)], {}, "8,589,934,588 bytes"),
    "large Pad": ("Pad", [np.ones((1, 1)), np.int32([[0, 50_000], [0, 50_000]])], {}, "20,000,800,008 bytes"),
    "large ResizeArea": ("ResizeArea", [np.ones((1, 1, 1, 1)), MANY], {}, "20,000,000,000 bytes"),
    "large Mul": ("Mul", [np.ones((50_000, 1)), np.ones(50_000)], {}, "20,000,000,000 bytes"),
    "large MatMul": ("MatMul", [np.ones((50_000, 1)), np.ones((1, 50_000))], {}, "20,000,000,000 bytes"),
    "large Einsum": ("Einsum", [np.ones(50_000), np.ones(50_000)], {"equation": "i,j->ij"}, "20,000,000,000 bytes"),
    "large GatherV2": ("GatherV2", [np.ones((1, 10**5)), np.zeros(10**4, int), np.int32(0)], {}, "8,000,000,000 bytes"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_one_line_with_the_nodes_name(name: str) -> None:
    op, values, attributes, message = WRONG[name]
    inputs = [constant(f"input_{i}", value) for i, value in enumerate(values)]
    node = Node("layer/node", op, tuple(Ref(item.name) for item in inputs), attributes)
    with pytest.raises(ConvertError, match=message) as refused:
        result(graph_of(*inputs, node))
    assert "\n" not in str(refused.value)
    assert ("layer/node" in str(refused.value)) != (name == "text")  # there the constant is what does not fit


def test_inputs_that_do_not_exist_are_refused() -> None:
    later = Node("a", "Relu", (Ref("b"),)), Node("b", "Relu", (Ref("a"),))
    with pytest.raises(ConvertError, match="a: the input b is missing or comes later"):
        result(graph_of(*later))
    with pytest.raises(ConvertError, match="b: the output 1 of a does not exist"):
        result(graph_of(Node("a", "Relu", (Ref("image"),)), Node("b", "Relu", (Ref("a", 1),))))
    with pytest.raises(ConvertError, match="a: the output 3 of a does not exist"):
        result(graph_of(Node("a", "Relu", (Ref("image"),)), output=Ref("a", 3)))
    with pytest.raises(ConvertError, match="x: Placeholder: it is an input beside the image"):
        result(graph_of(Node("x", "Placeholder"), Node("b", "Relu", (Ref("x"),))))


# The stored numbers themselves ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_tensorflow_makes_the_stored_numbers_again(tmp_path: Path) -> None:
    python = os.environ.get("REMEDIS_TF_PYTHON")
    if not python:
        pytest.skip("REMEDIS_TF_PYTHON is not set: this test needs an environment with TensorFlow (make tf-env)")
    script = Path(__file__).with_name("make_operations.py")
    subprocess.run([python, str(script), str(tmp_path)], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    made = json.loads((tmp_path / "operations.json").read_text(encoding="utf-8"))
    assert (made["cases"], made["graphs"]) == (STORED["cases"], STORED["graphs"])
    with np.load(tmp_path / "operations.npz") as again, np.load(FOLDER / "operations.npz") as before:
        assert set(again) == set(before)
        for kind, numbers in again.items():
            np.testing.assert_allclose(numbers, before[kind], rtol=1e-12 if kind == "float64" else 1e-5, atol=1e-6)
