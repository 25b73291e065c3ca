"""Checkpoints: what is written is read back to the bit, whatever is wrong with a folder is said in one line."""

from __future__ import annotations

import errno
import json
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

import remedis
from remedis.errors import CheckpointError, FolderError, RemedisError, StoppedError
from remedis.models import checkpoint
from remedis.models.card import Facts
from remedis.models.checkpoint import load_checkpoint, save
from remedis.models.contract import Contract
from remedis.models.encoder import Encoder
from remedis.models.staged import Staged

Network = Callable[..., Staged]


def complaint(folder: Path, kind: type[RemedisError] = CheckpointError) -> str:
    with pytest.raises(kind) as caught:
        remedis.load(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(folder))
    return message


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    path = folder / "config.json"
    config = json.loads(path.read_text())
    change(config)
    path.write_text(json.dumps(config))


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], Any], *, forget_hash: bool = True) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors")
    if forget_hash:
        edit(folder, lambda config: config["remedis"].pop("weights_sha256"))


def test_what_was_saved_is_loaded_to_the_bit(shaken: Network, tmp_path: Path) -> None:
    contract = Contract(size=48, range=(-1.0, 1.0), padding="tf", fit="crop", profile="remedis-cxr")
    facts = Facts("Made for a test", "MIT", ("A work",), False, ("A note",), {"seed": 3})
    encoder = Encoder(shaken("resnet18", contract), contract, "mine", network="resnet18", facts=facts)
    loaded = remedis.load(save(encoder, tmp_path / "enc"))
    assert (loaded.name, loaded.network) == ("mine", "resnet18")
    assert loaded.contract == contract
    assert loaded.facts == facts
    assert loaded.hash == encoder.hash
    assert not loaded.training
    for name, weight in encoder.weights().items():
        assert torch.equal(loaded.weights()[name], weight)
    x = 2 * torch.rand(1, 3, 32, 32) - 1
    assert torch.equal(loaded(x), encoder.eval()(x))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["README.md", "config.json", "enc", "model.safetensors"]


@pytest.mark.parametrize("final_norm", [True, False])
def test_a_map_before_the_norm_keeps_the_norm_it_came_with(shaken: Network, tmp_path: Path, final_norm: bool) -> None:
    contract = Contract(map="before-norm")
    backbone = shaken("bit-r26x1", contract)
    if final_norm:
        weights = {**backbone.state_dict(), "norm.weight": torch.ones(2048), "norm.bias": torch.zeros(2048)}
    else:
        weights = backbone.state_dict()
    folder = save(Encoder(backbone, contract, "bit-r26x1"), tmp_path / "enc")
    rewrite(folder, lambda found: found.update(weights))
    loaded = remedis.load(folder)
    assert set(loaded.weights()) == set(weights)
    assert torch.equal(loaded.features(torch.zeros(1, 3, 33, 33)), backbone.features(torch.zeros(1, 3, 33, 33)))


def test_half_precision_is_widened_and_double_stays(folder_copy: Path, small_encoder: Encoder) -> None:
    def to(*dtypes: torch.dtype) -> Callable[[dict[str, Tensor]], None]:
        def change(weights: dict[str, Tensor]) -> None:
            for number, (name, tensor) in enumerate(weights.items()):
                if tensor.is_floating_point():
                    weights[name] = tensor.to(dtypes[number % len(dtypes)])

        return change

    x = torch.rand(1, 3, 16, 16)
    expected = small_encoder(x)
    rewrite(folder_copy, to(torch.float64))
    assert remedis.load(folder_copy)(x).dtype == torch.float64
    assert remedis.load(folder_copy, dtype=torch.float32)(x).dtype == torch.float32
    rewrite(folder_copy, to(torch.float64, torch.float32, torch.float16), forget_hash=False)
    assert remedis.load(folder_copy)(x).dtype == torch.float64
    rewrite(folder_copy, to(torch.float16, torch.bfloat16), forget_hash=False)
    found = remedis.load(folder_copy)(x)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0.1, atol=0.1)


def test_a_folder_without_weights_or_config_says_what_is_missing(folder_copy: Path) -> None:
    (folder_copy / "model.safetensors").unlink()
    assert "there is no model.safetensors" in complaint(folder_copy)
    (folder_copy / "config.json").unlink()
    assert "there is no config.json" in complaint(folder_copy)
    assert "is a file" in complaint(folder_copy / "README.md")


@pytest.mark.parametrize("keep", [0, 7, 5000, -1])
def test_cut_off_weights_are_damaged(folder_copy: Path, keep: int) -> None:
    path = folder_copy / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    assert "is damaged or no safetensors file" in complaint(folder_copy)


def test_one_flipped_bit_is_found(folder_copy: Path) -> None:
    path = folder_copy / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)
    assert "the weights are not those that config.json names" in complaint(folder_copy)


def test_a_header_that_asks_for_the_moon_is_refused(folder_copy: Path) -> None:
    header = json.dumps({"conv1.weight": {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 1 << 42]}}).encode()
    (folder_copy / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    assert "is damaged" in complaint(folder_copy)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: w.pop("bn1.weight"), "lacks bn1.weight; it holds another network than resnet18-cifar"),
        (lambda w: w.update(more=torch.zeros(1)), "also holds more"),
        (lambda w: [w.pop(name) for name in list(w) if "layer4" in name], "and 27 more"),
        (lambda w: w.update({"bn1.bias": torch.zeros(65)}), "bn1.bias has shape (65,), resnet18-cifar has (64,)"),
        (lambda w: w.update({"bn1.bias": torch.zeros(64, dtype=torch.int64)}), "bn1.bias has the type"),
        (lambda w: w.update({"bn1.bias": torch.zeros(64).to(torch.float8_e5m2)}), "type float8_e5m2"),
        (lambda w: w["bn1.bias"].fill_(float("nan")), "bn1.bias holds values that are not finite"),
    ],
)
def test_other_weights_are_refused(folder_copy: Path, change: Callable[[dict[str, Tensor]], Any], words: str) -> None:
    rewrite(folder_copy, change)
    assert words in complaint(folder_copy)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda c: c["remedis"].update(format_version=2),
            "format version 2, this remedis reads up to 1; update remedis",
        ),
        (lambda c: c["remedis"].update(format_version="1"), "format version 1"),
        (lambda c: c.update(remedis=[]), "an object under remedis"),
        (lambda c: c["remedis"].update(network="resnet17-cifar"), "did you mean resnet18-cifar"),
        (lambda c: c["remedis"].update(network="../../resnet18"), "there is no network"),
        (lambda c: c["remedis"].pop("network"), "there is no network 'None'"),
        (lambda c: c["remedis"].pop("contract"), "remedis.contract is None"),
        (lambda c: c["remedis"]["contract"].update(size=1 << 40), "size is 1099511627776"),
        (lambda c: c["remedis"]["contract"].update(pool="timm"), "the contract is a timm network's"),
        (lambda c: c["remedis"]["contract"].update(map="before-norm"), "ends without a norm"),
        (lambda c: c["remedis"].update(citation=3), "remedis.citation is 3, a list was expected"),
        (lambda c: c["remedis"].update(extra="x"), "remedis.extra is 'x', a dict was expected"),
        (lambda c: c["remedis"].update(licence=["MIT"]), "remedis.licence"),
        (lambda c: c["remedis"].update(weights_sha256="0"), "the weights are not those"),
    ],
)
def test_a_config_that_is_wrong_is_refused(
    folder_copy: Path, change: Callable[[dict[str, Any]], Any], words: str
) -> None:
    edit(folder_copy, change)
    assert words in complaint(folder_copy)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "JSON was expected"),
        (b"\xff\xfe", "JSON was expected"),
        (b"{", "JSON was expected"),
        (b"[1]", "a JSON object was expected"),
        (b"[" * 100_000, "JSON was expected"),
        (b" " * (1 << 25), "a few thousand were expected"),
    ],
)
def test_a_config_that_is_none_is_refused(folder_copy: Path, content: bytes, words: str) -> None:
    (folder_copy / "config.json").write_bytes(content)
    assert words in complaint(folder_copy)


class Bomb:
    """Makes a file where it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pth", "model.safetensors"])
@pytest.mark.parametrize("ours", [True, False])
def test_nothing_is_ever_unpickled(folder_copy: Path, tmp_path: Path, name: str, ours: bool) -> None:
    went_off = tmp_path / "went-off"
    (folder_copy / "model.safetensors").unlink()
    (folder_copy / name).write_bytes(pickle.dumps(Bomb(went_off)))
    if not ours:
        edit(folder_copy, lambda config: config.pop("remedis"))
        edit(folder_copy, lambda config: config.update(architecture="resnet18"))
    complaint(folder_copy)
    assert not went_off.exists()
    pickle.loads((folder_copy / name).read_bytes())
    assert went_off.exists()


def test_a_used_folder_is_refused_and_left_alone(small_encoder: Encoder, tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    for name in ("used", "file"):
        with pytest.raises(FolderError, match="exists and is not empty"):
            save(small_encoder, tmp_path / name)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "notes.txt", "used"]


def test_an_empty_folder_and_the_current_one_may_be_filled(
    small_encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    assert remedis.load(save(small_encoder, tmp_path / "empty")).hash == small_encoder.hash
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    save(small_encoder, Path())
    monkeypatch.chdir(tmp_path)
    assert remedis.load("here").hash == small_encoder.hash
    save(small_encoder, Path("deep/er/enc"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "empty", "here"]


def _no_space(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("failing", ["save_file", "write_json", "write_text"])
def test_a_full_disk_leaves_nothing(
    small_encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    monkeypatch.setattr(checkpoint, failing, _no_space)
    with pytest.raises(StoppedError, match="no space is left on the disk") as caught:
        save(small_encoder, tmp_path / "enc")
    assert caught.value.exit_status == 1
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_known_by_what_safetensors_says(
    small_encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(StoppedError, match="no space is left on the disk"):
        save(small_encoder, tmp_path / "enc")
    assert not list(tmp_path.iterdir())


def test_an_interrupted_write_leaves_nothing(
    small_encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "write_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(small_encoder, tmp_path / "enc")
    assert not list(tmp_path.iterdir())


def test_a_folder_is_told_from_others(folder_copy: Path, tmp_path: Path) -> None:
    assert checkpoint.is_checkpoint(folder_copy)
    assert not checkpoint.is_checkpoint(tmp_path)
    assert load_checkpoint(folder_copy).name == "resnet18-cifar"
