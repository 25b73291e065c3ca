"""timm's networks as encoders: their own numbers, never random weights unasked, folders that timm writes."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from timm.models import save_for_hf
from torch import Tensor

import remedis
from remedis.errors import CheckpointError, InputError, MissingExtraError
from remedis.models import reach, timm_encoder
from remedis.models.checkpoint import save
from remedis.models.encoder import Encoder
from remedis.models.load import random_timm_encoder

Distance = Callable[[Tensor, Tensor], float]
VIT = "test_vit"  # test_*: timm's own small networks for tests, 160 px
FIXED = "vit_tiny_patch16_224"


def complaint(name: str | Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        remedis.load(name)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def nothing_is_reachable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine without internet and with an empty cache."""
    monkeypatch.setattr(reach.constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(reach.constants, "HF_HUB_CACHE", str(tmp_path / "cache"))


@torch.inference_mode()
@pytest.mark.parametrize(
    ("name", "kind", "shape"),
    [
        (VIT, "tokens", (64, 10, 10)),
        ("test_resnet", "after-norm", (96, 5, 5)),
        ("test_convnext", "after-norm", (64, 5, 5)),
        ("test_efficientnet", "after-norm", (256, 5, 5)),
    ],
)
def test_embedding_and_map_are_timms_own(distance: Distance, name: str, kind: str, shape: tuple[int, ...]) -> None:
    encoder = remedis.load(f"timm:{name}", random_weights=True)
    assert (encoder.contract.pool, encoder.contract.map, encoder.contract.size) == ("timm", kind, 160)
    theirs = encoder.backbone.model
    config = timm.data.resolve_model_data_config(theirs)
    mean, std = (torch.tensor(config[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    x = torch.rand(2, 3, 160, 160)
    found = theirs.forward_features((x - mean) / std)
    embedding = theirs.forward_head(found, pre_logits=True)
    assert distance(encoder(x), embedding) < 1e-6
    assert embedding.shape == (2, encoder.width)
    map_ = encoder.features(x)
    assert map_.shape[1:] == shape
    outputs = encoder.stages(x)
    assert torch.equal(outputs["map"], map_)
    assert torch.equal(outputs["embedding"], encoder(x))
    if kind == "tokens":
        rows = found[:, theirs.num_prefix_tokens :]
        assert torch.equal(map_[1, :, 3, 7], rows[1, 3 * 10 + 7])
    else:
        assert torch.equal(map_, found)


def test_a_network_of_one_size_takes_no_other() -> None:
    encoder = remedis.load(f"timm:{FIXED}", random_weights=True)
    assert encoder.features(torch.rand(1, 3, 224, 224)).shape == (1, 192, 14, 14)
    with pytest.raises(InputError, match="takes no images of 96 x 96 px"):
        encoder(torch.rand(1, 3, 96, 96))
    with pytest.raises(InputError, match=r"takes 224 px only; --image-size 224"):
        encoder.refuse_size(96)
    encoder.refuse_size(224)
    remedis.load("timm:test_resnet", random_weights=True).refuse_size(96)


def test_a_network_of_one_size_can_be_made_for_another(tmp_path: Path) -> None:
    encoder = random_timm_encoder(f"timm:{FIXED}", seed=1, size=96)
    assert encoder.contract.size == 96
    x = torch.rand(1, 3, 96, 96)
    loaded = remedis.load(save(encoder.eval(), tmp_path / "enc"))
    assert loaded.contract == encoder.contract
    assert torch.equal(loaded(x), encoder(x))
    assert loaded.hash == encoder.hash


def test_the_seed_decides_and_the_global_state_is_left_alone() -> None:
    torch.manual_seed(9)
    first = random_timm_encoder("timm:test_resnet", seed=1)
    after = torch.rand(1)
    torch.manual_seed(9)
    assert torch.equal(after, torch.rand(1))
    assert random_timm_encoder("timm:test_resnet", seed=1).hash == first.hash
    assert random_timm_encoder("timm:test_resnet", seed=2).hash != first.hash


@pytest.mark.usefixtures("nothing_is_reachable")
@pytest.mark.parametrize("name", ["test_vit", "hf-hub:timm/test_vit.r160_in1k"])
def test_without_internet_one_line_says_so_at_once(name: str, caplog: pytest.LogCaptureFixture) -> None:
    start = time.monotonic()
    with caplog.at_level(logging.WARNING):
        message = complaint(f"timm:{name}")
    assert time.monotonic() - start < 20
    assert message.startswith(f"timm:{name}: the pretrained weights cannot be had here")
    assert "the Hugging Face Hub cannot be reached, and its cache does not hold them" in message
    assert "--random-weights" in message
    assert not caplog.records  # the client's own attempts are not heard
    assert not reach.constants.HF_HUB_OFFLINE


@pytest.mark.usefixtures("nothing_is_reachable")
def test_weights_in_the_cache_need_no_internet(tmp_path: Path) -> None:
    network = timm.create_model(VIT, pretrained=False)
    commit = tmp_path / "cache" / "models--timm--test_vit.r160_in1k" / "snapshots" / ("a" * 40)
    save_for_hf(network, commit, safe_serialization=True)
    refs = commit.parent.parent / "refs"
    refs.mkdir()
    (refs / "main").write_text("a" * 40)
    x = torch.rand(1, 3, 160, 160)
    encoder = remedis.load(f"timm:{VIT}")
    expected = network.eval().forward_head(network.forward_features((x - 0.5) / 0.5), pre_logits=True)
    torch.testing.assert_close(encoder(x), expected.detach())
    assert encoder.facts.trained


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("test_vitt", "did you mean test_vit"),
        ("", "timm has no network ''"),
        ("local-dir:/tmp", "give the folder itself"),
        ("resnet50.no_such_tag", "Invalid pretrained tag"),
    ],
)
def test_what_timm_does_not_know_is_one_line(name: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm_encoder, "hub_answers", lambda: False)
    assert words in complaint(f"timm:{name}")


@pytest.fixture
def timms_folder(tmp_path: Path) -> tuple[Path, Any]:
    """A folder as timm writes it, with a classifier, and the network in it."""
    network = timm.create_model("test_resnet", num_classes=7)
    for name, tensor in network.state_dict().items():
        if "bn" in name and tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
    save_for_hf(network, tmp_path / "theirs", model_config={"num_classes": 7}, safe_serialization=True)
    return tmp_path / "theirs", network.eval()


def test_a_folder_of_timms_opens(timms_folder: tuple[Path, Any], tmp_path: Path) -> None:
    folder, network = timms_folder
    encoder = remedis.load(folder)
    assert (encoder.name, encoder.network, encoder.contract.size) == ("theirs", "timm:test_resnet", 160)
    x = torch.rand(1, 3, 64, 64)
    config = timm.data.resolve_model_data_config(network)
    mean, std = (torch.tensor(config[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    expected = network.forward_head(network.forward_features((x - mean) / std), pre_logits=True)
    torch.testing.assert_close(encoder(x), expected.detach())
    ours = save(encoder, tmp_path / "ours")
    assert torch.equal(remedis.load(ours)(x), encoder(x))
    again = timm.create_model(f"local-dir:{ours}", pretrained=True).eval()
    torch.testing.assert_close(again((x - mean) / std).detach(), encoder(x))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c, w: w.pop("layer4.0.conv1.weight"), "lacks 1 of the parameters"),
        (lambda c, w: c.update(architecture="test_vit"), "of the parameters of the network that config.json names"),
        (lambda c, w: c.update(architecture="../evil"), "timm cannot open it"),
        (lambda c, w: c.pop("architecture"), "timm cannot open it"),
        (lambda c, w: c["pretrained_cfg"].update(mean="x"), "timm cannot open it"),
        (lambda c, w: c["pretrained_cfg"].update(input_size=[3, 1 << 30, 1 << 30]), "from 1 to 16,384"),
        (
            lambda c, w: c.update(model_args={"stem_width": 1 << 12, "channels": [1 << 13, 1 << 13, 1 << 13, 1 << 14]}),
            "describes a network of",
        ),
        (lambda c, w: w.update({"conv1.0.weight": torch.zeros(3)}), "timm cannot open it"),
        (lambda c, w: w["layer4.0.conv1.weight"].fill_(float("nan")), "not finite"),
    ],
)
def test_a_folder_that_is_not_whole_is_refused(
    timms_folder: tuple[Path, Any], change: Callable[[dict[str, Any], dict[str, Tensor]], Any], words: str
) -> None:
    folder, _ = timms_folder
    config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    change(config, weights)
    (folder / "config.json").write_text(json.dumps(config))
    save_file(weights, folder / "model.safetensors")
    message = complaint(folder)
    assert message.startswith(str(folder))
    assert words in message


def test_without_timm_the_pip_line_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'remedis\[timm\]'"):
        remedis.load("timm:resnet18", random_weights=True)


def test_training_gives_gradients() -> None:
    encoder: Encoder = remedis.load("timm:test_resnet", random_weights=True).train()
    encoder(torch.rand(2, 3, 64, 64)).square().mean().backward()
    assert all(weight.grad is not None for weight in encoder.backbone.parameters())
