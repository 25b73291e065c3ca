"""NT-Xent in numpy, float64: arXiv:2002.05709, equation 1 and Algorithm 1, by pairs; and as Google's program has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass
class Found:
    """What the loops give: the loss, and the shares and entropy that are reported beside it."""

    loss: float
    accuracy: float
    entropy: float = float("nan")


def shortened(h: Array, floor: float = 1e-12) -> Array:
    """Return every row divided by its length, whose square is `floor` at least."""
    return np.stack([row / np.sqrt(max(float(np.dot(row, row)), floor)) for row in np.asarray(h, dtype=np.float64)])


def by_pairs(h1: Array, h2: Array, temperature: float, *, norm: bool = True, ids: list[int] | None = None) -> Found:
    """Return Algorithm 1's mean over 2N views, leaving out as negatives the views of images with an equal id."""
    views = [*(shortened(h1) if norm else h1), *(shortened(h2) if norm else h2)]
    number = len(h1)
    names = list(range(number)) if ids is None else list(ids)
    losses, hits = [], []
    for i in range(2 * number):
        positive = (i + number) % (2 * number)
        similarity = [float(np.dot(views[i], views[k])) / temperature for k in range(2 * number)]
        negatives = [similarity[k] for k in range(2 * number) if names[k % number] != names[i % number]]
        denominator = np.logaddexp.reduce([similarity[positive], *negatives])
        losses.append(denominator - similarity[positive])
        hits.append(all(similarity[positive] > negative for negative in negatives))
    return Found(float(np.mean(losses)), float(np.mean(hits)))


def official(h1: Array, h2: Array, temperature: float) -> Found:
    """Return what objective.py computes: two cross-entropies added, -1e9 on the diagonals, metrics from `ab` alone."""
    z1, z2 = shortened(h1), shortened(h2)
    number = len(z1)
    minus = 1e9 * np.eye(number)
    ab, ba = z1 @ z2.T / temperature, z2 @ z1.T / temperature
    aa, bb = z1 @ z1.T / temperature - minus, z2 @ z2.T / temperature - minus
    loss = 0.0
    for logits in (np.concatenate([ab, aa], 1), np.concatenate([ba, bb], 1)):
        log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
        loss -= float(np.mean(np.diagonal(log_p)))
    p = np.exp(ab - np.logaddexp.reduce(ab, axis=1, keepdims=True))
    accuracy = float(np.mean(ab.argmax(1) == np.arange(number)))
    return Found(loss, accuracy, float(-np.mean(np.sum(p * np.log(p + 1e-8), axis=1))))
