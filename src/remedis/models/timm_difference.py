"""How far timm's embedding is from ours for the same BiT weights: its kernels' eps is 1e-8."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from remedis.models.bit import BiT, StdConv2d
from remedis.models.difference import relative

TIMM_KERNEL_EPS = 1e-8
SIDE = 64  # the difference comes from the kernels; the images only have to reach all of them


@torch.no_grad()
def difference_in_timm(backbone: BiT) -> float:
    """Return the largest relative difference ‖timm - ours‖₂ / ‖ours‖₂ of the embedding over three images.

    Both are computed in float64, since float32 differs by as much as 4e-4 between two right programs. Only
    one part of the network is held in float64 at a time.
    """
    ours = theirs = backbone.scaled(_images(backbone.stem.conv.in_channels))
    for _, part in backbone.parts():
        assert isinstance(part, nn.Module)
        precise = copy.deepcopy(part).to("cpu", torch.float64)
        ours = precise(ours)
        for module in precise.modules():
            if isinstance(module, StdConv2d):
                module.eps = TIMM_KERNEL_EPS
        theirs = precise(theirs)
    return relative(theirs.mean(dim=(2, 3)), ours.mean(dim=(2, 3)))


def _images(channels: int) -> Tensor:
    """Return noise, a slope and a disc: (3, C, 64, 64) in [0, 1]."""
    noise = torch.rand(channels, SIDE, SIDE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    axis = torch.linspace(0, 1, SIDE, dtype=torch.float64)
    slope = axis.expand(channels, SIDE, SIDE)
    disc = (((axis[:, None] - 0.5) ** 2 + (axis[None] - 0.5) ** 2) < 0.09).to(torch.float64)
    return torch.stack([noise, slope, disc.expand(channels, SIDE, SIDE)])
