"""One fine-tuning from rows to a folder: what the command and a study's cells both run."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from remedis.console import QUIET, Console
from remedis.data.embeddings import read_rejected, write_rejected
from remedis.data.files import write_atomic
from remedis.data.loader import View
from remedis.data.manifest import Manifest
from remedis.errors import UsageError
from remedis.evaluate import seen
from remedis.evaluate.targets import Target
from remedis.models.encoder import Encoder
from remedis.recipes.finetuning import FineTuning
from remedis.train import distributed, labels, schedule
from remedis.train.batches import Batches, augmentation
from remedis.train.finetune import FineTune, Plan
from remedis.train.folder import RunFolder
from remedis.train.judge import Judge
from remedis.train.log import read_metrics
from remedis.train.order import Order
from remedis.train.run import Pace, train
from remedis.train.squares import Rows, Squares
from remedis.train.step_images import StepImages
from remedis.train.together import claimed, union

EVALUATIONS = 10  # of a run of few epochs; a longer one is evaluated after each


@dataclass(frozen=True)
class Machine:
    """What computes, and how; in float32 nothing of it changes the result by more than rounding.

    Attributes:
        device: `cpu`, `cuda` or `cuda:N`.
        precision: `fp32` or `bf16`.
        workers: Processes that read.
        cache: Decoded images are kept in memory.
        parts: Parts of a batch that go through the network one after the other.
        recompute: Activations are computed again rather than kept.
    """

    device: str = "cpu"
    precision: str = "fp32"
    workers: int = 0
    cache: bool = False
    parts: int = 1
    recompute: bool = False


@dataclass(frozen=True)
class Life:
    """What is kept, and how often.

    Attributes:
        evaluation_steps: Steps between evaluations; 0: an epoch, or a tenth of a short run.
        checkpoint_steps: Steps between numbered checkpoints; 0 numbers the last one only.
        checkpoint_minutes: The state is saved at least this often.
        keep: Numbered checkpoints that stay; 0 keeps all.
        summary_steps: Steps between points in TensorBoard; 0 for none.
    """

    evaluation_steps: int = 0
    checkpoint_steps: int = 0
    checkpoint_minutes: float = 30.0
    keep: int = 5
    summary_steps: int = 0


@dataclass(frozen=True)
class Job:
    """A fine-tuning.

    Attributes:
        encoder: What is trained; changed in place.
        manifest: All rows.
        targets: L labels of all rows.
        train: Row numbers that are learnt from.
        validation: Row numbers that choose the checkpoint; none keeps the last.
        settings: What decides the result; `image_size` is filled in.
        profile: How stored pixels become the image.
        seed: Of the head, of order and views.
        machine: What computes.
        life: What is kept.
        drawn: What chose the training rows (fraction, draw), for the record.
    """

    encoder: Encoder
    manifest: Manifest
    targets: tuple[Target, ...]
    train: Rows
    validation: Rows
    settings: FineTuning
    profile: str
    seed: int = 0
    machine: Machine = Machine()
    life: Life = Life()
    drawn: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """How many steps the run has, unless it ends early."""
        return schedule.total_steps(
            len(self.train), self.settings.train_batch_size, self.settings.train_epochs, self.settings.train_steps
        )

    def identity(self) -> dict[str, Any]:
        """Return what decides the result: a folder that holds another job is refused, naming what differs."""
        return {
            **dataclasses.asdict(self.settings),
            "decay_at": list(self.settings.decay_at),
            "aside": list(self.settings.aside),
            "encoder_hash": self.encoder.hash,
            "network": self.encoder.network,
            "manifest_hash": self.manifest.hash(),
            "labels": {each.label: list(each.classes) for each in self.targets},
            "images": len(self.train),
            "train_rows": _digest(self.train),
            "validation_rows": _digest(self.validation),
            "profile": self.profile,
            "precision": self.machine.precision,
            "seed": self.seed,
            **self.drawn,
        }


@dataclass(frozen=True)
class Outcome:
    """What came of it.

    Attributes:
        steps: Steps done.
        rejected: Image and reason of what could not be read.
        auroc: The best on validation, None where there is none.
        best_step: The step of the weights that are used.
    """

    steps: int
    rejected: list[tuple[str, str]]
    auroc: float | None = None
    best_step: int = 0


def finetune(job: Job, folder: RunFolder, facts: Mapping[str, Any], console: Console = QUIET) -> Outcome:
    """Train in a folder until the job is done, going on where an earlier start ended.

    Args:
        job: What is trained on what.
        folder: Where; taken and released again.
        facts: What else is to be known of this start.
        console: Gets the progress.

    Raises:
        RemedisError: The folder or an option cannot be used; nothing was written.
        StoppedError: The loss is not finite, or the disk is full; what was saved is kept.
        RunEndedError: SIGTERM or Ctrl-C; the state was saved.
    """
    identity = job.identity()
    encoder = job.encoder.made_for(job.settings.image_size, job.profile)
    pace = pace_of(job)
    batches, judge = _batches(job), _judge(job)
    task = FineTune(encoder, batches, _plan(job, pace), judge, folder)
    claimed(lambda: folder.claim(identity, facts), folder.path)
    try:
        if distributed.rank() == 0:
            _remember(job, folder)
        train(task, folder, pace, console)
        unread = {int(job.train[row]): why for row, why in batches.rejected.items()}
        found = union(unread | (judge.rejected if judge else {}))
        names = job.manifest.table["image"]
        now = {str(names[row].as_py()): found[row] for row in sorted(found)}
        rejected = list({**dict(read_rejected(folder.path)), **now}.items())  # those of earlier starts too
        if distributed.rank() == 0:
            if rejected:
                write_rejected(folder.path, rejected)
            folder.finish({"steps": folder.newest(), "rejected": len(rejected)})
    finally:
        folder.release()
    return outcome(folder, rejected)


def outcome(folder: RunFolder, rejected: list[tuple[str, str]]) -> Outcome:
    """Return what a finished folder holds."""
    steps = folder.newest() or 0
    best = best_of(verdicts(folder.path))
    return (
        Outcome(steps, rejected, best["validation_auroc"], best["step"])
        if best
        else Outcome(steps, rejected, None, steps)
    )


def verdicts(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's log that are of validation."""
    return [line for line in read_metrics(folder) if "validation_loss" in line]


def best_of(lines: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the line that chose the checkpoint: the first of those with the best AUROC and then the smallest loss."""
    return max(lines, key=standing, default={})


def standing(line: Mapping[str, Any]) -> tuple[float, float]:
    """Return what a line of validation is compared by, as `Verdict.key`; without one it is behind all others."""
    auroc = line.get("validation_auroc")
    return (-1.0 if auroc is None else auroc, -line.get("validation_loss", math.inf))


def pace_of(job: Job) -> Pace:
    """Return how long the run is and what happens when.

    Raises:
        UsageError: The batch does not share out among the processes.
    """
    batch, total = job.settings.train_batch_size, job.steps
    if batch % distributed.world():
        raise UsageError(f"--train-batch-size {batch} does not share out among {distributed.world()} processes")
    epoch = schedule.steps_in(1, len(job.train), batch)
    return Pace(
        total=total,
        images=batch,
        checkpoint=job.life.checkpoint_steps or total,
        evaluation=(job.life.evaluation_steps or min(epoch, -(-total // EVALUATIONS))) if len(job.validation) else 0,
        minutes=job.life.checkpoint_minutes,
        summary=job.life.summary_steps,
    )


def _batches(job: Job) -> Batches:
    how = augmentation(job.settings.image_size, job.settings)
    images = StepImages(
        job.manifest.select(job.train),
        Order(len(job.train), job.settings.train_batch_size, job.seed),
        job.settings.image_size,
        profile=job.profile,
        share=(distributed.rank(), distributed.world()),
        workers=job.machine.workers,
        cache=job.machine.cache,
    )
    return Batches(images, how, seed=job.seed, device=job.machine.device)


def _plan(job: Job, pace: Pace) -> Plan:
    settings = job.settings
    rate = schedule.Schedule(
        settings.learning_rate, settings.train_batch_size, round(settings.warmup_share * pace.total), pace.total,
        settings.learning_rate_scaling, settings.decay_at if settings.schedule == "steps" else None,
    )  # fmt: skip
    return Plan(
        settings, rate, pace.total, job.seed,
        labels.matrix(job.targets, job.train, settings.class_weights, settings.aside),
        job.machine.device, job.machine.precision == "bf16", job.machine.parts, job.machine.recompute,
    )  # fmt: skip


def _judge(job: Job) -> Judge | None:
    if not len(job.validation) or distributed.rank() != 0:
        return Judge(None, job.targets, job.settings.aside) if len(job.validation) else None
    contract = job.encoder.contract
    view = View(job.profile, job.settings.image_size, contract.fit)
    squares = Squares(job.manifest, job.validation, view, workers=job.machine.workers, keep=True)
    return Judge(squares, job.targets, job.settings.aside)


def _remember(job: Job, folder: RunFolder) -> None:
    """Write the keys of the rows that the model sees, so that predictions can tell them from others."""
    table = seen.remember(
        job.manifest.table, {"train": job.train, "validation": job.validation},
        dataset=job.manifest.data_set, root=job.manifest.root,
    )  # fmt: skip
    with write_atomic(folder.path / seen.FILE_NAME) as temporary:
        pq.write_table(table, temporary)


def _digest(rows: Rows) -> str:
    return hashlib.sha256(np.ascontiguousarray(rows, np.int64).tobytes()).hexdigest()[:16]
