"""Encoder: what a contract lets in, how pictures become its squares, and what leaves with a gradient."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import remedis
from remedis.errors import CheckpointError, InputError
from remedis.models.contract import Contract
from remedis.models.encoder import Encoder, hash_of
from remedis.models.scaling import to_range
from remedis.models.staged import Staged

Network = Callable[..., Staged]


def picture(pixels: npt.NDArray[Any]) -> remedis.Image:
    return remedis.Image(pixels=pixels, source="made.png", profile="dicom-display")


def with_contract(shaken: Network, **changes: Any) -> Encoder:
    contract = Contract(**{"size": 32, **changes})
    return Encoder(shaken("resnet18-cifar", contract), contract, "small").eval()


def seen(encoder: Encoder, image: remedis.Image) -> Tensor:
    """Return what the first convolution sees."""
    inputs: list[Tensor] = []
    handle = encoder.backbone.get_submodule("conv1").register_forward_pre_hook(lambda _, given: inputs.append(given[0]))
    encoder(image)
    handle.remove()
    return inputs[0]


def refused(encoder: Encoder, x: Any) -> str:
    with pytest.raises(InputError) as caught:
        encoder(x)
    message = str(caught.value)
    assert "\n" not in message
    assert type(caught.value) is InputError
    return message


def test_a_call_gives_one_row_an_image(small_encoder: Encoder) -> None:
    x = torch.rand(3, 3, 20, 24)
    assert small_encoder(x).shape == (3, 512)
    assert small_encoder.width == 512
    assert small_encoder.features(x).shape == (3, 512, 3, 3)
    assert list(small_encoder.stages(x)) == ["stem", "stage1", "stage2", "stage3", "stage4", "map", "embedding"]
    torch.testing.assert_close(small_encoder(x), small_encoder.features(x).mean(dim=(2, 3)))
    assert small_encoder(x[:0]).shape == (0, 512)


@pytest.mark.parametrize(
    ("make", "found", "expected"),
    [
        (lambda: torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "uint8", "floats (N, 3, H, W) in [0, 1]"),
        (lambda: torch.zeros(3, 8, 8), "shape (3, 8, 8)", "x[None]"),
        (lambda: torch.zeros(1, 1, 8, 8), "1 channels", "floats (N, 3, H, W)"),
        (lambda: torch.zeros(1, 8, 8, 3), "8 channels (the channels come second, not last)", "(N, 3, H, W)"),
        (lambda: torch.zeros(1, 3, 0, 8), "without pixels", "(N, 3, H, W)"),
        (lambda: torch.full((1, 3, 8, 8), 255.0), "values from 255 to 255", "[0, 1]"),
        (lambda: torch.full((1, 3, 8, 8), -0.5), "-0.5", "[0, 1]"),
        (lambda: torch.full((1, 3, 8, 8), float("nan")), "NaN", "[0, 1]"),
        (lambda: torch.full((1, 3, 8, 8), float("inf")), "inf", "[0, 1]"),
        (lambda: np.zeros((1, 3, 8, 8), np.float32), "ndarray", "what remedis.read gives"),
        (lambda: ["x.png"], "list", "what remedis.read gives"),
    ],
)
def test_what_the_contract_does_not_allow_is_refused_in_words(
    small_encoder: Encoder, make: Callable[[], Any], found: str, expected: str
) -> None:
    message = refused(small_encoder, make())
    assert found in message
    assert expected in message


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_a_thousandth_of_the_span_is_let_through(shaken: Network, low: float, high: float) -> None:
    encoder = with_contract(shaken, range=(low, high))
    span = high - low
    x = torch.full((1, 3, 8, 8), low)
    for slack, fits in ((0.0009, True), (0.0011, False)):
        for edge in (low - slack * span, high + slack * span):
            x[0, 1, 2, 3] = edge
            if fits:
                assert encoder(x).isfinite().all()
            else:
                assert f"[{low:g}, {high:g}]" in refused(encoder, x)


def test_other_channel_counts_are_the_contracts(shaken: Network) -> None:
    encoder = with_contract(shaken, channels=1)
    assert encoder(torch.rand(2, 1, 16, 16)).shape == (2, 512)
    assert "takes 1" in refused(encoder, picture(np.zeros((8, 8, 3), np.uint8)))


@pytest.mark.parametrize(("dtype", "largest"), [(np.uint8, 255), (np.uint16, 65535)])
def test_a_picture_of_the_right_size_is_only_scaled(small_encoder: Encoder, dtype: type[Any], largest: int) -> None:
    pixels = np.random.default_rng(0).integers(0, largest + 1, (32, 32, 3)).astype(dtype)
    x = torch.from_numpy(pixels.astype(np.float64) / largest).permute(2, 0, 1)[None].float()
    torch.testing.assert_close(seen(small_encoder, picture(pixels)), x, rtol=0, atol=1e-6)
    torch.testing.assert_close(small_encoder(picture(pixels)), small_encoder(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("fit", "box"),
    [("squash", (0, 0, 48, 96)), ("crop", (0, 24, 48, 48))],
)
def test_a_picture_is_resized_as_the_contract_says(shaken: Network, fit: str, box: tuple[int, int, int, int]) -> None:
    encoder = with_contract(shaken, fit=fit)
    pixels = np.random.default_rng(1).integers(0, 256, (48, 96, 3)).astype(np.uint8)
    top, left, height, width = box
    part = torch.from_numpy(pixels[top : top + height, left : left + width]).permute(2, 0, 1)[None].double()
    square = F.interpolate(part, (32, 32), mode="bilinear", antialias=True, align_corners=False)
    torch.testing.assert_close(seen(encoder, picture(pixels)), square.float() / 255, rtol=0, atol=1 / 255)


def test_a_border_is_the_ranges_low_end(shaken: Network) -> None:
    encoder = with_contract(shaken, fit="pad", range=(-1.0, 1.0))
    white = picture(np.full((16, 32, 3), 255, np.uint8))
    x = torch.full((1, 3, 32, 32), -1.0)
    x[:, :, 8:24] = 1.0
    torch.testing.assert_close(seen(encoder, white), x, rtol=0, atol=0)


def test_every_frame_gives_a_row_in_order(small_encoder: Encoder) -> None:
    frames = np.random.default_rng(2).integers(0, 256, (4, 40, 32, 3)).astype(np.uint8)
    single = [picture(frame) for frame in frames]
    expected = torch.cat([small_encoder(image) for image in single])
    torch.testing.assert_close(small_encoder(picture(frames)), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        small_encoder([single[3], picture(frames[:2])]), expected[[3, 0, 1]], rtol=1e-5, atol=1e-5
    )
    assert small_encoder([]).shape == (0, 512)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-1.0, 1.0), (0.0, 255.0)])
def test_integers_become_the_range(dtype: torch.dtype, low: float, high: float) -> None:
    largest = torch.iinfo(dtype).max
    values = [0, 1, largest // 2, largest]
    pixels = torch.tensor(values, dtype=torch.int32).to(dtype).reshape(1, 2, 2, 1).expand(1, 2, 2, 3)
    found = to_range(pixels, (low, high))
    assert found.dtype == torch.float32
    assert found.shape == (1, 3, 2, 2)
    expected = torch.tensor([low + (high - low) * value / largest for value in values], dtype=torch.float64)
    torch.testing.assert_close(found[0, 2].flatten().double(), expected, rtol=1e-6, atol=1e-6)
    with pytest.raises(InputError, match="uint8 or uint16"):
        to_range(pixels.to(torch.int32), (low, high))


def test_evaluation_keeps_no_gradient_of_the_weights(small_encoder: Encoder) -> None:
    x = torch.rand(1, 3, 16, 16)
    assert not small_encoder(x).requires_grad
    assert small_encoder(x).numpy().shape == (1, 512)
    asked = x.clone().requires_grad_()
    small_encoder(asked).sum().backward()
    assert asked.grad is not None
    assert bool(asked.grad.any())
    with torch.no_grad():
        assert not small_encoder(asked).requires_grad


def test_training_gives_gradients(shaken: Network) -> None:
    encoder = with_contract(shaken).train()
    encoder(torch.rand(4, 3, 16, 16)).square().mean().backward()
    assert all(weight.grad is not None and bool(weight.grad.any()) for weight in encoder.backbone.parameters())


def test_input_comes_to_the_precision_of_the_weights(shaken: Network) -> None:
    encoder = with_contract(shaken)
    x = torch.rand(2, 3, 16, 16)
    expected = encoder(x)
    precise = encoder.to(torch.float64)
    assert precise(x).dtype == torch.float64
    torch.testing.assert_close(precise(x).float(), expected, rtol=1e-4, atol=1e-4)


def test_the_hash_is_of_names_types_shapes_and_bytes() -> None:
    weights = {"b": torch.arange(6.0).reshape(2, 3), "a": torch.tensor(3)}
    digest = hash_of(weights)
    assert len(digest) == 64
    assert hash_of(dict(reversed(weights.items()))) == digest
    assert hash_of({**weights, "b": weights["b"].t().contiguous().t()}) == digest
    others = (
        {"c": weights["b"], "a": weights["a"]},
        {**weights, "b": weights["b"].reshape(3, 2)},
        {**weights, "b": weights["b"].double()},
        {**weights, "b": weights["b"] + 1e-6},
        {"b": weights["b"]},
    )
    assert len({digest, *(hash_of(other) for other in others)}) == 6


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"size": 0}, "size is 0"),
        ({"size": 224.0}, "size is 224.0"),
        ({"size": True}, "size is True"),
        ({"size": 10**9}, "from 1 to 16,384"),
        ({"channels": 0}, "channels is 0"),
        ({"range": [1.0, 0.0]}, "two rising numbers"),
        ({"range": [0.0, float("inf")]}, "two rising numbers"),
        ({"range": "0,1"}, "two rising numbers"),
        ({"inside": [0.0]}, "two rising numbers"),
        ({"map": "last"}, "after-norm, before-norm, tokens, none"),
        ({"pool": "max"}, "mean, timm, original"),
        ({"padding": "same"}, "torch, tf"),
        ({"fit": ["squash"]}, "squash, pad, crop"),
        ({"profile": 3}, "profile is 3"),
        ({"sise": 224}, "did you mean size"),
    ],
)
def test_a_contract_that_nobody_can_hold_to_is_refused(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(CheckpointError, match=complaint):
        Contract.from_json(values)


def test_a_contract_comes_back_from_json() -> None:
    contract = Contract(size=448, range=(-1.0, 1.0), fit="pad", profile="remedis-cxr", inside=(0.0, 1.0), map="tokens")
    assert Contract.from_json(contract.to_json()) == contract
    assert Contract.from_json({}) == Contract()
