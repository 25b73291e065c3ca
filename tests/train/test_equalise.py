"""Histogram equalisation against its formula, scikit-image and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import skimage.exposure
import torch
from augmentation_inputs import batch, noise, smooth

from references.augmentations import equalised
from remedis.train.equalise import equalise

PICTURES = {
    "noise": noise((9, 14))[0],
    "smooth": smooth(40, 31),
    "dark": smooth(30, 30) // 8,
    "grey": np.repeat(smooth(20, 26)[..., :1], 3, axis=2),
    "one pixel": noise((1, 1))[0],
}


def ours(picture: np.ndarray) -> np.ndarray:
    return equalise(*batch([picture]))[0].numpy()


def levels(*grey: int) -> np.ndarray:
    return np.repeat(np.array([grey], np.uint8)[..., None], 3, axis=2)


@pytest.mark.parametrize("name", PICTURES)
def test_equalisation_equals_the_formula(name: str) -> None:
    assert np.array_equal(ours(PICTURES[name]), equalised(PICTURES[name]))


@pytest.mark.parametrize("name", ["noise", "smooth", "grey"])
def test_equalisation_is_scikit_images_stretched_from_the_darkest_level(name: str) -> None:
    picture = PICTURES[name]
    grey = np.floor(picture @ np.array([0.2989, 0.587, 0.114]) + 0.5).astype(np.uint8)
    share = skimage.exposure.equalize_hist(grey, nbins=256)  # cdf / N
    expected = (share - share.min()) / (1 - share.min()) * 255
    assert np.abs(ours(picture)[..., 0] - expected).max() <= 0.5 + 1e-6  # rounded to a level


@pytest.mark.parametrize("level", [0, 1, 77, 255])
def test_fault_f13_a_constant_image_stays_as_it_is(level: int) -> None:
    # officially it goes black
    assert np.array_equal(ours(levels(*[level] * 6)), levels(*[level] * 6))


@pytest.mark.parametrize(("dark", "bright"), [(0, 1), (100, 101), (0, 255), (254, 255)])
def test_fault_f13_two_levels_become_black_and_white(dark: int, bright: int) -> None:
    # officially both go black
    assert np.array_equal(ours(levels(dark, bright, bright, dark, dark)), levels(0, 255, 255, 0, 0))


def test_fault_f13_every_level_is_looked_up_as_itself() -> None:
    # officially the grey weights sum to 0.9999 and 255 levels of 256 are read one too low
    ramp = levels(*range(256))
    assert np.array_equal(ours(ramp), ramp)


def test_an_equalised_histogram_is_even() -> None:
    dark = np.repeat((np.random.default_rng(0).beta(1, 6, (128, 128, 1)) * 255).astype(np.uint8), 3, axis=2)
    share = np.arange(256) / 255
    cdf = np.searchsorted(np.sort(ours(dark)[..., 0].ravel()), np.arange(256), side="right") / 128**2
    widest = np.bincount(dark[..., 0].ravel()).max() / 128**2  # no level can be split
    assert np.abs(cdf - share).max() <= widest + 1 / 255


def test_padding_is_not_counted() -> None:
    pictures = [smooth(12, 20), noise((17, 9))[0], smooth(17, 20, seed=3)]
    images, heights, widths = batch(pictures, more_rows=5, more_columns=2)
    together = equalise(images, heights, widths)
    for picture, one in zip(pictures, together.numpy(), strict=True):
        assert np.array_equal(one[: len(picture), : picture.shape[1]], equalised(picture))


def test_the_images_are_left_alone() -> None:
    images, heights, widths = batch([smooth(8, 8)])
    before = images.clone()
    equalise(images, heights, widths)
    assert torch.equal(images, before)
