"""`remedis models list`, `show` and `add`, and models by their names."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, NoReturn

import pytest

import remedis
from remedis import cli
from remedis.errors import CheckpointError
from remedis.models import zoo
from remedis.models.load import known_names
from remedis.models.store import Store
from remedis.models.zoo.entries import TWINS


@pytest.fixture(autouse=True)
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Store:
    """Return a new store; whoever opens a connection fails."""

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("REMEDIS_HOME", str(tmp_path / "home"))
    return Store(tmp_path / "home")


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    status = cli.run(["models", *map(str, words)])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def data_of(capsys: pytest.CaptureFixture[str], *words: object) -> Any:
    status, out, _ = run(capsys, *words, "--json")
    assert status == 0
    return json.loads(out)


def test_the_list_names_all_and_what_is_here(
    store: Store, small_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = run(capsys, "list")
    assert status == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert set(zoo.names()) <= set(lines)
    assert all(" no " in lines[name] for name in zoo.names())
    assert zoo.TWINS_CAUTION in out
    assert f"0 here, kept in {store.home}" in out
    assert not store.home.exists()  # a look leaves nothing
    assert run(capsys, "add", small_folder, "--name", "ours")[0] == 0
    _, out, _ = run(capsys, "list")
    (line,) = [line for line in out.splitlines() if line.startswith("ours ")]
    assert line.split()[1:3] == [f"{sum(path.stat().st_size for path in small_folder.iterdir()) / 2**20:.0f}", "MiB"]
    listed = {model["name"]: model for model in data_of(capsys, "list")["models"]}
    assert [name for name, model in listed.items() if model["here"]] == ["ours"]
    assert listed["ours"]["kind"] == "own"
    assert [name for name, model in listed.items() if model["caution"]] == sorted(TWINS)


@pytest.mark.parametrize("name", ["cxr-152x2-remedis-s", TWINS[0], "bit-m-r152x2"])
def test_the_card(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "show", name)
    assert status == 0
    assert out.endswith(f"next: remedis models download {name}\n")
    for label in ("modality", "has seen", "licence", "terms", "cite", "had from", "files", "checked", "not known"):
        assert f"\n  {label}" in out
    assert ("is mislabelled" in " ".join(out.split())) == (name in TWINS)
    data = data_of(capsys, "show", name)
    assert data["published"]["files"] == dict(zoo.ENTRIES[name].files)
    assert (data["caution"] is not None) == (name in TWINS)
    assert data["here"] is False


def test_the_card_of_ones_own_and_of_none(store: Store, small_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "add", small_folder, "--name", "ours")
    status, out, _ = run(capsys, "show", "ours")
    assert status == 0
    assert str(store.folder("ours")) in out
    assert remedis.load("ours").hash in out
    assert "network      resnet18-cifar" in out
    assert "has seen     not known" in out
    assert out.endswith("next: remedis embed IMAGES --encoder ours --out emb\n")
    status, _, err = run(capsys, "show", "our")
    assert status == 2
    assert "did you mean ours" in err


@pytest.mark.parametrize("link", [False, True])
def test_ones_own_checkpoint_under_a_name(
    store: Store, folder_copy: Path, small_folder: Path, capsys: pytest.CaptureFixture[str], link: bool
) -> None:
    status, out, _ = run(capsys, "add", folder_copy, "--name", "ours", "--link", link)
    assert status == 0
    assert out.endswith("next: remedis embed IMAGES --encoder ours --out emb\n")
    assert store.folder("ours").is_symlink() == link
    assert remedis.load("ours").hash == remedis.load(small_folder).hash
    assert "ours" in known_names()
    for path in folder_copy.iterdir():
        path.unlink()
    if link:
        with pytest.raises(CheckpointError):
            remedis.load("ours")
    else:
        assert remedis.load("ours").network == "resnet18-cifar"
    status, _, err = run(capsys, "add", small_folder, "--name", "ours")
    assert status == 2
    assert "the name is taken" in err


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("cxr-50x1-remedis-m", "is a published model's name"),
        ("CXR-50x1-remedis-M", "is a published model's name"),
        ("bit-r50x1", "is a network's name"),
        ("resnet18-cifar", "is a network's name"),
        ("../up", "is no name for a model"),
        ("timm:resnet18", "is no name for a model"),
    ],
)
def test_names_that_belong_to_others(
    store: Store, small_folder: Path, capsys: pytest.CaptureFixture[str], name: str, complaint: str
) -> None:
    status, out, err = run(capsys, "add", small_folder, "--name", name)
    assert (status, out) == (2, "")
    assert complaint in err
    assert not store.home.exists()


def test_what_is_no_checkpoint_is_not_kept(
    store: Store, folder_copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder_copy / "model.safetensors").write_bytes(b"damaged")
    for folder in (folder_copy, tmp_path / "nowhere", folder_copy / "config.json"):
        status, _, err = run(capsys, "add", folder, "--name", "ours")
        assert status == 2
        assert err.count("\n") == 1
        assert store.names() == []
        assert not list(store.models.glob("*"))


def test_a_model_that_is_not_here_is_status_2_with_the_line_that_gets_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CheckpointError) as caught:
        remedis.load("cxr-50x1-remedis-m")
    assert caught.value.exit_status == 2
    assert str(caught.value).endswith("get it with remedis models download cxr-50x1-remedis-m")
    with pytest.raises(CheckpointError, match="did you mean cxr-50x1-remedis-m"):
        remedis.load("cxr-50x1-remedis-n")
    from PIL import Image

    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    status = cli.run(["embed", str(tmp_path / "a.png"), "--encoder", "bit-m-r50x1", "--out", str(tmp_path / "emb")])
    assert status == 2
    assert "remedis models download bit-m-r50x1" in capsys.readouterr().err
    assert not (tmp_path / "emb").exists()


def test_a_folder_comes_before_a_name(
    small_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(capsys, "add", small_folder, "--name", "ours")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ours").mkdir()
    with pytest.raises(CheckpointError, match=r"there is no config\.json"):
        remedis.load("ours")
