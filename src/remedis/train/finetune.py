"""Fine-tuning as a task that `remedis.train.run` can train: one view of each image in, one step of the optimiser."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

from remedis.errors import UsageError
from remedis.evaluate import seen
from remedis.models.encoder import Encoder
from remedis.models.staged import Staged
from remedis.recipes.finetuning import FineTuning
from remedis.train import finetuned, optim
from remedis.train.batches import Batches, Shown
from remedis.train.blocks import freeze, frozen_parts, rest
from remedis.train.distributed import mean, rank, synchronised, world
from remedis.train.finetuned import BEST, Classified
from remedis.train.folder import RunFolder
from remedis.train.heads import Classifier
from remedis.train.judge import Judge, Verdict
from remedis.train.labels import LabelMatrix, loss, widths
from remedis.train.mixup import mixed, share_of
from remedis.train.simclr import averaged
from remedis.train.together import by_first


class Rate(Protocol):
    """A learning rate for every step."""

    def at(self, step: int) -> float:
        """Return that of the update that is made after `step` others."""


@dataclass(frozen=True)
class Plan:
    """What a fine-tuning works with.

    Attributes:
        settings: What decides the result.
        rate: The learning rate of every step.
        steps: How many there are.
        seed: Of the head, of order and views.
        labels: What is learnt, of the training rows.
        device: Where the network is.
        bfloat16: The network multiplies in bfloat16.
        parts: Parts of a batch that go through the network one after the other.
        recompute: Activations are computed again for the backward pass instead of kept.
    """

    settings: FineTuning
    rate: Rate
    steps: int
    seed: int
    labels: LabelMatrix
    device: str
    bfloat16: bool = False
    parts: int = 1
    recompute: bool = False


class FineTune:
    """The task.

    Args:
        encoder: What is trained; changed in place.
        batches: The views of every step.
        plan: Everything else.
        judge: Asks the validation part; None where there is none, and the last weights are what is used.
        folder: Gets the best checkpoint.

    Raises:
        UsageError: Parts or recomputation were asked for and the network has batch norms that are trained, whose
            statistics need the whole batch once.
    """

    def __init__(self, encoder: Encoder, batches: Batches, plan: Plan, judge: Judge | None, folder: RunFolder) -> None:
        self._encoder, self._batches, self._plan, self._judge, self._folder = encoder, batches, plan, judge, folder
        settings = plan.settings
        backbone = encoder.backbone.to(plan.device)
        head = Classifier(encoder.width, sum(widths(plan.labels.labels)))
        head.initialise(torch.Generator().manual_seed(plan.seed + 1))
        if settings.zero_init_logits_layer:
            nn.init.zeros_(head.weight)
        model = synchronised(Classified(backbone, head.to(plan.device)))
        assert isinstance(model, Classified)
        self._model = model
        self._frozen = frozen_parts(encoder.backbone, settings.fine_tune_after_block)
        freeze(self._frozen)
        rest(model, self._frozen)
        _prepare_norms(encoder, plan)
        named = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
        self._optimizer = optim.make_optimizer(
            settings.optimizer, named, learning_rate=plan.rate.at(0), momentum=settings.momentum,
            weight_decay=settings.weight_decay, excluded=optim.excluded(model, settings.exclude),
        )  # fmt: skip
        self._parallel = averaged(model) if world() > 1 else model
        self._shown: Iterator[Shown] = iter(())
        self._best = torch.full((2,), -torch.inf, dtype=torch.float64)
        self._vain = 0
        self._step = 0
        low, high = encoder.contract.range
        self._scale, self._shift = high - low, low

    @property
    def seconds_waited(self) -> float:
        """Spent waiting for data since the start."""
        return self._batches.seconds_waited

    @property
    def is_over(self) -> bool:
        """Whether so many evaluations as the patience allows found nothing better."""
        patience = self._plan.settings.patience
        return bool(patience) and self._vain >= patience

    def begin(self, step: int) -> None:
        """Start reading at step `step`."""
        self._shown = self._batches.steps(step, self._plan.steps)

    def step(self, step: int) -> dict[str, Tensor]:
        """Do one step; return its values."""
        shown = next(self._shown)
        torch.manual_seed((self._plan.seed * 1_000_003 + step) * 8191 + rank())  # for networks with dropout
        rate = self._plan.rate.at(step)
        optim.set_learning_rate(self._optimizer, rate)
        self._optimizer.zero_grad(set_to_none=True)
        images = shown.views if (self._scale, self._shift) == (1, 0) else shown.views * self._scale + self._shift
        asked = self._plan.labels.of(shown.rows).to(images.device)
        if self._plan.settings.mixup:
            images, asked = mixed(images, asked, share_of(self._plan.settings.mixup, self._plan.seed, step))
        counts = mean(asked.weights.sum(0)) * world()
        value = images.new_zeros(())
        bounds = torch.linspace(0, len(images), min(self._plan.parts, len(images)) + 1).round().int().tolist()
        for number, part in enumerate(map(slice, bounds[:-1], bounds[1:]), start=1):
            with self._alone(last=number == len(bounds) - 1):
                with _multiplied(images.device, self._plan.bfloat16):
                    logits = self._parallel(images[part])
                # each process's gradient is averaged with the others', and the step's is their sum
                share = loss(logits, asked.part(part), self._plan.labels.labels, counts) * world()
                share.backward()  # type: ignore[no-untyped-call]
            value += share.detach()
        self._optimizer.step()
        self._step = step + 1
        return {"loss": mean(value), "learning_rate": torch.tensor(rate)}

    def evaluate(self, step: int) -> dict[str, Any]:
        """Return the verdict of the validation part; the best weights so far go into `best`."""
        if self._judge is None:
            return {}
        verdict = self._ask()
        key = torch.tensor(verdict.key if rank() == 0 else (0.0, 0.0), dtype=torch.float64)
        key = (mean(key.to(self._plan.device)) * world()).cpu()
        if tuple(key.tolist()) > tuple(self._best.tolist()):
            self._best, self._vain = key, 0
            by_first(lambda: self._folder.put(BEST, self.write), self._folder.path)
        else:
            self._vain += 1
        if rank() != 0:
            return {}
        auroc = None if math.isnan(verdict.auroc) else verdict.auroc
        return {"validation_auroc": auroc, "validation_loss": verdict.loss, "n": verdict.n}

    def tensors(self) -> dict[str, Tensor]:
        """Return weights, running statistics, the optimiser's memory, and what is known of the best."""
        found = {f"model.{name}": tensor for name, tensor in self._model.state_dict().items()}
        return {
            **found, **optim.memory_of(self._optimizer),
            "best": self._best, "vain": torch.tensor(self._vain), "step": torch.tensor(self._step),
        }  # fmt: skip

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `tensors` gave."""
        self._model.load_state_dict(
            {name.removeprefix("model."): tensor for name, tensor in tensors.items() if name.startswith("model.")}
        )
        optim.remember(self._optimizer, tensors)
        self._best, self._vain, self._step = tensors["best"], int(tensors["vain"]), int(tensors["step"])

    def write(self, folder: Path) -> None:
        """Write the encoder and the head as they are now."""
        head = self._model.head
        finetuned.write(folder, self._encoder, head, self._plan.labels.labels, {"step": self._step})
        if (self._folder.path / seen.FILE_NAME).exists():  # so that the model can be moved away from its run
            shutil.copy2(self._folder.path / seen.FILE_NAME, folder)

    def _ask(self) -> Verdict:
        if rank() != 0 or self._judge is None:
            return Verdict(0.0, 0.0, 0)
        self._model.eval()
        try:
            return self._judge.ask(self._model, self._encoder.contract.range, bfloat16=self._plan.bfloat16)
        finally:
            rest(self._model, self._frozen)

    def _alone(self, *, last: bool) -> AbstractContextManager[object]:
        """Keep gradients to this process until the last part's, which the processes average."""
        if last or not isinstance(self._parallel, DistributedDataParallel):
            return nullcontext()
        return self._parallel.no_sync()


def _prepare_norms(encoder: Encoder, plan: Plan) -> None:
    """Set the decay of running statistics and what is kept for the backward pass.

    Raises:
        UsageError: See `FineTune`.
    """
    norms = [module for module in encoder.backbone.modules() if isinstance(module, _BatchNorm) and module.training]
    for norm in norms:
        norm.momentum = 1 - plan.settings.batch_norm_decay
    if norms and (plan.parts > 1 or plan.recompute):
        name = "--gradient-checkpointing" if plan.recompute else f"--accumulate {plan.parts}"
        raise UsageError(
            f"{name}: {encoder.network} has batch norms, whose statistics need the whole batch once; leave it out, or "
            "take a network with group norms (bit-…)"
        )
    if plan.recompute and not isinstance(encoder.backbone, Staged):
        raise UsageError(f"--gradient-checkpointing: the blocks of {encoder.network} are not known; leave it out")
    if isinstance(encoder.backbone, Staged):
        encoder.backbone.recompute = plan.recompute


def _multiplied(device: torch.device, bfloat16: bool) -> AbstractContextManager[object]:
    return torch.autocast(device.type, torch.bfloat16) if bfloat16 else nullcontext()
