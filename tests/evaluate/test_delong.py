"""DeLong's variance against the paper's sums over all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from references.delong import delong_by_pairs
from remedis.evaluate.delong import delong, delong_interval


def two_models(*, rows: int = 60, seed: int = 0, digits: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.random(rows) < 0.35
    shared = random.normal(truth * 1.2, 1.0)
    scores = np.stack([shared + random.normal(0, 0.5, rows), shared + random.normal(0, 2, rows)])
    return truth, scores if digits is None else np.round(scores, digits)


@pytest.mark.parametrize("digits", [None, 1, 0])
def test_areas_and_covariance_are_those_of_all_pairs(digits: int | None) -> None:
    for seed in range(4):
        truth, scores = two_models(seed=seed, digits=digits)
        area, covariance = delong(truth, scores)
        expected_area, expected = delong_by_pairs(scores[:, truth], scores[:, ~truth])
        np.testing.assert_allclose(area, expected_area, rtol=1e-12)
        np.testing.assert_allclose(covariance, expected, rtol=1e-10, atol=1e-15)
        np.testing.assert_allclose(area, [roc_auc_score(truth, row) for row in scores], rtol=1e-12)


def test_the_interval_is_the_normal_one() -> None:
    truth, scores = two_models(seed=7)
    area, covariance = delong_by_pairs(scores[:1, truth], scores[:1, ~truth])
    half = norm.ppf(0.975) * np.sqrt(covariance[0, 0])
    assert delong_interval(truth, scores[0]) == pytest.approx((area[0] - half, area[0] + half), rel=1e-12)
    low, high = delong_interval(truth, scores[0], level=0.5)
    assert (high - low) / (2 * half) == pytest.approx(norm.ppf(0.75) / norm.ppf(0.975))


def test_the_interval_stays_between_0_and_1() -> None:
    truth = np.array([True] * 5 + [False] * 5)
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.55, 0.4, 0.3, 0.2, 0.1])
    low, high = delong_interval(truth, scores)
    assert high == 1.0
    low_flipped, high_flipped = delong_interval(~truth, scores)
    assert (low_flipped, high_flipped) == pytest.approx((0.0, 1 - low))


def test_perfect_separation_has_no_width_and_is_a_number() -> None:
    truth = np.arange(20) < 8
    assert delong_interval(truth, -np.arange(20.0)) == (1.0, 1.0)
    assert delong_interval(truth, np.arange(20.0)) == (0.0, 0.0)


def test_constant_scores_have_area_one_half_without_variance() -> None:
    area, covariance = delong(np.arange(20) < 8, np.zeros(20))
    assert (area[0], covariance[0, 0]) == (0.5, 0.0)


def test_identical_scores_differ_by_nothing_with_no_variance() -> None:
    truth, scores = two_models(seed=3)
    area, covariance = delong(truth, np.stack([scores[0], scores[0]]))
    assert area[0] == area[1]
    assert covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1] == pytest.approx(0, abs=1e-15)


def test_a_class_with_one_row_has_no_variance_that_can_be_told() -> None:
    truth = np.array([True, False, False, False])
    area, covariance = delong(truth, np.array([0.5, 0.2, 0.7, 0.1]))
    assert area[0] == pytest.approx(2 / 3)
    assert np.isnan(covariance).all()
    assert np.isnan(delong_interval(truth, np.array([0.5, 0.2, 0.7, 0.1]))).all()
