"""The life of a run, with a task of four numbers: going on, ending, and not losing what was saved."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from remedis.console import QUIET
from remedis.errors import FolderError, InterruptedRunError, StoppedError, TerminatedRunError
from remedis.models import checkpoint
from remedis.models.architectures import architecture
from remedis.models.contract import Contract
from remedis.models.encoder import Encoder
from remedis.models.load import load, random_encoder
from remedis.train import folder as folder_module
from remedis.train.folder import RunFolder
from remedis.train.log import read_metrics
from remedis.train.run import Pace, train

PACE = Pace(total=10, images=2, checkpoint=3, evaluation=4, minutes=1e9, summary=0)
JOB = {"learning_rate": 0.5}


class Falling:
    """Four numbers that fall towards a target, with a memory as momentum has."""

    def __init__(self, encoder: Encoder, *, at: Mapping[int, Any] | None = None) -> None:
        self.x, self.memory = torch.ones(4), torch.zeros(4)
        self.seconds_waited, self._encoder, self._at = 0.0, encoder, at or {}
        self.begun: list[int] = []

    def begin(self, step: int) -> None:
        self.begun.append(step)

    def step(self, step: int) -> dict[str, Tensor]:
        happens = self._at.get(step)
        if happens is not None:
            happens()
        gradient = self.x * torch.rand(4, generator=torch.Generator().manual_seed(step))
        self.memory = 0.9 * self.memory + 0.1 * gradient
        self.x = self.x - self.memory
        return {"loss": self.x.square().sum() if happens != NAN else torch.tensor(float("nan"))}

    def evaluate(self, step: int) -> dict[str, float]:
        return {"knn_accuracy": step / 10}

    def tensors(self) -> dict[str, Tensor]:
        return {"x": self.x, "memory": self.memory}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        self.x, self.memory = tensors["x"], tensors["memory"]

    def write(self, folder: Path) -> None:
        """As small as can be; that a run leaves true checkpoints is tested with the real ones."""
        (folder / "config.json").write_text("{}")

    @property
    def is_over(self) -> bool:
        return False


def NAN() -> None:
    """Stands for a step whose loss is no number."""


class KilledError(BaseException):
    """Ends a run where nothing of it may run any more, as SIGKILL does."""


def _killed() -> None:
    raise KilledError


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return random_encoder(architecture("resnet18-cifar"), Contract(size=8), seed=0)


def _run(path: Path, task: Falling, *, keep: int = 5, job: Mapping[str, Any] = JOB) -> RunFolder:
    made = RunFolder(path, keep=keep)
    made.claim(job, {"verb": "test"})
    try:
        train(task, made, PACE, QUIET)
    finally:
        made.release()
    return made


def _numbered(path: Path) -> list[str]:
    return sorted(found.name for found in path.glob("step-*"))


def test_a_run_leaves_checkpoints_metrics_and_the_newest_state_alone(tmp_path: Path, encoder: Encoder) -> None:
    folder = _run(tmp_path / "run", Falling(encoder))
    assert _numbered(folder.path) == ["step-000003", "step-000006", "step-000009", "step-000010"]
    assert (folder.path / "last" / "config.json").exists()
    assert [path.name for path in (folder.path / "state").iterdir()] == ["step-000010"]
    lines = read_metrics(folder.path)
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 11))
    assert [line["step"] for line in lines if "knn_accuracy" in line] == [4, 8, 10]
    assert not list(folder.path.glob("_*.tmp"))


@pytest.mark.parametrize("instant", range(1, 10))
def test_a_killed_run_goes_on_to_the_very_same_end(tmp_path: Path, encoder: Encoder, instant: int) -> None:
    unbroken = Falling(encoder)
    _run(tmp_path / "whole", unbroken)
    with pytest.raises(KilledError):
        _run(tmp_path / "run", Falling(encoder, at={instant: _killed}))
    again = Falling(encoder)
    _run(tmp_path / "run", again)
    assert again.begun == [instant // 3 * 3]
    assert torch.equal(again.x, unbroken.x)
    assert read_steps(tmp_path / "run") == read_steps(tmp_path / "whole")


def read_steps(path: Path) -> list[tuple[int, float]]:
    return [(line["step"], line["loss"]) for line in read_metrics(path) if "loss" in line]


@pytest.mark.parametrize("moment", ["state", "last", "number"])
def test_a_kill_between_state_and_checkpoints_loses_neither(
    tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        if moment == "state":
            patched.setattr(RunFolder, "publish", killed)
        elif moment == "last":
            patched.setattr(Path, "replace", _dies_at(Path.replace, "_last.new.tmp", "last"))
        else:
            patched.setattr(folder_module, "_link", killed)
        with pytest.raises(KilledError):
            _run(tmp_path / "run", Falling(encoder))
    _run(tmp_path / "run", Falling(encoder))
    assert _numbered(tmp_path / "run") == ["step-000003", "step-000006", "step-000009", "step-000010"]
    assert (tmp_path / "run" / "last" / "config.json").exists()


def _dies_at(replace: Any, source: str, target: str) -> Any:
    def replaced(self: Path, to: Any) -> Any:
        if self.name == source and Path(to).name == target:
            raise KilledError
        return replace(self, to)

    return replaced


def test_a_finished_run_is_not_trained_again(tmp_path: Path, encoder: Encoder) -> None:
    _run(tmp_path / "run", Falling(encoder))
    again = Falling(encoder)
    _run(tmp_path / "run", again)
    assert again.begun == []


def test_the_newest_checkpoints_are_kept(tmp_path: Path, encoder: Encoder) -> None:
    folder = _run(tmp_path / "run", Falling(encoder), keep=2)
    assert _numbered(folder.path) == ["step-000009", "step-000010"]


@pytest.mark.parametrize(
    ("number", "error", "status"),
    [(signal.SIGTERM, TerminatedRunError, 143), (signal.SIGINT, InterruptedRunError, 130)],
)
def test_a_signal_finishes_the_step_saves_and_ends(
    tmp_path: Path, encoder: Encoder, number: int, error: type[TerminatedRunError], status: int
) -> None:
    task = Falling(encoder, at={4: lambda: os.kill(os.getpid(), number)})
    with pytest.raises(error, match="the state after step 5 of 10 is saved") as ended:
        _run(tmp_path / "run", task)
    assert ended.value.exit_status == status
    again = Falling(encoder)
    _run(tmp_path / "run", again)
    assert again.begun == [5]


def test_a_loss_that_is_no_number_names_the_step_and_keeps_what_was_saved(tmp_path: Path, encoder: Encoder) -> None:
    with pytest.raises(StoppedError, match=r"the loss is nan at step 5, .*--learning-rate"):
        _run(tmp_path / "run", Falling(encoder, at={4: NAN}))
    assert _numbered(tmp_path / "run") == ["step-000003"]
    assert RunFolder(tmp_path / "run", keep=5).newest() == 3


def test_a_full_disk_keeps_the_state_before(tmp_path: Path, encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(tensors: object, path: Path) -> None:
        raise OSError(28, "No space left on device", str(path))

    task = Falling(encoder, at={5: lambda: monkeypatch.setattr(folder_module, "save_file", full)})
    with pytest.raises(StoppedError, match="no space is left on the disk"):
        _run(tmp_path / "run", task)
    folder = RunFolder(tmp_path / "run", keep=5)
    assert folder.newest() == 3
    assert set(folder.read(3)[0]) == {"x", "memory"}
    assert not list((tmp_path / "run" / "state").glob("_*"))


def test_another_configuration_is_refused_and_named(tmp_path: Path, encoder: Encoder) -> None:
    _run(tmp_path / "run", Falling(encoder))
    with pytest.raises(FolderError, match=r"learning_rate is 0\.5 there, 0\.1 here"):
        _run(tmp_path / "run", Falling(encoder), job={"learning_rate": 0.1})


def test_a_run_that_goes_on_elsewhere_is_refused(tmp_path: Path, encoder: Encoder) -> None:
    first = RunFolder(tmp_path / "run", keep=5)
    first.claim(JOB, {})
    try:
        with pytest.raises(FolderError, match="another process trains in this folder right now"):
            RunFolder(tmp_path / "run", keep=5).claim(JOB, {})
    finally:
        first.release()
    RunFolder(tmp_path / "run", keep=5).claim(JOB, {})


def test_a_line_that_a_kill_cut_is_left_out(tmp_path: Path, encoder: Encoder) -> None:
    with pytest.raises(KilledError):
        _run(tmp_path / "run", Falling(encoder, at={7: _killed}))
    with (tmp_path / "run" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 8, "lo')
    _run(tmp_path / "run", Falling(encoder))
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines if "loss" in line] == list(range(1, 11))


def test_last_is_a_checkpoint_that_opens(tmp_path: Path, encoder: Encoder) -> None:
    folder = RunFolder(tmp_path / "run", keep=1)
    folder.claim(JOB, {})
    folder.publish(7, partial(checkpoint.write, encoder), numbered=True)
    for name in ("last", "step-000007"):
        assert load(folder.path / name).hash == encoder.hash
