"""`remedis models convert` and `verify` as they are typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from remedis import cli
from remedis.commands import models_convert
from remedis.errors import CheckFailedError
from remedis.models.staged import Staged
from savedmodels import rebuild

NAME = "r26x1-bare-scaled-after-64"


def test_from_a_savedmodel_to_an_embedding(
    savedmodel: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ckpt"
    assert cli.run(["models", "convert", str(savedmodel(NAME)), "--out", str(out), "--name", "mine"]) == 0
    said = capsys.readouterr()
    assert "bit-r26x1 · images in [0, 255] (graph) · map after-norm, pooled by its mean" in said.out
    assert "The original takes images of 64 px only" in said.err
    assert cli.run(["--json", "models", "verify", str(out)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["encoder"] == "mine"
    assert max(found["float64"].values()) < 1e-9
    (out / "proof.safetensors").unlink()
    assert cli.run(["models", "verify", str(out)]) == 1
    assert capsys.readouterr().err.startswith(f"remedis: error: {out}: proof.safetensors is not the one")


def test_nothing_is_left_where_the_proof_cannot_be_repeated(
    shaken: Callable[..., Staged], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(folder: Path, console: object) -> None:
        assert folder.exists()
        raise CheckFailedError("differs", where=folder)

    monkeypatch.setattr(models_convert, "verify", fail)
    save_file(shaken("bit-r26x1").state_dict(), tmp_path / "weights.safetensors")
    out = tmp_path / "ckpt"
    assert cli.run(["models", "convert", str(tmp_path / "weights.safetensors"), "--out", str(out)]) == 1
    assert not out.exists()


def test_a_place_that_cannot_be_written_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "saved_model.pb").write_text("")
    out = tmp_path / "file" / "ckpt"
    assert cli.run(["models", "convert", str(tmp_path / "source"), "--out", str(out)]) == 2
    assert "is no folder that you may write to" in capsys.readouterr().err


def test_a_state_dict_goes_the_same_way(
    shaken: Callable[..., Staged], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_file(shaken("bit-r26x1").state_dict(), tmp_path / "weights.safetensors")
    out = tmp_path / "ckpt"
    assert cli.run(["models", "convert", str(tmp_path / "weights.safetensors"), "--out", str(out)]) == 0
    assert "wrote" in capsys.readouterr().out
    assert cli.run(["models", "verify", str(out)]) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "holds no network|cannot be converted"),
        (("--range", "1", "0"), "--range is 1 0, two rising numbers"),
        (("--image-size", "0"), "--image-size is 0"),
        (("--output", "logits_"), "it has no output 'logits_'"),
        (("--prefix", "encoder_q."), "--prefix is for files of weights"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_leaves_nothing(
    words: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = rebuild.rebuild("refused-vgg", tmp_path / "source" / "original")
    out = tmp_path / "out" / "ckpt"
    out.parent.mkdir()
    assert cli.run(["models", "convert", str(source), "--out", str(out), *words]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line]
    assert line.startswith("remedis: error: ")
    assert any(part in line for part in said.split("|")), line
    assert list(out.parent.iterdir()) == []


@pytest.mark.parametrize("kind", ["missing", "text", "empty folder", "checkpoint"])
def test_other_paths_are_refused(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "source"
    if kind == "text":
        source.write_text("these are no weights")
    elif kind != "missing":
        source.mkdir()
    if kind == "checkpoint":
        (source / "config.json").write_text("{}")
    assert cli.run(["models", "convert", str(source), "--out", str(tmp_path / "ckpt")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert ("there is no such file" if kind == "missing" else "was expected") in line


def test_the_range_of_bare_weights_is_taken_from_the_command_line(
    shaken: Callable[..., Staged], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save({"state_dict": shaken("bit-r26x1").state_dict()}, tmp_path / "weights.pth")
    out = tmp_path / "ckpt"
    words = ["models", "convert", str(tmp_path / "weights.pth"), "--out", str(out), "--range", "-1", "1"]
    assert cli.run(words) == 0
    capsys.readouterr()
    contract = json.loads((out / "config.json").read_text())["remedis"]["contract"]
    assert (contract["range"], contract["range_source"]) == ([-1, 1], "declared")
