"""Folds cut no unit, hold every class in their training part, stay in proportion and come back for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remedis.evaluate.folds import grouped_folds, units_of_scarcest


def patients(seed: int = 0, *, count: int = 60, share: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    units = np.repeat(np.arange(count), random.integers(1, 6, count))
    return (random.random(count) < share).astype(int)[units], units


def test_no_unit_is_in_two_parts_and_every_row_is_tested_once() -> None:
    codes, units = patients()
    folds = grouped_folds(codes, units, count=5, seed=0)
    assert len(folds) == 5
    for fold in folds:
        assert not set(units[fold.train]) & set(units[fold.test])
        assert sorted([*fold.train, *fold.test]) == list(range(len(codes)))
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(len(codes)))


def test_classes_are_in_proportion() -> None:
    codes, units = patients(count=400)
    for fold in grouped_folds(codes, units, count=5, seed=0):
        assert codes[fold.test].mean() == pytest.approx(codes.mean(), abs=0.05)
        assert len(fold.test) == pytest.approx(len(codes) / 5, rel=0.1)


def test_units_of_one_row_are_folded_as_well() -> None:
    codes = (np.random.default_rng(0).random(203) < 0.2).astype(int)
    folds = grouped_folds(codes, np.arange(203), count=5, seed=0)
    assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(203))
    positives = [int(codes[fold.test].sum()) for fold in folds]
    assert max(positives) - min(positives) <= 1


@pytest.mark.parametrize("single", [False, True])
def test_the_seed_decides(single: bool) -> None:
    codes, units = patients()
    units = np.arange(len(codes)) if single else units
    one, same, other = (grouped_folds(codes, units, count=5, seed=seed) for seed in (1, 1, 2))
    assert all((a.test == b.test).all() for a, b in zip(one, same, strict=True))
    assert any(set(a.test) != set(b.test) for a, b in zip(one, other, strict=True))


def test_fewer_folds_where_a_class_stands_in_few_units() -> None:
    codes, units = np.zeros(40, int), np.arange(40) // 2
    codes[[0, 1, 10, 20]] = 1  # in units 0, 5 and 10
    assert units_of_scarcest(codes, units) == 3
    folds = grouped_folds(codes, units, count=5, seed=0)
    assert len(folds) == 3
    assert all(set(codes[fold.train]) == {0, 1} for fold in folds)


@pytest.mark.parametrize("rows_of_the_class", [[0], [0, 1]])
def test_no_folds_where_a_class_stands_in_one_unit(rows_of_the_class: list[int]) -> None:
    codes, units = np.zeros(20, int), np.arange(20) // 2
    codes[rows_of_the_class] = 1
    assert grouped_folds(codes, units, count=5, seed=0) == []


@settings(max_examples=40, deadline=None)
@given(
    units=st.lists(st.integers(0, 9), min_size=4, max_size=40),
    seed=st.integers(0, 10),
    classes=st.integers(2, 4),
)
def test_whatever_the_units_every_fold_can_be_learnt_from(units: list[int], seed: int, classes: int) -> None:
    codes = np.random.default_rng(seed).integers(0, classes, len(units))
    codes = np.unique(codes, return_inverse=True)[1]
    found = grouped_folds(codes, np.array(units), count=5, seed=seed)
    for fold in found:
        assert set(codes[fold.train]) == set(codes)
        assert not set(np.array(units)[fold.train]) & set(np.array(units)[fold.test])
    if found:
        assert sorted(np.concatenate([fold.test for fold in found])) == list(range(len(units)))
