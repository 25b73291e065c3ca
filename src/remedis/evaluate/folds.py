"""Folds for cross-validation: units (patients, clusters) whole, classes in proportion, the same for the same seed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from remedis.evaluate.metrics import Integers

_TRIES = 50


@dataclass(frozen=True)
class Fold:
    """One fold: row numbers to fit on, and to test on."""

    train: Integers
    test: Integers


def units_of_scarcest(codes: Integers, units: Integers) -> int:
    """Return the number of units that hold the class which the fewest units hold."""
    return min(len(np.unique(units[codes == code])) for code in np.unique(codes))


def grouped_folds(codes: Integers, units: Integers, *, count: int, seed: int) -> list[Fold]:
    """Return at most `count` folds, each with every class in its training part; fewer where units are too few.

    Args:
        codes: (N,) classes, none unknown.
        units: (N,) each row's patient or cluster, which is never cut.
        count: Folds wanted, at least 2.
        seed: Decides the shuffle.

    Returns:
        The folds, whose test parts are all rows once; an empty list where no two folds can be made.
    """
    for folds in range(min(count, units_of_scarcest(codes, units)), 1, -1):
        for attempt in range(_TRIES):
            found = _split(codes, units, folds, seed + attempt)
            if all(len(np.unique(codes[fold.train])) == len(np.unique(codes)) for fold in found):
                return found
    return []


def _split(codes: Integers, units: Integers, folds: int, seed: int) -> list[Fold]:
    single = len(np.unique(units)) == len(units)  # nothing to keep together, and the grouped search takes its time
    splitter = (StratifiedKFold if single else StratifiedGroupKFold)(folds, shuffle=True, random_state=seed % 2**32)
    with warnings.catch_warnings():
        # It warns where a class has fewer rows than folds; what matters here, every class in each training part,
        # is looked at by the caller.
        warnings.simplefilter("ignore", UserWarning)
        pairs = list(splitter.split(np.zeros(len(codes)), codes, units))
    return [Fold(train, test) for train, test in pairs if len(test)]
