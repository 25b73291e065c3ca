"""What a run tells while it goes on: metrics.jsonl, TensorBoard files, and a word when the loss is no number."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from remedis.data.files import write_text
from remedis.errors import NotFiniteError

METRICS, TENSORBOARD = "metrics.jsonl", "tensorboard"
MOST_LINES = 1000  # of a whole run, so that its curves draw at once
_LAG = 20  # steps whose values may wait on a GPU before they are looked at


class Log:
    """Writes one line for each interval of steps, the mean of its values.

    Args:
        folder: The run's; None looks at the loss and writes nothing (processes beside the first).
        start: Steps done before; later lines of an earlier start are removed.
        total: Steps of the whole run.
        images: Images a step.
        summary_steps: Steps between points in TensorBoard; 0 for none.
    """

    def __init__(self, folder: Path | None, *, start: int, total: int, images: int, summary_steps: int) -> None:
        self._path = folder / METRICS if folder else None
        self._images, self._summary_steps = images, summary_steps
        self.every = max(1, total // MOST_LINES)
        self._pending: list[tuple[int, Mapping[str, Tensor]]] = []
        self._sums: dict[str, list[float]] = {}
        self._since, self._waited = time.monotonic(), 0.0
        self.loss = math.nan
        self._shown = start
        self._board: _Board | None = None
        if folder is not None:
            _cut(folder / METRICS, start)
            self._board = _Board(folder / TENSORBOARD, start) if summary_steps else None

    def add(self, step: int, values: Mapping[str, Tensor], *, waited: float) -> None:
        """Take the values of the step that was just done, the `step`-th; `loss` must be among them.

        Args:
            step: Counted from 1.
            values: Scalars; they are read at once on a processor, and some steps later on a GPU.
            waited: Seconds spent waiting for data since the start.

        Raises:
            NotFiniteError: The loss is not finite; names the step.
        """
        self._pending.append((step, values))
        if values["loss"].device.type == "cpu" or len(self._pending) >= _LAG or step % self.every == 0:
            self._look()
        if step % self.every == 0:
            self._write(step, waited)

    def settle(self, step: int, *, waited: float) -> None:
        """Look at and write what is still waiting, before a state is saved.

        Raises:
            NotFiniteError: As `add`.
        """
        self._look()
        if self._sums:
            self._write(step, waited)

    def event(self, step: int, values: Mapping[str, Any]) -> None:
        """Write a line of its own: what an evaluation found."""
        self._append({"step": step, **values})
        if self._board is not None:
            self._board.write(step, values)

    def close(self) -> None:
        """Close the files."""
        if self._board is not None:
            self._board.close()

    def _look(self) -> None:
        for step, values in self._pending:
            read = {name: float(value) for name, value in values.items()}
            if not math.isfinite(read["loss"]):
                raise NotFiniteError(
                    f"the loss is {read['loss']} at step {step}, a finite number was expected; what was saved before "
                    "is kept. Lower --learning-rate, lengthen the warm-up, or try --precision fp32"
                )
            self.loss = read["loss"]
            for name, value in read.items():
                self._sums.setdefault(name, []).append(value)
        self._pending.clear()

    def _write(self, step: int, waited: float) -> None:
        now = time.monotonic()
        seconds = max(now - self._since, 1e-9)
        steps = max(len(values) for values in self._sums.values())
        line: dict[str, Any] = {name: sum(values) / len(values) for name, values in self._sums.items()}
        line["images_per_second"] = steps * self._images / seconds
        line["waiting"] = (waited - self._waited) / seconds
        self._append({"step": step, **line})
        if self._board is not None and step - self._shown >= self._summary_steps:
            self._board.write(step, line)
            self._shown = step
        self._since, self._waited = now, waited
        self._sums.clear()

    def _append(self, line: Mapping[str, Any]) -> None:
        if self._path is None:
            return
        finite = {name: value for name, value in line.items() if not isinstance(value, float) or math.isfinite(value)}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(finite, ensure_ascii=False) + "\n")


class _Board:
    """TensorBoard's files."""

    def __init__(self, folder: Path, start: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=start or None)

    def write(self, step: int, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if isinstance(value, int | float):
                self._writer.add_scalar(name, value, step)

    def close(self) -> None:
        self._writer.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a run's metrics.jsonl; a last line that a kill cut short is left out."""
    path = folder / METRICS
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return lines


def _cut(path: Path, start: int) -> None:
    """Remove the lines of steps after `start`, which are done again."""
    kept = [line for line in read_metrics(path.parent) if line.get("step", 0) <= start]
    if path.exists():
        write_text(path, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in kept))


def scalars(values: Mapping[str, Tensor | float]) -> dict[str, Tensor]:
    """Return every value as a tensor without gradient."""
    return {name: torch.as_tensor(value).detach() for name, value in values.items()}
