"""What a stored graph does to its images, decided by running it and every candidate on the same images."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from remedis.errors import ConvertError
from remedis.models.architectures import Architecture, build_empty
from remedis.models.contract import Contract, Range
from remedis.models.convert.original import Original
from remedis.models.difference import relative
from remedis.models.proof_images import as_input, proof_images
from remedis.models.staged import Staged

AGREES = 1e-9  # relative, in float64: two right programs differ by 1e-12 or so
CIFAR_SIZE = 32  # px; what a network with the small stem is for
SMALL_SIZES = (32, 33)  # of networks with the small stem, which do not shrink images at once
SIZES = (64, 65)  # even and odd: pools and strides pad differently
USUAL_RANGES: tuple[Range, ...] = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))
STRAIGHT = 1e-12  # how far a prepared image may be from a·x + b, relative to its largest value


@dataclass(frozen=True)
class Decision:
    """The candidate that agrees.

    Attributes:
        contract: What the original takes and gives, as ours.
        sizes: Sides in pixels at which both were run.
        distance: The largest relative difference of map and embedding.
        tried: Every candidate in words, with its distance.
    """

    contract: Contract
    sizes: tuple[int, ...]
    distance: float
    tried: Mapping[str, float]


@dataclass(frozen=True)
class Prepared:
    """What the original does to its images before the first convolution: a·x + b, and a resize to `size`."""

    scale: float
    shift: float
    size: int | None


def decide(
    original: Original, weights: Mapping[str, Tensor], *, input_range: Range | None = None, size: int | None = None
) -> Decision:
    """Return the contract under which our network computes what the original computes.

    Args:
        original: The stored graph.
        weights: Our network's weights in float64, by our names.
        input_range: The range that images have, where somebody knows it.
        size: Side of the square that images shall be resized to, where the original leaves it free.

    Raises:
        ConvertError: No candidate agrees; says how far the nearest was. Or the range contradicts the graph.
    """
    network = original.found.layers.architecture
    prepared = _prepared(original)
    sizes = (original.size,) if original.size else SMALL_SIZES if network.small_stem else SIZES
    first = _contract(original, prepared, input_range, original.size or size)
    theirs = {side: original.outputs(as_input(proof_images(side)[:2], first.range), torch.float64) for side in sizes}
    tried: dict[str, float] = {}
    best: tuple[float, Contract] | None = None
    for words, contract in _candidates(original, first):
        tried[words] = _distance(network, contract, weights, theirs)
        if best is None or tried[words] < best[0]:
            best = tried[words], contract
        if tried[words] <= AGREES:
            break
    assert best is not None
    if best[0] > AGREES:
        nearest = min(tried, key=lambda one: tried[one])
        raise ConvertError(
            f"no candidate computes what its graph computes: {len(tried)} were tried, the nearest ({network.name}, "
            f"{nearest}) differs by {best[0]:.1e}, at most {AGREES:.0e} was expected; it is another network",
            where=original.saved.folder,
        )
    return Decision(best[1], sizes, best[0], tried)


def _prepared(original: Original) -> Prepared:
    """Find a, b and the size of what the first convolution sees."""
    sides = (original.size,) if original.size else SIZES
    for side in sides:
        x, seen = _seen(original, side)
        resized = int(seen.shape[-1]) if seen.shape[-1] != side else None
        if resized is not None:
            break
    if resized is not None:
        x = F.interpolate(x, size=(resized, resized), mode="bilinear", align_corners=False, antialias=False)
    scale, shift = _straight_line(original, x, seen, resized)
    return Prepared(scale, shift, resized)


def _seen(original: Original, side: int) -> tuple[Tensor, Tensor]:
    """Return an image of one size, and what the first convolution sees of it, both (1, 3, h, w).

    It is noise of real numbers, so that a graph that rounds its images to 8 bits is noticed.
    """
    x = torch.rand(1, 3, side, side, dtype=torch.float64, generator=torch.Generator().manual_seed(side))
    return x, _same_layout(original.evaluate(x, {"seen": original.prepared_image()}, torch.float64)["seen"])


def _same_layout(seen: Tensor) -> Tensor:
    if seen.ndim == 4 and seen.shape[3] == 3:
        return seen.permute(0, 3, 1, 2)
    return seen


def _straight_line(original: Original, x: Tensor, seen: Tensor, resized: int | None) -> tuple[float, float]:
    """Return a and b of a·x + b = seen, for all channels alike.

    Raises:
        ConvertError: It is no straight line, or another one for each channel.
    """
    if x.shape != seen.shape:
        raise ConvertError(
            f"its first convolution sees {tuple(seen.shape)} of images {tuple(x.shape)}, the same was expected",
            where=original.saved.folder,
        )
    if torch.equal(x, seen):
        return 1.0, 0.0
    low, high = x.argmin(), x.argmax()
    x_low, x_high = x.flatten()[low], x.flatten()[high]
    scale = (seen.flatten()[high] - seen.flatten()[low]) / (x_high - x_low)
    shift = seen.flatten()[low] - scale * x_low
    off = (scale * x + shift - seen).abs().max() / seen.abs().max()
    if scale <= 0:
        raise ConvertError("turns black into white before its first convolution", where=original.saved.folder)
    if not off < STRAIGHT:
        bilinear = "a bilinear resize, " if resized is not None else ""
        raise ConvertError(
            f"prepares its images by something else than {bilinear}one scale and one shift (each channel its own mean "
            f"and deviation, perhaps): a straight line is {float(off):.1e} off; such a network has no contract here",
            where=original.saved.folder,
        )
    return _tidy(float(scale)), _tidy(float(shift))


def _tidy(value: float) -> float:
    """Undo the rounding of float64 where a number of few digits was meant (constants of float32 are not touched)."""
    if abs(value) < STRAIGHT:
        return 0.0
    tidy = float(f"{value:.12g}")
    return tidy if abs(tidy - value) < 1e-13 else value


def _contract(original: Original, prepared: Prepared, given: Range | None, size: int | None) -> Contract:
    """Return the contract but for what the candidates differ in."""
    small = original.found.layers.architecture.small_stem
    scale, shift = prepared.scale, prepared.shift
    seen = None if (scale, shift) == (1.0, 0.0) else range_of(scale, shift)
    if seen is None:  # nothing in the file tells, or one mean and one deviation for all channels
        found, source = given or (0.0, 1.0), "declared" if given else "assumed"
    else:
        found, source = seen, "graph"
        if given is not None and max(abs(a - b) for a, b in zip(given, found, strict=True)) > 1e-6:
            raise ConvertError(
                f"its graph takes images in [{found[0]:g}, {found[1]:g}] (it computes {scale:g}·x {shift:+g}), the "
                f"range [{given[0]:g}, {given[1]:g}] was given; leave the range out",
                where=original.saved.folder,
            )
    inside = (scale * found[0] + shift, scale * found[1] + shift)
    return Contract(
        size=size or prepared.size or (CIFAR_SIZE if small else Contract.size),
        resize=prepared.size,
        range=found,
        range_source=source,
        inside=inside,
        pool="original" if original.pools else "mean",
    )


def range_of(scale: float, shift: float) -> Range | None:
    """Return the usual range that becomes [-1, 1] or [0, 1], or None where it would be an odd one."""
    for low_inside in (-1.0, 0.0):
        ends = tuple((end - shift) / scale for end in (low_inside, 1.0))
        for low, high in USUAL_RANGES:
            if max(abs(ends[0] - low), abs(ends[1] - high)) < 1e-4 * (high - low):
                return low, high
    return None


def _candidates(original: Original, first: Contract) -> Iterator[tuple[str, Contract]]:
    """Yield every candidate with words for what it is, that with the graph's own constants first.

    (1e-10 in a graph is float32's 1.000000013e-10. On kernels of tiny variance the two differ by 1e-8.)
    """
    layers = original.found.layers
    if layers.architecture.family == "resnet":
        for norm_eps, padding in itertools.product(_norm_eps(original), ("tf", "torch")):
            words = f"pool padded as {padding} does, norm eps {norm_eps:.10g}"
            yield words, replace(first, padding=padding, norm_eps=norm_eps)  # type: ignore[arg-type]
        return
    kinds = ("raw",) if layers.prepared else ("ready", "raw")
    maps = ("after-norm", "before-norm") if layers.final_norm else ("before-norm",)
    for map_, kernels, kernel_eps, norm_eps in itertools.product(
        maps, kinds, _kernel_eps(original), _norm_eps(original)
    ):
        words = f"map {map_}, kernels {kernels} with eps {kernel_eps:.10g}, norm eps {norm_eps:.10g}"
        yield words, replace(first, map=map_, kernels=kernels, kernel_eps=kernel_eps, norm_eps=norm_eps)  # type: ignore[arg-type]


def _kernel_eps(original: Original) -> list[float]:
    """Return the eps in the way of the kernels, then the usual one, then none."""
    flow = original.found.flow
    kernels = tuple(one.node.inputs[1] for one in flow.convolutions)
    names = {node.name for node in flow.graph.needed_for(kernels)} - flow.from_image
    return [*sorted(flow.scalars(names)), Contract.kernel_eps, 0.0]


def _norm_eps(original: Original) -> list[float]:
    """Return the eps that are added where the image goes, then the usual one."""
    flow = original.found.flow
    beside = {
        ref.node
        for node in flow.nodes
        if node.name in flow.from_image or node.op in ("Add", "AddV2")
        for ref in node.inputs
    }
    kernels = {node.name for node in flow.graph.needed_for(tuple(one.node.inputs[1] for one in flow.convolutions))}
    names = (beside - kernels) | (flow.from_image & set(flow.by_name))
    return [*sorted(flow.scalars(names)), Contract.norm_eps]


def _distance(
    network: Architecture, contract: Contract, weights: Mapping[str, Tensor], theirs: Mapping[int, Mapping[str, Tensor]]
) -> float:
    """Return the largest relative difference of map and embedding, infinite where they do not fit each other."""
    made = network_of(network, contract, weights)
    worst = 0.0
    for side, expected in theirs.items():
        found = made.outputs(as_input(proof_images(side)[:2], contract.range))
        for name in ("map", "embedding"):
            worst = max(worst, relative(found[name], expected[name]))
        if worst > AGREES:
            break
    return worst


def network_of(network: Architecture, contract: Contract, weights: Mapping[str, Tensor]) -> Staged:
    """Return our network with weights, which it shares, in evaluation mode."""
    made = build_empty(network, contract, final_norm="norm.weight" in weights)
    made.load_state_dict(dict(weights), assign=True)
    return made.eval().requires_grad_(False)
