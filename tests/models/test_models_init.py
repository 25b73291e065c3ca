"""`remedis models init` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import remedis
from remedis import cli
from remedis.models import checkpoint

SMALL = "timm:test_resnet"


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = cli.run(["models", "init", *words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        status, out, _ = run(capsys, "resnet18-cifar", "--seed", seed, "--out", str(tmp_path / name))
        assert status == 0
        assert out.startswith(f"wrote {tmp_path / name}: resnet18-cifar")
        assert f"next: remedis embed IMAGES --encoder {tmp_path / name} --out emb" in out
    for name in ("config.json", "model.safetensors", "README.md"):
        bytes_ = [(tmp_path / folder / name).read_bytes() for folder in "abc"]
        assert bytes_[0] == bytes_[1]
        assert bytes_[0] != bytes_[2]


def test_the_options_reach_the_checkpoint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "enc"
    options = ["--image-size", "64", "--padding", "tf", "--fit", "pad", "--profile", "remedis-cxr"]
    status, text, _ = run(capsys, "resnet18", *options, "--out", str(out), "--json")
    assert status == 0
    contract = remedis.load(out).contract
    assert (contract.size, contract.padding, contract.fit, contract.profile) == (64, "tf", "pad", "remedis-cxr")
    assert json.loads(text)["weights_sha256"] == remedis.load(out).hash
    assert json.loads(text)["contract"] == contract.to_json()


@pytest.mark.parametrize(("network", "size"), [("resnet18-cifar", 32), ("resnet18", 224), ("timm:test_vit", 160)])
def test_every_network_has_its_own_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], network: str, size: int
) -> None:
    assert run(capsys, network, "--out", str(tmp_path / "enc"))[0] == 0
    encoder = remedis.load(tmp_path / "enc")
    assert (encoder.network, encoder.contract.size) == (network, size)
    assert not encoder.facts.trained


def test_the_same_command_again_finds_its_work_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [SMALL, "--out", str(tmp_path / "enc")]
    assert run(capsys, *words)[0] == 0
    monkeypatch.setattr(checkpoint, "write", None)  # nothing is written again
    status, out, _ = run(capsys, *words)
    assert status == 0
    assert out.startswith(f"{tmp_path / 'enc'} is there already: timm:test_resnet")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ([SMALL, "--seed", "1"], "holds another job (seed is 0 there, 1 here)"),
        (["timm:test_vit"], "network is 'timm:test_resnet' there, 'timm:test_vit' here"),
        ([SMALL, "--fit", "crop"], "fit is 'squash' there, 'crop' here"),
    ],
)
def test_a_folder_of_another_job_is_refused_and_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    out = tmp_path / "enc"
    assert run(capsys, SMALL, "--out", str(out))[0] == 0
    before = (out / "model.safetensors").read_bytes()
    status, _, error = run(capsys, *words, "--out", str(out))
    assert status == 2
    assert error.count("\n") == 1
    assert complaint in error
    assert (out / "model.safetensors").read_bytes() == before


def test_folders_of_others_are_refused(tmp_path: Path, small_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, error = run(capsys, SMALL, "--out", str(small_folder))
    assert (status, error.count("\n")) == (2, 1)
    assert "holds another checkpoint" in error
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").touch()
    status, _, error = run(capsys, SMALL, "--out", str(tmp_path / "used"))
    assert (status, error.count("\n")) == (2, 1)
    assert "exists and is not empty" in error


def test_a_damaged_checkpoint_of_this_very_job_is_not_taken_for_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [SMALL, "--out", str(tmp_path / "enc")]
    assert run(capsys, *words)[0] == 0
    (tmp_path / "enc" / "model.safetensors").write_bytes(b"x")
    status, _, error = run(capsys, *words)
    assert (status, error.count("\n")) == (2, 1)
    assert "is damaged" in error


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["bit-r51x1"], "there is no network 'bit-r51x1', did you mean bit-r50x1"),
        (["timm:test_vitt"], "timm has no network 'test_vitt', did you mean test_vit"),
        (["resnet18", "--image-size", "0"], "--image-size is 0"),
        (["resnet18", "--image-size", "1000000"], "size is 1000000"),
        (["resnet18", "--image-size", "big"], "--image-size"),
        (["resnet18", "--seed", "-1"], "--seed is -1"),
        (["resnet18", "--profile", "remedis-cxrr"], "remedis-cxr"),
        (["bit-r26x1", "--padding", "tf"], "--padding tf is for resnet networks"),
        (["resnet18", "--padding", "same"], "--padding"),
        (["resnet18", "--fit", "stretch"], "--fit"),
        ([], "NETWORK"),
    ],
)
def test_mistakes_are_one_line_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], complaint: str
) -> None:
    status, out, error = run(capsys, *words, "--out", str(tmp_path / "enc"))
    assert (status, out) == (2, "")
    assert error.count("\n") == 1
    assert error.startswith("remedis: error: ")
    assert complaint in error
    assert not list(tmp_path.iterdir())
