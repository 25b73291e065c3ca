"""The loss of several labels with unknown ones: float64, row by row, from the definition of cross entropy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def binary(logit: float, wanted: float) -> float:
    """Return -y log p - (1 - y) log(1 - p) with p the logistic function of the logit."""
    p = 1 / (1 + math.exp(-logit))
    return -wanted * math.log(p) - (1 - wanted) * math.log(1 - p)


def several(logits: Sequence[float], wanted: Sequence[float]) -> float:
    """Return -Σ y_k log p_k with p the softmax of the logits."""
    total = sum(math.exp(logit) for logit in logits)
    return -sum(y * math.log(math.exp(logit) / total) for logit, y in zip(logits, wanted, strict=True))


def one_hot(code: int, classes: int) -> list[float]:
    """Return what is wanted of a row of a class: one number of two classes, else one for each."""
    return [float(code == 1)] if classes == 2 else [float(code == k) for k in range(classes)]


def label_loss(logits: Floats, codes: Sequence[int], classes: int, weights: Sequence[float]) -> float:
    """Return the weighted mean over the rows whose class is known.

    Args:
        logits: (n, 1) of two classes, else (n, classes).
        codes: The rows' classes, -1 for unknown.
        classes: How many there are.
        weights: Of each class.
    """
    total, weight = 0.0, 0.0
    for row, code in enumerate(codes):
        if code < 0:
            continue
        wanted = one_hot(code, classes)
        each = binary(logits[row, 0], wanted[0]) if classes == 2 else several(logits[row].tolist(), wanted)
        total, weight = total + weights[code] * each, weight + weights[code]
    return total / weight


def balanced(codes: Sequence[int], classes: int) -> list[float]:
    """Return weights with which all classes weigh the same, and all rows together as many as they are."""
    known = [code for code in codes if code >= 0]
    return [len(known) / classes / known.count(k) for k in range(classes)]


def mixed_binary(logit: float, first: float, second: float, share: float) -> float:
    """Return mixup's loss: that of either label, mixed as the images are (arXiv:1710.09412, section 2)."""
    return share * binary(logit, first) + (1 - share) * binary(logit, second)
