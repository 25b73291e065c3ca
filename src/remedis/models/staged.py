"""What BiT and ResNet-v1 share: an image goes through a stem, four stages and a last step, then is pooled."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

Part = tuple[str, Callable[[Tensor], Tensor]]


class Staged(nn.Module, ABC):
    """A backbone made of named parts, one after the other.

    Args:
        width: D, channels of the map.
        scale: The first convolution sees `scale · x + shift`.
        shift: See `scale`.
    """

    def __init__(self, width: int, scale: float = 1.0, shift: float = 0.0) -> None:
        super().__init__()
        self.width = width
        self.scale, self.shift = scale, shift
        self.resize: int | None = None
        self.recompute = False  # activations inside the parts are not kept for the backward pass but computed again

    @abstractmethod
    def parts(self) -> Iterator[Part]:
        """Yield `stem`, `stage1` … `stage4` and `map` with what computes each from the one before."""

    @abstractmethod
    def blocks(self) -> list[list[nn.Module]]:
        """Return the modules of the stem, and those of each of the four stages."""

    @abstractmethod
    def initialise(self, generator: torch.Generator) -> None:
        """Fill every weight anew from `generator`, whatever the global random state."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the embedding (N, D) of images (N, C, H, W) in the contract's range."""
        return self.features(x).mean(dim=(2, 3))

    def features(self, x: Tensor) -> Tensor:
        """Return the map (N, D, h, w) of images (N, C, H, W) in the contract's range."""
        return self.features_of_scaled(self.scaled(x))

    def features_of_scaled(self, x: Tensor) -> Tensor:
        """Return the map of what the first convolution sees."""
        for _, part in self.parts():
            x = checkpoint(part, x, use_reentrant=False) if self.recompute and torch.is_grad_enabled() else part(x)
        return x

    def outputs(self, x: Tensor) -> dict[str, Tensor]:
        """Return the outputs of all parts, `stem` to `map`, and the `embedding`."""
        x = self.scaled(x)
        outputs = {}
        for name, part in self.parts():
            outputs[name] = x = part(x)
        outputs["embedding"] = x.mean(dim=(2, 3))
        return outputs

    def scaled(self, x: Tensor) -> Tensor:
        """Return what the first convolution sees; resized first where the contract says so."""
        if self.resize is not None and x.shape[-2:] != (self.resize, self.resize):
            x = F.interpolate(x, size=(self.resize, self.resize), mode="bilinear", align_corners=False, antialias=False)
        if (self.scale, self.shift) == (1.0, 0.0):
            return x
        return x * self.scale + self.shift


def fill_like_simclr(weight: Tensor, generator: torch.Generator) -> None:
    """Fill a kernel (out, in, h, w) from a normal of variance 1 / fan-in, cut off at two deviations.

    Source: `variance_scaling_initializer()` as google-research/simclr resnet.py uses it; 0.8796 is the
    deviation of a unit normal cut off at ±2.
    """
    fan_in = weight[0].numel()
    std = fan_in**-0.5 / 0.87962566103423978
    nn.init.trunc_normal_(weight, std=std, a=-2 * std, b=2 * std, generator=generator)
