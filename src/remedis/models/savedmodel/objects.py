"""A SavedModel's objects: which variable a captured input is, and which functions take images.

Source: tensorflow/core/protobuf/saved_object_graph.proto and trackable_object_graph.proto;
tensorflow/python/saved_model/load.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tensorboard.compat.proto.trackable_object_graph_pb2 import TrackableObjectGraph

from remedis.models.savedmodel.bundle import Bundle
from remedis.models.savedmodel.messages import dtype_name, shape_of

GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
NUMBERS = ("float32", "float64", "float16", "bfloat16", "uint8", "int32")


@dataclass(frozen=True)
class Argument:
    """One tensor that a function takes.

    Attributes:
        name: As the caller names it.
        dtype: TensorFlow's name.
        shape: None for a free side, None altogether for a free rank.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None

    @property
    def may_be_images(self) -> bool:
        """Whether numbers of rank 4 may be given."""
        return self.dtype in NUMBERS and (self.shape is None or len(self.shape) == 4)


@dataclass(frozen=True)
class Concrete:
    """One concrete function that can be called with images.

    Attributes:
        name: In the function library.
        origin: `__call__`, or `signature serving_default`.
        image: The tensor argument that is the images.
        flags: Its other arguments, in order with `image` as None: tensors of booleans.
        outputs: The keys of its outputs, in order.
        captured: Nodes of the object graph, bound to the arguments that follow.
        training: Whether one of its Python arguments says True.
    """

    name: str
    origin: str
    image: Argument
    arguments: tuple[Argument, ...]
    outputs: tuple[str, ...]
    captured: tuple[int, ...]
    training: bool


def variable_keys(objects: Any, bundle: Bundle) -> dict[int, str]:
    """Return the bundle's key of each variable, by its node in the object graph.

    The numbers of nodes differ between the SavedModel's object graph and the checkpoint's: both are walked from their
    roots along the same names, as TensorFlow's loader does.
    """
    stored = TrackableObjectGraph.FromString(bundle.read_string(GRAPH_KEY))
    twin = {0: 0}
    queue = [0]
    for number in queue:
        theirs = {child.local_name: child.node_id for child in stored.nodes[twin[number]].children}
        for child in objects.nodes[number].children:
            other = theirs.get(child.local_name)
            if other is not None and child.node_id not in twin and other < len(stored.nodes):
                twin[child.node_id] = other
                queue.append(child.node_id)
    keys = {}
    for number, other in twin.items():
        for attribute in stored.nodes[other].attributes:
            if attribute.name == "VARIABLE_VALUE":
                keys[number] = attribute.checkpoint_key
    return keys


def callables(objects: Any, library: Any) -> list[Concrete]:
    """Return the functions that take images, the one that a caller of the folder gets first.

    First `__call__`, then the signatures, `serving_default` before others; of each those that do not train first.
    """
    found = [
        made
        for origin, names in _functions(objects)
        for name in names
        if (made := _callable(origin, name, objects, library)) is not None
    ]
    return sorted(found, key=lambda one: (one.origin != "__call__", one.training))


def _functions(objects: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield where functions hang and their concrete functions' names."""
    if not objects.nodes:
        return
    for child in objects.nodes[0].children:
        node = objects.nodes[child.node_id]
        if child.local_name == "__call__":
            yield "__call__", _names(node)
        elif child.local_name == "signatures":
            signatures = sorted(node.children, key=lambda one: one.local_name != "serving_default")
            for signature in signatures:
                yield f"signature {signature.local_name}", _names(objects.nodes[signature.node_id])
    for child in objects.nodes[0].children:
        node = objects.nodes[child.node_id]
        if child.local_name not in ("__call__", "signatures") and node.WhichOneof("kind") == "function":
            yield child.local_name, _names(node)


def _names(node: Any) -> list[str]:
    kind = node.WhichOneof("kind")
    if kind == "function":
        return list(node.function.concrete_functions)
    return [node.bare_concrete_function.concrete_function_name] if kind == "bare_concrete_function" else []


def _callable(origin: str, name: str, objects: Any, library: Any) -> Concrete | None:
    concrete, function = objects.concrete_functions.get(name), library.get(name)
    if concrete is None or function is None:
        return None
    captured = tuple(concrete.bound_inputs)
    tensors, plain = [], []
    for path, leaf in _leaves(concrete.canonicalized_input_signature, ""):
        if leaf.WhichOneof("kind") in ("tensor_spec_value", "bounded_tensor_spec_value"):
            spec = getattr(leaf, leaf.WhichOneof("kind"))
            tensors.append(Argument(spec.name or path, dtype_name(spec.dtype), shape_of(spec.shape)))
        else:
            plain.append(leaf)
    images = [argument for argument in tensors if argument.may_be_images]
    others = [argument for argument in tensors if not argument.may_be_images]
    fits = len(tensors) + len(captured) == len(function.signature.input_arg)
    if len(images) != 1 or not fits or any(argument.dtype != "bool" for argument in others):
        return None
    training = any(leaf.WhichOneof("kind") == "bool_value" and leaf.bool_value for leaf in plain)
    outputs = tuple(path or "output" for path, _ in _leaves(concrete.output_signature, ""))
    return Concrete(name, origin, images[0], tuple(tensors), outputs, captured, training)


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield what a StructuredValue holds, with the path to it, in the order that TensorFlow flattens it to."""
    kind = value.WhichOneof("kind")
    below = f"{path}/" if path else ""
    if kind in ("tuple_value", "list_value"):
        for number, item in enumerate(getattr(value, kind).values):
            yield from _leaves(item, f"{below}{number}")
    elif kind == "dict_value":
        for key in sorted(value.dict_value.fields):
            yield from _leaves(value.dict_value.fields[key], below + key)
    elif kind == "named_tuple_value":
        for pair in value.named_tuple_value.values:
            yield from _leaves(pair.value, below + pair.key)
    elif kind not in (None, "none_value"):
        yield path, value
