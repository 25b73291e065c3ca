"""The temperature is the optimum that scikit-learn and scipy find, and changes no order."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from remedis.evaluate.temperature import BOUNDS, fit_temperature, scaled


def binary(rows: int, sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return truth, and its true probabilities with their logits multiplied by `sharpness`."""
    random = np.random.default_rng(seed)
    x = np.clip(random.normal(-0.5, 1.5, rows), -4, 4)
    return random.random(rows) < expit(x), expit(sharpness * x)


def several(rows: int, sharpness: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    logits = random.normal(size=(rows, 4))
    codes = np.array([random.choice(4, p=row) for row in softmax(logits, axis=1)])
    return codes[:, None] == np.arange(4), softmax(sharpness * logits, axis=1)


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_of_two_classes_it_is_a_logistic_regression_without_intercept(sharpness: float) -> None:
    truth, scores = binary(400, sharpness)
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000)
    model.fit(logit(scores)[:, None], truth)
    assert fit_temperature(truth, scores) == pytest.approx(1 / model.coef_[0, 0], rel=1e-4)


@pytest.mark.parametrize("sharpness", [0.5, 2.0])
def test_of_several_classes_it_minimises_the_log_loss(sharpness: float) -> None:
    truth, scores = several(300, sharpness)
    codes = truth.argmax(axis=1)

    def loss(log_temperature: float) -> float:
        return log_loss(codes, softmax(np.log(scores) / np.exp(log_temperature), axis=1), labels=np.arange(4))

    expected = np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-9}).x)
    assert fit_temperature(truth, scores) == pytest.approx(expected, rel=1e-4)


def test_it_finds_what_made_probabilities_too_sure() -> None:
    truth, scores = binary(40_000, 2.5)
    assert fit_temperature(truth, scores) == pytest.approx(2.5, rel=0.05)
    truth, scores = several(20_000, 2.5)
    assert fit_temperature(truth, scores) == pytest.approx(2.5, rel=0.05)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 7.0])
def test_it_leaves_the_auroc_as_it_is(temperature: float) -> None:
    truth, scores = binary(500, 2.0)
    scores[:4] = [0.0, 1.0, 0.5, 0.5]
    changed = scaled(scores, temperature)
    assert roc_auc_score(truth, changed) == roc_auc_score(truth, scores)
    assert changed[:3].tolist() == [0.0, 1.0, 0.5]


def test_probabilities_of_several_classes_still_sum_to_one_and_keep_their_first() -> None:
    _, scores = several(200, 1.0)
    changed = scaled(scores, 3.0)
    np.testing.assert_allclose(changed.sum(axis=1), 1)
    np.testing.assert_array_equal(changed.argmax(axis=1), scores.argmax(axis=1))
    np.testing.assert_allclose(scaled(scores, 1.0), scores, atol=1e-12)


def test_a_temperature_of_one_changes_nothing_and_two_temperatures_multiply() -> None:
    _, scores = binary(50, 1.0)
    np.testing.assert_allclose(scaled(scores, 1.0), scores)
    np.testing.assert_allclose(scaled(scaled(scores, 2.0), 3.0), scaled(scores, 6.0))


def test_rows_told_apart_without_error_end_at_a_bound() -> None:
    truth = np.array([False, False, True, True])
    assert fit_temperature(truth, np.array([0.3, 0.4, 0.6, 0.7])) == BOUNDS[0]
    assert fit_temperature(~truth, np.array([0.3, 0.4, 0.6, 0.7])) == BOUNDS[1]


def test_scores_of_zero_and_one_have_a_temperature_too() -> None:
    truth, scores = binary(200, 1.0)
    scores[:6] = [0, 0, 0, 1, 1, 1]
    truth[:6] = [False, True, False, True, False, True]
    assert BOUNDS[0] < fit_temperature(truth, scores) < BOUNDS[1]
