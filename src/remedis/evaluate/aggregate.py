"""Rows of one study or patient put together: one score and one truth for all their images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from remedis.evaluate.metrics import Floats, Integers
from remedis.evaluate.targets import UNKNOWN

How = Literal["mean", "max"]
WAYS: Mapping[str, Callable[..., Floats]] = {"mean": np.add, "max": np.maximum}


def numbered(keys: Integers) -> tuple[Integers, Integers]:
    """Return each row's group, 0 … G-1 in the order in which groups first appear, and each group's first row."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse.reshape(-1)].astype(np.int64), np.sort(first).astype(np.int64)


def aggregate_scores(scores: Floats, groups: Integers, how: How) -> Floats:
    """Return each group's mean or largest score.

    Args:
        scores: (N,) probabilities, or (N, K) whose largest values are brought back to a sum of 1.
        groups: (N,) numbers 0 … G-1, each of which occurs.
        how: mean or max.
    """
    count = int(groups.max()) + 1
    found = np.zeros((count, *scores.shape[1:]))
    if how == "max":
        np.maximum.at(found, groups, scores)
        return found if scores.ndim == 1 else found / found.sum(axis=1, keepdims=True)
    np.add.at(found, groups, scores)
    return np.asarray(found / np.bincount(groups).reshape(-1, *([1] * (scores.ndim - 1))))


def aggregate_codes(codes: Integers, groups: Integers, *, binary: bool) -> tuple[Integers, int]:
    """Return each group's class, and how many groups have rows of several classes.

    With two classes a group is positive (1) where any of its rows is; with several, a group of several classes is
    `UNKNOWN`.
    """
    count = int(groups.max()) + 1
    low, high = np.full(count, np.iinfo(np.int64).max), np.full(count, -1)
    np.minimum.at(low, groups, codes)
    np.maximum.at(high, groups, codes)
    mixed = low != high
    return (high if binary else np.where(mixed, UNKNOWN, high)).astype(np.int64), int(mixed.sum())
