"""The contrastive objective: two views of an image attract each other, all other images of the batch repel.

Source: SimCLR, arXiv:2002.05709, Algorithm 1; google-research/simclr model.py. The step can go through the network in
chunks: embeddings are computed without gradient first, the loss on all of them gives each embedding's gradient, and
each chunk is then computed again and propagated back alone (Gao et al., arXiv:2101.06983). Without batch norm the
result is that of the whole batch.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from remedis.train.distributed import mean, world
from remedis.train.heads import Classifier, ProjectionHead
from remedis.train.ntxent import ntxent

NO_LABEL = -1


@dataclass(frozen=True)
class Objective:
    """What the loss is computed with.

    Attributes:
        temperature: τ.
        hidden_norm: Projections are scaled to length 1.
        loss_scale: 1 for Algorithm 1, 2 for the official program.
        tile: Rows of the loss computed at once; None for all.
        chunk: Images that go through the network at once; None for all.
        bfloat16: The network multiplies in bfloat16; head, loss and gradients of weights stay float32.
    """

    temperature: float
    hidden_norm: bool = True
    loss_scale: float = 1.0
    tile: int | None = None
    chunk: int | None = None
    bfloat16: bool = False


class SimCLR(nn.Module):
    """A network with what is trained beside it and thrown away afterwards.

    Args:
        backbone: Images (n, 3, S, S) to embeddings (n, D).
        head: Embeddings to projections.
        classifier: Embeddings to logits, trained on stopped gradients; None where there are no labels.
    """

    def __init__(self, backbone: nn.Module, head: ProjectionHead, classifier: Classifier | None = None) -> None:
        super().__init__()
        self.backbone, self.head, self.classifier = backbone, head, classifier

    def has_batch_norm(self) -> bool:
        """Return whether the network's output for an image depends on the others of its batch."""
        return any(isinstance(module, _BatchNorm) for module in self.backbone.modules())

    def parallel(self) -> SimCLR:
        """Return the same weights, their gradients averaged over all processes; itself where there is one."""
        if world() == 1:
            return self
        parts = (self.backbone, self.head, self.classifier)
        return SimCLR(*(part if part is None else averaged(part) for part in parts))  # type: ignore[arg-type]


def averaged(part: nn.Module) -> nn.Module:
    """Return the module, its gradients averaged over all processes; itself where nothing of it is trained."""
    if not any(weight.requires_grad for weight in part.parameters()):
        return part
    # running statistics are the same everywhere (or, without --global-bn, each process's own): nothing to send
    known = signature(DistributedDataParallel).parameters
    name = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # torch 2.14's name
    more: dict[str, Any] = {name: False}
    return DistributedDataParallel(part, **more)


def loss_and_gradients(
    model: SimCLR, views: tuple[Tensor, Tensor], ids: Tensor, labels: Tensor | None, objective: Objective
) -> dict[str, Tensor]:
    """Add the gradients of one step to the weights and return its values, averaged over all processes.

    Args:
        model: In training mode; from `parallel` where there are several processes.
        views: Twice (n, 3, S, S), this process's share.
        ids: (n,) unit of each pair.
        labels: (n,) class of each pair, `NO_LABEL` where it has none.
        objective: The loss.

    Returns:
        `loss`, `contrast_accuracy` and `contrast_entropy`; with labels `label_loss` and `label_accuracy`;
        `embeddings` (2n, D), this process's.
    """
    images = torch.cat(views)
    whole = objective.chunk is None or objective.chunk >= len(images)
    if whole:
        embeddings = _embed(model.backbone, images, objective)
    else:
        with torch.no_grad():
            plain = _module(model.backbone)
            embeddings = torch.cat(
                [_embed(plain, chunk, objective) for chunk in torch.split(images, objective.chunk or 1)]
            )
        embeddings.requires_grad_()
    values = _losses(model, embeddings, ids, labels, objective)
    values["total"].backward()  # type: ignore[no-untyped-call]
    if not whole:
        _propagate(model.backbone, images, embeddings.grad, objective)
    found = {name: mean(value.detach()) for name, value in values.items() if name != "total"}
    return {**found, "embeddings": embeddings.detach()}


def _losses(
    model: SimCLR, embeddings: Tensor, ids: Tensor, labels: Tensor | None, objective: Objective
) -> dict[str, Tensor]:
    first, second = model.head(embeddings).chunk(2)
    contrast = ntxent(
        first, second, temperature=objective.temperature, hidden_norm=objective.hidden_norm,
        loss_scale=objective.loss_scale, ids=ids, tile=objective.tile,
    )  # fmt: skip
    values = {"loss": contrast.loss, "contrast_accuracy": contrast.accuracy, "contrast_entropy": contrast.entropy}
    if model.classifier is None or labels is None:
        return values | {"total": contrast.loss}
    logits = model.classifier(embeddings.detach())
    twice = torch.cat([labels, labels])
    known = (twice != NO_LABEL).sum()
    summed = F.cross_entropy(logits, twice, ignore_index=NO_LABEL, reduction="sum")
    share = mean(known.to(summed.dtype)).clamp(min=1)  # so that the mean over processes is that over all labels
    right = ((logits.argmax(1) == twice) & (twice != NO_LABEL)).sum()
    values |= {"label_loss": summed / share, "label_accuracy": right / share}
    return values | {"total": contrast.loss + values["label_loss"]}


def _embed(network: nn.Module, images: Tensor, objective: Objective) -> Tensor:
    with _multiply(images.device, objective):
        embeddings: Tensor = network(images)
    return embeddings.float() if objective.bfloat16 else embeddings


def _multiply(device: torch.device, objective: Objective) -> AbstractContextManager[object]:
    return torch.autocast(device.type, torch.bfloat16) if objective.bfloat16 else nullcontext()


def _propagate(network: nn.Module, images: Tensor, gradients: Tensor | None, objective: Objective) -> None:
    """Propagate the embeddings' gradients back through the network chunk by chunk; processes meet at the last one."""
    assert gradients is not None
    assert objective.chunk is not None
    pieces = list(zip(torch.split(images, objective.chunk), torch.split(gradients, objective.chunk), strict=True))
    for number, (piece, gradient) in enumerate(pieces, start=1):
        parallel = isinstance(network, DistributedDataParallel) and number < len(pieces)
        with network.no_sync() if parallel else nullcontext():  # type: ignore[operator]
            _embed(network, piece, objective).backward(gradient)  # type: ignore[no-untyped-call]


def _module(network: nn.Module) -> nn.Module:
    return network.module if isinstance(network, DistributedDataParallel) else network
