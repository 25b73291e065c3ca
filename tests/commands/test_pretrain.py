"""`remedis pretrain` from the command line: what it makes, refuses, and leaves behind when it is killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from remedis.cli import run as command_line
from remedis.data.manifest import write
from remedis.models.load import load

SMALL = ["--image-size", "16", "--train-batch-size", "4", "--optimizer", "adamw", "--learning-rate", "0.01"]
SMALL += ["--encoder", "resnet18-cifar", "--workers", "0", "--precision", "fp32", "--train-summary-steps", "0"]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve small images in the parts train (8), val (2) and test (2), with a label."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for number in range(12):
        blocks = rng.integers(0, 256, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((18, 16 + number % 4)).save(folder / f"{number:02}.png")
    table = pa.table({
        "image": [f"{number:02}.png" for number in range(12)],
        "patient_id": [f"p{number // 2}" for number in range(12)],
        "split": ["train"] * 8 + ["val"] * 2 + ["test"] * 2,
        "finding": [str(number % 2) for number in range(12)],
    })  # fmt: skip
    write(table, folder / "m.parquet", {"root": ".", "data_set": "small"})
    return folder / "m.parquet"


def _pretrain(*words: object) -> int:
    return command_line(["pretrain", *(str(word) for word in words)])


def test_the_run_is_a_folder_of_checkpoints_that_every_verb_takes(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert _pretrain(manifest, "--out", out, *SMALL, "--train-epochs", 2, "--knn-epochs", 1) == 0
    spoken = capsys.readouterr()
    assert "8 images to train on; 4 of other parts are left out (--splits all); watched with finding" in spoken.err
    assert f"next: remedis embed {manifest} --encoder {out / 'last'}" in spoken.out
    encoder = load(out / "last")
    assert encoder.contract.size == 16
    assert encoder.facts.trained
    assert encoder.facts.extra["seen"] == ["small"]
    assert (out / "views.png").read_bytes().startswith(b"\x89PNG")
    run = json.loads((out / "run.json").read_text())
    assert run["complete"]
    assert run["job"]["images"] == 8
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert {"loss", "contrast_accuracy", "embedding_rank", "learning_rate"} <= lines[0].keys()
    assert all(line["n"] == 2 for line in lines if "linear_accuracy" in line)  # the validation part's two images
    assert any("linear_accuracy" in line for line in lines)
    assert command_line(["embed", str(manifest), "--encoder", str(out / "last"), "--out", str(tmp_path / "emb")]) == 0


def test_the_same_command_again_is_done_at_once(manifest: Path, tmp_path: Path) -> None:
    words = [manifest, "--out", tmp_path / "run", *SMALL, "--train-steps", 1, "--knn-epochs", 0]
    assert _pretrain(*words) == 0
    before = (tmp_path / "run" / "metrics.jsonl").read_text()
    assert _pretrain(*words) == 0
    assert (tmp_path / "run" / "metrics.jsonl").read_text() == before


def test_a_folder_of_another_configuration_says_what_differs(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [manifest, "--out", tmp_path / "run", *SMALL, "--train-steps", 1, "--knn-epochs", 0]
    assert _pretrain(*words) == 0
    assert _pretrain(*words, "--temperature", 0.5, "--seed", 1) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "temperature is 0.1 there, 0.5 here" in error
    assert "seed is 0 there, 1 here" in error


def test_micle_rotation_elastic_and_equalisation_reach_the_views(manifest: Path, tmp_path: Path) -> None:
    """F2, F3, F4: the official program drops multi_instance and rotation, and its elastic deformation is undefined."""
    out = tmp_path / "run"
    words = ["--multi-instance", "True", "--rotation-range", 20, "--use-elastic-deform", "--equalize-histogram"]
    assert _pretrain(manifest, "--out", out, *SMALL, *words, "--train-steps", 1, "--cache-dataset") == 0
    job = json.loads((out / "run.json").read_text())["job"]
    assert [job[name] for name in ("multi_instance", "rotation_range", "use_elastic_deform")] == [True, 20.0, True]


def test_no_label_is_needed(manifest: Path, tmp_path: Path) -> None:
    """F29: the official program cannot pretrain on images without a label."""
    assert _pretrain(manifest.parent, "--out", tmp_path / "run", *SMALL, "--train-steps", 1) == 0
    assert "label_loss" not in (tmp_path / "run" / "metrics.jsonl").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--chunk-size", "2"], "has batch norms, whose statistics need the whole batch"),
        (["--learning-rate", "0"], "--learning-rate is 0.0, a number above 0"),
        (["--encoder", "resnet19"], "did you mean"),
        (["--label", "findin"], "did you mean finding"),
        (["--precision", "fp16"], "fp32 or bf16 was expected"),
        (["--color-jitter-strength", "2"], "contrast"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    base = [word for pair in zip(SMALL[::2], SMALL[1::2], strict=True) if pair[0] not in words for word in pair]
    assert _pretrain(manifest, "--out", tmp_path / "run", *base, *words, "--train-steps", 1) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_an_unreadable_image_is_named_and_gives_exit_status_one(
    tmp_path: Path, manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in manifest.parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "03.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    words = [tmp_path / "m.parquet", "--out", tmp_path / "run", *SMALL, "--train-epochs", 1, "--knn-epochs", 0]
    assert _pretrain(*words) == 1
    assert "1 images rejected" in capsys.readouterr().out
    assert "03.png" in (tmp_path / "run" / "_rejected.csv").read_text()


def _start(manifest: Path, out: Path, *words: object, processes: int = 1) -> subprocess.Popen[str]:
    program = [sys.executable, "-m", "remedis"]
    if processes > 1:
        port = ["--standalone", "--nproc-per-node", str(processes)]
        program = [sys.executable, "-m", "torch.distributed.run", *port, "-m", "remedis"]
    line = [*program, "pretrain", str(manifest), "--out", str(out), *SMALL, *(str(word) for word in words)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def _finished(manifest: Path, out: Path, *words: object, processes: int = 1) -> str:
    """Run to the end and return what was said on stderr."""
    process = _start(manifest, out, *words, processes=processes)
    _, error = process.communicate(timeout=600)
    assert process.returncode == 0, error
    return error


def _weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "last" / "model.safetensors")


def _wait_for_step(out: Path, step: int) -> None:
    end = time.monotonic() + 300
    while time.monotonic() < end:
        path = out / "metrics.jsonl"
        if path.exists() and f'"step": {step},' in path.read_text():
            return
        time.sleep(0.02)
    raise AssertionError("the run did not come that far")


LONG = ["--train-steps", 12, "--checkpoint-steps", 2, "--knn-epochs", 0]


def test_sigterm_saves_and_ends_with_143_and_the_same_command_ends_the_run(manifest: Path, tmp_path: Path) -> None:
    process = _start(manifest, tmp_path / "run", *LONG)
    _wait_for_step(tmp_path / "run", 3)
    process.send_signal(signal.SIGTERM)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 143, error
    assert "is saved; the same command goes on there" in error
    assert _pretrain(manifest, "--out", tmp_path / "run", *SMALL, *LONG) == 0


@pytest.mark.slow
def test_killed_at_ten_random_instants_the_weights_are_those_of_an_unbroken_run(manifest: Path, tmp_path: Path) -> None:
    _finished(manifest, tmp_path / "whole", *LONG)
    dice = random.Random(0)
    for instant in range(10):
        process = _start(manifest, tmp_path / "run", *LONG)
        try:
            process.communicate(timeout=3 + 9 * dice.random())
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        else:
            assert process.returncode == 0, instant
    _finished(manifest, tmp_path / "run", *LONG)
    assert _same(_weights(tmp_path / "run"), _weights(tmp_path / "whole"))
    files = ["model.safetensors", "config.json"]
    assert all((tmp_path / "run" / "step-000012" / name).exists() for name in files)


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [2, 4])
def test_processes_share_a_batch_and_come_to_the_same_weights(manifest: Path, tmp_path: Path, processes: int) -> None:
    words = ["--train-steps", 2, "--knn-epochs", 0, "--optimizer", "momentum", "--learning-rate", 0.1]
    _finished(manifest, tmp_path / "one", *words)
    error = _finished(manifest, tmp_path / "several", *words, processes=processes)
    one, other = _weights(tmp_path / "one"), _weights(tmp_path / "several")
    for name, tensor in one.items():
        if tensor.is_floating_point():
            assert torch.allclose(tensor, other[name], rtol=1e-3, atol=1e-4), name
    assert error.count("2 steps") == 1  # the first process speaks for all


def test_the_manifest_is_left_as_it_was(manifest: Path) -> None:
    assert pq.read_table(manifest).num_rows == 12
