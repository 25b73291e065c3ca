"""Which parts of a network are trained: those after a block, counted as the official program's flag counts them."""

from __future__ import annotations

from torch import nn

from remedis.errors import UsageError
from remedis.models.encoder import Backbone
from remedis.models.staged import Staged

ALL, HEAD_ONLY = -1, 4


def frozen_parts(backbone: Backbone, after: int) -> list[nn.Module]:
    """Return the modules that are not trained.

    Args:
        backbone: BiT, ResNet-v1, or a timm network, which is trained whole or not at all.
        after: `fine_tune_after_block`: -1 freezes nothing, 0 the stem, k from 1 to 3 the stem and stages 1 to k, 4 all.

    Raises:
        UsageError: There is no such block, or the network has no blocks that we know.

    Source: google-research/medical-ai-research-foundations resnet.py, where BiT ignores the flag, and where a frozen
    block's running statistics go on moving; here they stay too.
    """
    if after not in range(ALL, HEAD_ONLY + 1):
        raise UsageError(f"--fine-tune-after-block is {after}, -1, 0, 1, 2, 3 or 4 was expected")
    if after == ALL:
        return []
    if after == HEAD_ONLY:
        return [backbone]
    if not isinstance(backbone, Staged):
        raise UsageError(
            f"--fine-tune-after-block {after}: its blocks are not known to us; -1 trains all of it, 4 the head alone"
        )
    return [module for block in backbone.blocks()[: after + 1] for module in block]


def freeze(parts: list[nn.Module]) -> None:
    """Let no gradient reach the parts' weights; `rest` has to keep their statistics."""
    for part in parts:
        part.requires_grad_(False)


def rest(backbone: nn.Module, frozen: list[nn.Module]) -> None:
    """Put a network into training mode, its frozen parts into evaluation mode, where norms' statistics do not move."""
    backbone.train()
    for part in frozen:
        part.eval()
