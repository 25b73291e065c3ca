"""Have TensorFlow compute what the tests of `remedis.models.graph` hold ours against, and store it.

Usage, in an environment with TensorFlow (`make tf-env` makes one):

    python tests/models/make_operations.py [FOLDER]

Writes into FOLDER, `operations` beside this file where none is given: `operations.json` (cases and graphs) and
`operations.npz` (their numbers, one array for each type). Each case is computed in float64 where TensorFlow has such a
kernel, else in float32; it says which. Nodes and attributes are those that TensorFlow wrote into its own graph, as
plain values.
"""

from __future__ import annotations

import inspect
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["TF_ENABLE_ONEDNN_OPTS"] = "0"

import numpy as np
import tensorflow as tf
from operation_cases import Case, cases
from operation_graphs import GRAPHS

NO_KERNEL = (TypeError, tf.errors.InvalidArgumentError, tf.errors.NotFoundError, tf.errors.UnimplementedError)


class Store:
    """Arrays by type, each put after the last; a place is [type, offset, shape]."""

    def __init__(self) -> None:
        self.parts: dict[str, list[np.ndarray]] = {}

    def put(self, array: np.ndarray) -> list[Any]:
        kind = str(array.dtype)
        offset = sum(part.size for part in self.parts.setdefault(kind, []))
        self.parts[kind].append(array.reshape(-1))
        return [kind, offset, list(array.shape)]

    def save(self, path: Path) -> None:
        np.savez_compressed(path, **{kind: np.concatenate(parts) for kind, parts in sorted(self.parts.items())})


def plain(value: tf.compat.v1.AttrValue, store: Store) -> Any:
    """Return an attribute as JSON: a shape as a list with null for a free side, a tensor as its place in the store."""
    kind = value.WhichOneof("value")
    if kind == "list":
        return [plain_item(field.name, item) for field, items in value.list.ListFields() for item in items]
    return (
        {"tensor": store.put(tf.make_ndarray(value.tensor))}
        if kind == "tensor"
        else plain_item(kind, getattr(value, kind))
    )


def plain_item(kind: str, item: Any) -> Any:
    if kind == "type":
        return tf.as_dtype(item).name
    if kind == "shape":
        return None if item.unknown_rank else [None if side.size < 0 else side.size for side in item.dim]
    return item.decode() if kind == "s" else item


def attributes(node: tf.compat.v1.NodeDef, store: Store) -> dict[str, Any]:
    return {name: plain(value, store) for name, value in sorted(node.attr.items()) if not name.startswith("_")}


def call(case: Case, precision: str) -> tuple[list[np.ndarray], list[np.ndarray], tf.compat.v1.NodeDef]:
    """Return the inputs, outputs and node of one operation that TensorFlow ran alone."""
    settings = {name: value for name, value in case.attributes.items() if name != "data_format" or case.op == "BiasAdd"}
    given = [
        [rounded(item, precision) for item in (entry if isinstance(entry, list) else [entry])] for entry in case.inputs
    ]
    names = list(inspect.signature(getattr(tf.raw_ops, case.op)).parameters)[: len(given)]
    with tf.Graph().as_default(), tf.compat.v1.Session(config=as_written()) as session:
        if case.op == "Const":
            outputs: Any = tf.constant(rounded(settings["value"], precision))
        elif case.op == "ReadVariableOp":
            variable = tf.raw_ops.VarHandleOp(dtype=given[0][0].dtype, shape=given[0][0].shape)
            session.run(tf.raw_ops.AssignVariableOp(resource=variable, value=given[0][0]))
            outputs = tf.raw_ops.ReadVariableOp(resource=variable, dtype=given[0][0].dtype)
        else:
            tensors = [[tf.constant(item) for item in entry] for entry in given]
            arguments = {
                name: entry if isinstance(whole, list) else entry[0]
                for name, entry, whole in zip(names, tensors, case.inputs, strict=True)
            }
            outputs = getattr(tf.raw_ops, case.op)(**arguments, **typed(settings, precision))
        outputs = list(outputs) if isinstance(outputs, (list, tuple)) else [outputs]
        if case.op.startswith("FusedBatchNorm"):
            outputs = outputs[:3]  # the rest is for the gradient, and in part never written
        found = session.run(outputs)
        return (
            [item for entry in given for item in entry],
            [np.asarray(output) for output in found],
            outputs[0].op.node_def,
        )


def as_written() -> tf.compat.v1.ConfigProto:
    """Return settings under which TensorFlow runs the operation itself instead of one that it thinks faster."""
    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.disable_meta_optimizer = True
    config.graph_options.optimizer_options.opt_level = tf.compat.v1.OptimizerOptions.L0
    return config


def typed(settings: Mapping[str, Any], precision: str) -> dict[str, Any]:
    """Return the settings as TensorFlow wants them, a float type as the one that the case is computed in."""
    settings = dict(settings)
    for name in {"DstT", "out_type"} & settings.keys():
        settings[name] = tf.as_dtype(precision if settings[name].startswith("float") else settings[name])
    if "shape" in settings:
        settings["shape"] = tf.TensorShape(settings["shape"])
    return settings


def rounded(array: np.ndarray, precision: str) -> np.ndarray:
    return array.astype(precision) if array.dtype.kind == "f" else array


def turned(case: Case, inputs: list[np.ndarray], outputs: list[np.ndarray], found: dict[str, Any]) -> None:
    """Turn what was computed in NHWC into NCHW: images, and attributes that list something for each dimension."""
    for arrays in (inputs, outputs):
        arrays[0] = arrays[0].transpose(0, 3, 1, 2)
    for name in ("strides", "dilations", "ksize"):
        if name in found:
            found[name] = [found[name][dim] for dim in (0, 3, 1, 2)]
    if found.get("explicit_paddings"):
        flat = found["explicit_paddings"]
        found["explicit_paddings"] = [width for dim in (0, 3, 1, 2) for width in flat[2 * dim : 2 * dim + 2]]
    found["data_format"] = "NCHW"


def computed(case: Case, store: Store) -> dict[str, Any]:
    """Return one case as JSON, computed in the best precision that TensorFlow has."""
    try:
        precision, (inputs, outputs, node) = "float64", call(case, "float64")
        if any(output.dtype == np.float32 for output in outputs):
            raise TypeError
    except NO_KERNEL:
        try:
            precision, (inputs, outputs, node) = "float32", call(case, "float32")
        except NO_KERNEL as error:
            raise SystemExit(f"{error}\n{case}") from error
    found = attributes(node, store)
    if case.attributes.get("data_format") == "NCHW" and case.op != "BiasAdd":
        turned(case, inputs, outputs, found)
    return {
        "op": case.op,
        "precision": precision,
        "attributes": found,
        "inputs": [store.put(array) for array in inputs],
        "outputs": [store.put(output) for output in outputs],
    }


def traced(name: str, function: Callable[[tf.Tensor], Any], image: np.ndarray, store: Store) -> dict[str, Any]:
    """Return a whole graph as JSON with what it gives for an image; constants named variable_* become variables."""
    specification = tf.TensorSpec([None, None, None, image.shape[-1]], image.dtype, name="image")
    concrete = tf.function(function, input_signature=[specification]).get_concrete_function()
    output = concrete.outputs[0]
    definition = concrete.graph.as_graph_def()
    return {
        "name": name,
        "precision": str(image.dtype),
        "image": store.put(image),
        "nodes": [written(node, store) for node in definition.node],
        "output": [output.op.name, output.value_index],
        "expected": store.put(np.asarray(concrete(tf.constant(image)))),
    }


def written(node: tf.compat.v1.NodeDef, store: Store) -> dict[str, Any]:
    inputs = [name.rsplit(":", 1) for name in node.input if not name.startswith("^")]
    found, op = attributes(node, store), node.op
    if op == "Const" and node.name.startswith("variable_"):
        op, found = "Variable", {"key": node.name, "stored": found["value"]}
    return {
        "name": node.name,
        "op": op,
        "inputs": [[parts[0], int(parts[1]) if len(parts) > 1 else 0] for parts in inputs],
        "attributes": found,
    }


def main(folder: Path) -> None:
    store = Store()
    stored = [computed(case, store) for case in cases()]
    graphs = [traced(name, function, image, store) for name, function, image in GRAPHS()]
    folder.mkdir(exist_ok=True)
    written_out = {"tensorflow": tf.__version__, "cases": stored, "graphs": graphs}
    text = json.dumps(written_out, separators=(",", ":")).replace('{"op"', '\n{"op"').replace('{"name"', '\n{"name"')
    (folder / "operations.json").write_text(text + "\n", encoding="utf-8")
    store.save(folder / "operations.npz")
    print(len(stored), "cases,", len(graphs), "graphs,", Counter(case["precision"] for case in stored))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "operations")
