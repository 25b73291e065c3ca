"""Images of one patient put together: against a loop over patients."""

from __future__ import annotations

import numpy as np
import pytest

from remedis.evaluate.aggregate import aggregate_codes, aggregate_scores, numbered
from remedis.evaluate.targets import UNKNOWN

KEYS = np.array([7, 3, 7, 9, 3, 7])


def test_groups_are_numbered_as_they_first_appear() -> None:
    groups, first = numbered(KEYS)
    assert groups.tolist() == [0, 1, 0, 2, 1, 0]
    assert first.tolist() == [0, 1, 3]


@pytest.mark.parametrize("how", ["mean", "max"])
def test_scores_are_each_group_s_mean_or_largest(how: str) -> None:
    random = np.random.default_rng(0)
    groups = np.r_[np.arange(20), random.integers(0, 20, 80)]
    scores = random.random(100)
    expected = [getattr(np, how)(scores[groups == group]) for group in range(20)]
    np.testing.assert_allclose(aggregate_scores(scores, groups, how), expected)
    several = random.dirichlet(np.ones(3), 100)
    found = aggregate_scores(several, groups, how)
    of_groups = np.array([getattr(np, how)(several[groups == group], axis=0) for group in range(20)])
    np.testing.assert_allclose(found, of_groups / of_groups.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_a_group_is_positive_where_any_image_is() -> None:
    groups, _ = numbered(KEYS)
    codes, mixed = aggregate_codes(np.array([0, 0, 1, 1, 0, 0]), groups, binary=True)
    assert codes.tolist() == [1, 0, 1]
    assert mixed == 1


def test_of_several_classes_a_mixed_group_is_unknown() -> None:
    groups, _ = numbered(KEYS)
    codes, mixed = aggregate_codes(np.array([2, 1, 2, 0, 0, 2]), groups, binary=False)
    assert codes.tolist() == [2, UNKNOWN, 0]
    assert mixed == 1
