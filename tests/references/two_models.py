"""Tests of two models the plain way: all swaps of the permutation test, and Holm's procedure step by step."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np


def exact_permutation(
    statistic: Callable[[np.ndarray, np.ndarray], float],
    truth: np.ndarray,
    one: np.ndarray,
    other: np.ndarray,
    units: np.ndarray,
) -> float:
    """Return the share of all 2^units swaps whose difference is at least as far from 0 as the observed one."""
    observed = abs(statistic(truth, one) - statistic(truth, other))
    farther = 0
    names = np.unique(units)
    for swaps in itertools.product((False, True), repeat=len(names)):
        swapped = np.isin(units, names[list(swaps)])
        first, second = np.where(swapped, other, one), np.where(swapped, one, other)
        farther += abs(statistic(truth, first) - statistic(truth, second)) >= observed - 1e-12
    return farther / 2 ** len(names)


def rejected_by_holm(p: Sequence[float], alpha: float) -> list[bool]:
    """Return which hypotheses the step-down procedure rejects: the smallest p at alpha/m, the next at alpha/(m-1) …"""
    rejected = [False] * len(p)
    remaining = list(range(len(p)))
    while remaining:
        smallest = min(remaining, key=lambda place: p[place])
        if p[smallest] > alpha / len(remaining):
            break
        rejected[smallest] = True
        remaining.remove(smallest)
    return rejected
