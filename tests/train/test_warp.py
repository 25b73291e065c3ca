"""The warp against numpy pixel by pixel, TensorFlow, scikit-image, torch and closed forms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import skimage.transform
import torch
from augmentation_inputs import Array, batch, figures, noise, smooth
from make_augmentation_figures import CROP, VIEW, pictures
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from references import augmentations as reference
from remedis.errors import UsageError
from remedis.train.warp import Geometry, framed, warp


def geometry(
    sides: tuple[Tensor, Tensor], *, crop: Any = None, flip: bool = False, turn: float | None = None, bends: Any = None
) -> Geometry:
    """Return one geometry for all images; without a crop the whole of each. `turn` is in degrees."""
    heights, widths = sides
    n = len(heights)
    whole = torch.stack((torch.zeros(n), torch.zeros(n), heights, widths), 1)
    crops = whole if crop is None else torch.tensor([crop] * n)
    angles = None if turn is None else torch.tensor([[math.cos(math.radians(turn)), math.sin(math.radians(turn))]] * n)
    field = None if bends is None else torch.from_numpy(np.stack([bends] * n))
    flipped = torch.full((n,), flip)
    return Geometry(heights.double(), widths.double(), crops.double(), flipped, angles, field)


def view(picture: Array, size: int, interpolation: str = "bilinear", **options: Any) -> Array:
    """Return the view (S, S, 3) of one picture."""
    images, heights, widths = batch([picture])
    frames = framed(images, heights, widths)
    return warp(frames, geometry((heights, widths), **options), size, interpolation)[0].movedim(0, -1).numpy()


CASES: dict[str, dict[str, Any]] = {
    "whole": {},
    "crop": {"crop": (2, 5, 11, 9)},
    "flipped crop": {"crop": (2, 5, 11, 9), "flip": True},
    "turned": {"turn": 25.0},
    "turned the other way, crop, flip": {"turn": -70.0, "crop": (1, 2, 12, 14), "flip": True},
    "bent": {"bends": 0.04},
    "everything": {"turn": 15.0, "crop": (2, 1, 13, 16), "flip": True, "bends": 0.03},
}


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [16, 7])  # enlarged, and reduced with 2 × 2 or 3 × 3 samples a pixel
@pytest.mark.parametrize("case", CASES)
def test_the_warp_equals_numpys(case: str, size: int, interpolation: str) -> None:
    picture, options = smooth(15, 19), dict(CASES[case])
    bends = options.pop("bends", None)
    if bends is not None:
        bends = np.random.default_rng(0).normal(0, bends, (2, 4, 4))
    ours = view(picture, size, interpolation, bends=bends, **options)
    crop, turn = options.get("crop", (0, 0, 15, 19)), math.radians(options.get("turn", 0.0))
    expected = reference.warped(picture / 255, crop, options.get("flip", False), turn, bends, size, interpolation)
    # positions are rounded to 1/1024 pixel: at most 1/2048 off each way, and neighbours differ by at most 0.3 here
    # (by 1 where black comes in, which is not rounded)
    assert np.abs(ours - expected).max() < 4e-4


def test_a_crop_of_the_views_size_is_the_pixels_themselves() -> None:
    picture = noise((20, 23))[0]
    exact = picture[3:15, 7:19].astype(np.float32) * np.float32(1 / 255)
    for interpolation in ("bilinear", "bicubic"):
        assert np.array_equal(view(picture, 12, interpolation, crop=(3, 7, 12, 12)), exact)
        assert np.array_equal(view(picture, 12, interpolation, crop=(3, 7, 12, 12), flip=True), exact[:, ::-1])


def test_enlarging_a_crop_equals_tensorflows() -> None:
    top, left, height, width = CROP
    official = figures()["bilinear"][0]
    frames = torch.zeros(1, 3, 8, 8)
    frames[0] = torch.from_numpy(pictures()[0]).movedim(-1, 0) * 255
    sides = torch.tensor([8])
    ours = warp(frames, geometry((sides, sides), crop=(top, left, height, width)), VIEW, "bilinear")
    # up to 1/2048 pixel off each way, of neighbours that differ by up to 1
    assert np.abs(ours[0].movedim(0, -1).numpy() - official).max() < 1e-3


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_enlarging_equals_torchs_within_the_border(mode: str) -> None:
    picture = noise((12, 10))[0]
    x = torch.from_numpy(picture).movedim(-1, 0)[None].double() / 255
    theirs = interpolate(x, (31, 31), mode=mode, align_corners=False)[0].movedim(0, -1).numpy()
    # at the border a bicubic of ours stays at the last pixel's middle, torch's looks beyond it
    assert np.abs(view(picture, 31, mode) - theirs)[2:-2, 2:-2].max() < 2e-3


@pytest.mark.parametrize(("turns", "turn"), [(1, 90.0), (2, 180.0), (3, -90.0)])
def test_positive_angles_turn_counter_clockwise(turns: int, turn: float) -> None:
    picture = noise((16, 16))[0]
    for interpolation in ("bilinear", "bicubic"):
        turned = view(picture, 16, interpolation, turn=turn)
        assert np.abs(turned - np.rot90(picture, turns) / 255).max() < 1e-6


@pytest.mark.parametrize("turn", [10.0, -33.0, 45.0])
def test_a_turned_view_is_scikit_images(turn: float) -> None:
    picture, white = smooth(24, 26), np.full((24, 26, 3), 255, np.uint8)
    theirs, their_white = (
        skimage.transform.rotate(each / 255, turn, order=1, mode="constant", cval=0.0) for each in (picture, white)
    )
    whole = {"crop": (0, 1, 24, 24), "turn": turn}
    ours, our_white = view(picture, 24, **whole), view(white, 24, **whole)
    inside = (their_white[:, 1:25] > 0.999) & (our_white > 0.999)
    assert inside.mean() > 0.6
    assert np.abs(theirs[:, 1:25] - ours)[inside].max() < 1e-3
    outside = our_white == 0
    assert outside.mean() > 0.01
    assert np.array_equal(ours[outside], np.zeros(outside.sum(), np.float32))


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_turning_by_nothing_changes_nothing(interpolation: str) -> None:
    picture = noise((13, 21))[0]
    # also at the border: a crop's edge is no edge of black
    assert np.array_equal(view(picture, 24, interpolation, turn=0.0), view(picture, 24, interpolation))


def test_a_field_of_one_displacement_shifts() -> None:
    picture = noise((16, 16))[0]
    bends = np.zeros((2, 3, 3))
    bends[0], bends[1] = 3 / 16, -2 / 16  # each pixel comes from 3 below and 2 to the left
    shifted = view(picture, 16, bends=bends)
    assert np.abs(shifted[:13, 2:] - picture[3:, :14] / 255).max() < 1e-5
    assert np.abs(shifted[13:, 2:] - picture[15:, :14] / 255).max() < 1e-5  # the last row is repeated


def test_bending_is_smooth_and_as_strong_as_its_knots() -> None:
    rows = np.repeat(np.repeat(np.arange(64, dtype=np.uint8)[:, None, None], 64, axis=1), 3, axis=2)
    bends = np.zeros((2, 5, 5))
    bends[0, 2, 2] = 0.05  # one knot, at the image's middle
    moved = view(rows, 64, bends=bends)[..., 0] * 255 - rows[..., 0]
    assert moved.max() == pytest.approx(0.05 * 64, rel=0.02)
    assert np.unravel_index(moved.argmax(), moved.shape) in [(i, j) for i in (31, 32) for j in (31, 32)]
    assert np.abs(np.diff(moved, axis=1)).max() < 0.5
    assert np.abs(moved[:, 0]).max() < 5e-3


def test_reducing_by_a_whole_number_is_the_mean_of_blocks() -> None:
    picture = noise((128, 128))[0]
    x = torch.from_numpy(picture).movedim(-1, 0)[None].double() / 255
    expected = avg_pool2d(x, 8)[0].movedim(0, -1).numpy()
    assert np.abs(view(picture, 16) - expected).max() < 1e-6


def test_fine_stripes_do_not_alias() -> None:
    # officially 128 alternating rows become 16 black ones
    stripes = np.zeros((128, 128, 3), np.uint8)
    stripes[1::2] = 255
    for interpolation in ("bilinear", "bicubic"):
        assert np.abs(view(stripes, 16, interpolation) - 0.5).max() < 1e-6


@pytest.mark.parametrize("sides", [(9, 14), (16, 16), (1, 1), (5, 33)])
def test_frames_repeat_each_images_edge(sides: tuple[int, int]) -> None:
    images, heights, widths = batch([noise(sides)[0], noise((6, 6), seed=2)[0], noise((3, 20), seed=3)[0]], more_rows=3)
    frames = framed(images, heights, widths)
    for image, frame, height, width in zip(images, frames, heights.tolist(), widths.tolist(), strict=True):
        high, wide = frame.shape[1:]
        assert high & (high - 1) == 0
        assert wide & (wide - 1) == 0
        expected = np.pad(image[:height, :width].numpy(), ((0, high - height), (0, wide - width), (0, 0)), mode="edge")
        assert np.array_equal(frame.movedim(0, -1).numpy(), expected)


@pytest.mark.parametrize("side", [2**13 + 5, 2**14])
def test_positions_are_exact_up_to_the_longest_side(side: int) -> None:
    # far to the right every pixel must still be hit in its middle
    row = np.random.default_rng(0).integers(0, 256, (1, side, 3), dtype=np.uint8)
    right = view(row, 16, "bicubic", crop=(0, side - 16, 1, 16))
    assert np.array_equal(right[0], row[0, -16:].astype(np.float32) * np.float32(1 / 255))


def test_longer_sides_are_refused() -> None:
    with pytest.raises(UsageError, match="1 × 16385 pixels"):
        framed(torch.zeros(1, 1, 2**14 + 1, 3, dtype=torch.uint8), torch.tensor([1]), torch.tensor([2**14 + 1]))
