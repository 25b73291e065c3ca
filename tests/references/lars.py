"""LARS of arXiv:1708.03888 as Google's program has it, and other optimisers: numpy, float64, one tensor at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def lars(
    weight: Array,
    gradients: Sequence[Array],
    rates: Sequence[float],
    *,
    momentum: float,
    decay: float,
    excluded: bool = False,
    nesterov: bool = False,
) -> list[Array]:
    """Return the weights after each step of the classic momentum; `excluded` has no decay and no trust ratio."""
    velocity = np.zeros_like(weight)
    after = []
    for gradient, rate in zip(gradients, rates, strict=True):
        update = gradient if excluded else gradient + decay * weight
        long, steep = np.sqrt((weight**2).sum()), np.sqrt((update**2).sum())
        trust = 0.001 * long / steep if long > 0 and steep > 0 and not excluded else 1.0
        velocity = momentum * velocity + trust * rate * update
        weight = weight - (momentum * velocity + trust * rate * update if nesterov else velocity)
        after.append(weight)
    return after


def nesterov(weight: Array, gradients: Sequence[Array], rates: Sequence[float], momentum: float, decay: float) -> Array:
    """Return the weights at the end: TensorFlow's MomentumOptimizer with use_nesterov on loss + decay/2 ‖w‖²."""
    gathered = np.zeros_like(weight)
    for gradient, rate in zip(gradients, rates, strict=True):
        slope = gradient + decay * weight
        gathered = momentum * gathered + slope
        weight = weight - rate * (slope + momentum * gathered)
    return weight


def adam(
    weight: Array, gradients: Sequence[Array], rates: Sequence[float], decay: float, *, apart: bool, eps_inside: bool
) -> Array:
    """Return the weights at the end.

    arXiv:1412.6980, Algorithm 1; `eps_inside` is the form at the end of its section 2, which TensorFlow has. `apart`
    decays the weights themselves (arXiv:1711.05101, Algorithm 2), else the decay is part of the gradient.
    """
    first, second = np.zeros_like(weight), np.zeros_like(weight)
    for step, (gradient, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        slope = gradient if apart else gradient + decay * weight
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        if eps_inside:
            move = first * np.sqrt(1 - 0.999**step) / (1 - 0.9**step) / (np.sqrt(second) + 1e-8)
        else:
            move = first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
        weight = weight - rate * move - (rate * decay * weight if apart else 0.0)
    return weight
