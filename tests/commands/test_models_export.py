"""`remedis models export` on the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch

import remedis
from remedis import cli
from remedis.models.checkpoint import load_checkpoint, save
from remedis.models.export import proof
from remedis.models.load import random_timm_encoder

LICENCE = "PhysioNet Credentialed Health Data License 1.5.0"


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = cli.run(["models", "export", *map(str, words)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of a small network of timm's, under a licence that forbids to pass it on."""
    encoder = random_timm_encoder("timm:test_resnet", seed=0)
    encoder.facts = replace(encoder.facts, licence=LICENCE, notes=("Mind the gap.",))
    return save(encoder, tmp_path_factory.mktemp("checkpoint") / "enc")


def test_it_says_what_was_written_how_far_it_is_off_and_what_is_forbidden(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "t"
    status, out, err = run(capsys, checkpoint, "--format", "timm", "--out", folder)
    assert (status, err.strip()) == (0, "timm:test_resnet · 0.4 M parameters · to timm")
    lines = out.splitlines()
    assert lines[0].startswith(f"wrote {folder}: ")
    assert "→ embedding (N, " in lines[0]
    assert lines[1].startswith(f"run in timm {timm.__version__}; distance from float64 (relative), at most 3 times")
    assert [line.split()[:8] for line in lines[3:5]] == [
        ["3", "×", "3", "×", "64", "×", "64", "features"],
        ["3", "×", "3", "×", "64", "×", "64", "embedding"],
    ]
    assert lines[-3].startswith("For your own use only, do not pass it on: the PhysioNet")
    assert lines[-2] == "Mind the gap."
    program = lines[-1].removeprefix('next: python -c "').removesuffix('"')
    variables: dict[str, Any] = {}
    exec(program, variables)  # what it says to do next does run
    x = torch.rand(1, 3, 50, 41)
    mean, std = (torch.tensor(variables["model"].pretrained_cfg[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    embedding = variables["model"].eval()((x - mean) / std).detach()
    assert (embedding - remedis.load(checkpoint)(x)).abs().max() < 1e-4
    status, _, err = run(capsys, checkpoint, "--format", "timm", "--out", folder)
    assert (status, "exists and is not empty; choose another --out or remove it" in err) == (2, True)


def test_the_same_as_json_for_a_program(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, checkpoint, "--format", "timm", "--out", tmp_path / "t", "--json")
    assert status == 0
    said = json.loads(out)
    assert said["format"] == "timm"
    assert sorted(said["files"]) == sorted(str(path) for path in (tmp_path / "t").iterdir())
    assert said["bytes"] == sum(path.stat().st_size for path in (tmp_path / "t").iterdir())
    assert all(0 <= one["found"] <= one["limit"] for one in said["proof"])
    assert {one["output"] for one in said["proof"]} == {"embedding", "features"}
    assert "do not pass it on" in said["notes"][0]
    assert LICENCE in (tmp_path / "t" / "README.md").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "tim"], "invalid choice 'tim'"),
        (["--format", "savedmodel"], "a network of timm's, which is not written as a SavedModel; choose --format onnx"),
        ([], "--format is needed"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    status, out, err = run(capsys, checkpoint, *words, "--out", tmp_path / "x")
    assert (status, out) == (2, "")
    assert said in err
    assert list(tmp_path.iterdir()) == []


def test_timm_lacks_r26_and_the_other_formats_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["models", "init", "bit-r26x1", "--out", str(tmp_path / "enc")]) == 0
    capsys.readouterr()
    status, _, err = run(capsys, tmp_path / "enc", "--format", "timm", "--out", tmp_path / "t")
    assert status == 2
    assert "timm has no network that computes what bit-r26x1 does" in err
    assert "choose --format onnx, openvino or savedmodel" in err
    assert [path.name for path in tmp_path.iterdir()] == ["enc"]


def test_a_proof_that_fails_ends_with_1_and_leaves_nothing(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof, "TIMES", 0.0)
    monkeypatch.setattr(proof, "FLOOR", 1e-12)
    status, out, err = run(capsys, checkpoint, "--format", "timm", "--out", tmp_path / "t")
    assert (status, out) == (1, "")
    assert "the folder in timm is not what the encoder computes" in err
    assert "nothing was written" in err
    assert list(tmp_path.iterdir()) == []
    assert load_checkpoint(checkpoint).facts.licence == LICENCE
