"""Which name in a file of weights is which of our parameters, and which network they belong to.

Four ways of naming are known: BiT's in TensorFlow (npz and Keras' HDF5), those of its PyTorch program, timm's, and
torchvision's for ResNet-v1 (SimCLR's ports have them too). Prefixes (`resnet/`, `module.encoder_q.`) are found by the
names that follow them; depth and width are read off names and shapes.

Sources: google-research/big_transfer (bit_tf2/models.py, bit_pytorch/models.py); timm resnetv2.py; torchvision
resnet.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from remedis.errors import ConvertError
from remedis.models import bit, resnet
from remedis.models.architectures import Architecture, build_empty, parse
from remedis.models.contract import Contract
from remedis.models.convert.bare import Shape
from remedis.models.convert.left_out import sort_out

_UNIT = re.compile(r"stages\.(\d)\.blocks\.(\d+)\.(norm|conv|downsample\.conv)(\d?)\.(weight|bias)")
_PARTS = "abc"  # BiT's words for the three convolutions of a unit, each with the norm before it
_GAMMA_BETA = {"weight": "gamma", "bias": "beta"}


def bit_tensorflow(ours: str) -> str:
    """Return BiT's name in TensorFlow of one of our parameters."""
    match = _UNIT.fullmatch(ours)
    if match is None:
        kind = ours.rsplit(".", 1)[-1]
        return "root_block/standardized_conv2d/kernel" if ours.startswith("stem") else f"group_norm/{_GAMMA_BETA[kind]}"
    stage, unit, layer, number, kind = match.groups()
    place = f"block{int(stage) + 1}/unit{int(unit) + 1:02d}"
    if layer == "downsample.conv":
        return f"{place}/a/proj/standardized_conv2d/kernel"
    part = f"{place}/{_PARTS[int(number) - 1]}"
    return f"{part}/group_norm/{_GAMMA_BETA[kind]}" if layer == "norm" else f"{part}/standardized_conv2d/kernel"


def bit_pytorch(ours: str) -> str:
    """Return the name in BiT's PyTorch program of one of our parameters."""
    match = _UNIT.fullmatch(ours)
    if match is None:
        return "root.conv.weight" if ours.startswith("stem") else ours.replace("norm.", "head.gn.")
    stage, unit, layer, number, kind = match.groups()
    word = {"norm": "gn", "conv": "conv", "downsample.conv": "downsample"}[layer]
    return f"body.block{int(stage) + 1}.unit{int(unit) + 1:02d}.{word}{number}.{kind}"


def _same(ours: str) -> str:
    return ours


@dataclass(frozen=True)
class Style:
    """A way of naming a network's parameters.

    Attributes:
        key: A word for it.
        words: What it is, for people.
        family: Of the networks that are named so.
        theirs: From our name of a parameter to theirs.
        last_axis_out: Whether kernels are (h, w, in, out), else (out, in, h, w).
    """

    key: Literal["tensorflow", "bit_pytorch", "timm", "torchvision"]
    words: str
    family: Literal["bit", "resnet"]
    theirs: Callable[[str], str]
    last_axis_out: bool = False

    @property
    def stem(self) -> str:
        """The name of the first kernel."""
        return self.theirs("stem.conv.weight" if self.family == "bit" else "conv1.weight")

    def unit(self, stage: int, unit: int, number: int = 1) -> str:
        """Return the name of a convolution's kernel; `stage` and `unit` count from 0."""
        if self.family == "bit":
            return self.theirs(f"stages.{stage}.blocks.{unit}.conv{number}.weight")
        return f"layer{stage + 1}.{unit}.conv{number}.weight"


STYLES = (
    Style("tensorflow", "BiT's names in TensorFlow", "bit", bit_tensorflow, last_axis_out=True),
    Style("bit_pytorch", "the names of BiT's PyTorch program", "bit", bit_pytorch),
    Style("timm", "timm's names of BiT", "bit", _same),
    Style("torchvision", "torchvision's names of ResNet-v1", "resnet", _same),
)


@dataclass(frozen=True)
class Place:
    """Where in a file a network stands: how it is named, and what comes before all its names."""

    style: Style
    prefix: str


@dataclass(frozen=True)
class Named:
    """A network in a file.

    Attributes:
        architecture: Which one.
        place: How its parameters are named there.
        theirs: The file's names by ours.
        final_norm: Whether the weights include the last norm (BiT).
        left_out: Names in the file that no layer of ours has, by why they are not needed.
    """

    architecture: Architecture
    place: Place
    theirs: Mapping[str, str]
    final_norm: bool
    left_out: Mapping[str, tuple[str, ...]]


_OTHERS = (
    (r"(^|[./])(conv1\.\d+|stem\.conv1)\.weight$", "its stem has three convolutions (ResNet-D), one is known here"),
    (
        r"layer\d\.\d+\.conv\d\.\w+\.",
        "it has selective kernels or attention in its convolutions, which no bare file is read for",
    ),
    (r"layer\d\.\d+\.se\.", "it has squeeze-and-excitation, which is not known here"),
    (r"layer\d\.0\.downsample\.2\.", "its shortcuts pool before they project (ResNet-D), which is not known here"),
    (r"blocks\.\d+\.norm\d\.running_mean$", "it has batch norms where BiT has group norms"),
)


def find_named(shapes: Mapping[str, Shape], prefix: str | None = None) -> Named:
    """Return the one network in a file.

    Args:
        shapes: Of all tensors, by their names.
        prefix: What comes before its names, where several networks stand in the file.

    Raises:
        ConvertError: There is none, there are several, or it is none of ours: another stem, names that no layer has,
            another shape.
    """
    place, others = _choose(shapes, prefix)
    names = {name.removeprefix(place.prefix) for name in shapes if name.startswith(place.prefix)}
    _refuse_foreign(names)
    network = _architecture(place, shapes)
    norm = {place.prefix + place.style.theirs(f"norm.{kind}") for kind in ("weight", "bias")}
    final_norm = network.family == "bit" and not norm.isdisjoint(shapes)
    empty = build_empty(network, Contract(), final_norm=final_norm).state_dict()
    wanted = {name: tuple(one.shape) for name, one in empty.items() if not name.endswith("num_batches_tracked")}
    theirs = {name: place.prefix + place.style.theirs(name) for name in wanted}
    _refuse_missing(network, theirs, shapes)
    left_out = sort_out(shapes, place.prefix, set(theirs.values()), tuple(other.prefix for other in others))
    for ours, name in theirs.items():
        _refuse_shape(network, place.style, name, shapes[name], wanted[ours])
    return Named(network, place, theirs, final_norm, left_out)


def _places(shapes: Mapping[str, Shape]) -> Iterator[Place]:
    """Yield the networks in a file: prefixes before both the first kernel's name and that of the first unit."""
    for style in STYLES:
        for name in shapes:
            prefix = name.removesuffix(style.stem)
            if name.endswith(style.stem) and (not prefix or prefix[-1] in "./") and prefix + style.unit(0, 0) in shapes:
                yield Place(style, prefix)


def _choose(shapes: Mapping[str, Shape], prefix: str | None) -> tuple[Place, list[Place]]:
    """Return the network that is meant, and the others."""
    found = list(_places(shapes))
    if not found:
        _refuse_foreign(set(shapes))
        known = ", ".join(f"{style.stem} ({style.words})" for style in STYLES)
        has = ", ".join(sorted(shapes)[:3]) + (" …" if len(shapes) > 3 else "")
        raise ConvertError(f"holds no network that is known here; known: {known}; it has {has or 'no tensor'}")
    listed = ", ".join(sorted({one.prefix.rstrip("./") or "''" for one in found}))
    if prefix is not None:
        meant = [one for one in found if one.prefix.rstrip("./") == prefix.rstrip("./")]
        if not meant:
            raise ConvertError(f"holds no network whose names begin with {prefix!r}; there are {listed}")
    else:
        # A moving average of the weights is a copy of the network beside it.
        meant = [one for one in found if not _is_average(one.prefix)] or found
    if len(meant) > 1:
        raise ConvertError(f"holds several networks, under {listed}; --prefix says which is meant")
    return meant[0], [one for one in found if one != meant[0]]


def _is_average(prefix: str) -> bool:
    return re.search(r"(^|[./_])ema([./_]|$)|ExponentialMovingAverage", prefix) is not None


def _refuse_foreign(names: set[str]) -> None:
    """Raise if names show a kind of network that is known not to be ours."""
    for pattern, words in _OTHERS:
        found = sorted(name for name in names if re.search(pattern, name))
        if found:
            raise ConvertError(f"is another network: {words} ({found[0]})")


def _architecture(place: Place, shapes: Mapping[str, Shape]) -> Architecture:
    """Return the network's name from how many units there are and from the shape of the first kernel."""
    style, prefix = place.style, place.prefix
    counts = []
    for stage in range(4):
        units = 0
        while prefix + style.unit(stage, units) in shapes:
            units += 1
        counts.append(units)
    basic = style.family == "resnet" and prefix + style.unit(0, 0, 3) not in shapes
    height, channels_in, channels = _first_kernel(place, shapes)
    known = bit.UNITS if style.family == "bit" else resnet.UNITS
    depths = [one for one, units in known.items() if units == tuple(counts) and (one in resnet.BASIC) == basic]
    stem = "-cifar" * (height == 3 and style.family == "resnet")
    kind = "bit-r" if style.family == "bit" else "resnet"
    found = parse(f"{kind}{depths[0]}x{channels // 64}{stem}") if depths else None
    if found is None or channels % 64 or channels_in != 3 or (height != 7 and not stem):
        raise ConvertError(
            f"is another network: stages of {'-'.join(map(str, counts))} {'basic' if basic else 'bottleneck'} units, a "
            f"first kernel of {height} px from {channels_in} to {channels} channels; 7 px (3 px for ResNet-v1) from 3 "
            f"to 64 or a multiple were expected, and {', '.join('-'.join(map(str, one)) for one in known.values())}"
        )
    return found


def _first_kernel(place: Place, shapes: Mapping[str, Shape]) -> tuple[int, int, int]:
    """Return its height, the channels that go in and those that come out."""
    shape = shapes[place.prefix + place.style.stem]
    if len(shape) != 4:
        raise ConvertError(f"{place.prefix}{place.style.stem} has the shape {shape}, a kernel was expected")
    if place.style.last_axis_out:
        return shape[0], shape[2], shape[3]
    return shape[2], shape[1], shape[0]


def _refuse_missing(network: Architecture, theirs: Mapping[str, str], shapes: Mapping[str, Shape]) -> None:
    missing = [name for name in theirs.values() if name not in shapes]
    if not missing:
        return
    if network.depth in resnet.BASIC and all(ours.startswith("layer1.0.downsample") for ours in _of(theirs, missing)):
        raise ConvertError(
            f"is torchvision's or timm's resnet{network.depth}, whose first block has no projection; SimCLR's "
            f"{network.name} has one, so the weights do not fit; --encoder timm:resnet{network.depth} takes such a "
            "network as it is"
        )
    listed = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if len(missing) > 3 else "")
    raise ConvertError(f"lacks {listed}, which {network.name} has; it is damaged or another network")


def _of(theirs: Mapping[str, str], names: list[str]) -> Iterator[str]:
    return (ours for ours, name in theirs.items() if name in names)


def _refuse_shape(network: Architecture, style: Style, name: str, found: Shape, wanted: Shape) -> None:
    if len(wanted) == 4 and style.last_axis_out:
        out, channels_in, height, width = wanted
        wanted = (height, width, channels_in, out)
    # Some programs keep a norm's numbers as (1, 1, 1, C).
    if found != wanted and not (style.last_axis_out and tuple(s for s in found if s != 1) == wanted):
        raise ConvertError(f"{name} has the shape {found}, {network.name} has {wanted}; it is another network")
