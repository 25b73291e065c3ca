"""Chords, mounds, blurs, random fields and deposits against closed forms and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from scipy.interpolate import BSpline

from remedis.data.phantoms.geometry import FIELD_MM, Grid, Pose, blur, chord, field, mound, ramp, wide_blur

POSES = [Pose(), Pose(shift_x=11.0, shift_y=-7.0, tilt=0.1, scale=1.08)]


def test_chord_is_the_circles_and_nothing_outside() -> None:
    angle = np.linspace(0, np.pi / 2, 50, dtype=np.float32)
    np.testing.assert_allclose(chord(np.sin(angle)), np.cos(angle), atol=3e-4)
    assert not chord(np.float32([1.0, 1.5, -2.0])).any()


def test_ramp_is_the_cubic_between_its_ends() -> None:
    t = np.linspace(-1, 2, 61)
    inside = np.where(t < 0, 0.0, np.where(t > 1, 1.0, 3 * t**2 - 2 * t**3))
    np.testing.assert_allclose(ramp(t.astype(np.float32)), inside, atol=1e-6)


@pytest.mark.parametrize("pose", POSES)
def test_a_mounds_volume_is_half_an_ellipsoids(pose: Pose) -> None:
    grid = Grid.of(400, pose)
    half_chords = mound(grid, (10.0, -20.0), (60.0, 35.0), 0.7)
    pixel = grid.pixel_mm / pose.scale
    assert half_chords.sum() * pixel**2 == pytest.approx(2 / 3 * np.pi * 60 * 35, rel=2e-3)
    assert half_chords.max() == pytest.approx(1, abs=1e-3)
    # the first axis points down to the patient's left by 0.7 rad: its end lies on the outline
    along = np.array([10 + 60 * np.cos(0.7), -20 + 60 * np.sin(0.7)])
    nearest = np.hypot(grid.x - along[0], grid.y - along[1]).argmin()
    assert half_chords.ravel()[nearest] < 0.2
    inside = np.hypot(grid.x - (10 + 57 * np.cos(0.7)), grid.y - (-20 + 57 * np.sin(0.7))).argmin()
    assert half_chords.ravel()[inside] > 0.2


@pytest.mark.parametrize("sigma_mm", [0.5, 2.0, 6.0])
def test_blur_is_scipys(sigma_mm: float) -> None:
    image = np.random.default_rng(0).random((120, 120), dtype=np.float32)
    sigma = sigma_mm * 120 / FIELD_MM
    reach = int(np.ceil(4 * sigma))
    wanted = ndimage.gaussian_filter(image.astype(np.float64), sigma, mode="nearest", radius=reach)
    np.testing.assert_allclose(blur(image, sigma_mm), wanted, atol=1e-5)


@pytest.mark.parametrize("sigma_mm", [15.0, 26.0])
def test_the_wide_blur_is_nearly_scipys(sigma_mm: float) -> None:
    image = ndimage.gaussian_filter(np.random.default_rng(1).random((160, 160)), 4)
    image[40:80, 60:] += 1
    wanted = ndimage.gaussian_filter(image, sigma_mm * 160 / FIELD_MM, mode="nearest", truncate=6)
    found = wide_blur(image.astype(np.float32), sigma_mm)
    assert np.abs(found - wanted).max() < 0.01 * np.ptp(wanted)


def test_a_field_is_a_sum_of_scipys_splines_with_variance_one() -> None:
    size, spacing = 90, 20.0
    found = field(np.random.default_rng(3), size, spacing)
    count = int(np.ceil(FIELD_MM / spacing)) + 3
    knots = np.random.default_rng(3).standard_normal((count, count), dtype=np.float32)
    at = (np.arange(size) + 0.5) / size * FIELD_MM / spacing + 1
    spline = BSpline.basis_element(np.arange(-2.0, 3.0), extrapolate=False)
    basis = np.nan_to_num(spline(at[:, None] - np.arange(count)))
    wanted = basis @ knots @ basis.T
    np.testing.assert_allclose(found / found.std(), wanted / wanted.std(), atol=1e-5)
    many = np.stack([field(np.random.default_rng(seed), 48, spacing) for seed in range(300)])
    assert many.var() == pytest.approx(1, abs=0.04)
    assert many.mean() == pytest.approx(0, abs=0.03)


def test_a_field_is_the_same_at_another_size() -> None:
    small, large = (field(np.random.default_rng(4), size, 25.0) for size in (60, 180))
    np.testing.assert_allclose(large[1::3, 1::3], small, atol=1e-5)


@pytest.mark.parametrize("pose", POSES)
def test_deposits_keep_volume_and_place(pose: Pose) -> None:
    grid = Grid.of(200, pose)
    x, y, volume = np.array([-50.3]), np.array([33.9]), np.array([70.0])
    thickness = grid.deposit(x, y, volume)
    area = (grid.pixel_mm / pose.scale) ** 2
    assert thickness.sum() * area == pytest.approx(70, rel=1e-5)
    assert (thickness * grid.x).sum() / thickness.sum() == pytest.approx(-50.3, abs=1e-3)
    assert (thickness * grid.y).sum() / thickness.sum() == pytest.approx(33.9, abs=1e-3)


def test_what_is_deposited_outside_is_lost() -> None:
    far = np.array([500.0, 0.0, -400.0, 3.0])
    thickness = Grid.of(64, Pose()).deposit(far, far[::-1].copy(), np.full(4, 9.0))
    assert not thickness.any()


@pytest.mark.parametrize("pose", POSES)
def test_a_patch_holds_all_pixels_of_its_rectangle(pose: Pose) -> None:
    grid = Grid.of(100, pose)
    where, near = grid.patch((-90.0, -300.0), (20.0, 40.0))
    inside = (grid.x >= -90) & (grid.x <= 20) & (grid.y >= -300) & (grid.y <= 40)
    assert inside.sum() == inside[where].sum() > 0
    np.testing.assert_array_equal(near.x + 0 * near.y, (grid.x + 0 * grid.y)[where])
    assert near.x.size < 0.6 * grid.x.size
