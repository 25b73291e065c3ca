"""A SavedModel as a network that can be run: which function, which output, and what its stages are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from remedis.errors import ConvertError, nearest
from remedis.models.convert.flow import Flow, Site
from remedis.models.convert.layers import Layers, find_layers
from remedis.models.dataflow import Graph, Node, Ref
from remedis.models.graph import refuse_unknown, run
from remedis.models.resnet import BASIC
from remedis.models.savedmodel import SavedModel, Way

PREFERRED = ("default", "embedding", "pre_logits", "features", "final_avg_pool", "output_0", "output")
POOLS = ("Mean", "AvgPool", "Sum", "Einsum")
AFTER_POOLS = (
    "Identity",
    "IdentityN",
    "Reshape",
    "Squeeze",
    "ExpandDims",
    "Cast",
    "StopGradient",
    "EnsureShape",
    "Transpose",
)
DIVISIONS = ("RealDiv", "Mul")  # of a sum by its count
BEFORE_STEM = ("Pad", "PadV2", "Identity", "EnsureShape", "Transpose")
LARGE = 256  # px
LARGE_CONSTANT = 16  # numbers; fewer are axes, shapes and eps


@dataclass(frozen=True)
class Found:
    """The network in a SavedModel.

    Attributes:
        way: How it is called.
        graph: What that computes.
        output: The key of the output that was taken.
        flow: The way from the image to it.
        layers: Which variable is which layer.
    """

    way: Way
    graph: Graph
    output: str
    flow: Flow
    layers: Layers


def find_network(saved: SavedModel, output: str | None = None) -> Found:
    """Return the network that a SavedModel computes, called the usual way.

    Of several outputs the first of `default`, `embedding`, `pre_logits`, `features`, `final_avg_pool` is taken that a
    network of ours gives, else the one that comes last in the computation.

    Args:
        saved: The opened folder.
        output: The key of the output to take.

    Raises:
        ConvertError: No output is a whole network of ours, or there is no output of this key.
    """
    reasons: list[tuple[int, ConvertError]] = []
    keys: list[str] = []
    for way in saved.ways:
        graph = way.read()
        keys += graph.outputs
        chosen = {key: ref for key, ref in graph.outputs.items() if output in (None, key)}
        found = list(_networks(saved, way, graph, chosen, reasons))
        if found:
            return min(found, key=lambda one: _order(one.output, graph))
    if output is not None and output not in keys:
        raise ConvertError(f"it has no output {output!r}, {nearest(output, keys)}", where=saved.folder)
    raise _deepest(reasons, saved)


def _networks(
    saved: SavedModel, way: Way, graph: Graph, outputs: Mapping[str, Ref], reasons: list[tuple[int, ConvertError]]
) -> Iterator[Found]:
    shapes = dict(_sizes(saved, graph))
    for key, ref in outputs.items():
        try:
            refuse_unknown(graph, [ref])
            flow = Flow(graph, ref, shapes)
            yield Found(way, graph, key, flow, find_layers(flow))
        except ConvertError as error:
            reasons.append((len(graph.needed_for((ref,))), error))


def _sizes(saved: SavedModel, graph: Graph) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yield the shapes of variables and of constants as large as weights."""
    for node in graph.nodes.values():
        if node.op == "Variable" and node.attributes["key"] in saved.bundle.entries:
            yield node.name, saved.bundle.entries[node.attributes["key"]].shape
        elif node.op == "Const":
            value = np.asarray(node.attributes["value"])
            if value.dtype.kind == "f" and value.size >= LARGE_CONSTANT:
                yield node.name, value.shape


def _order(key: str, graph: Graph) -> tuple[int, int]:
    last = key.rsplit("/", 1)[-1]
    preference = PREFERRED.index(last) if last in PREFERRED else len(PREFERRED)
    return preference, -list(graph.nodes).index(graph.outputs[key].node)


def _deepest(reasons: list[tuple[int, ConvertError]], saved: SavedModel) -> ConvertError:
    """Return the reason to tell: the outputs of single blocks fail too, that of the longest computation says most."""
    reason = max(reasons, key=lambda one: one[0])[1] if reasons else "it has no output"
    return ConvertError(f"cannot be converted: {reason}", where=saved.folder)


class Original:
    """The stored graph of a SavedModel, executed in torch: the witness of a conversion.

    Args:
        saved: The opened folder.
        found: The network in it.
    """

    name = "the stored graph, executed operation by operation in torch"

    def __init__(self, saved: SavedModel, found: Found) -> None:
        self.saved, self.found = saved, found
        self.output = found.graph.outputs[found.output]
        self.map_ref, self.pools = _before_pool(found.flow, self.output)
        self.channels_last = _channels_last(found.graph.shape)

    @property
    def halves(self) -> bool:
        """Whether the image goes through half precision, which is not rounded here."""
        flow = self.found.flow
        types = [
            node.attributes.get("DstT" if node.op == "Cast" else "T")
            for node in flow.nodes
            if node.name in flow.from_image
        ]
        return any(type_ in ("float16", "bfloat16") for type_ in types)

    @property
    def size(self) -> int | None:
        """The side of the square that it takes, None where that is free.

        Raises:
            ConvertError: It takes oblongs only.
        """
        shape = self.found.graph.shape
        sides = {side for side in (shape[1:3] if self.channels_last else shape[2:4]) if side is not None}
        if len(sides) > 1:
            raise ConvertError(f"it takes images of {sides} px only, squares were expected", where=self.saved.folder)
        return sides.pop() if sides else None

    def value(self, node_name: str) -> np.ndarray[Any, Any]:
        """Return the numbers of a Variable or Const."""
        node = self.found.graph.nodes[node_name]
        return (
            np.asarray(node.attributes["value"])
            if node.op == "Const"
            else self.saved.bundle.read(node.attributes["key"])
        )

    def evaluate(self, images: Tensor, refs: Mapping[str, Ref], dtype: torch.dtype) -> dict[str, Tensor]:
        """Return values in the graph for images; large ones one at a time, to hold memory down.

        Args:
            images: (N, 3, H, W) as the original takes them.
            refs: Which values, by a name for each.
            dtype: The precision.

        Returns:
            Each by its name, images along the first axis, TensorFlow's layout.
        """
        wanted, read = list(refs.values()), self.saved.bundle.read
        together = self.found.graph.shape[0] is None and images.shape[-1] <= LARGE
        step = len(images) if together else 1
        fixed = self.found.graph.shape[0] or step
        rows = []
        for batch in torch.split(self.laid_out(images), step):
            repeated = batch if len(batch) == fixed or together else batch.repeat(fixed, 1, 1, 1)
            values = run(self.found.graph, repeated, read, wanted, dtype=dtype)
            rows.append({ref: value[: len(batch)] for ref, value in values.items()})
        return {name: torch.cat([row[ref] for row in rows]) for name, ref in refs.items()}

    def laid_out(self, images: Tensor) -> Tensor:
        """Return images (N, 3, H, W) with their axes as the original takes them."""
        return images.permute(0, 2, 3, 1) if self.channels_last else images

    def channels_first(self, value: Tensor, name: str = "map") -> Tensor:
        """Return the map or a stage's output as (N, C, h, w), whichever layout the graph has."""
        inside_last = self.found.layers.first.node.attributes.get("data_format", "NHWC") == "NHWC"
        return _channels_first(value, self.width(name), inside_last=inside_last)

    def outputs(self, images: Tensor, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return `embedding`, `map`, and those of `stem`, `stage1` … `stage4` that the graph shows, channels first."""
        values = self.evaluate(images, {"output": self.output, "map": self.map_ref, **self.stages()}, dtype)
        output = values.pop("output")
        maps = {name: self.channels_first(value, name) for name, value in values.items()}
        embedding = output.reshape(len(images), -1) if self.pools else maps["map"].mean(dim=(2, 3))
        return {**maps, "embedding": embedding}

    def width(self, name: str) -> int:
        """Return the channels of a stage's output or of the `map`."""
        network = self.found.layers.architecture
        if name == "stem":
            return 64 * network.factor
        number = 4 if name == "map" else int(name.removeprefix("stage"))
        expansion = 1 if network.depth in BASIC else 4
        return int(64 * expansion * network.factor * 2 ** (number - 1))

    def stages(self) -> dict[str, Ref]:
        """Return where the graph shows the outputs of the stem and of the stages."""
        layers, flow = self.found.layers, self.found.flow
        found = {
            "stem": _last(flow, layers.stem, ("MaxPool", "Relu") if layers.architecture.small_stem else ("MaxPool",))
        }
        for number, site in enumerate(layers.stages, start=1):
            found[f"stage{number}"] = _sum(flow, site, then_relu=layers.architecture.family == "resnet")
        return {name: ref for name, ref in found.items() if ref is not None}

    def prepared_image(self) -> Ref:
        """Return what the first convolution sees, before its border."""
        ref = self.found.layers.first.node.inputs[0]
        while self.found.flow.by_name[ref.node].op in BEFORE_STEM:
            ref = self.found.flow.by_name[ref.node].inputs[0]
        return ref


def _channels_last(shape: tuple[int | None, ...]) -> bool:
    return not (shape[1] == 3 and shape[3] != 3)


def _channels_first(value: Tensor, width: int, *, inside_last: bool) -> Tensor:
    """Return a map of either layout as (N, width, h, w); `inside_last` decides where both would fit."""
    if value.ndim != 4 or width not in (value.shape[1], value.shape[3]):
        raise ConvertError(f"a map of shape {tuple(value.shape)}, {width} channels were expected")
    last = inside_last if value.shape[1] == value.shape[3] else value.shape[3] == width
    return value.permute(0, 3, 1, 2) if last else value


def _before_pool(flow: Flow, output: Ref) -> tuple[Ref, bool]:
    """Return the map, and whether the output is a pool of it."""
    ref, found, pools = output, output, False
    while (node := flow.by_name[ref.node]).op in (*POOLS, *AFTER_POOLS, *DIVISIONS):
        from_image = [one for one in node.inputs if one.node in flow.from_image]
        if len(from_image) != 1:
            break
        pools |= node.op in POOLS
        ref = from_image[0]
        if node.op in POOLS:
            found = ref
    return (found, True) if pools else (output, False)


def _last(flow: Flow, site: Site, ops: tuple[str, ...]) -> Ref | None:
    """Return the last node of these operations right after a site."""
    fitting = [node for node in flow.nodes if node.op in ops and flow.sites.get(node.name) == site]
    return Ref(fitting[-1].name) if fitting else None


def _sum(flow: Flow, site: Site, *, then_relu: bool) -> Ref | None:
    """Return the node that sums a unit's main path and its shortcut."""
    for node in flow.nodes:
        inputs = [ref.node for ref in node.inputs if ref.node in flow.from_image]
        if node.op not in ("Add", "AddV2", "AddN") or len(inputs) != 2 or flow.sites.get(node.name) != site:
            continue
        if flow.sites[inputs[0]] == flow.sites[inputs[1]]:
            continue  # not a shortcut: both come from one place
        following: list[Node] = [one for one in flow.consumers[node.name] if one.op == "Relu"]
        return Ref(following[0].name) if then_relu and following else Ref(node.name)
    return None
