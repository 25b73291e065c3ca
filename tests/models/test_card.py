"""What timm makes of our checkpoints, and what the card says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn

import remedis
from remedis.models.card import Facts
from remedis.models.checkpoint import save
from remedis.models.contract import Contract
from remedis.models.encoder import Encoder
from remedis.models.staged import Staged

Network = Callable[..., Staged]
Noise = Callable[..., Tensor]
Distance = Callable[[Tensor, Tensor], float]


def opened_by_timm(folder: Path) -> tuple[nn.Module, Tensor, Tensor]:
    """Return timm's network of a folder, and the mean and deviation that it asks for."""
    network = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    config = timm.data.resolve_model_data_config(network)
    mean, std = (torch.tensor(config[key]).view(1, 3, 1, 1) for key in ("mean", "std"))
    return network, mean, std


def text_of(folder: Path) -> str:
    return " ".join((folder / "README.md").read_text().split())


@torch.inference_mode()
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("bit-r50x1", {"range": (-1.0, 1.0)}),
        ("resnet50", {}),
    ],
)
def test_timm_opens_the_folder_and_computes_the_same(
    shaken: Network, images: Noise, distance: Distance, tmp_path: Path, name: str, values: dict[str, Any]
) -> None:
    contract = Contract(**values)
    folder = save(Encoder(shaken(name, contract), contract, name), tmp_path / "enc")
    theirs, mean, std = opened_by_timm(folder)
    low, high = contract.range
    x = images(64)
    ours = remedis.load(folder)(low + (high - low) * x)
    assert distance(theirs((low + (high - low) * x - mean) / std), ours) < 2e-4
    said = json.loads((folder / "config.json").read_text())["remedis"]["timm_difference"]
    assert ("timm's output differs" in text_of(folder)) is (said is not None and said > 1e-4)
    assert "opens the folder as" in text_of(folder)


@torch.inference_mode()
@pytest.mark.parametrize(("size", "shows"), [(3e-2, False), (3e-3, True)])
def test_the_card_says_where_timms_eps_shows(
    shaken: Network, images: Noise, distance: Distance, tmp_path: Path, size: float, shows: bool
) -> None:
    backbone = shaken("bit-r50x1")
    for name, weight in backbone.state_dict().items():
        if "conv" in name:
            weight.mul_(size / weight.std())
    folder = save(Encoder(backbone, Contract(), "bit-r50x1"), tmp_path / "enc")
    theirs, mean, std = opened_by_timm(folder)
    precise, x = backbone.double(), images(33, dtype=torch.float64)
    found = distance(theirs.double()((x - mean) / std), precise(x))
    said = json.loads((folder / "config.json").read_text())["remedis"]["timm_difference"]
    assert 0.2 < said / found < 5
    assert (found > 1e-4) is shows
    sentence = f"timm's output differs by {said:.1e} (relative)"
    assert (sentence in text_of(folder)) is shows
    if shows:  # what the card advises does help
        assert "set `eps = 1e-10` on every `StdConv2d`" in text_of(folder)
        for module in theirs.modules():
            if type(module).__name__ == "StdConv2d":
                module.eps = 1e-10
        assert distance(theirs((x - mean) / std), precise(x)) < 1e-6


def test_a_network_that_timm_lacks_says_so(small_folder: Path) -> None:
    assert "timm has no network that computes the same." in text_of(small_folder)
    assert json.loads((small_folder / "config.json").read_text())["architecture"] == "resnet18-cifar"


@pytest.mark.parametrize(
    ("name", "values", "timms"),
    [
        ("bit-r26x1", {}, None),
        ("bit-r50x1", {"map": "before-norm"}, None),
        ("resnet50", {"padding": "tf"}, None),
        ("resnet50x2", {}, None),
        ("resnet50-sk", {}, None),
        ("resnet34", {}, None),
        ("resnet101", {}, "resnet101"),
        ("bit-r152x4", {}, "resnetv2_152x4_bit"),
    ],
)
def test_only_what_timm_computes_too_carries_its_name(name: str, values: dict[str, Any], timms: str | None) -> None:
    from remedis.models.architectures import architecture

    assert architecture(name).timm_name(Contract(**values)) == timms


def test_the_card_says_what_a_user_must_know(shaken: Network, tmp_path: Path) -> None:
    contract = Contract(size=48, range=(-1.0, 1.0), fit="pad", profile="remedis-cxr")
    facts = Facts("Made for a test", "CC-BY-4.0", ("Work A", "Work B"), False, ("Mind the gap.",))
    encoder = Encoder(shaken("resnet18", contract), contract, "mine", network="resnet18", facts=facts)
    text = (save(encoder, tmp_path / "enc") / "README.md").read_text()
    head, _, body = text.removeprefix("---\n").partition("---\n")
    assert "license: cc-by-4.0" in head.splitlines()
    assert "library_name: remedis" in head.splitlines()
    for words in (
        "# mine", "resnet18", "Research software, not a diagnostic device.", "The weights are random", "Mind the gap.",
        "floats in [-1, 1]", "48 px, fit: pad", "remedis-cxr", "512 numbers, pool: mean", encoder.hash,
        f"{sum(weight.numel() for weight in encoder.parameters()):,}", "Made for a test.",
        "Licence of the weights: CC-BY-4.0.", "- Work A", "- Work B",
    ):  # fmt: skip
        assert words in body
    trained = Encoder(encoder.backbone, contract, "mine", network="resnet18")
    text = (save(trained, tmp_path / "trained") / "README.md").read_text()
    assert "random" not in text
    assert "Licence of the weights: not known." in text
    assert "license: other" in text
