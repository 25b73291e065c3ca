"""What flows where in a graph: which convolutions stand right before each node, and which variables enter it.

Names say nothing here. A variable is known by what it does: it is the kernel of a convolution, or it enters the image's
way between convolutions, as a scale, an offset, a mean or a variance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from remedis.models.dataflow import Graph, Node, Ref

CONVOLUTIONS = ("Conv2D",)
SHAPES = ("Shape", "ShapeN", "Size", "Rank")  # of an image, not its pixels
CARRIERS = (
    "ReadVariableOp", "Identity", "Cast", "Reshape", "ExpandDims", "Squeeze", "Transpose", "BroadcastTo",
    "StopGradient", "EnsureShape", "Tile",
)  # fmt: skip
"""Operations that hand a variable's numbers on unchanged."""

Site = frozenset[str]
"""The convolutions right before a place: those that reach it without passing another one."""


@dataclass(frozen=True)
class Convolution:
    """One convolution of the image's way.

    Attributes:
        node: Its node.
        kernel: The node of its kernel: a Variable or a Const; None where there is not exactly one.
        kernel_shape: (h, w, in, out).
        before: The convolutions right before it.
        prepared: Whether the kernel is changed on its way, as standardising does.
    """

    node: Node
    kernel: str | None
    before: Site
    prepared: bool


@dataclass(frozen=True)
class Entering:
    """A variable that enters the image's way elsewhere than in a convolution.

    Attributes:
        source: The node of the variable or constant.
        site: The convolutions right before that place.
        role: `scale`, `offset`, `mean`, `variance`, or `unknown`.
    """

    source: str
    site: Site
    role: str


@dataclass
class Flow:
    """A graph followed from the image to one output.

    Args:
        graph: The graph.
        output: What is followed to; nothing else counts.
        shapes: The shape of each variable by its node's name.
    """

    graph: Graph
    output: Ref
    shapes: Mapping[str, tuple[int, ...]]
    nodes: list[Node] = field(init=False)

    def __post_init__(self) -> None:
        """Keep the nodes that the output needs."""
        self.nodes = self.graph.needed_for((self.output,))

    @cached_property
    def by_name(self) -> dict[str, Node]:
        """The nodes by name."""
        return {node.name: node for node in self.nodes}

    @cached_property
    def consumers(self) -> dict[str, list[Node]]:
        """The nodes that take an output of each."""
        found: dict[str, list[Node]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for name in dict.fromkeys(ref.node for ref in node.inputs):
                found[name].append(node)
        return found

    @cached_property
    def from_image(self) -> set[str]:
        """The nodes whose values depend on the image's pixels."""
        found = {self.graph.image}
        for node in self.nodes:
            if node.op not in SHAPES and any(ref.node in found for ref in node.inputs):
                found.add(node.name)
        return found

    @cached_property
    def sources(self) -> dict[str, frozenset[str]]:
        """For each node beside the image's way, the variables and large constants it is computed from."""
        found: dict[str, frozenset[str]] = {}
        for node in self.nodes:
            if node.name in self.from_image:
                continue
            own = frozenset([node.name]) if node.name in self.shapes else frozenset()
            found[node.name] = own.union(*(found.get(ref.node, frozenset()) for ref in node.inputs))
        return found

    @cached_property
    def sites(self) -> dict[str, Site]:
        """For each node on the image's way, the convolutions right before it (a convolution's own: itself)."""
        found: dict[str, Site] = {}
        for node in self.nodes:
            if node.name not in self.from_image:
                continue
            if node.op in CONVOLUTIONS:
                found[node.name] = frozenset([node.name])
            else:
                found[node.name] = self._before(node, found)
        return found

    def _before(self, node: Node, sites: Mapping[str, Site]) -> Site:
        empty: Site = frozenset()
        return empty.union(*(sites[ref.node] for ref in node.inputs if ref.node in self.from_image))

    @cached_property
    def convolutions(self) -> list[Convolution]:
        """The convolutions on the image's way, in an order of execution."""
        found = []
        for node in self.nodes:
            if node.op in CONVOLUTIONS and node.name in self.from_image:
                image, kernel = node.inputs[0], node.inputs[1]
                sources = [one for one in self.sources.get(kernel.node, ()) if len(self.shapes[one]) == 4]
                lone = sources[0] if len(sources) == 1 else None
                before = self.sites.get(image.node, frozenset())
                found.append(Convolution(node, lone, before, self._is_prepared(kernel, lone)))
        return found

    def _is_prepared(self, kernel: Ref, source: str | None) -> bool:
        name = kernel.node
        while name != source and self.by_name[name].op in CARRIERS:
            name = self.by_name[name].inputs[0].node
        return name != source

    @cached_property
    def entering(self) -> list[Entering]:
        """The variables and large constants that enter the image's way, kernels left out."""
        places: dict[str, set[Site]] = {}
        for node in self.nodes:
            if node.name not in self.from_image or node.op in CONVOLUTIONS:
                continue
            for ref in node.inputs:
                for source in self.sources.get(ref.node, ()):
                    places.setdefault(source, set()).add(self._before(node, self.sites))
        return [
            Entering(source, site, self._role(source))
            for source, found in places.items()
            for site in sorted(found, key=sorted)
        ]

    def _role(self, source: str) -> str:
        """Return what the first operations do with a variable's numbers."""
        roles = {self._role_in(node, name) for node, name in self._first_uses(source)}
        return roles.pop() if len(roles) == 1 else "unknown"

    def _first_uses(self, source: str) -> list[tuple[Node, str]]:
        """Return the first nodes that change a variable's numbers, and through which node they get them."""
        found, queue = [], [source]
        while queue:
            name = queue.pop()
            for node in self.consumers[name]:
                if node.op in CARRIERS:
                    queue.append(node.name)
                else:
                    found.append((node, name))
        return found

    def _role_in(self, node: Node, name: str) -> str:
        position = [ref.node for ref in node.inputs].index(name)
        if node.op.startswith("FusedBatchNorm"):
            return ("", "scale", "offset", "mean", "variance")[position]
        following = {one.op for one in self.consumers[node.name]}
        if node.op in ("Mul", "RealDiv"):
            subtracted = following == {"Sub"} and all(
                one.inputs[1].node == node.name for one in self.consumers[node.name]
            )
            return "mean" if subtracted or following == {"Neg"} else "scale"
        if node.op in ("Add", "AddV2", "BiasAdd"):
            return "variance" if following <= {"Rsqrt", "Sqrt", "Pow"} and following else "offset"
        if node.op == "Sub":
            return "offset" if position == 0 else "mean"
        return "unknown"

    def scalars(self, names: set[str]) -> set[float]:
        """Return the small positive numbers (below 0.01) that nodes are computed from or given: possible eps."""
        found: set[float] = set()
        for node in self.nodes:
            if node.name not in names:
                continue
            if node.op.startswith("FusedBatchNorm"):
                found.add(float(node.attributes.get("epsilon", 1e-4)))
            if node.op == "Const":
                value = np.asarray(node.attributes["value"])
                if value.dtype.kind == "f" and value.size == 1 and 0 < float(value.reshape(())) < 0.01:
                    found.add(float(value.reshape(())))
        return found
