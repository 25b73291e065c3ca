"""The blur against scipy and the formula, and what it does to borders."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch

from references.augmentations import blurred
from remedis.train.blur import blur, radius_of


@pytest.mark.parametrize(("size", "kernel"), [(19, 1), (20, 3), (32, 3), (64, 7), (96, 9), (224, 23), (448, 45)])
def test_the_kernel_has_the_official_width(size: int, kernel: int) -> None:
    assert 2 * radius_of(size) + 1 == kernel


@pytest.mark.parametrize("size", [20, 64, 97])
def test_blur_equals_scipys_each_image_with_its_own_sigma(size: int) -> None:
    x = torch.rand(3, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    sigmas = torch.tensor([0.1, 0.9, 2.0], dtype=torch.float64)
    for image, sigma, ours in zip(x.numpy(), sigmas.tolist(), blur(x, sigmas).numpy(), strict=True):
        smoothed = scipy.ndimage.gaussian_filter(image, sigma, mode="nearest", radius=radius_of(size), axes=(1, 2))
        assert np.abs(ours - smoothed).max() < 1e-12


def test_blur_equals_the_formula() -> None:
    x = torch.rand(1, 3, 24, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = blurred(x[0].movedim(0, -1).numpy(), 1.3, 1)
    assert np.abs(blur(x, torch.tensor([1.3], dtype=torch.float64))[0].movedim(0, -1).numpy() - expected).max() < 1e-14


def test_borders_are_not_darkened() -> None:
    # officially zeros come in from outside
    bright = torch.full((1, 3, 64, 64), 0.8, dtype=torch.float64)
    assert (blur(bright, torch.tensor([2.0], dtype=torch.float64)) - 0.8).abs().max() < 1e-15


def test_small_views_have_no_kernel() -> None:
    x = torch.rand(1, 3, 19, 19)
    assert torch.equal(blur(x, torch.tensor([2.0], dtype=torch.float64)), x)
