"""Predictive values by Bayes' rule: known numbers, the table's own, and limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remedis.evaluate.prevalence import npv, ppv

SHARES = st.floats(0.01, 0.99)


def test_a_good_test_of_a_rare_disease_is_mostly_wrong_when_it_says_yes() -> None:
    assert float(ppv(0.9, 0.9, 0.01)) == pytest.approx(0.0833, abs=5e-5)
    assert float(npv(0.9, 0.9, 0.01)) == pytest.approx(0.9989, abs=5e-5)


@given(tp=st.integers(1, 500), fp=st.integers(1, 500), fn=st.integers(1, 500), tn=st.integers(1, 500))
def test_at_the_rows_own_prevalence_they_are_the_rows_own(tp: int, fp: int, fn: int, tn: int) -> None:
    sensitivity, specificity, prevalence = tp / (tp + fn), tn / (tn + fp), (tp + fn) / (tp + fp + fn + tn)
    assert float(ppv(sensitivity, specificity, prevalence)) == pytest.approx(tp / (tp + fp))
    assert float(npv(sensitivity, specificity, prevalence)) == pytest.approx(tn / (tn + fn))


@given(sensitivity=SHARES, specificity=SHARES, prevalence=SHARES)
def test_a_test_without_information_leaves_the_prevalence(
    sensitivity: float, specificity: float, prevalence: float
) -> None:
    assert float(ppv(sensitivity, 1 - sensitivity, prevalence)) == pytest.approx(prevalence)
    assert float(npv(sensitivity, 1 - sensitivity, prevalence)) == pytest.approx(1 - prevalence)
    assert 0 <= float(ppv(sensitivity, specificity, prevalence)) <= 1


def test_draws_are_taken_as_they_are_and_nothing_called_is_unknown() -> None:
    found = ppv(np.array([0.9, 0.0]), np.array([0.9, 1.0]), 0.01)
    assert found[0] == pytest.approx(0.0833, abs=5e-5)
    assert np.isnan(found[1])
