"""SimCLR's ResNet-v1: post-activation, the stride on the 3x3 convolution, any width, selective kernels.

Source: arXiv:2002.05709 and arXiv:2006.10029; google-research/simclr resnet.py. The parameters' names are
torchvision's (timm's `resnet*d` where selective kernels change the stem and the shortcuts).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from remedis.models.selective_kernel import SelectiveKernel, ShortcutPool
from remedis.models.staged import Part, Staged, fill_like_simclr

UNITS = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
    200: (3, 24, 36, 3),
}
BASIC = (18, 34)  # two 3x3 convolutions a block; deeper networks have bottlenecks


def conv(channels_in: int, channels_out: int, size: int, stride: int = 1) -> nn.Conv2d:
    """Return a convolution without bias, padded alike on all sides, as the official program does too."""
    return nn.Conv2d(channels_in, channels_out, size, stride=stride, padding=size // 2, bias=False)


def shortcut(channels_in: int, channels_out: int, stride: int, *, pooled: bool) -> nn.Sequential:
    """Return the projection of a stage's first block; with selective kernels an average pool comes first."""
    if pooled:
        projection = conv(channels_in, channels_out, 1)
        return nn.Sequential(ShortcutPool(stride), projection, nn.BatchNorm2d(channels_out))
    return nn.Sequential(conv(channels_in, channels_out, 1, stride), nn.BatchNorm2d(channels_out))


class Basic(nn.Module):
    """Two 3x3 convolutions and a shortcut, ReLU after the sum."""

    def __init__(self, channels_in: int, channels: int, stride: int, *, first: bool) -> None:
        super().__init__()
        self.conv1 = conv(channels_in, channels, 3, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = conv(channels, channels, 3)
        self.bn2 = nn.BatchNorm2d(channels)
        self.downsample = shortcut(channels_in, channels, stride, pooled=False) if first else None

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, channels, h, w)."""
        identity = x if self.downsample is None else self.downsample(x)
        h = F.relu_(self.bn1(self.conv1(x)))
        return F.relu_(self.bn2(self.conv2(h)).add_(identity))


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride; or selective kernels), 1x1 and a shortcut, ReLU after the sum."""

    def __init__(self, channels_in: int, channels: int, stride: int, *, first: bool, selective: bool = False) -> None:
        super().__init__()
        self.conv1 = conv(channels_in, channels, 1)
        self.bn1 = nn.BatchNorm2d(channels)
        if selective:
            self.conv2: nn.Module = SelectiveKernel(channels, channels, stride)
            self.bn2 = None
        else:
            self.conv2 = conv(channels, channels, 3, stride)
            self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = conv(channels, 4 * channels, 1)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        self.downsample = shortcut(channels_in, 4 * channels, stride, pooled=selective) if first else None

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, 4 channels, h, w)."""
        identity = x if self.downsample is None else self.downsample(x)
        h = F.relu_(self.bn1(self.conv1(x)))
        h = self.conv2(h)
        if self.bn2 is not None:
            h = F.relu_(self.bn2(h))
        return F.relu_(self.bn3(self.conv3(h)).add_(identity))


class StemPool(nn.Module):
    """The stem's 3x3 max pool of stride 2, padded as torch or as TensorFlow's SAME does it."""

    def __init__(self, padding: Literal["torch", "tf"]) -> None:
        super().__init__()
        self.padding = padding

    def forward(self, x: Tensor) -> Tensor:
        """Return half the sides, rounded up."""
        if self.padding == "torch":
            return F.max_pool2d(x, 3, stride=2, padding=1)
        bottom, right = (1 if side % 2 == 0 else 0 for side in x.shape[-2:])
        top, left = 1 - bottom, 1 - right  # an odd side needs two rows in all, an even one only one
        padded = F.pad(x, (left, 1, top, 1), value=float("-inf"))
        return F.max_pool2d(padded, 3, stride=2)


class ResNet(Staged):
    """SimCLR's ResNet-v1 without head: images (N, C, H, W) to a map (N, 2048 w or 512 w, h, w).

    Args:
        depth: 18, 34, 50, 101, 152 or 200.
        factor: w, at least 1, multiplies all channels.
        channels: C of the input.
        small_stem: The CIFAR stem: one 3x3 convolution of stride 1 and no pool, for images of 32 px.
        selective: Selective kernels of ratio 1/16, with the stem of three 3x3 convolutions; from depth 50 on.
        padding: How the stem's pool pads, see `Contract.padding`.
        scale: The first convolution sees `scale · x + shift`.
        shift: See `scale`.

    The first block of every stage projects its shortcut, also the first stage's of 18 and 34, where
    torchvision has none.
    """

    def __init__(
        self,
        depth: int,
        factor: int = 1,
        *,
        channels: int = 3,
        small_stem: bool = False,
        selective: bool = False,
        padding: Literal["torch", "tf"] = "torch",
        scale: float = 1.0,
        shift: float = 0.0,
    ) -> None:
        expansion = 1 if depth in BASIC else 4
        super().__init__(512 * expansion * factor, scale, shift)
        self.conv1 = _stem(channels, 64 * factor, small=small_stem, deep=selective)
        self.bn1 = nn.BatchNorm2d(64 * factor)
        self.maxpool = nn.Identity() if small_stem else StemPool(padding)
        channels_in = 64 * factor
        for number, blocks in enumerate(UNITS[depth], start=1):
            middle = 64 * factor * 2 ** (number - 1)
            stride = 1 if number == 1 else 2
            made: list[nn.Module] = []
            for index in range(blocks):
                first = index == 0
                if depth in BASIC:
                    made.append(Basic(channels_in, middle, stride if first else 1, first=first))
                else:
                    made.append(
                        Bottleneck(channels_in, middle, stride if first else 1, first=first, selective=selective)
                    )
                channels_in = middle * expansion
            self.add_module(f"layer{number}", nn.Sequential(*made))

    def parts(self) -> Iterator[Part]:
        """Yield the stem with its pool, the four stages, and the map, which is the last stage's output."""
        yield "stem", lambda x: self.maxpool(F.relu_(self.bn1(self.conv1(x))))
        for number in range(1, 5):
            yield f"stage{number}", self.get_submodule(f"layer{number}")
        yield "map", nn.Identity()

    def blocks(self) -> list[list[nn.Module]]:
        """Return the modules of the stem, and those of each of the four stages."""
        return [[self.conv1, self.bn1], *([self.get_submodule(f"layer{number}")] for number in range(1, 5))]

    def initialise(self, generator: torch.Generator) -> None:
        """Fill the kernels from `generator`; each block's last norm starts at zero."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fill_like_simclr(module.weight, generator)
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_parameters()
        for module in self.modules():
            if isinstance(module, Basic):
                nn.init.zeros_(module.bn2.weight)
            elif isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)


def _stem(channels: int, width: int, *, small: bool, deep: bool) -> nn.Module:
    if small:
        return conv(channels, width, 3)
    if not deep:
        return conv(channels, width, 7, stride=2)
    half = width // 2
    return nn.Sequential(
        conv(channels, half, 3, stride=2),
        nn.BatchNorm2d(half),
        nn.ReLU(),
        conv(half, half, 3),
        nn.BatchNorm2d(half),
        nn.ReLU(),
        conv(half, width, 3),
    )
