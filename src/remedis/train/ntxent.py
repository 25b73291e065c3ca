"""NT-Xent, the contrastive loss of SimCLR, over the views of all processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from remedis.train import distributed

SMALLEST_SQUARE = 1e-12  # of a projection's length: shorter ones are divided by 1e-6, as the official program does


@dataclass(frozen=True)
class Contrast:
    """What one step's projections say.

    Attributes:
        loss: Scalar, mean over this process's 2n anchors; the mean over processes is the global loss.
        accuracy: Share of this process's anchors whose positive is more like them than every negative. (The
            official program asks first views alone, and of the second views alone: negatives of the anchor's own
            kind do not count, so that it reads higher.)
        entropy: Of the softmax of first views over second views, in nats, mean over this process's n. (The official
            one, without the 1e-8 inside its logarithm.)
    """

    loss: Tensor
    accuracy: Tensor
    entropy: Tensor


def ntxent(
    h1: Tensor,
    h2: Tensor,
    *,
    temperature: float,
    hidden_norm: bool = True,
    loss_scale: float = 1.0,
    ids: Tensor | None = None,
    tile: int | None = None,
) -> Contrast:
    """Return the contrastive loss of two views of n images in each process.

    Each of the 2M views is an anchor: its positive is the image's other view, its negatives are the 2M - 2 views
    of other images. The loss is the cross-entropy of finding the positive by the dot product over τ.

    Args:
        h1: Projections (n, D) of the first views. Half precision is computed in float32, float64 in float64.
        h2: Of the second views, the same images in the same order.
        temperature: τ, above 0.
        hidden_norm: Whether projections are divided by their length first.
        loss_scale: 1: Algorithm 1 of the paper, the mean over 2M anchors. 2: the official program, which adds the
            means of the two directions.
        ids: (n,) int64. Views of images with equal ids (one patient's, or one image that is twice in the batch)
            are no negatives of each other; None: every image is one of its own.
        tile: Anchors whose similarities are held at once, in backward too: memory grows with tile · M, not with
            n · M. None: all n of a direction.

    Source: arXiv:2002.05709, eq. 1 and Algorithm 1; google-research/simclr objective.py `add_contrastive_loss`.
    """
    with torch.autocast(h1.device.type, enabled=False):
        z1, z2 = (_wide(h, hidden_norm) for h in (h1, h2))
        all1, all2 = distributed.gather(torch.stack((z1, z2), dim=1)).unbind(1)
        names = torch.arange(len(all1)) if ids is None else distributed.gather(ids)
        batch = _Batch(names.to(z1.device), distributed.rank() * len(z1), temperature, tile or len(z1))
        one: tuple[Tensor, Tensor, Tensor] = _Direction.apply(z1, all2, all1, batch)
        two: tuple[Tensor, Tensor, Tensor] = _Direction.apply(z2, all1, all2, batch)
        return Contrast(loss_scale * (one[0] + two[0]) / 2, (one[1] + two[1]) / 2, one[2])


def _wide(h: Tensor, hidden_norm: bool) -> Tensor:
    z = h if h.dtype == torch.float64 else h.float()
    if not hidden_norm:
        return z
    return z * z.square().sum(1, keepdim=True).clamp_min(SMALLEST_SQUARE).rsqrt()


@dataclass(frozen=True)
class _Batch:
    """What both directions share.

    Attributes:
        names: (M,) which image each view is of; equal ones are no negatives of each other.
        first: The place of this process's first image in the global batch.
        temperature: τ.
        tile: Anchors at a time.
    """

    names: Tensor
    first: int
    temperature: float
    tile: int

    def tiles(self, anchors: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Yield which anchors are next, and their places (t, 1) in the global batch."""
        for start in range(0, len(anchors), self.tile):
            stop = min(start + self.tile, len(anchors))
            yield slice(start, stop), torch.arange(start, stop, device=anchors.device)[:, None] + self.first

    def logits(self, anchors: Tensor, places: Tensor, other: Tensor, own: Tensor) -> Tensor:
        """Return by how much anchors are more like each candidate than like their positive, (t, 2M).

        The M views of the other kind come first: the positive of the anchor at place i is candidate i. It is -inf for
        those that are no candidates, as M + i, which is the anchor itself. Counted from the positive, a small loss
        keeps its digits in float32 whatever the temperature.
        """
        logits = torch.cat((anchors @ other.T, anchors @ own.T), dim=1).div_(self.temperature)
        same = self.names[places] == self.names
        logits[:, len(other) :].masked_fill_(same, float("-inf"))
        logits[:, : len(other)].masked_fill_(same.scatter_(1, places, False), float("-inf"))
        return logits.sub_(logits.gather(1, places))


class _Direction(torch.autograd.Function):
    """Loss, accuracy and entropy of n anchors of one kind, a tile at a time.

    Only the n losses are kept, with which backward computes a tile's probabilities anew.
    """

    @staticmethod
    def forward(ctx: Any, anchors: Tensor, other: Tensor, own: Tensor, batch: _Batch) -> tuple[Tensor, ...]:
        tiles = [_facts(batch.logits(anchors[r], places, other, own), places) for r, places in batch.tiles(anchors)]
        facts = torch.cat(tiles, dim=1)
        ctx.save_for_backward(anchors, other, own, facts[0])
        ctx.batch = batch
        loss, hit, entropy = facts.mean(1).unbind()
        ctx.mark_non_differentiable(hit, entropy)
        return loss, hit, entropy

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, of_loss: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        anchors, other, own, losses = ctx.saved_tensors
        batch: _Batch = ctx.batch
        scale = of_loss / (len(anchors) * batch.temperature)
        of_anchors, of_other, of_own = (torch.zeros_like(z) for z in (anchors, other, own))
        with torch.autocast(anchors.device.type, enabled=False):
            for rows, places in batch.tiles(anchors):
                p = batch.logits(anchors[rows], places, other, own).sub_(losses[rows, None]).exp_()
                p.scatter_(1, places, torch.expm1(-losses[rows, None])).mul_(scale)
                to_other, to_own = p[:, : len(other)], p[:, len(other) :]
                of_anchors[rows] = to_other @ other + to_own @ own
                of_other += to_other.T @ anchors[rows]
                of_own += to_own.T @ anchors[rows]
        return of_anchors, of_other, of_own, None


def _facts(logits: Tensor, places: Tensor) -> Tensor:
    """Return (3, t): each anchor's loss, whether its positive beats every negative, its entropy."""
    entropy = torch.special.entr(logits[:, : logits.shape[1] // 2].softmax(1)).sum(1)
    negatives = logits.scatter_(1, places, float("-inf"))
    log_odds = negatives.logsumexp(1)
    loss = torch.logaddexp(log_odds, torch.zeros_like(log_odds))
    return torch.stack((loss, (negatives.amax(1) < 0).to(loss.dtype), entropy))
