"""Resizing against torch's antialiased bilinear filter in float64, and what a triangle filter must keep."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from remedis.data.resize import resize
from remedis.errors import UsageError


def pixels(dtype: Any, height: int, width: int, colour: bool) -> npt.NDArray[Any]:
    top = np.iinfo(dtype).max
    values = np.random.default_rng(height * width).integers(0, top, (height, width, 3 if colour else 1), endpoint=True)
    return np.broadcast_to(values, (height, width, 3)).astype(dtype)


def tolerance(dtype: Any) -> float:
    """Pillow rounds 8 bits after each of its two passes, 16 bits once, in single precision."""
    return 1.0 if dtype == np.uint8 else 0.52


def by_torch(values: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[np.float64]:
    tensor = torch.from_numpy(values.astype(np.float64)).permute(2, 0, 1)[None].contiguous()
    resized = torch.nn.functional.interpolate(
        tensor, (height, width), mode="bilinear", antialias=True, align_corners=False
    )
    return resized[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("height", "width", "size"), [(97, 60, 32), (60, 97, 64), (20, 31, 64), (200, 3, 17), (5, 64, 64)]
)
def test_squash_is_torchs_filter(height: int, width: int, size: int, dtype: Any, colour: bool) -> None:
    values = pixels(dtype, height, width, colour)
    result = resize(values, size)
    assert result.shape == (size, size, 3)
    assert result.dtype == dtype
    assert np.abs(result - by_torch(values, size, size)).max() <= tolerance(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("height", "width", "size"), [(97, 60, 32), (60, 97, 64), (20, 31, 64), (31, 20, 64)])
def test_crop_is_the_middle_square_resized(height: int, width: int, size: int, dtype: Any) -> None:
    values = pixels(dtype, height, width, colour=True)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    middle = values[top : top + side, left : left + side]
    assert np.abs(resize(values, size, "crop") - by_torch(middle, size, size)).max() <= tolerance(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(("height", "width", "size"), [(97, 60, 32), (60, 97, 64), (20, 31, 64), (300, 30, 16)])
def test_pad_keeps_the_aspect_between_two_equal_black_bars(height: int, width: int, size: int, dtype: Any) -> None:
    values = pixels(dtype, height, width, colour=True) // 2 + 1
    result = resize(values, size, "pad")
    inner = max(1, round(height * size / max(height, width))), max(1, round(width * size / max(height, width)))
    rows, columns = (np.flatnonzero(result.any(axis=(2, axis))) for axis in (1, 0))
    assert (len(rows), len(columns)) == inner
    for places in (rows, columns):
        assert abs(places[0] - (size - 1 - places[-1])) <= 1
    picture = result[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert np.abs(picture - by_torch(values, *inner)).max() <= tolerance(dtype)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    size=st.integers(1, 70),
    dtype=st.sampled_from([np.uint8, np.uint16]),
    fit=st.sampled_from(["squash", "crop"]),
    low=st.integers(0, 255),
    high=st.integers(0, 255),
)
def test_nothing_leaves_the_range_and_constants_stay(
    height: int, width: int, size: int, dtype: Any, fit: str, low: int, high: int
) -> None:
    factor = np.iinfo(dtype).max // 255
    low, high = min(low, high) * factor, max(low, high) * factor
    values = np.random.default_rng(size).integers(low, high, (height, width, 3), endpoint=True).astype(dtype)
    result = resize(values, size, fit)
    assert result.min() >= values.min()
    assert result.max() <= values.max()
    constant = np.full((height, width, 3), high, dtype)
    assert np.array_equal(resize(constant, size, fit), np.full((size, size, 3), high, dtype))


@pytest.mark.parametrize("fit", ["squash", "pad", "crop"])
def test_the_right_size_is_left_alone(fit: str) -> None:
    values = pixels(np.uint16, 24, 24, colour=True)
    assert resize(values, 24, fit) is values


def test_grey_stays_grey() -> None:
    result = resize(pixels(np.uint8, 50, 40, colour=False), 33)
    assert np.array_equal(result[..., 0], result[..., 1])
    assert np.array_equal(result[..., 0], result[..., 2])


def test_what_cannot_be_is_refused() -> None:
    values = pixels(np.uint8, 5, 5, colour=True)
    with pytest.raises(UsageError, match="did you mean squash"):
        resize(values, 4, "squish")
    with pytest.raises(UsageError, match="at least 1"):
        resize(values, 0)
