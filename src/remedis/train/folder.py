"""The folder of a run: what was asked for, checkpoints for others, and the state from which the run goes on.

    run.json            every option, versions, the manifest's hash
    metrics.jsonl       one line for each interval, tensorboard/ the same for TensorBoard
    last/, step-000100/ ordinary checkpoints
    state/step-000100/  weights, optimiser and place in the data

A state is whole or not there (it is moved in), and it is written before the checkpoints that show it; whatever a kill
left out of those is made again from it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from safetensors.torch import load_file, save_file
from torch import Tensor

from remedis.data.files import claim_folder, read_json, scratch_folder, write_json
from remedis.errors import FolderError

RUN, LAST, STATE = "run.json", "last", "state"
_TENSORS, _FACTS = "state.safetensors", "state.json"
_STEP = re.compile(r"step-(\d{6,})")


class RunFolder:
    """A folder that holds one run.

    Args:
        path: Where.
        keep: Numbered checkpoints that stay, the newest; 0 keeps all.
    """

    def __init__(self, path: Path, *, keep: int) -> None:
        self.path, self._keep = path, keep
        self._lock = FileLock(path / "_lock", timeout=0)

    def claim(self, job: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        """Make the folder this run's, or find that it is already.

        Args:
            job: What decides the result; a folder of another job is refused.
            facts: What else is to be known of this start: versions, processes, the command.

        Raises:
            FolderError: It holds another run (says which options differ), other files, or a run that goes on right
                now in another process.
        """
        claim_folder(self.path, job, facts_name=RUN)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise FolderError(
                "another process trains in this folder right now; wait for it", where=self.path
            ) from error
        for orphan in [*self.path.glob("_*.tmp"), *(self.path / STATE).glob("_*.tmp")]:
            shutil.rmtree(orphan, ignore_errors=True)
        write_json(self.path / RUN, {**read_json(self.path / RUN), **facts})

    def release(self) -> None:
        """Let other processes have the folder."""
        self._lock.release()

    def newest(self) -> int | None:
        """Return the step of the newest state, None where there is none."""
        return max(_steps_in(self.path / STATE), default=None)

    def read(self, step: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the tensors and the facts of a state."""
        folder = self.path / STATE / _name(step)
        return load_file(folder / _TENSORS), read_json(folder / _FACTS)

    def save(self, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> None:
        """Write a state and remove older ones.

        Raises:
            StoppedError: The disk is full; the state before is whole.
        """
        with scratch_folder(self.path / STATE / _name(step)) as scratch:
            save_file(
                {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, scratch / _TENSORS
            )
            write_json(scratch / _FACTS, {"step": step, **facts})
        for older in _steps_in(self.path / STATE):
            if older != step:
                shutil.rmtree(self.path / STATE / _name(older), ignore_errors=True)

    def publish(self, step: int, write: Callable[[Path], None], *, numbered: bool) -> None:
        """Write a checkpoint to `last`, and under the step's number where it is due; drop numbers beyond those kept.

        Args:
            step: Steps done.
            write: Writes the checkpoint into an empty folder.
            numbered: Whether it gets a number.

        Raises:
            StoppedError: The disk is full; earlier checkpoints are whole.
        """
        self.put(LAST, write)
        if numbered and not (self.path / _name(step)).exists():
            with scratch_folder(self.path / _name(step)) as scratch:
                for file in (self.path / LAST).iterdir():
                    _link(file, scratch / file.name)
        self._prune()

    def put(self, name: str, write: Callable[[Path], None]) -> None:
        """Write a checkpoint under a name, in the place of the one before.

        Raises:
            StoppedError: The disk is full; the one before is whole.
        """
        old, new = self.path / f"_{name}.old.tmp", self.path / f"_{name}.new.tmp"
        with scratch_folder(new) as scratch:
            write(scratch)
        if (self.path / name).exists():
            (self.path / name).replace(old)
        new.replace(self.path / name)
        shutil.rmtree(old, ignore_errors=True)

    def is_published(self, step: int, *, numbered: bool) -> bool:
        """Return whether `publish` came to its end for this step; a kill may have come between."""
        return (self.path / LAST).exists() and (not numbered or (self.path / _name(step)).exists())

    def finish(self, facts: Mapping[str, Any]) -> None:
        """Note in run.json that the run came to its end."""
        write_json(self.path / RUN, {**read_json(self.path / RUN), "complete": True, **facts})

    def _prune(self) -> None:
        steps = sorted(_steps_in(self.path))
        for step in steps[: -self._keep] if self._keep else ():
            shutil.rmtree(self.path / _name(step))


def is_run(folder: Path) -> bool:
    """Return whether a folder is a run's."""
    return (folder / RUN).is_file()


def _name(step: int) -> str:
    return f"step-{step:06}"


def _steps_in(folder: Path) -> list[int]:
    if not folder.is_dir():
        return []
    return [int(match[1]) for path in folder.iterdir() if (match := _STEP.fullmatch(path.name))]


def _link(file: Path, to: Path) -> None:
    """Give a file a second name, which costs no space; a copy where the file system has no such names."""
    try:
        os.link(file, to)
    except OSError:
        shutil.copy2(file, to)
