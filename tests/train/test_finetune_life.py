"""A fine-tuning's life: the best checkpoint, the early end, and the very same end after a kill at any step."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from finetune_tasks import SIZE, TinyResNet, job_of, labelled_images, tiny, trained
from safetensors.torch import load_file
from torch import Tensor

from remedis.data.loader import View
from remedis.data.manifest import Manifest
from remedis.errors import FolderError, StoppedError, TerminatedRunError, UsageError
from remedis.train import finetune_job
from remedis.train.finetune import Classified, FineTune
from remedis.train.finetune_job import Job, Life, pace_of, verdicts
from remedis.train.folder import RunFolder
from remedis.train.heads import Classifier
from remedis.train.judge import Judge, Verdict
from remedis.train.squares import Squares

STEPS = 6


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return labelled_images(tmp_path_factory.mktemp("bright"))


class KilledError(BaseException):
    """Ends a run where nothing of it may run any more, as SIGKILL does."""


def _killed_at(instant: int, patched: pytest.MonkeyPatch, *, moment: str) -> None:
    """Let a step, the saving of the best or of the state be the last thing that is done."""
    if moment == "step":
        _replace(patched, FineTune, "step", lambda _, step: step == instant)
    elif moment == "best":
        _replace(patched, RunFolder, "put", lambda folder, name, *_: name == "best" and _steps_of(folder) >= instant)
    else:
        _replace(patched, RunFolder, "save", lambda _, step, *__: step >= instant)


def _steps_of(folder: RunFolder) -> int:
    return max((line["step"] for line in finetune_job.read_metrics(folder.path) if "loss" in line), default=0)


def _replace(patched: pytest.MonkeyPatch, owner: type, name: str, due: Callable[..., bool]) -> None:
    true = getattr(owner, name)

    def dying(self: Any, *args: Any, **kwargs: Any) -> Any:
        if due(self, *args):
            raise KilledError
        return true(self, *args, **kwargs)

    patched.setattr(owner, name, dying)


def _bytes(folder: Path) -> dict[str, bytes]:
    """Return every file of the checkpoints, and the state's numbers."""
    kept = ("best", "last", "step-000006", "state/step-000006")
    return {
        f"{name}/{file.name}": file.read_bytes()
        for name in kept for file in sorted((folder / name).iterdir()) if file.suffix == ".safetensors"
    }  # fmt: skip


def _job(manifest: Manifest, **settings: Any) -> Job:
    return job_of(manifest, tiny(TinyResNet), optimizer="momentum", mixup=0.2, train_steps=STEPS, **settings)


@pytest.fixture(scope="module")
def whole(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unbroken run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    trained(_job(manifest), folder)
    return folder


@pytest.mark.parametrize("instant", range(STEPS))
def test_killed_at_any_step_the_run_comes_to_the_very_same_end(
    manifest: Manifest, tmp_path: Path, whole: Path, instant: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    _same_end(manifest, tmp_path / "run", whole, instant, monkeypatch, "step")


@pytest.mark.parametrize(("instant", "moment"), [(1, "best"), (2, "best"), (3, "state"), (6, "state")])
def test_killed_while_it_saves_too(
    manifest: Manifest, tmp_path: Path, whole: Path, instant: int, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _same_end(manifest, tmp_path / "run", whole, instant, monkeypatch, moment)


def _same_end(
    manifest: Manifest, folder: Path, whole: Path, instant: int, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    with monkeypatch.context() as patched:
        _killed_at(instant, patched, moment=moment)
        with pytest.raises(KilledError):
            trained(_job(manifest), folder)
    trained(_job(manifest), folder)
    assert _bytes(folder) == _bytes(whole)
    assert verdicts(folder) == verdicts(whole)
    assert not list(folder.glob("_*.tmp"))


def _verdict_list(monkeypatch: pytest.MonkeyPatch, aurocs: list[float], losses: list[float] | None = None) -> None:
    """Let validation say what is in a list: of the run's k-th evaluation, told by the evaluations logged so far."""
    weights: list[float] = losses or [1.0] * len(aurocs)

    def ask(self: Any) -> Verdict:
        place = self._step // 2 - 1
        return Verdict(aurocs[place], weights[place], 5)

    monkeypatch.setattr(FineTune, "_ask", ask)


def _model(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "model.safetensors") | load_file(folder / "head.safetensors")


def _same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("aurocs", "losses", "best"),
    [
        ([0.5, 0.9, 0.7], [1.0, 2.0, 0.1], 4),
        ([0.9, 0.9, 0.9], [1.0, 0.5, 0.5], 4),
        ([0.9, 0.5, 0.5], [1.0, 0.5, 0.5], 2),
        ([0.5, 0.6, 0.7], [1.0, 0.5, 0.5], 6),
        ([float("nan")] * 3, [1.0, 0.5, 0.6], 4),
    ],
    ids=["auroc", "tie", "first", "last", "loss alone"],
)
def test_the_best_checkpoint_is_the_one_that_validation_chose(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    aurocs: list[float], losses: list[float], best: int,
) -> None:  # fmt: skip
    _verdict_list(monkeypatch, aurocs, losses)
    job = replace(_job(manifest), life=Life(evaluation_steps=2, checkpoint_steps=2))
    outcome = trained(job, tmp_path / "run")
    assert outcome.best_step == best
    for step in (2, 4, 6):
        numbered = _model(tmp_path / "run" / f"step-{step:06}")
        assert _same(_model(tmp_path / "run" / "best"), numbered) == (step == best)


def test_the_verdict_that_is_logged_is_that_of_the_best_checkpoint(manifest: Manifest, whole: Path) -> None:
    """Judged anew from the files."""
    job = _job(manifest)
    squares = Squares(manifest, job.validation, View("dicom-display", SIZE, "squash"), workers=0, keep=False)
    backbone = tiny(TinyResNet).backbone
    backbone.load_state_dict(load_file(whole / "best" / "model.safetensors"))
    head = Classifier(8, 1)
    head.load_state_dict(load_file(whole / "best" / "head.safetensors"))
    verdict = Judge(squares, job.targets).ask(Classified(backbone, head).eval(), (0.0, 1.0), bfloat16=False)
    outcome = finetune_job.outcome(RunFolder(whole, keep=5), [])
    line = next(line for line in verdicts(whole) if line["step"] == outcome.best_step)
    assert line["validation_auroc"] == verdict.auroc == outcome.auroc
    assert line["validation_loss"] == pytest.approx(verdict.loss, rel=1e-6)
    assert line["n"] == verdict.n == 6


@pytest.mark.parametrize(
    ("patience", "aurocs", "steps", "best"),
    [
        (1, [0.5, 0.8, 0.8, 0.9, 0.9], 6, 4),
        (2, [0.5, 0.8, 0.7, 0.9, 0.1, 0.9, 0.9], 12, 8),
        (0, [0.5] * 7, 14, 2),
    ],
    ids=["one", "two", "never"],
)
def test_the_run_ends_after_so_many_evaluations_in_vain(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    patience: int, aurocs: list[float], steps: int, best: int,
) -> None:  # fmt: skip
    _verdict_list(monkeypatch, aurocs)
    job = _job(manifest, patience=patience)
    job = replace(job, settings=replace(job.settings, train_steps=14), life=Life(evaluation_steps=2))
    outcome = trained(job, tmp_path / "run")
    assert (outcome.steps, outcome.best_step) == (steps, best)
    assert (tmp_path / "run" / f"step-{steps:06}").is_dir()
    assert trained(job_again(job), tmp_path / "run").steps == steps


def job_again(job: Job) -> Job:
    return replace(job, encoder=tiny(TinyResNet))


def test_patience_is_remembered_over_a_kill(
    manifest: Manifest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _verdict_list(monkeypatch, [0.8, 0.7, 0.7, 0.7, 0.7, 0.7])
    job = _job(manifest, patience=3)
    job = replace(job, settings=replace(job.settings, train_steps=12))  # saved after steps 3 and 6
    for instant in (5, 7):
        with monkeypatch.context() as patched:
            _killed_at(instant, patched, moment="step")
            with pytest.raises(KilledError):
                trained(job_again(job), tmp_path / "run")
    assert trained(job_again(job), tmp_path / "run").steps == 8


def test_without_validation_the_last_weights_are_used(manifest: Manifest, tmp_path: Path) -> None:
    job = replace(_job(manifest, patience=1), validation=np.array([], np.int64))
    outcome = trained(job, tmp_path / "run")
    assert (outcome.steps, outcome.auroc, outcome.best_step) == (6, None, 6)
    assert not (tmp_path / "run" / "best").exists()
    assert verdicts(tmp_path / "run") == []


def test_sigterm_saves_and_the_same_job_comes_to_the_same_end(
    manifest: Manifest, tmp_path: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    true = FineTune.step

    def signalled(self: FineTune, step: int) -> dict[str, Tensor]:
        if step == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return true(self, step)

    with monkeypatch.context() as patched:
        patched.setattr(FineTune, "step", signalled)
        with pytest.raises(TerminatedRunError, match="the state after step 2 of 6 is saved"):
            trained(_job(manifest), tmp_path / "run")
    trained(_job(manifest), tmp_path / "run")
    assert _bytes(tmp_path / "run") == _bytes(whole)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_what_was_saved(manifest: Manifest, tmp_path: Path) -> None:
    job = _job(manifest)
    with pytest.raises(StoppedError, match="the loss is"):
        trained(
            replace(job, settings=replace(job.settings, learning_rate=1e30, optimizer="momentum")), tmp_path / "run"
        )
    assert not (tmp_path / "run" / "last").exists()


def test_unreadable_images_of_training_and_validation_are_named_and_others_learnt(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    manifest = labelled_images(tmp_path / "images")
    for name in ("03.png", "14.png"):
        (tmp_path / "images" / name).write_bytes(b"no image")
    job = _job(manifest)
    outcome = trained(replace(job, settings=replace(job.settings, train_steps=8)), tmp_path / "run")
    assert [image for image, _ in outcome.rejected] == ["03.png", "14.png"]
    assert {line["n"] for line in verdicts(tmp_path / "run")} == {5}
    text = (tmp_path / "run" / "_rejected.csv").read_text()
    assert "03.png" in text
    assert "14.png" in text


def test_rows_of_the_test_part_are_never_read(tmp_path: Path, whole: Path) -> None:
    """Without their files the run is the same, and says of no image that it could not be read."""
    (tmp_path / "images").mkdir()
    manifest = labelled_images(tmp_path / "images")
    for row in range(18, 24):
        (tmp_path / "images" / f"{row:02}.png").unlink()
    assert trained(_job(manifest), tmp_path / "run").rejected == []
    assert _bytes(tmp_path / "run") == _bytes(whole)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_rate": 0.1}, "learning_rate is 0.05 there, 0.1 here"),
        ({"fine_tune_after_block": 2}, "fine_tune_after_block is -1 there, 2 here"),
    ],
    ids=["rate", "block"],
)
def test_a_folder_of_another_job_is_refused_and_says_what_differs(
    manifest: Manifest, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    trained(_job(manifest, **{"zero_init_logits_layer": True}), tmp_path / "run")
    with pytest.raises(FolderError, match=message):
        trained(_job(manifest, zero_init_logits_layer=True, **change), tmp_path / "run")


def test_other_rows_labels_seed_or_weights_are_another_job(manifest: Manifest) -> None:
    job = _job(manifest)
    others = [
        replace(job, train=job.train[1:]), replace(job, validation=job.validation[1:]), replace(job, seed=1),
        replace(job, encoder=tiny(TinyResNet, seed=1)),
        replace(job, profile="remedis-cxr"), replace(job, drawn={"draw": 1}),
    ]  # fmt: skip
    assert all(other.identity() != job.identity() for other in others)
    assert replace(job, life=Life(), machine=finetune_job.Machine(workers=2)).identity() == job.identity()
    assert _job(manifest).identity() == job.identity()


@pytest.mark.parametrize(
    ("images", "batch", "epochs", "steps"), [(100, 64, 30, 47), (64, 64, 1, 2), (10, 64, 1, 1), (12, 4, 6, 19)]
)
def test_a_run_has_one_step_more_than_whole_batches_fit(
    manifest: Manifest, images: int, batch: int, epochs: int, steps: int
) -> None:
    job = replace(_job(manifest), train=np.arange(images))
    job = replace(job, settings=replace(job.settings, train_steps=0, train_epochs=epochs, train_batch_size=batch))
    pace = pace_of(job)
    assert (job.steps, pace.total, pace.images) == (steps, steps, batch)
    assert pace.evaluates(steps)


def test_a_batch_that_does_not_share_out_is_refused(manifest: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remedis.train.distributed.world", lambda: 3)
    with pytest.raises(UsageError, match="--train-batch-size 4 does not share out among 3 processes"):
        pace_of(_job(manifest))
