"""`remedis.load` by name: what there is, what there is not, and what is nearest."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import remedis
from remedis.errors import CheckpointError
from remedis.models.architectures import Architecture, known_architectures, parse
from remedis.models.load import known_names, random_encoder


def complaint(name: str | Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        remedis.load(name)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{name}: ")
    return message


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("bit-r50x", "bit-r50x1"), ("bit-50x1", "bit-r50x1"), ("resnet51", "resnet50"), ("resnet50sk", "resnet50-sk")],
)
def test_an_unknown_name_gives_the_nearest(name: str, nearest: str) -> None:
    assert "no encoder of this name, did you mean" in complaint(name)
    assert nearest in complaint(name)


@pytest.mark.parametrize("name", ["./enc", "models/enc", "/nowhere/enc", "~/no-such-encoder-here"])
def test_a_path_is_taken_for_a_folder(name: str) -> None:
    assert complaint(name) == f"{name}: there is no such folder"


def test_a_networks_name_has_no_weights_unless_random_ones_are_asked_for() -> None:
    message = complaint("resnet18-cifar")
    assert "remedis models init resnet18-cifar" in message
    assert "--random-weights" in message
    encoder = remedis.load("resnet18-cifar", random_weights=True)
    assert not encoder.facts.trained
    assert not encoder.training
    assert encoder.hash == remedis.load("resnet18-cifar", random_weights=True).hash


def test_a_saved_model_is_named_as_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").touch()
    assert "is a TensorFlow SavedModel" in complaint(tmp_path)


def test_the_seed_decides_the_weights_and_nothing_else_does() -> None:
    network = parse("resnet18-cifar")
    assert network is not None
    torch.manual_seed(5)
    first = random_encoder(network, remedis.Contract(), seed=1)
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(1))  # the global random state is left alone
    torch.manual_seed(6)
    assert random_encoder(network, remedis.Contract(), seed=1).hash == first.hash
    assert random_encoder(network, remedis.Contract(), seed=2).hash != first.hash


@pytest.mark.parametrize("name", ["bit-r26x1", "resnet18"])
def test_random_kernels_have_the_spread_of_the_official_program(name: str) -> None:
    """Variance 1 / fan-in, cut off at two deviations of the uncut normal (google-research/simclr resnet.py)."""
    network = parse(name)
    assert network is not None
    for key, weight in random_encoder(network, remedis.Contract(), seed=0).weights().items():
        if weight.ndim == 4 and weight.numel() > 20_000:
            spread = weight[0].numel() ** -0.5
            assert abs(float(weight.std()) / spread - 1) < 0.02, key
            assert 2.2 < float(weight.abs().max()) / spread < 2 / 0.8796256610342398 + 1e-4, key
            assert abs(float(weight.mean())) < 4 * spread * weight.numel() ** -0.5, key


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bit-r50x1", Architecture("bit-r50x1", "bit", 50, 1)),
        ("bit-r152x4", Architecture("bit-r152x4", "bit", 152, 4)),
        ("resnet50", Architecture("resnet50", "resnet", 50, 1)),
        ("resnet50x1", Architecture("resnet50", "resnet", 50, 1)),
        ("resnet18x2-cifar", Architecture("resnet18x2-cifar", "resnet", 18, 2, small_stem=True)),
        ("resnet200x3-sk", Architecture("resnet200x3-sk", "resnet", 200, 3, selective=True)),
        ("resnet50-sk-cifar", Architecture("resnet50-sk-cifar", "resnet", 50, 1, True, True)),
        ("bit-r50", None),
        ("bit-r50x5", None),
        ("bit-r51x1", None),
        ("resnet18-sk", None),
        ("resnet50x0", None),
        ("resnet50x9", None),
        ("resnet50-cifar-sk", None),
        ("Resnet50", None),
        ("resnet50\n", None),
    ],
)
def test_names(name: str, expected: Architecture | None) -> None:
    assert parse(name) == expected


def test_every_name_that_is_offered_is_one() -> None:
    for name in known_architectures():
        found = parse(name)
        assert found is not None
        assert found.name == name
    required = {f"bit-r{size}" for size in ("26x1", "50x1", "50x3", "101x1", "101x3", "152x2", "152x4")}
    required |= {f"resnet{depth}" for depth in (18, 34, 50, 101, 152, 200)}
    assert required <= set(known_names())


def test_loads_to_the_precision_that_is_asked_for() -> None:
    encoder = remedis.load("resnet18-cifar", random_weights=True, dtype=torch.float64)
    assert encoder(torch.rand(1, 3, 8, 8)).dtype == torch.float64
