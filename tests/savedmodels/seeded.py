"""Weights and images from a seed and a name, the same bytes on every machine.

Only what IEEE 754 rounds exactly is used (integers, +, *, /, the square root), and numpy's bit generator PCG64,
whose stream numpy promises to keep, instead of Generator's methods, whose stream it does not.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

TINY = 1e-5  # the deviation of some channels: its square is what is added under the root, 1e-10
CONSTANT = {"block2/unit01/b/standardized_conv2d/kernel": 7}  # a channel of this kernel is one number throughout
_STEP = math.sqrt((65536**2 - 1) / 6)  # deviation of the sum of two uniform 16-bit integers


def bits(seed: int, name: str, count: int) -> npt.NDArray[np.uint64]:
    """Return (count,) random 64-bit integers that depend on the seed and the name only."""
    return np.asarray(np.random.PCG64([seed, zlib.crc32(name.encode())]).random_raw(count), dtype=np.uint64)


def uniform(seed: int, name: str, shape: Sequence[int], low: float, high: float) -> npt.NDArray[np.float64]:
    """Return numbers between low and high."""
    parts = (bits(seed, name, math.prod(shape)) >> np.uint64(11)) * 2.0**-53
    return np.asarray(parts * (high - low) + low, dtype=np.float64).reshape(tuple(shape))


def kernel(seed: int, name: str, shape: Sequence[int], ready_eps: float | None = None) -> npt.NDArray[np.float32]:
    """Return a kernel, the output channel last, its deviation near sqrt(1 / fan-in), its density a triangle.

    Every channel has a deviation (and a mean) of its own; one in sixteen has the deviation 1e-5.

    Args:
        seed: See `bits`.
        name: The variable's canonical name.
        shape: (h, w, in, out) or (in, out).
        ready_eps: Where given, the kernel is standardised beforehand, with this number under the root.
    """
    channels = shape[-1]
    fan_in = math.prod(shape[:-1])
    steps = _steps(seed, name, fan_in, channels)
    draws = uniform(seed, f"{name}#channels", (2, channels), 0.0, 1.0)
    tiny = draws[1] < 1 / 16
    deviation = np.where(tiny, TINY, (draws[0] + 0.5) * math.sqrt(1 / fan_in))
    unit = deviation / _STEP
    if ready_eps is None:
        made = steps.astype(np.float32)  # exact: 17 bits
        made *= unit.astype(np.float32)
        if "standardized" in name:  # behind a ReLU, means that nothing takes out again would add up from layer to layer
            made += np.where(tiny, 0.0, (draws[1] - 0.5) * deviation).astype(np.float32)
    else:
        made = _standardised(steps.astype(np.int64), unit, ready_eps).astype(np.float32)
    if name in CONSTANT:
        made[:, CONSTANT[name]] = 2.0**-5 if ready_eps is None else 0.0
    return made.reshape(tuple(shape))


def _steps(seed: int, name: str, fan_in: int, channels: int) -> npt.NDArray[np.int32]:
    """Return (fan_in, channels) integers of mean zero: sums of two 16-bit ones, two sums from one draw."""
    count = fan_in * channels
    drawn = bits(seed, name, -(-count // 2)).astype("<u8", copy=False).view("<u4")[:count]
    sums = (drawn & np.uint32(0xFFFF)) + (drawn >> np.uint32(16))
    return sums.view(np.int32).reshape(fan_in, channels) - 65535


def _standardised(steps: npt.NDArray[np.int64], unit: npt.NDArray[np.float64], eps: float) -> npt.NDArray[np.float64]:
    """Return (steps - mean) * unit / sqrt(variance + eps); the sums are of integers, hence exact in any order."""
    count = len(steps)
    total = steps.sum(axis=0)
    spread = (count * (steps * steps).sum(axis=0) - total * total).astype(np.float64)
    variance = spread / float(count * count) * (unit * unit)
    return np.asarray((steps * count - total) / count * (unit / np.sqrt(variance + eps)), dtype=np.float64)


RANGES = {
    "gamma": (0.5, 1.2),
    "beta": (-0.3, 0.3),
    "bias": (-0.3, 0.3),
    "moving_mean": (-0.3, 0.3),
    "moving_variance": (0.5, 1.5),
    "Momentum": (-0.01, 0.01),
}


def value(
    seed: int, name: str, shape: Sequence[int], ready_eps: float | None = None
) -> npt.NDArray[np.float32] | npt.NDArray[np.int64]:
    """Return the variable of this canonical name; its last part says what kind it is.

    `.../ExponentialMovingAverage` is of the kind of the part before it; `global_step` is an int64 scalar.
    """
    if name == "global_step":
        return np.asarray(0x5EED_0000_0000 + seed, dtype=np.int64)
    kind = name.removesuffix("/ExponentialMovingAverage").rsplit("/", 1)[-1]
    if kind == "kernel":
        return kernel(seed, name, shape, ready_eps)
    return uniform(seed, name, shape, *RANGES[kind]).astype(np.float32)


def images(seed: int, count: int, side: int, high: float = 1.0) -> npt.NDArray[np.float32]:
    """Return (count, side, side, 3) images between 0 and `high`, noise on blotches of eight pixels."""
    noise = uniform(seed, f"images {side}", (count, side, side, 3), 0.0, 0.5)
    coarse = -(-side // 8)
    blotches = uniform(seed, f"blotches {side}", (count, coarse, coarse, 3), 0.0, 0.5)
    whole = np.repeat(np.repeat(blotches, 8, axis=1), 8, axis=2)[:, :side, :side]
    return ((noise + whole) * high).astype(np.float32)
