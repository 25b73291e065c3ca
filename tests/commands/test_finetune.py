"""`remedis finetune` from the command line: what it makes, what it chooses, and what it refuses in words."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from finetune_runs import HEAD, SMALL, bright_images, finetune
from safetensors.torch import load_file

from remedis.models.load import load
from remedis.train.finetune_job import verdicts


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return bright_images(tmp_path_factory.mktemp("bright") / "images")


@pytest.fixture(scope="module")
def run(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two labels."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert finetune(manifest, "--label", "bright,kind", "--out", out, *SMALL, "--seed", 1) == 0
    return out


def test_the_run_is_a_folder_of_checkpoints_and_says_what_it_did(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    words = ["--label", "bright,kind", "--fine-tune-after-block", 3, "--label-fraction", 0.5, "--draw", 2]
    assert finetune(manifest, "--out", out, *SMALL, *words) == 0
    spoken = capsys.readouterr()
    assert "of 12 images (draw 2) · validation 6 · bright" in spoken.err
    assert "kind 3 classes" in spoken.err
    assert "trains what is after stage 3" in spoken.err
    assert f"wrote {out / 'best'}: 2 steps, validation AUROC" in spoken.out
    assert f"next: remedis predict {manifest} --model {out}" in spoken.out
    encoder = load(out / "best")
    assert encoder.contract.size == 8
    assert encoder.facts.trained
    assert "for bright, kind, from random weights" in encoder.facts.source
    assert encoder.facts.extra["finetuning"] == {
        "labels": ["bright", "kind"], "recipe": None, "label_fraction": 0.5, "draw": 2,
    }  # fmt: skip
    made = json.loads((out / "run.json").read_text())
    assert made["complete"]
    assert made["verb"] == "finetune"
    assert made["parts_drawn"] == []
    assert made["job"]["labels"] == {"bright": ["0", "1"], "kind": ["a", "b", "c"]}
    head = json.loads((out / "best" / "head.json").read_text())
    assert [label["label"] for label in head["labels"]] == ["bright", "kind"]


def test_the_same_command_again_is_done_at_once(manifest: Path, run: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in (run / "best").iterdir()}
    assert finetune(manifest, "--label", "bright,kind", "--out", run, *SMALL, "--seed", 1) == 0
    assert {path.name: path.stat().st_mtime_ns for path in (run / "best").iterdir()} == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--label", "brigth"], "there is no column 'brigth', did you mean bright"),
        (["--label", "bright,knd"], "there is no column 'knd', did you mean kind"),
        (["--label", "same"], "label 'same' has one class (x), two are needed"),
        (["--label", "late"], "no training row has class 1 of label 'late'; leave it out with --exclude-class"),
        (["--label", "bright", "--label-fraction", "0"], "a label fraction is 0, more than 0 and at most 1"),
        (["--label", "bright", "--label-fraction", "2"], "a label fraction is 2, more than 0 and at most 1"),
        (["--label", "bright", "--positive", "2"], "label 'bright' has no such class"),
        (["--label", "bright,kind", "--positive", "1"], "--positive 1 is for one label, and there are 2"),
        (["--label", "bright", "--exclude-class", "d"], "--exclude-class d: no label has this class"),
        (["--label", "bright", "--recipe", "chexprt"], "chexprt"),
        (["--label", "bright", "--optimizer", "lasr"], "--optimizer is 'lasr', did you mean lars"),
        (["--label", "bright", "--accumulate", "2"], "--accumulate 2: resnet18-cifar has batch norms"),
        (["--label", "bright", "--gradient-checkpointing"], "--gradient-checkpointing: resnet18-cifar has batch norms"),
        (["--label", "bright", "--fine-tune-after-block", "7"], "--fine-tune-after-block is 7, at most 4"),
        (["--label", "bright", "--precision", "fp16"], "fp32 or bf16 was expected"),
        (["--label", "bright", "--seed", "-1"], "--seed is -1, at least 0 was expected"),
        (["--label", "bright", "--learning-rate", "0.1,-1"], "--learning-rate is -1.0, a number above 0"),
        (["--label", "bright", "--weight-decay", "0,nan"], "--weight-decay is nan, at least 0"),
        (["--label", "bright", "--encoder", "resnet19"], "did you mean"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_one_line_before_anything_is_written(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    base = [word for pair in zip(SMALL[::2], SMALL[1::2], strict=True) if pair[0] not in words for word in pair]
    status = finetune(manifest, "--out", tmp_path / "run", *base, *words)
    error = capsys.readouterr().err
    assert status == 2, error
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "run").exists()


def test_a_class_that_is_left_out_lets_the_rest_be_learnt(
    tmp_path: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--label", "kind", "--exclude-class", "c", "--positive", "a"]
    assert finetune(manifest, "--out", tmp_path / "run", *HEAD, *words) == 0
    assert json.loads((tmp_path / "run" / "run.json").read_text())["job"]["labels"] == {"kind": ["b", "a"]}
    assert "kind 4 of 8" in capsys.readouterr().err


def test_a_folder_of_another_job_says_what_differs(
    manifest: Path, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [manifest, "--label", "bright,kind", "--out", run, *SMALL]
    assert finetune(*words, "--seed", 2, "--momentum", 0.5) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "momentum is 0.9 there, 0.5 here" in error
    assert "seed is 1 there, 2 here" in error
    assert finetune(*words, "--seed", 1, "--label-fraction", 0.5) == 2
    assert "label_fraction is 1.0 there, 0.5 here" in capsys.readouterr().err


def test_a_missing_validation_part_is_drawn_by_patient(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = bright_images(tmp_path / "images", split=False)
    assert finetune(manifest, "--label", "bright", "--out", tmp_path / "run", *HEAD) == 0
    assert ", drawn by patient" in capsys.readouterr().err
    assert json.loads((tmp_path / "run" / "run.json").read_text())["parts_drawn"] == ["validation"]
    seen = pq.read_table(tmp_path / "run" / "_seen.parquet")["part"].to_pylist()
    assert set(seen) == {"train", "validation"}


def test_unreadable_images_are_named_and_give_exit_status_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = bright_images(tmp_path / "images")
    for name in ("03.png", "13.png"):
        (tmp_path / "images" / name).write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    words = [manifest, "--label", "bright", "--out", tmp_path / "run", *HEAD, "--train-steps", 3]
    assert finetune(*words) == 1
    spoken = capsys.readouterr().out
    assert "2 images rejected" in spoken
    assert "first rejected: 03.png" in spoken
    assert "13.png" in (tmp_path / "run" / "_rejected.csv").read_text()
    words[words.index("--out") + 1] = tmp_path / "again"
    assert finetune(*words, "--allow-rejected", 2) == 0


def _process(manifest: Path, out: Path, *words: object, processes: int = 1) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "remedis"]
    if processes > 1:
        port = ["--standalone", "--nproc-per-node", str(processes)]
        program = [sys.executable, "-m", "torch.distributed.run", *port, "-m", "remedis"]
    line = [*program, "finetune", str(manifest), "--label", "bright,kind", "--out", str(out), *SMALL, *map(str, words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def _weights(out: Path, place: str) -> dict[str, torch.Tensor]:
    return load_file(out / place / "model.safetensors") | load_file(out / place / "head.safetensors")


@pytest.mark.slow
def test_killed_at_random_instants_the_weights_are_those_of_an_unbroken_run(manifest: Path, tmp_path: Path) -> None:
    words = ["--train-steps", 8, "--eval-steps", 2, "--checkpoint-steps", 2]
    _, error = (process := _process(manifest, tmp_path / "whole", *words)).communicate(timeout=600)
    assert process.returncode == 0, error
    dice = random.Random(0)
    for _ in range(6):
        process = _process(manifest, tmp_path / "run", *words)
        try:
            process.communicate(timeout=4 + 8 * dice.random())
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
    _, error = (process := _process(manifest, tmp_path / "run", *words)).communicate(timeout=600)
    assert process.returncode == 0, error
    for place in ("best", "last"):
        one, other = _weights(tmp_path / "run", place), _weights(tmp_path / "whole", place)
        assert all(torch.equal(one[name], other[name]) for name in other), place
    assert verdicts(tmp_path / "run") == verdicts(tmp_path / "whole")


@pytest.mark.slow
def test_two_processes_share_a_batch_and_come_to_the_same_weights(manifest: Path, tmp_path: Path) -> None:
    said = []
    for count in (1, 2):
        process = _process(manifest, tmp_path / str(count), "--learning-rate", 0.01, processes=count)
        _, error = process.communicate(timeout=600)
        assert process.returncode == 0, error
        said.append(error)
    one, other = _weights(tmp_path / "1", "last"), _weights(tmp_path / "2", "last")
    for name, tensor in one.items():
        if tensor.is_floating_point():
            assert torch.allclose(tensor, other[name], rtol=1e-3, atol=1e-4), name
    assert said[1].count("2 steps") == 1  # the first process speaks for all
    assert "2 processes" in said[1]
