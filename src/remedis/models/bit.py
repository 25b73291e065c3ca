"""BiT, the pre-activation ResNet-v2 with group norms and standardised kernels that REMEDIS starts from.

Source: Big Transfer, arXiv:1912.11370; google-research/big_transfer bit_pytorch/models.py. The parameters'
names are those of timm's `resnetv2_*_bit`. Checkpoints keep the raw kernels; they are standardised in every
forward pass.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from remedis.models.staged import Part, Staged, fill_like_simclr

UNITS = {26: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
WIDTHS = (1, 2, 3, 4)
KERNEL_EPS = 1e-10  # timm has 1e-8, which shows on kernels of tiny variance
GROUPS = 32
NORM_EPS = 1e-5


def standardise(weight: Tensor, eps: float = KERNEL_EPS) -> Tensor:
    """Return (w - mean) / √(variance + eps), both over (in, h, w), the variance biased.

    Args:
        weight: Raw kernels (out, in, h, w).
        eps: Added to the variance, inside the root.
    """
    variance, mean = torch.var_mean(weight, dim=(1, 2, 3), correction=0, keepdim=True)
    return (weight - mean) / torch.sqrt(variance + eps)


class StdConv2d(nn.Conv2d):
    """A convolution without bias whose kernels are standardised first, unless they are stored ready."""

    def __init__(self, channels_in: int, channels_out: int, size: int, stride: int = 1) -> None:
        super().__init__(channels_in, channels_out, size, stride, padding=size // 2, bias=False)
        self.eps = KERNEL_EPS
        self.ready = False

    def kernels(self) -> Tensor:
        """Return the kernels that are applied, (out, in, h, w)."""
        return self.weight if self.ready else standardise(self.weight, self.eps)

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, out, h, w)."""
        return F.conv2d(x, self.kernels(), None, self.stride, self.padding)


class NormReLU(nn.GroupNorm):
    """Group normalisation in 32 groups, then ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__(GROUPS, channels, eps=NORM_EPS)

    def forward(self, x: Tensor) -> Tensor:
        """Return the same shape."""
        return F.relu_(super().forward(x))  # in place: nothing else sees the norm's output


class Stem(nn.Module):
    """A 7x7 convolution of stride 2 and a pool that sees a border of zeros.

    The stem's output is negative too (no ReLU comes before the pool), so a border of zeros and one of -inf
    differ.
    """

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.conv = StdConv2d(channels_in, channels, 7, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """Return a quarter of the sides."""
        return F.max_pool2d(F.pad(self.conv(x), (1, 1, 1, 1)), 3, stride=2)


class Projection(nn.Module):
    """The shortcut's 1x1 convolution where channels or sides change."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        self.conv = StdConv2d(channels_in, channels_out, 1, stride=stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return the shortcut."""
        projected: Tensor = self.conv(x)
        return projected


class Unit(nn.Module):
    """A pre-activation bottleneck; where the shortcut projects, it starts from the normalised activation."""

    def __init__(self, channels_in: int, channels_out: int, stride: int) -> None:
        super().__init__()
        middle = channels_out // 4
        self.norm1 = NormReLU(channels_in)
        self.conv1 = StdConv2d(channels_in, middle, 1)
        self.norm2 = NormReLU(middle)
        self.conv2 = StdConv2d(middle, middle, 3, stride=stride)
        self.norm3 = NormReLU(middle)
        self.conv3 = StdConv2d(middle, channels_out, 1)
        projects = stride != 1 or channels_in != channels_out
        self.downsample = Projection(channels_in, channels_out, stride) if projects else None

    def forward(self, x: Tensor) -> Tensor:
        """Return main path + shortcut; no ReLU after the sum."""
        h = self.norm1(x)
        shortcut = x if self.downsample is None else self.downsample(h)
        h = self.norm2(self.conv1(h))
        h = self.norm3(self.conv2(h))
        return self.conv3(h).add_(shortcut)  # type: ignore[no-any-return]


class Stage(nn.Module):
    """Units of one width; the first one may halve the sides."""

    def __init__(self, channels_in: int, channels_out: int, units: int, stride: int) -> None:
        super().__init__()
        first = Unit(channels_in, channels_out, stride)
        self.blocks = nn.Sequential(first, *(Unit(channels_out, channels_out, 1) for _ in range(units - 1)))

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, out, h, w)."""
        return self.blocks(x)  # type: ignore[no-any-return]


class BiT(Staged):
    """A BiT ResNet-v2 without head: images (N, C, H, W) to a map (N, 2048 w, h, w).

    Args:
        depth: 26, 50, 101 or 152. (26 is ours, for tests and small machines.)
        factor: w, 1 to 4, multiplies all channels.
        channels: C of the input.
        final_norm: Whether the checkpoint has the last group normalisation.
        norm_in_map: Whether the map is what the last normalisation and ReLU give, else the last block's sum.
        scale: The first convolution sees `scale · x + shift`.
        shift: See `scale`.
    """

    def __init__(
        self,
        depth: int,
        factor: int = 1,
        *,
        channels: int = 3,
        final_norm: bool = True,
        norm_in_map: bool = True,
        scale: float = 2.0,
        shift: float = -1.0,
    ) -> None:
        super().__init__(2048 * factor, scale, shift)
        self.norm_in_map = norm_in_map
        self.stem = Stem(channels, 64 * factor)
        widths = [64 * factor, *(256 * factor * 2**i for i in range(4))]
        self.stages = nn.Sequential(
            *(Stage(widths[i], widths[i + 1], units, 1 if i == 0 else 2) for i, units in enumerate(UNITS[depth]))
        )
        self.norm = NormReLU(self.width) if final_norm else None

    def set_arithmetic(self, *, ready: bool, kernel_eps: float, norm_eps: float) -> None:
        """Compute as an original does that departs from Google's program, see `Contract`."""
        for module in self.modules():
            if isinstance(module, StdConv2d):
                module.ready, module.eps = ready, kernel_eps
            elif isinstance(module, NormReLU):
                module.eps = norm_eps

    def parts(self) -> Iterator[Part]:
        """Yield the stem, the four stages and the last norm (or nothing) with their names."""
        yield "stem", self.stem
        for number, stage in enumerate(self.stages, start=1):
            yield f"stage{number}", stage
        yield "map", self.norm if self.norm is not None and self.norm_in_map else nn.Identity()

    def blocks(self) -> list[list[nn.Module]]:
        """Return the modules of the stem, and those of each of the four stages."""
        return [[self.stem], *([stage] for stage in self.stages)]

    def initialise(self, generator: torch.Generator) -> None:
        """Fill the kernels from `generator`; every norm starts as the identity."""
        for module in self.modules():
            if isinstance(module, StdConv2d):
                fill_like_simclr(module.weight, generator)
            elif isinstance(module, NormReLU):
                nn.init.ones_(module.weight)
                nn.init.zeros_(module.bias)
