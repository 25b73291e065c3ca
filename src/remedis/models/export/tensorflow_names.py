"""Google's names of the variables of our networks, in the order in which its programs create them.

Source: google-research/big_transfer bit_tf2/models.py; google-research/simclr resnet.py, whose convolutions and batch
norms are numbered as they are created, a block's projection first.
"""

from __future__ import annotations

from collections.abc import Iterator

from remedis.models import bit, resnet
from remedis.models.architectures import Architecture


def names(network: Architecture, *, final_norm: bool) -> Iterator[tuple[str, str]]:
    """Yield (our name, Google's name) for each tensor that the map needs.

    Args:
        network: BiT, or ResNet-v1 without selective kernels.
        final_norm: Whether the map lies after BiT's last norm.
    """
    yield from _bit(network, final_norm=final_norm) if network.family == "bit" else _resnet(network)


def _bit(network: Architecture, *, final_norm: bool) -> Iterator[tuple[str, str]]:
    yield "stem.conv.weight", "resnet/root_block/standardized_conv2d/kernel"
    for block, units in enumerate(bit.UNITS[network.depth]):
        for unit in range(units):
            ours, theirs = f"stages.{block}.blocks.{unit}", f"resnet/block{block + 1}/unit{unit + 1:02d}"
            for number, letter in enumerate("abc", start=1):
                yield from _norm(f"{ours}.norm{number}", f"{theirs}/{letter}/group_norm")
                if letter == "a" and unit == 0:
                    yield f"{ours}.downsample.conv.weight", f"{theirs}/a/proj/standardized_conv2d/kernel"
                yield f"{ours}.conv{number}.weight", f"{theirs}/{letter}/standardized_conv2d/kernel"
    if final_norm:
        yield from _norm("norm", "resnet/group_norm")


def _norm(ours: str, theirs: str) -> Iterator[tuple[str, str]]:
    yield f"{ours}.weight", f"{theirs}/gamma"
    yield f"{ours}.bias", f"{theirs}/beta"


def _resnet(network: Architecture) -> Iterator[tuple[str, str]]:
    for number, (conv, norm) in enumerate(_pairs(network)):
        suffix = f"_{number}" if number else ""
        yield f"{conv}.weight", f"base_model/conv2d{suffix}/kernel"
        theirs = f"base_model/batch_normalization{suffix}"
        yield from _norm(norm, theirs)
        yield f"{norm}.running_mean", f"{theirs}/moving_mean"
        yield f"{norm}.running_var", f"{theirs}/moving_variance"


def _pairs(network: Architecture) -> Iterator[tuple[str, str]]:
    """Yield each convolution with the norm that follows it, in the order of creation."""
    yield "conv1", "bn1"
    convolutions = 2 if network.depth in resnet.BASIC else 3
    for stage, blocks in enumerate(resnet.UNITS[network.depth], start=1):
        for block in range(blocks):
            name = f"layer{stage}.{block}"
            if block == 0:
                yield f"{name}.downsample.0", f"{name}.downsample.1"
            for number in range(1, convolutions + 1):
                yield f"{name}.conv{number}", f"{name}.bn{number}"
