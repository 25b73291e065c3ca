"""The life of a training, whatever it trains: steps, saving, going on after a kill, ending when asked."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from remedis.console import Console
from remedis.train.distributed import largest, rank
from remedis.train.folder import RunFolder
from remedis.train.log import Log
from remedis.train.signals import Signals, ending
from remedis.train.together import by_first


class Task(Protocol):
    """What a run trains."""

    @property
    def seconds_waited(self) -> float:
        """Spent waiting for data since the start."""

    def begin(self, step: int) -> None:
        """Get ready to do step `step` (counted from 0) next."""

    def step(self, step: int) -> Mapping[str, Tensor]:
        """Do one step of the optimiser; return scalars, `loss` among them. Decided by `step` and the state alone."""

    def evaluate(self, step: int) -> Mapping[str, Any]:
        """Return what there is to say after `step` steps beside the steps' own values; nothing of it is trained on."""

    def tensors(self) -> dict[str, Tensor]:
        """Return all that the next step depends on."""

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take back what `tensors` gave."""

    def write(self, folder: Path) -> None:
        """Write a checkpoint of what was trained into an empty folder."""

    @property
    def is_over(self) -> bool:
        """Whether further steps were found to be in vain (early stopping). The same in every process."""


@dataclass(frozen=True)
class Pace:
    """How long a run is and what happens when.

    Attributes:
        total: Steps.
        images: Images a step, over all processes.
        checkpoint: Steps between numbered checkpoints.
        evaluation: Steps between evaluations; 0 for none.
        minutes: The state is saved at least this often.
        summary: Steps between points in TensorBoard; 0 for none.
    """

    total: int
    images: int
    checkpoint: int
    evaluation: int
    minutes: float
    summary: int

    def numbers(self, step: int) -> bool:
        """Return whether the checkpoint after `step` steps gets a number."""
        return step % self.checkpoint == 0 or step == self.total

    def evaluates(self, step: int) -> bool:
        """Return whether it is evaluated after `step` steps."""
        return bool(self.evaluation) and (step % self.evaluation == 0 or step == self.total)


def train(task: Task, folder: RunFolder, pace: Pace, console: Console) -> None:
    """Do the steps that are missing in `folder`, and end when they are done or when a signal asks for it.

    Raises:
        StoppedError: The loss is not finite, or the disk is full; what was saved before is kept.
        RunEndedError: SIGTERM or Ctrl-C came; the state is saved.
    """
    step = _resume(task, folder, pace, console)
    if step == pace.total or task.is_over:
        return
    log = Log(
        folder.path if rank() == 0 else None,
        start=step, total=pace.total, images=pace.images, summary_steps=pace.summary,
    )  # fmt: skip
    saved = time.monotonic()
    task.begin(step)
    with (
        Signals() as signals,
        console.track(pace.total * pace.images, "images", "training", done=step * pace.images) as track,
    ):
        start = time.monotonic()
        while step < pace.total and not task.is_over:
            values = task.step(step)
            step += 1
            log.add(step, values, waited=task.seconds_waited)
            if pace.evaluates(step):
                log.event(step, task.evaluate(step))
            ended = largest(signals.received)  # of all processes, so that none waits for one that ended
            numbered = pace.numbers(step) or task.is_over
            if numbered or ended or largest(int(time.monotonic() - saved > 60 * pace.minutes)):
                log.settle(step, waited=task.seconds_waited)
                _save(task, folder, step, numbered=numbered)
                saved = time.monotonic()
            track.advance(pace.images)
            track.note(f"loss {log.loss:.3f} · waiting for data {task.seconds_waited / (time.monotonic() - start):.0%}")
            if ended:
                raise ending(ended, str(folder.path), f"the state after step {step:,} of {pace.total:,} is saved")
    log.close()


def _resume(task: Task, folder: RunFolder, pace: Pace, console: Console) -> int:
    """Take back the newest state and return how many steps it has behind it; 0 where there is none."""
    step = folder.newest()
    if step is None:
        return 0
    tensors, _ = folder.read(step)
    task.load(tensors)
    numbered = pace.numbers(step) or task.is_over
    if rank() == 0 and not folder.is_published(step, numbered=numbered):
        folder.publish(step, task.write, numbered=numbered)
    if step < pace.total and not task.is_over:
        console.say(f"goes on after step {step:,} of {pace.total:,}")
    return step


def _save(task: Task, folder: RunFolder, step: int, *, numbered: bool) -> None:
    """Write state and checkpoint, by the first process; the others wait for its word that it could."""

    def save() -> None:
        folder.save(step, task.tensors(), {})
        folder.publish(step, task.write, numbered=numbered)

    by_first(save, folder.path)
