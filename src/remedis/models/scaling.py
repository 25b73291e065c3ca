"""The one place where integer pixels become floats in an encoder's range."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from remedis.errors import InputError

LARGEST = {torch.uint8: 255.0, torch.uint16: 65535.0}


def to_range(images: Tensor, low_high: tuple[float, float]) -> Tensor:
    """Return images as float32 (N, 3, H, W) in the range, the blackest storable pixel at its low end.

    Args:
        images: (N, H, W, 3) uint8 or uint16.
        low_high: The contract's range; the largest value of the type becomes its high end.

    Raises:
        InputError: The images have another type.
    """
    if images.dtype not in LARGEST:
        raise InputError(f"images of {_name(images.dtype)}, uint8 or uint16 was expected")
    largest = LARGEST[images.dtype]
    if images.dtype == torch.uint16:  # few operations know the type; int32 holds its values
        images = images.to(torch.int32)
    x = images.permute(0, 3, 1, 2).to(torch.float32).div_(largest)
    low, high = low_high
    return x if (low, high) == (0.0, 1.0) else x.mul_(high - low).add_(low)


def refuse_out_of_range(x: Tensor, low_high: tuple[float, float], channels: int) -> None:
    """Raise unless `x` is a float tensor (N, C, H, W) with values in the range, 0.001 of its span aside.

    Raises:
        InputError: Names what was found and what was expected. Values of 0 to 255 are not divided: a network
            whose features do not depend on the scale would hide the mistake in some layers and not in others.
    """
    low, high = low_high
    expected = f"floats (N, {channels}, H, W) in [{low:g}, {high:g}] were expected"
    if not x.is_floating_point():
        raise InputError(f"a tensor of {_name(x.dtype)}, {expected}; convert and scale it, or pass a remedis.Image")
    if x.ndim != 4:
        raise InputError(f"a tensor of shape {tuple(x.shape)}, {expected}; a single image needs x[None]")
    if x.shape[1] != channels:
        last = " (the channels come second, not last)" if x.shape[-1] == channels else ""
        raise InputError(f"a tensor of {x.shape[1]} channels{last}, {expected}")
    if x.shape[2] < 1 or x.shape[3] < 1:
        raise InputError(f"a tensor of shape {tuple(x.shape)} without pixels, {expected}")
    if len(x):
        _refuse_values(x, low, high)


def _refuse_values(x: Tensor, low: float, high: float) -> None:
    lowest, highest = (float(value) for value in torch.aminmax(x.detach()))
    if math.isnan(lowest) or math.isnan(highest):
        raise InputError(f"a tensor that holds NaN, values in [{low:g}, {high:g}] were expected")
    slack = 1e-3 * (high - low)
    if lowest < low - slack or highest > high + slack:
        raise InputError(
            f"values from {lowest:g} to {highest:g}, values in [{low:g}, {high:g}] were expected; "
            "scale them first (nothing is divided or clipped silently), or pass a remedis.Image"
        )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
