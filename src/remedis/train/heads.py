"""What stands on an encoder while it trains: the projection that the contrastive loss sees, and the classifier."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Mode = Literal["none", "linear", "nonlinear"]
Style = Literal["v1", "v2"]

STD = 0.01  # of the kernels at the start


class ScaleNorm(nn.BatchNorm1d):
    """A batch normalisation (N, C) with a scale and no offset."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.register_parameter("bias", None)

    def reset_parameters(self) -> None:
        """Start as the identity."""
        self.reset_running_stats()
        nn.init.ones_(self.weight)


class Layer(nn.Module):
    """A dense layer without bias and its batch normalisation.

    Args:
        width_in: D of the input.
        width: D of the output.
        offset: Whether the norm has an offset.
    """

    def __init__(self, width_in: int, width: int, *, offset: bool) -> None:
        super().__init__()
        self.dense = nn.Linear(width_in, width, bias=False)
        self.norm = nn.BatchNorm1d(width) if offset else ScaleNorm(width)

    def forward(self, h: Tensor) -> Tensor:
        """Return (N, width)."""
        normalised: Tensor = self.norm(self.dense(h))
        return normalised


class ProjectionHead(nn.Module):
    """From embeddings (N, D) to projections (N, dim).

    Args:
        mode: `nonlinear`: dense layers, each with a batch norm, ReLU between them; `linear`: one dense layer with
            its norm; `none`: the embedding itself.
        width: D.
        dim: Width of the projection; `none` leaves D.
        layers: Of `nonlinear`, at least 1. v1: layers after the first, all of width `dim`. v2: layers before the
            last, all of width D. With 1 both are the same head.
        style: `v1`: only the first layer's norm has an offset. `v2`: all but the last layer's.

    Source: arXiv:2002.05709 and google-research/medical-ai-research-foundations model_util.py `projection_head`
    (v1, one layer after the first); arXiv:2006.10029 and google-research/simclr (v2, two layers before the last).
    """

    def __init__(self, mode: Mode, width: int, dim: int = 128, layers: int = 1, style: Style = "v1") -> None:
        super().__init__()
        widths = _widths(mode, width, dim, layers, style)
        last = len(widths) - 2
        offsets = min(1, last) if style == "v1" else last
        self.width = widths[-1]
        self.layers = nn.ModuleList(Layer(*pair, offset=index < offsets) for index, pair in enumerate(pairwise(widths)))

    def forward(self, h: Tensor) -> Tensor:
        """Return the projections (N, dim) of embeddings (N, D)."""
        return self.hidden(h, -1)

    def hidden(self, h: Tensor, layer: int) -> Tensor:
        """Return what a classifier may stand on.

        Args:
            h: Embeddings (N, D).
            layer: 0: the embedding itself; k: after the k-th layer and its ReLU; the last one, also called -1, has
                none. SimCLR v2 fine-tunes from 1.
        """
        last = len(self.layers)
        for index in range(last if layer == -1 else layer):
            h = self.layers[index](h)
            if index < last - 1:
                h = F.relu(h)
        return h

    def initialise(self, generator: torch.Generator) -> None:
        """Fill the kernels from `generator`, normal of deviation 0.01; norms start as the identity."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=STD, generator=generator)
            elif isinstance(module, nn.BatchNorm1d):
                module.reset_parameters()


def _widths(mode: Mode, width: int, dim: int, layers: int, style: Style) -> list[int]:
    """Return the width of the embedding and of every layer's output."""
    if mode == "none":
        return [width]
    if mode == "linear":
        return [width, dim]
    return [width, width, *[dim] * layers] if style == "v1" else [width, *[width] * layers, dim]


class Classifier(nn.Linear):
    """From embeddings (N, D) to logits (N, K).

    Args:
        width: D.
        classes: K.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__(width, classes)

    def initialise(self, generator: torch.Generator) -> None:
        """Fill the kernel from `generator`, normal of deviation 0.01; biases start at 0."""
        nn.init.normal_(self.weight, std=STD, generator=generator)
        nn.init.zeros_(self.bias)
