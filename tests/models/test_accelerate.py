"""The fast way computes what the encoder computes, within tolerances that have a reason."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import remedis
from remedis.errors import UsageError
from remedis.models import accelerate
from remedis.models.accelerate import folded_copy, has_bf16, prepare
from remedis.models.bit import StdConv2d
from remedis.models.contract import Contract
from remedis.models.encoder import Encoder
from remedis.models.staged import Staged

Network = Callable[..., Staged]
Distance = Callable[[Tensor, Tensor], float]


def pictures(count: int, side: int, dtype: torch.dtype = torch.uint8) -> Tensor:
    """Return smooth pictures of large discs with some noise, (N, S, S, 3), nearly constant like most images."""
    generator = torch.Generator().manual_seed(0)
    axis = torch.linspace(0, 1, side)
    x = torch.empty(count, side, side, 3)
    for image in x:
        centre, radius, colour, ground = torch.rand(2), torch.rand(1) / 3 + 0.1, torch.rand(3), torch.rand(3) / 3
        inside = (axis[:, None] - centre[0]) ** 2 + (axis[None] - centre[1]) ** 2 < radius**2
        image.copy_(torch.where(inside[..., None], colour, ground))
    x = (x + 0.05 * torch.randn(x.shape, generator=generator)).clamp(0, 1)
    return (x * torch.iinfo(dtype).max).to(torch.int32).to(dtype)


def as_floats(images: Tensor) -> Tensor:
    return images.to(torch.int32).permute(0, 3, 1, 2).double() / torch.iinfo(images.dtype).max


def encoder_of(shaken: Network, name: str, **contract: Any) -> Encoder:
    held = Contract(**contract)
    return Encoder(shaken(name, held), held, name).eval()


@pytest.mark.parametrize(
    ("name", "contract", "dtype"),
    [
        ("bit-r26x1", {}, torch.uint8),
        ("bit-r26x1", {"range": (-1.0, 1.0), "map": "before-norm"}, torch.uint16),
        ("resnet18", {"padding": "tf"}, torch.uint16),
        ("resnet18-cifar", {}, torch.uint8),
        ("resnet50-sk", {"range": (0.0, 255.0)}, torch.uint8),
    ],
)
def test_fp32_is_the_encoder_within_the_distance_of_two_right_programs(
    shaken: Network, distance: Distance, name: str, contract: dict[str, Any], dtype: torch.dtype
) -> None:
    encoder = encoder_of(shaken, name, **contract)
    before = encoder.hash
    images = pictures(2, 40, dtype)
    found = prepare(encoder)(images)
    assert found.dtype == torch.float32
    assert found.shape == (2, encoder.width)
    assert encoder.hash == before
    low, high = encoder.contract.range
    precise = copy.deepcopy(encoder).double()
    expected = precise(low + (high - low) * as_floats(images))
    assert distance(found, expected) < 1e-4
    assert not found.requires_grad


def test_bf16_keeps_the_direction_of_r50x1(caplog: pytest.LogCaptureFixture) -> None:
    """On random kernels, as `models init` writes them: they magnify what rounding does, trained ones less."""
    encoder = remedis.load("bit-r50x1", random_weights=True)
    images = pictures(1, 224)
    with caplog.at_level(logging.WARNING):
        fast = prepare(encoder, precision="bf16")
    assert ("has no bfloat16 instructions" in caplog.text) is not has_bf16()
    found, expected = fast(images), prepare(encoder)(images)
    assert found.dtype == torch.float32
    assert float(F.cosine_similarity(found, expected).min()) >= 0.999
    assert not torch.allclose(found, expected, rtol=1e-4)  # it is another precision indeed


@pytest.mark.parametrize("name", ["resnet18", "resnet50-sk"])
def test_bf16_of_the_other_family(shaken: Network, name: str) -> None:
    encoder = encoder_of(shaken, name)
    images = pictures(1, 40)
    found, expected = prepare(encoder, precision="bf16")(images), prepare(encoder)(images)
    assert float(F.cosine_similarity(found, expected).min()) >= 0.999


def test_norms_may_be_of_the_type_of_their_input(shaken: Network, distance: Distance) -> None:
    """As on GPUs, where a group norm takes weights of one type only."""
    backbone, x = shaken("bit-r26x1"), torch.rand(1, 3, 48, 48)
    network = folded_copy(backbone, torch.bfloat16, torch.bfloat16)
    types = {norm.weight.dtype for norm in network.modules() if isinstance(norm, nn.GroupNorm)}
    assert types == {torch.float32, torch.bfloat16}  # the first block stays as precise as the image needs it
    with torch.inference_mode():
        assert float(F.cosine_similarity(network(x).float(), backbone(x)).min()) >= 0.999


def test_folding_leaves_plain_convolutions_and_the_numbers(shaken: Network, distance: Distance) -> None:
    for name, norms in (("bit-r26x1", nn.GroupNorm), ("resnet18", nn.BatchNorm2d)):
        backbone = shaken(name, dtype=torch.float64)
        network = folded_copy(backbone, torch.float64)
        types = {type(module) for module in network.modules() if isinstance(module, nn.Conv2d)}
        assert types == {nn.Conv2d}
        assert any(isinstance(module, norms) for module in network.modules()) is (norms is nn.GroupNorm)
        x = torch.rand(2, 3, 40, 40, dtype=torch.float64)
        with torch.inference_mode():
            assert distance(network.double()(x), backbone(x)) < 1e-6  # the first block was rounded to float32
    assert any(isinstance(module, StdConv2d) for module in shaken("bit-r26x1").modules())


def test_the_encoder_and_its_mode_are_left_alone(shaken: Network) -> None:
    encoder = encoder_of(shaken, "resnet18-cifar").train()
    weights = {name: weight.clone() for name, weight in encoder.weights().items()}
    images = pictures(4, 32)
    fast = prepare(encoder)
    found = fast(images)
    assert encoder.training
    assert all(weight.requires_grad for weight in encoder.parameters())
    for name, weight in encoder.weights().items():  # running statistics too
        assert torch.equal(weight, weights[name])
    with torch.no_grad():
        for weight in encoder.parameters():
            weight.zero_()
    assert torch.equal(fast(images), found)


def test_pieces_change_nothing_but_the_memory(
    shaken: Network, distance: Distance, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_of(shaken, "resnet18-cifar")
    fast, images = prepare(encoder), pictures(7, 32)
    found = fast(images)
    seen: list[int] = []
    real = accelerate.to_range

    def counting(piece: Tensor, low_high: tuple[float, float]) -> Tensor:
        seen.append(len(piece))
        return real(piece, low_high)

    monkeypatch.setattr(accelerate, "to_range", counting)
    monkeypatch.setattr(accelerate, "BYTES_A_PIECE", 1)
    assert distance(fast(images), found) < 1e-5
    assert seen == [1] * 7


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_networks_of_timm(distance: Distance, precision: str, name: str) -> None:
    encoder = remedis.load(f"timm:{name}", random_weights=True)
    images = pictures(3, 160)
    found, expected = prepare(encoder, precision=precision)(images), encoder(as_floats(images).float())
    assert found.dtype == torch.float32
    assert float(F.cosine_similarity(found, expected).min()) >= 0.999
    assert (distance(found, expected) < 1e-4) is (precision == "fp32")


def test_nothing_gives_no_rows(shaken: Network) -> None:
    encoder = encoder_of(shaken, "resnet18-cifar")
    assert prepare(encoder)(torch.zeros(0, 32, 32, 3, dtype=torch.uint8)).shape == (0, 512)


def test_another_precision_is_refused(small_encoder: Encoder) -> None:
    with pytest.raises(UsageError, match="fp32 or bf16 was expected"):
        prepare(small_encoder, precision="fp16")
