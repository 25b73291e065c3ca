"""Push and pull with the Hub's own client against a server on this machine."""

from __future__ import annotations

import errno
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hub_server import hub
from huggingface_hub import CommitInfo, HfApi, snapshot_download

import remedis
from remedis.commands import models_pull, models_push
from remedis.errors import CheckpointError, DownloadError, FolderError, RemedisError, StoppedError, UsageError
from remedis.models.card import Facts
from remedis.models.checkpoint import save
from remedis.models.encoder import Encoder
from remedis.models.hub import pull, push
from remedis.options.models import ModelsPull, ModelsPush

NOBODY = "http://127.0.0.1:9"


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def line(error: pytest.ExceptionInfo[RemedisError]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


class FakeApi:
    """Keeps what would have been uploaded."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def create_repo(self, repo: str, **options: Any) -> None:
        self.calls.append(("create_repo", {"repo": repo, **options}))

    def upload_folder(self, **options: Any) -> CommitInfo:
        self.calls.append(("upload_folder", options))
        return CommitInfo(
            commit_url="https://huggingface.co/lab/enc/commit/1", commit_message="", commit_description="", oid="1"
        )


def test_what_is_pulled_is_what_lies_there_and_nothing_more(
    small_folder: Path, small_encoder: Encoder, tmp_path: Path
) -> None:
    extra = {"pytorch_model.bin": b"pickle", "code.py": b"raise SystemExit", "sub/config.json": b"{}"}
    with hub({**content(small_folder), **extra}) as (address, asked):
        encoder = pull("lab/enc", tmp_path / "enc", fetch=partial(snapshot_download, endpoint=address))
    assert encoder.hash == small_encoder.hash
    assert content(tmp_path / "enc") == content(small_folder)
    assert not any(name in path for path in asked for name in extra if "/resolve/" in path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["enc"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda files: files.pop("model.safetensors"), "has no model.safetensors; a checkpoint was expected"),
        (lambda files: files.clear(), "has no config.json and no model.safetensors"),
        (lambda files: files.update({"config.json": b"x"}), "JSON was expected"),
        (lambda files: files.update({"model.safetensors": b"x" * 99}), "is damaged"),
    ],
)
def test_what_is_no_checkpoint_leaves_nothing(
    small_folder: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], Any], words: str
) -> None:
    files = content(small_folder)
    change(files)
    with hub(files) as (address, _), pytest.raises(CheckpointError) as caught:
        pull("lab/enc", tmp_path / "enc", fetch=partial(snapshot_download, endpoint=address))
    assert line(caught).startswith("lab/enc")
    assert words in line(caught)
    assert str(tmp_path) not in line(caught)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("status", "words"), [(401, "hf auth login"), (403, "your token may not"), (404, "no such repository")]
)
def test_a_refusal_says_what_to_do(small_folder: Path, tmp_path: Path, status: int, words: str) -> None:
    with hub({}, status=status) as (address, _):
        with pytest.raises(DownloadError) as pulled:
            pull("lab/enc", tmp_path / "enc", fetch=partial(snapshot_download, endpoint=address))
        with pytest.raises(DownloadError) as pushed:
            push(small_folder, "lab/enc", api=HfApi(endpoint=address, token="hf_x"))
    for caught in (pulled, pushed):
        assert line(caught).startswith(f"lab/enc: HTTP status {status}: ")
        assert words in line(caught)
    assert not list(tmp_path.iterdir())


def test_without_internet_both_say_so(small_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"the Hub cannot be reached \(.*refused\); see the connection"):
        pull("lab/enc", tmp_path / "enc", fetch=partial(snapshot_download, endpoint=NOBODY))
    with pytest.raises(DownloadError, match=r"the Hub cannot be reached \(.*refused\); see the connection"):
        push(small_folder, "lab/enc", api=HfApi(endpoint=NOBODY, token="hf_x"))
    assert not list(tmp_path.iterdir())


def test_a_name_that_is_none_is_a_mistake_of_usage(small_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="OWNER/NAME was expected"):
        pull("not a name", tmp_path / "enc")
    with pytest.raises(UsageError, match="OWNER/NAME was expected"):
        push(small_folder, "a/b/c", api=HfApi(endpoint=NOBODY, token="hf_x"))


def test_a_disk_that_fills_up_is_no_lost_connection(tmp_path: Path) -> None:
    def full(*_: Any, local_dir: Path, **__: Any) -> str:
        (local_dir / "config.json").write_bytes(b"{")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StoppedError, match="no space is left"):
        pull("lab/enc", tmp_path / "enc", fetch=full)
    assert not list(tmp_path.iterdir())


def test_a_used_folder_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with hub({}) as (address, asked), pytest.raises(FolderError):
        pull("lab/enc", tmp_path, fetch=partial(snapshot_download, endpoint=address))
    assert not asked


def test_push_sends_the_checkpoint_and_nothing_else(folder_copy: Path) -> None:
    api = FakeApi()
    (folder_copy / "secret.txt").touch()
    where = push(folder_copy, "lab/enc", api=api)  # type: ignore[arg-type]
    assert where == "https://huggingface.co/lab/enc/commit/1"
    (_, made), (_, sent) = api.calls
    assert made == {"repo": "lab/enc", "private": True, "exist_ok": True}
    assert sent["folder_path"] == folder_copy
    assert set(sent["allow_patterns"]) == {
        "config.json", "model.safetensors", "README.md", "proof.json", "proof.safetensors",
    }  # fmt: skip


@pytest.mark.parametrize("licence", ["PhysioNet Credentialed Health Data License 1.5.0", "physionet"])
def test_weights_that_nobody_may_pass_on_stay_here(small_encoder: Encoder, tmp_path: Path, licence: str) -> None:
    api = FakeApi()
    closed = Encoder(small_encoder.backbone, small_encoder.contract, "resnet18-cifar", facts=Facts(licence=licence))
    folder = save(closed, tmp_path / "closed")
    with pytest.raises(CheckpointError) as caught:
        push(folder, "lab/enc", api=api)  # type: ignore[arg-type]
    assert line(caught).startswith(f"{folder}: the licence is {licence!r}")
    assert not api.calls


def test_a_damaged_checkpoint_is_not_pushed(folder_copy: Path) -> None:
    api = FakeApi()
    (folder_copy / "model.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError):
        push(folder_copy, "lab/enc", api=api)  # type: ignore[arg-type]
    assert not api.calls


def test_the_verbs_say_what_comes_next(small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_push, "push", partial(push, api=FakeApi()))
    pushed = models_push.run(ModelsPush(checkpoint=small_folder, repo="lab/enc"))
    assert "remedis models pull lab/enc --out DIR" in pushed.text
    with hub(content(small_folder)) as (address, _):
        fetch = partial(snapshot_download, endpoint=address)
        monkeypatch.setattr(models_pull, "pull", partial(pull, fetch=fetch))
        pulled = models_pull.run(ModelsPull(repo="lab/enc", out=tmp_path / "enc"))
    assert f"remedis embed IMAGES --encoder {tmp_path / 'enc'} --out emb" in pulled.text
    assert pulled.data["weights_sha256"] == remedis.load(small_folder).hash
