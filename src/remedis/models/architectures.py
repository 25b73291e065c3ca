"""The networks by name (`bit-r50x1`, `resnet50x2`, `resnet50-sk`), and what timm calls them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import isclose
from typing import Literal

import torch
from torch import nn

from remedis.errors import CheckpointError, nearest
from remedis.models import bit, resnet
from remedis.models.contract import Contract
from remedis.models.staged import Staged

BIT_RANGE = (-1.0, 1.0)
TIMM_BIT = {(50, 1), (50, 3), (101, 1), (101, 3), (152, 2), (152, 4)}
TIMM_RESNET = {50, 101, 152}  # timm's 18 and 34 have no projection in the first stage

CIFAR_STEM = 32
"""Largest `--image_size` for which the official program gives a ResNet the stem for CIFAR."""

_PATTERN = re.compile(r"(?:(bit-r)(\d+)x(\d+)|(resnet)(\d+)(?:x(\d+))?(-sk)?(-cifar)?)")


@dataclass(frozen=True)
class Architecture:
    """A network's name taken apart.

    Attributes:
        name: In the one spelling that `known_architectures` lists: `resnet50x1` becomes `resnet50`.
        family: `bit` or `resnet`.
        depth: 26 to 200.
        factor: Multiplies all channels.
        selective: Selective kernels (ResNet-v1 from depth 50 on).
        small_stem: The stem for images of 32 px (ResNet-v1).
    """

    name: str
    family: Literal["bit", "resnet"]
    depth: int
    factor: int
    selective: bool = False
    small_stem: bool = False

    def timm_name(self, contract: Contract) -> str | None:
        """Return timm's name of the network that computes the same, or None where timm has none."""
        if contract.resize is not None or not isclose(contract.norm_eps, bit.NORM_EPS, rel_tol=1e-6):
            return None
        if self.family == "bit":
            usual = contract.map == "after-norm" and contract.kernels == "raw"
            return (
                f"resnetv2_{self.depth}x{self.factor}_bit" if usual and (self.depth, self.factor) in TIMM_BIT else None
            )
        plain = self.factor == 1 and not self.selective and not self.small_stem and contract.padding == "torch"
        return f"resnet{self.depth}" if plain and self.depth in TIMM_RESNET else None


def parse(name: str) -> Architecture | None:
    """Return what a name says, or None where it names none of our networks."""
    match = _PATTERN.fullmatch(name)
    if match is None:
        return None
    if match[1]:
        depth, factor = int(match[2]), int(match[3])
        fits = depth in bit.UNITS and factor in bit.WIDTHS
        return Architecture(f"bit-r{depth}x{factor}", "bit", depth, factor) if fits else None
    depth, factor = int(match[5]), int(match[6] or 1)
    selective, small = bool(match[7]), bool(match[8])
    if depth not in resnet.UNITS or not 1 <= factor <= 8 or (selective and depth in resnet.BASIC):
        return None
    spelt = f"resnet{depth}" + (f"x{factor}" if factor > 1 else "") + "-sk" * selective + "-cifar" * small
    return Architecture(spelt, "resnet", depth, factor, selective, small)


def known_architectures() -> list[str]:
    """Return the names that people are likely to want; other widths are names too."""
    names = [f"bit-r{depth}x{factor}" for depth in bit.UNITS for factor in bit.WIDTHS]
    for depth in resnet.UNITS:
        for factor in ("", "x2", "x3", "x4"):
            names += [f"resnet{depth}{factor}", f"resnet{depth}{factor}-cifar"]
            if depth not in resnet.BASIC:
                names += [f"resnet{depth}{factor}-sk", f"resnet{depth}{factor}-sk-cifar"]
    return names


def architecture(name: str) -> Architecture:
    """Return what a name says.

    Raises:
        CheckpointError: It names none of our networks; gives the nearest names.
    """
    found = parse(name)
    if found is None:
        raise CheckpointError(f"there is no network {name!r}, {nearest(name, known_architectures())}")
    return found


def build(network: Architecture, contract: Contract, *, final_norm: bool | None = None) -> Staged:
    """Return the network that holds to `contract`, its weights not set to anything useful yet.

    Args:
        network: Which one.
        contract: Decides the map, the padding, the channels and what the first convolution sees.
        final_norm: Whether the weights include the last norm (BiT); None: where the map needs it.

    Raises:
        CheckpointError: The contract asks for what the network does not have.
    """
    _refuse_foreign(network, contract)
    made = _bit(network, contract, final_norm) if network.family == "bit" else _resnet(network, contract)
    made.resize = contract.resize
    return made


def _bit(network: Architecture, contract: Contract, final_norm: bool | None) -> bit.BiT:
    scale, shift = contract.scale_and_shift(BIT_RANGE)
    in_map = contract.map == "after-norm"
    made = bit.BiT(
        network.depth, network.factor, channels=contract.channels, scale=scale, shift=shift,
        final_norm=in_map if final_norm is None else final_norm, norm_in_map=in_map,
    )  # fmt: skip
    ready = contract.kernels == "ready"
    made.set_arithmetic(ready=ready, kernel_eps=contract.kernel_eps, norm_eps=contract.norm_eps)
    return made


def _resnet(network: Architecture, contract: Contract) -> resnet.ResNet:
    scale, shift = contract.scale_and_shift(None)
    made = resnet.ResNet(
        network.depth, network.factor, channels=contract.channels, small_stem=network.small_stem,
        selective=network.selective, padding=contract.padding, scale=scale, shift=shift,
    )  # fmt: skip
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = contract.norm_eps
    return made


def _refuse_foreign(network: Architecture, contract: Contract) -> None:
    if contract.pool == "timm" or contract.map in ("tokens", "none"):
        raise CheckpointError(f"{network.name} has a map and pools its mean; the contract is a timm network's")
    if contract.map == "before-norm" and network.family == "resnet":
        raise CheckpointError(f"{network.name} ends without a norm of its own, map: before-norm means nothing here")


def build_random(network: Architecture, contract: Contract, seed: int) -> Staged:
    """Return the network with weights that only `seed` decides, whatever the global random state."""
    backbone = build_empty(network, contract)
    backbone.to_empty(device="cpu")
    backbone.initialise(torch.Generator().manual_seed(seed))
    return backbone


def build_empty(network: Architecture, contract: Contract, *, final_norm: bool | None = None) -> Staged:
    """Return the network without memory for its weights (on the device `meta`), so that loading is quick."""
    with torch.device("meta"):
        return build(network, contract, final_norm=final_norm)


def parameters_count(network: nn.Module) -> int:
    """Return how many numbers training would change."""
    return sum(weight.numel() for weight in network.parameters())


def official_name(depth: int, width: int, *, bit: bool, size: int) -> str:
    """Return the name of the network that the official program builds from its flags.

    Args:
        depth: `--resnet_depth`.
        width: `--width_multiplier`.
        bit: `--use_bit`.
        size: `--image_size` in pixels; up to 32 a ResNet gets the stem for CIFAR (resnet.py, `cifar_stem`).
    """
    if bit:
        return f"bit-r{depth}x{width}"
    return f"resnet{depth}x{width}" + ("-cifar" if size <= CIFAR_STEM else "")
