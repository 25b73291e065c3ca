"""Random numbers that depend on a key alone: SplitMix64 as a counter, so that no state is kept and no order matters.

The key of a view is mixed from (seed, epoch, image, view); number i of a stream is SplitMix64's output at step i from a
start mixed from key and stream. All of it is wrapping int64 arithmetic, which is exact on every device.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_BITS = 64
_GAMMA = 0x9E3779B97F4A7C15 - 2**_BITS  # SplitMix64's step, 2^64 / golden ratio, as int64
_FIRST = 0xBF58476D1CE4E5B9 - 2**_BITS
_SECOND = 0x94D049BB133111EB - 2**_BITS
_MANTISSA = 53


def keys_of(seed: int, epochs: Tensor, images: Tensor, view: int) -> Tensor:
    """Return the key of each view.

    Args:
        seed: The run's seed, any whole number of 64 bits.
        epochs: (n,) int64, the epoch in which each image is seen.
        images: (n,) int64, the image's number in the data set.
        view: 0 or 1 (or more), which view of the image.

    Returns:
        (n,) int64 on the device of `images`. Different for different (seed, epoch, image, view), save by a chance of
        2^-64 a pair.
    """
    keys = _mix(torch.full_like(images, _signed(seed)) + _GAMMA)
    for part in (epochs, images, torch.full_like(images, view)):
        keys = _mix((keys ^ part) + _GAMMA)
    return keys


def uniforms(keys: Tensor, stream: int, count: int) -> Tensor:
    """Return numbers uniform in [0, 1), `count` for each key.

    Args:
        keys: (n,) int64.
        stream: Which operation asks. Streams are independent, so an operation more or less moves no other's numbers.
        count: How many; the first numbers are the same whatever the count.

    Returns:
        (n, count) float64 on the keys' device: multiples of 2^-53.

    Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, section 5.
    """
    start = _mix(keys ^ _mix(torch.tensor(_signed(stream * _GAMMA))))
    steps = torch.arange(1, count + 1, device=keys.device) * _GAMMA
    bits = _mix(start[:, None] + steps)
    return _shifted(bits, _BITS - _MANTISSA).double() * 2.0**-_MANTISSA


def normals(keys: Tensor, stream: int, count: int) -> Tensor:
    """Return standard normal numbers, `count` for each key, by Box and Muller's transform of two uniform ones each.

    Returns:
        (n, count) float64 on the CPU, wherever the keys are: logarithm and cosine differ between devices in their
        last place, and a view may not.
    """
    pairs = uniforms(keys.cpu(), stream, 2 * count)
    radius = (-2.0 * torch.log1p(-pairs[:, 0::2].contiguous())).sqrt()
    return radius * torch.cos(2.0 * math.pi * pairs[:, 1::2].contiguous())


def _mix(x: Tensor) -> Tensor:
    # SplitMix64's finaliser (Stafford's variant 13 of MurmurHash3's): a bijection of 64 bits
    x = (x ^ _shifted(x, 30)) * _FIRST
    x = (x ^ _shifted(x, 27)) * _SECOND
    return x ^ _shifted(x, 31)


def _shifted(x: Tensor, places: int) -> Tensor:
    # torch shifts int64 with its sign; the mask takes the copies of the sign away
    return (x >> places) & ((1 << (_BITS - places)) - 1)


def _signed(number: int) -> int:
    half = 1 << (_BITS - 1)
    return (number + half) % (2 * half) - half
