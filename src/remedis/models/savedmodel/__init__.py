"""TensorFlow's SavedModels, read from their files without TensorFlow: what can be called, and the variables.

    saved = open_savedmodel(Path("cxr-50x1-remedis-m"))
    graph = saved.graphs[0]              # a flat Graph from images to outputs
    kernel = saved.bundle.read(key)      # of a node of op Variable, by its attribute `key`

Reads what TensorFlow 2 writes (`tf.saved_model.save`: an object graph, functions, variables by the object that holds
them) and what TensorFlow 1 wrote (a hub module or a simple SavedModel: one graph, signatures, variables by name).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from remedis.data.files import sha256
from remedis.errors import ConvertError
from remedis.models.dataflow import Graph, Node, Ref
from remedis.models.savedmodel.bundle import Bundle
from remedis.models.savedmodel.flatten import Flattener, attributes_of, needed
from remedis.models.savedmodel.messages import dtype_name, message, shape_of
from remedis.models.savedmodel.objects import Concrete, callables, variable_keys

FILE = "saved_model.pb"
INDEX = Path("variables") / "variables.index"
LARGEST = (1 << 31) - 1  # bytes; protobuf's own limit
IMAGES = "@images"  # no name of TensorFlow begins so
VARIABLES = ("VarHandleOp", "VariableV2", "Variable")


@dataclass(frozen=True)
class Way:
    """One way of calling a SavedModel with images.

    Attributes:
        origin: `__call__`, `signature default` …
        read: Makes the graph; what is not asked for costs nothing.
    """

    origin: str
    read: Callable[[], Graph]


@dataclass(frozen=True)
class SavedModel:
    """An opened folder.

    Attributes:
        folder: Where it lies.
        kind: `TensorFlow 2 SavedModel` or `TensorFlow 1 module`.
        version: Of the TensorFlow that wrote it, where the file says.
        tags: Of the graph that was taken, of several in the file.
        ways: The ways of calling it with images, the usual one first; at least one.
        bundle: Its variables.
    """

    folder: Path
    kind: str
    version: str
    tags: tuple[str, ...]
    ways: tuple[Way, ...]
    bundle: Bundle

    def hashes(self) -> dict[str, str]:
        """Return the SHA-256 of each file by its path in the folder."""
        paths = [self.folder / FILE, *self.bundle.paths]
        return {path.relative_to(self.folder).as_posix(): sha256(path) for path in paths}


def is_savedmodel(folder: Path) -> bool:
    """Return whether a folder claims to be one."""
    return (folder / FILE).is_file()


def open_savedmodel(folder: Path) -> SavedModel:
    """Return what a folder with saved_model.pb and variables/ holds.

    Raises:
        ConvertError: A file is missing, cut off or damaged, or nothing in it takes images.
    """
    path = folder / FILE
    if not path.is_file():
        raise ConvertError(f"holds no {FILE}; a SavedModel's folder was expected", where=folder)
    if path.stat().st_size > LARGEST:
        raise ConvertError(f"has {path.stat().st_size:,} bytes, at most {LARGEST:,} were expected", where=path)
    try:
        graphs = list(message("SavedModel").FromString(path.read_bytes()).meta_graphs)
    except DecodeError as error:
        raise ConvertError("is no SavedModel: it is damaged or cut off, get it again", where=path) from error
    if not graphs:
        raise ConvertError("holds no graph: it is damaged or cut off, get it again", where=path)
    bundle = Bundle(folder / INDEX)
    meta = min(graphs, key=lambda one: "train" in one.meta_info_def.tags)
    try:
        objects = meta.object_graph_def
        ways = _ways_of_objects(meta, bundle) if objects.nodes else _ways_of_signatures(meta)
    except (KeyError, IndexError, DecodeError) as error:
        raise ConvertError(f"its objects do not fit together ({error}); get it again", where=path) from error
    if not ways:
        raise ConvertError("nothing in it takes one tensor of images (N, H, W, C)", where=path)
    kind = "TensorFlow 2 SavedModel" if meta.object_graph_def.nodes else "TensorFlow 1 module"
    info = meta.meta_info_def
    return SavedModel(folder, kind, info.tensorflow_version, tuple(info.tags), tuple(ways), bundle)


def _ways_of_objects(meta: Any, bundle: Bundle) -> list[Way]:
    objects = meta.object_graph_def
    library = {function.signature.name: function for function in meta.graph_def.library.function}
    keys = variable_keys(objects, bundle)
    constants = {node.name: node for node in meta.graph_def.node if node.op == "Const"}

    def way(one: Concrete) -> Way:
        return Way(one.origin, lambda: _graph_of(one, objects, library, keys, constants))

    return [way(one) for one in callables(objects, library)]


def _graph_of(one: Concrete, objects: Any, library: Any, keys: dict[int, str], constants: dict[str, Any]) -> Graph:
    flat = Flattener(library)
    arguments = []
    for argument in one.arguments:
        if argument is one.image:
            image = flat.add(Node(IMAGES, "Placeholder", (), {"dtype": argument.dtype}))
            arguments.append(image)
        else:  # a tensor that says whether to train
            arguments.append(flat.add(Node(f"@argument/{argument.name}", "Const", (), {"value": np.array(False)})))
    for number in one.captured:
        arguments.append(_captured(flat, number, objects.nodes[number], keys, constants))
    outputs = flat.call(one.name, arguments)
    named = dict(zip(one.outputs, outputs.values(), strict=False)) if len(one.outputs) == len(outputs) else outputs
    shape = one.image.shape if one.image.shape is not None else (None, None, None, None)
    return Graph(IMAGES, shape, flat.nodes, named)


def _captured(flat: Flattener, number: int, node: Any, keys: dict[int, str], constants: dict[str, Any]) -> Ref:
    """Return what stands for an object that a function has captured."""
    kind = node.WhichOneof("kind")
    name = f"@captured/{number}"
    if name in flat.nodes:
        return Ref(name)
    if kind == "variable" and number in keys:
        return flat.add(Node(name, "Variable", (), {"key": keys[number], "name": node.variable.name}))
    if kind == "constant" and node.constant.operation in constants:
        return flat.add(Node(name, "Const", (), attributes_of(constants[node.constant.operation])))
    return flat.add(Node(name, f"a captured {kind}"))  # refused by the executor, if an output needs it


def _ways_of_signatures(meta: Any) -> list[Way]:
    """Return the ways of a graph with signatures, `default` and `serving_default` first."""
    order = {"default": 0, "serving_default": 1}
    names = sorted(meta.signature_def, key=lambda name: (order.get(name, 2), name))
    ways = []
    for name in names:
        inputs = list(meta.signature_def[name].inputs.values())
        shape = shape_of(inputs[0].tensor_shape) if len(inputs) == 1 else ()
        if shape is None or len(shape) == 4:
            ways.append(_way_of_signature(meta, name, inputs[0], shape))
    return ways


def _way_of_signature(meta: Any, name: str, images: Any, shape: tuple[int | None, ...] | None) -> Way:
    def read() -> Graph:
        flat = Flattener({function.signature.name: function for function in meta.graph_def.library.function})
        placeholder = images.name.split(":")[0]
        replaced = {placeholder: flat.add(Node(IMAGES, "Placeholder", (), {"dtype": dtype_name(images.dtype)}))}
        for node in meta.graph_def.node:
            if node.op in VARIABLES:
                key = node.attr["shared_name"].s.decode() if node.op == "VarHandleOp" else node.name
                variable = Node(f"@captured/{node.name}", "Variable", (), {"key": key or node.name, "name": node.name})
                replaced[node.name] = flat.add(variable)
        outputs_of = [output.name for output in meta.signature_def[name].outputs.values()]
        resolve = flat.graph(needed(meta.graph_def.node, outputs_of), replaced)
        outputs = {key: resolve(meta.signature_def[name].outputs[key].name) for key in meta.signature_def[name].outputs}
        return Graph(IMAGES, shape or (None, None, None, None), flat.nodes, dict(sorted(outputs.items())))

    return Way(f"signature {name}", read)
