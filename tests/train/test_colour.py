"""Colour operations against TensorFlow's own numbers, the standard library's HSV and closed forms."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from augmentation_inputs import figures
from make_augmentation_figures import FACTORS, SHIFTS, pictures
from torch import Tensor

from references import augmentations as reference
from remedis.train import colour

NUMBERS = {"contrast": FACTORS, "saturation": FACTORS, "hue": SHIFTS}
OPERATIONS = {operation.__name__: operation for operation in colour.OPERATIONS}


def as_ours(pictures: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.from_numpy(pictures).movedim(-1, -3).to(dtype).contiguous()


def all_alike(x: Tensor, number: float) -> Tensor:
    return torch.full((len(x),), number, dtype=x.dtype)


@pytest.mark.parametrize("name", NUMBERS)
def test_operations_equal_tensorflows(name: str) -> None:
    x, expected = as_ours(pictures()), figures()[name]
    assert len(expected) == len(NUMBERS[name])
    for number, official in zip(NUMBERS[name], expected, strict=True):
        ours = OPERATIONS[name](x, all_alike(x, number))
        # float32 on both sides; a hue is a quotient by a difference that may be 1e-3 of the channels
        assert (ours - as_ours(official)).abs().max() < 2e-5


def test_grey_equals_tensorflows() -> None:
    ours = colour.grey(as_ours(pictures()))
    assert (ours - as_ours(figures()["grey"])).abs().max() < 1e-6
    assert ours.shape == (4, 3, 8, 8)


@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_equal_the_reference_in_float64(name: str) -> None:
    images = pictures().astype(np.float64)[[0, 2, 3]]
    numbers = torch.tensor([0.13, 1.7, 0.4], dtype=torch.float64)
    ours = OPERATIONS[name](as_ours(images, torch.float64), numbers)
    for image, number, one in zip(images, numbers.tolist(), ours, strict=True):
        expected = getattr(reference, name)(image, number)
        assert np.abs(one.movedim(0, -1).numpy() - expected).max() < 1e-12


def colours(*rgb: tuple[float, float, float]) -> Tensor:
    return torch.tensor(rgb, dtype=torch.float64)[:, :, None, None]


@pytest.mark.parametrize(
    ("sixths", "expected"), [(2, (0, 1, 0)), (4, (0, 0, 1)), (-2, (0, 0, 1)), (6, (1, 0, 0)), (3, (0, 1, 1))]
)
def test_a_third_of_a_turn_makes_red_green(sixths: int, expected: tuple[float, float, float]) -> None:
    red = colours((1, 0, 0))
    assert (colour.hue(red, all_alike(red, sixths / 6)) - colours(expected)).abs().max() < 1e-15


def test_saturation_of_nothing_is_the_greatest_channel() -> None:
    x = colours((0.2, 0.7, 0.4))
    assert torch.equal(colour.saturation(x, all_alike(x, 0.0)), colours((0.7, 0.7, 0.7)))


@pytest.mark.parametrize("name", ["saturation", "hue"])
@pytest.mark.parametrize("level", [0.0, 0.3, 1.0])
def test_grey_stays_grey(name: str, level: float) -> None:
    x = colours((level, level, level))
    assert torch.equal(OPERATIONS[name](x, all_alike(x, 0.4)), x)


def test_contrast_keeps_each_channels_mean() -> None:
    x = torch.rand(2, 3, 7, 9, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    stretched = colour.contrast(x, torch.tensor([0.0, 1.6], dtype=torch.float64))
    assert (stretched.mean((2, 3)) - x.mean((2, 3))).abs().max() < 1e-15
    assert (stretched[1].std() / x[1].std()).item() == pytest.approx(1.6, rel=1e-2)
    assert (stretched[0].amax((1, 2)) - stretched[0].amin((1, 2))).max() < 1e-15


@pytest.mark.parametrize("sides", [(1, 1), (1, 7), (5, 3), (16, 16), (31, 33)])
def test_the_folded_mean_is_the_mean(sides: tuple[int, int]) -> None:
    x = torch.rand(3, 3, *sides, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    flat = colour.contrast(x, torch.zeros(3, dtype=torch.float64))
    assert (flat - x.mean((2, 3), keepdim=True)).abs().max() < 1e-15


def applied(x: np.ndarray, order: tuple[int, ...], factors: list[float]) -> np.ndarray:
    steps: list[Callable[[np.ndarray, float], np.ndarray]] = [
        reference.brightness,
        reference.contrast,
        reference.saturation,
        reference.hue,
    ]
    for number in order:
        x = np.clip(steps[number](x, factors[number]), 0, 1)
    return x


def test_jitter_applies_each_images_own_order_and_clips_after_each() -> None:
    orders = list(itertools.permutations(range(4)))
    draw = np.random.default_rng(4)
    images = draw.random((len(orders), 6, 6, 3))
    factors = np.concatenate([draw.uniform(0.2, 1.8, (len(orders), 3)), draw.uniform(-0.2, 0.2, (len(orders), 1))], 1)
    ours = colour.jitter(as_ours(images, torch.float64), torch.tensor(orders), torch.from_numpy(factors))
    expected = [applied(*each) for each in zip(images, orders, factors.tolist(), strict=True)]
    assert (ours - as_ours(np.stack(expected), torch.float64)).abs().max() < 1e-12


def test_jitter_leaves_its_input_alone() -> None:
    x = torch.rand(2, 3, 4, 4)
    before = x.clone()
    colour.jitter(x, torch.tensor([[0, 1, 2, 3]] * 2), torch.full((2, 4), 0.5))
    assert torch.equal(x, before)
