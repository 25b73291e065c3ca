"""Contrastive pretraining as a task that `remedis.train.run` can train: views in, one step of the optimiser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from remedis.errors import UsageError
from remedis.models import checkpoint
from remedis.models.encoder import Encoder
from remedis.recipes.pretraining import Pretraining
from remedis.train import optim
from remedis.train.distributed import rank, synchronised
from remedis.train.folder import RunFolder
from remedis.train.heads import Classifier, ProjectionHead
from remedis.train.rank_of import effective_rank
from remedis.train.schedule import Schedule
from remedis.train.simclr import Objective, SimCLR, loss_and_gradients
from remedis.train.view_grid import grid
from remedis.train.views import Pairs, Views
from remedis.train.watch import Watch

VIEWS = "views.png"


@dataclass(frozen=True)
class Plan:
    """What a pretraining works with.

    Attributes:
        settings: What decides the result.
        schedule: The learning rate of every step.
        seed: Of weights, order and views.
        objective: The loss and how it is computed.
        device: Where the network is.
        detail: Steps between looks at norms and rank, which cost a little.
        labels: (N,) class of each row, -1 where it has none; None for no classifier.
        classes: K.
    """

    settings: Pretraining
    schedule: Schedule
    seed: int
    objective: Objective
    device: str
    detail: int
    labels: Tensor | None = None
    classes: int = 0


class Pretrain:
    """The task.

    Args:
        encoder: What is trained; changed in place.
        views: The pairs of every step.
        plan: Everything else.
        watch: What is evaluated on the way; None for nothing.
        folder: Gets a picture of the first views.

    Raises:
        UsageError: Chunks were asked for and the network has batch norms, whose statistics need the whole batch.
    """

    def __init__(self, encoder: Encoder, views: Views, plan: Plan, watch: Watch | None, folder: RunFolder) -> None:
        settings = plan.settings
        self._encoder, self._views, self._plan, self._watch, self._folder = encoder, views, plan, watch, folder
        backbone = encoder.backbone.to(plan.device).train()
        for module in backbone.modules():
            if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
                module.momentum = 1 - settings.batch_norm_decay
        model = SimCLR(backbone, _head(encoder.width, settings), _classifier(encoder.width, plan))
        _initialise(model, plan.seed)
        if plan.objective.chunk is not None and model.has_batch_norm():
            raise UsageError(
                f"--chunk-size {plan.objective.chunk}: {encoder.network} has batch norms, whose statistics need "
                "the whole batch at once; leave it out, or take a network with group norms (bit-…)"
            )
        model = model.to(plan.device)
        if settings.global_bn:
            model = synchronised(model)  # type: ignore[assignment]
        self._model = model
        named = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
        self._optimizer = optim.make_optimizer(
            settings.optimizer, named, learning_rate=plan.schedule.peak, momentum=settings.momentum,
            weight_decay=settings.weight_decay, excluded=optim.excluded(model, settings.exclude),
        )  # fmt: skip
        self._parallel = model.parallel()
        self._pairs: Iterator[Pairs] = iter(())
        low, high = encoder.contract.range
        self._scale, self._shift = high - low, low

    @property
    def seconds_waited(self) -> float:
        """Spent waiting for data since the start."""
        return self._views.seconds_waited

    def begin(self, step: int) -> None:
        """Start reading at step `step`."""
        self._pairs = self._views.steps(step, self._plan.schedule.total_steps)

    def step(self, step: int) -> dict[str, Tensor]:
        """Do one step; return its values."""
        pairs = next(self._pairs)
        if step == 0 and rank() == 0:
            grid(pairs.first, pairs.second, self._folder.path / VIEWS)
        torch.manual_seed((self._plan.seed * 1_000_003 + step) * 8191 + rank())  # for networks with dropout
        rate = self._plan.schedule.at(step)
        optim.set_learning_rate(self._optimizer, rate)
        self._optimizer.zero_grad(set_to_none=True)
        labels = None if self._plan.labels is None else self._plan.labels[pairs.rows].to(self._plan.device)
        views = (self._in_range(pairs.first), self._in_range(pairs.second))
        values = loss_and_gradients(self._parallel, views, pairs.ids, labels, self._plan.objective)
        embeddings = values.pop("embeddings")
        if step % self._plan.detail == 0:
            values |= self._details(embeddings)
        self._optimizer.step()
        return {**values, "learning_rate": torch.tensor(rate)}

    def evaluate(self, step: int) -> dict[str, Any]:
        """Return the accuracies of nearest neighbours and of the classifier on rows that are watched."""
        if self._watch is None or rank() != 0:
            return {}
        backbone = self._model.backbone.eval()
        classifier = self._model.classifier
        try:
            return self._watch.look(self._encoder, backbone, classifier, self._plan.objective.bfloat16)
        finally:
            backbone.train()

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, running statistics and the optimiser's memory."""
        found = {f"model.{name}": tensor for name, tensor in self._model.state_dict().items()}
        return found | optim.memory_of(self._optimizer)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        self._model.load_state_dict(
            {name.removeprefix("model."): tensor for name, tensor in tensors.items() if name.startswith("model.")}
        )
        optim.remember(self._optimizer, tensors)

    def write(self, folder: Path) -> None:
        """Write the encoder as it is now."""
        checkpoint.write(self._encoder, folder)

    @property
    def is_over(self) -> bool:
        """Nothing is chosen on the way: a pretraining does all its steps."""
        return False

    def _in_range(self, views: Tensor) -> Tensor:
        return views if (self._scale, self._shift) == (1, 0) else views * self._scale + self._shift

    def _details(self, embeddings: Tensor) -> dict[str, Tensor]:
        weights = [weight for weight in self._model.parameters() if weight.grad is not None]
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        return {
            "gradient_norm": torch.stack(torch._foreach_norm(gradients)).norm(),
            "weight_norm": torch.stack(torch._foreach_norm([weight.detach() for weight in weights])).norm(),
            "embedding_norm": embeddings.norm(dim=1).mean(),
            "embedding_rank": effective_rank(embeddings),
        }


def _head(width: int, settings: Pretraining) -> ProjectionHead:
    if settings.head_proj_mode == "v2":
        return ProjectionHead("nonlinear", width, settings.head_proj_dim, 2, "v2")
    return ProjectionHead(settings.head_proj_mode, width, settings.head_proj_dim, settings.num_nlh_layers)


def _classifier(width: int, plan: Plan) -> Classifier | None:
    return None if plan.labels is None else Classifier(width, plan.classes)


def _initialise(model: SimCLR, seed: int) -> None:
    """Fill what is trained beside the encoder, from `seed` alone."""
    model.head.initialise(torch.Generator().manual_seed(seed + 1))
    if model.classifier is not None:
        model.classifier.initialise(torch.Generator().manual_seed(seed + 2))
