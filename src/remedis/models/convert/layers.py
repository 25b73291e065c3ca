"""Which variable is which layer: a graph's convolutions matched with a network's, from the image on.

In every network of ours the convolutions right before a place tell the place. In a residual network the ones right
before a unit are those whose outputs its input sums: the last convolution of each unit of the stage so far, and the
projection that the stage began with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from remedis.errors import ConvertError
from remedis.models import bit, resnet
from remedis.models.architectures import Architecture
from remedis.models.convert.flow import Convolution, Entering, Flow, Site

BIT_ROLES = {"scale": "weight", "offset": "bias"}
BATCH_ROLES = {"scale": "weight", "offset": "bias", "mean": "running_mean", "variance": "running_var"}
NOTHING_ELSE = "BiT ResNet-v2 and SimCLR's ResNet-v1 are known, and nothing else"


@dataclass(frozen=True)
class Unit:
    """One residual unit: the convolutions of its main path, and the shortcut's where it projects.

    Attributes:
        before: The site of its input.
        main: Two or three convolutions.
        projection: The shortcut's convolution.
        after: The site of its output.
    """

    before: Site
    main: tuple[Convolution, ...]
    projection: Convolution | None
    after: Site


@dataclass(frozen=True)
class Layers:
    """A network found in a graph.

    Attributes:
        architecture: Its name.
        sources: The graph's node (Variable or Const) for each of our parameters' names.
        stem: The site of the stem's output.
        stages: The site of each stage's output.
        first: The first convolution.
        prepared: Whether kernels are changed on their way (standardised).
        final_norm: Whether a norm comes after the last stage.
    """

    architecture: Architecture
    sources: dict[str, str]
    stem: Site
    stages: tuple[Site, ...]
    first: Convolution
    prepared: bool
    final_norm: bool


def find_layers(flow: Flow) -> Layers:
    """Return the network that a graph computes.

    Raises:
        ConvertError: It is none of ours; says what does not fit.
    """
    stem, units = _units(flow.convolutions)
    stages = _stages(units)
    norms = _norms(flow)
    roles = set(norms.get(frozenset([stem.node.name]), {}))
    if len(roles) == len(BATCH_ROLES):
        return _resnet(flow, stem, stages, norms)
    if len(roles) == len(BIT_ROLES):
        return _bit(flow, stem, stages, norms)
    found = ", ".join(sorted(roles)) or "nothing"
    raise ConvertError(
        f"after its first convolution come the variables {found}, a norm's were expected; {NOTHING_ELSE}"
    )


def _units(convolutions: Sequence[Convolution]) -> tuple[Convolution, list[Unit]]:
    """Return the stem and the residual units, in order."""
    by_site: dict[Site, list[Convolution]] = {}
    for one in convolutions:
        by_site.setdefault(one.before, []).append(one)
    first = by_site.pop(frozenset(), [])
    if len(first) != 1:
        raise ConvertError(f"{len(first)} convolutions see the image, one was expected; {NOTHING_ELSE}")
    units: list[Unit] = []
    site: Site = frozenset([first[0].node.name])
    while site in by_site:
        units.append(_unit(site, by_site))
        site = units[-1].after
    if by_site:
        left = sum(len(group) for group in by_site.values())
        raise ConvertError(
            f"{left} of its {len(convolutions)} convolutions stand where no residual unit has one (the first: "
            f"{next(iter(by_site.values()))[0].node.name!r}); {NOTHING_ELSE}"
        )
    return first[0], units


def _unit(site: Site, by_site: dict[Site, list[Convolution]]) -> Unit:
    """Take one unit's convolutions out of `by_site`."""
    group = by_site.pop(site)
    begin = [one for one in group if frozenset([one.node.name]) in by_site]
    rest = [one for one in group if one not in begin]
    if len(begin) != 1 or len(rest) > 1:
        raise ConvertError(f"{len(group)} convolutions begin at {group[0].node.name!r}, a unit has one or two there")
    main = begin
    while (following := frozenset([main[-1].node.name])) in by_site and len(main) < 3:
        steps = by_site.pop(following)
        if len(steps) != 1:
            raise ConvertError(
                f"{len(steps)} convolutions follow {main[-1].node.name!r}, one was expected; {NOTHING_ELSE}"
            )
        main += steps
    projection = rest[0] if rest else None
    last = frozenset([main[-1].node.name])
    after = last | ({projection.node.name} if projection else site)
    return Unit(site, tuple(main), projection, after)


def _stages(units: Sequence[Unit]) -> list[list[Unit]]:
    """Return the units by stage: each stage begins with a unit that projects."""
    stages: list[list[Unit]] = []
    for unit in units:
        if unit.projection is not None:
            stages.append([])
        if not stages:
            raise ConvertError(f"its first unit has a shortcut that does not project; {NOTHING_ELSE}")
        stages[-1].append(unit)
    return stages


def _norms(flow: Flow) -> dict[Site, dict[str, Entering]]:
    """Return the variables that enter the image's way, by place and role."""
    norms: dict[Site, dict[str, Entering]] = {}
    for one in flow.entering:
        found = norms.setdefault(one.site, {})
        if one.role in found:
            raise ConvertError(f"it uses {_name(flow, one)!r} where no layer of a known network has it; {NOTHING_ELSE}")
        found[one.role] = one
    return norms


def _name(flow: Flow, one: Entering) -> str:
    attributes = flow.by_name[one.source].attributes
    return str(attributes.get("name") or attributes.get("key") or one.source)


def _bit(flow: Flow, stem: Convolution, stages: list[list[Unit]], norms: dict[Site, dict[str, Entering]]) -> Layers:
    table = Table(flow, norms, BIT_ROLES)
    table.kernel("stem.conv", stem)
    for s, stage in enumerate(stages):
        for u, unit in enumerate(stage):
            name = f"stages.{s}.blocks.{u}"
            places = [unit.before, *(frozenset([one.node.name]) for one in unit.main[:-1])]
            for number, (one, place) in enumerate(zip(unit.main, places, strict=True), start=1):
                table.norm(f"{name}.norm{number}", place)
                table.kernel(f"{name}.conv{number}", one)
            if unit.projection is not None:
                table.kernel(f"{name}.downsample.conv", unit.projection)
    end = stages[-1][-1].after if stages else frozenset()
    final_norm = end in norms
    if final_norm:
        table.norm("norm", end)
    table.refuse_left()
    network = _architecture("bit", flow, stem, stages, bit.UNITS)
    return _layers(network, flow, stem, stages, table, final_norm=final_norm)


def _resnet(flow: Flow, stem: Convolution, stages: list[list[Unit]], norms: dict[Site, dict[str, Entering]]) -> Layers:
    table = Table(flow, norms, BATCH_ROLES)

    def layer(convolution: str, norm: str, one: Convolution) -> None:
        table.kernel(convolution, one)
        table.norm(norm, frozenset([one.node.name]))

    layer("conv1", "bn1", stem)
    for s, stage in enumerate(stages, start=1):
        for u, unit in enumerate(stage):
            for number, one in enumerate(unit.main, start=1):
                layer(f"layer{s}.{u}.conv{number}", f"layer{s}.{u}.bn{number}", one)
            if unit.projection is not None:
                layer(f"layer{s}.{u}.downsample.0", f"layer{s}.{u}.downsample.1", unit.projection)
    table.refuse_left()
    network = _architecture("resnet", flow, stem, stages, resnet.UNITS)
    return _layers(network, flow, stem, stages, table, final_norm=False)


def _layers(
    network: Architecture, flow: Flow, stem: Convolution, stages: list[list[Unit]], table: Table, *, final_norm: bool
) -> Layers:
    return Layers(
        network,
        table.sources,
        frozenset([stem.node.name]),
        tuple(stage[-1].after for stage in stages),
        stem,
        any(one.prepared for one in flow.convolutions),
        final_norm,
    )


def _architecture(
    family: str, flow: Flow, stem: Convolution, stages: list[list[Unit]], known: Mapping[int, tuple[int, ...]]
) -> Architecture:
    """Return the network's name from its units and the shape of its first kernel."""
    counts = tuple(len(stage) for stage in stages)
    lengths = {len(unit.main) for stage in stages for unit in stage}
    basic = lengths == {2}
    fits = [
        depth
        for depth, units in known.items()
        if units == counts and (depth in resnet.BASIC) == basic and len(lengths) == 1
    ]
    assert stem.kernel is not None
    height, _, _, channels = flow.shapes[stem.kernel]
    if len(fits) != 1 or channels % 64:
        raise ConvertError(
            f"it has stages of {'-'.join(map(str, counts))} units of {sorted(lengths)} convolutions and begins with "
            f"{channels} channels; {NOTHING_ELSE}"
        )
    depth, factor, small = fits[0], channels // 64, height == 3
    if family == "bit":
        return Architecture(f"bit-r{depth}x{factor}", "bit", depth, factor)
    name = f"resnet{depth}" + (f"x{factor}" if factor > 1 else "") + "-cifar" * small
    return Architecture(name, "resnet", depth, factor, small_stem=small)


class Table:
    """Our parameters' names and the graph's nodes, filled layer by layer."""

    def __init__(self, flow: Flow, norms: dict[Site, dict[str, Entering]], roles: dict[str, str]) -> None:
        self.flow, self.norms, self.roles = flow, dict(norms), roles
        self.sources: dict[str, str] = {}

    def kernel(self, name: str, one: Convolution) -> None:
        """Enter a convolution's kernel under our name of the layer.

        Raises:
            ConvertError: It is no single variable.
        """
        if one.kernel is None:
            raise ConvertError(f"the kernel of {one.node.name!r} is no single variable; {NOTHING_ELSE}")
        self.sources[f"{name}.weight"] = one.kernel

    def norm(self, name: str, place: Site) -> None:
        """Enter the variables of the norm at a place under our name of the layer.

        Raises:
            ConvertError: Others stand there, or not all.
        """
        found = self.norms.pop(place, {})
        missing = set(self.roles) - set(found)
        if len(missing) == 1 and "unknown" in found:  # what is left can only be this; the numbers decide
            found = {missing.pop(): found["unknown"], **{role: one for role, one in found.items() if role != "unknown"}}
        if set(found) != set(self.roles):
            has = ", ".join(f"{role} ({_name(self.flow, one)})" for role, one in found.items()) or "nothing"
            raise ConvertError(f"where {name} should be stands {has}; {', '.join(self.roles)} were expected")
        for role, ours in self.roles.items():
            self.sources[f"{name}.{ours}"] = found[role].source

    def refuse_left(self) -> None:
        """Raise if a variable enters the image's way and is no part of the network."""
        for found in self.norms.values():
            names = ", ".join(_name(self.flow, one) for one in found.values())
            raise ConvertError(f"it also uses {names}, which no layer has; {NOTHING_ELSE}")
