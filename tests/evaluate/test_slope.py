"""Calibration intercept and slope are those of scikit-learn's and scipy's fits, in the sample and in every draw."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression

from references.bootstrap import repeated_rows
from remedis.evaluate.intervals import plain
from remedis.evaluate.slope import CalibrationLine
from remedis.evaluate.temperature import scaled


def sample(rows: int, *, slope: float = 1.0, shift: float = 0.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return truth, and scores of which logit P(y) = shift + slope * logit(score) holds."""
    random = np.random.default_rng(seed)
    x = random.normal(size=rows)
    return random.random(rows) < expit(shift + slope * x), expit(x)


def slope_of(truth: np.ndarray, scores: np.ndarray) -> float:
    model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logit(scores)[:, None], truth)
    return float(model.coef_[0, 0])


def intercept_of(truth: np.ndarray, scores: np.ndarray) -> float:
    x = logit(scores)
    return float(brentq(lambda a: np.sum(truth - expit(a + x)), -20, 20))


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.0), (0.4, -1.0), (2.5, 0.7)])
@pytest.mark.parametrize("sharpness", [1, 8], ids=["as they are", "far too sure"])
def test_they_are_those_of_other_solvers(slope: float, shift: float, sharpness: float) -> None:
    """Plain steps of Newton leave the likelihood's top on scores that are far too sure."""
    truth, scores = sample(500, slope=slope, shift=shift)
    scores = np.clip(expit(sharpness * logit(scores)), 1e-7, 1 - 1e-7)
    found = plain(CalibrationLine(truth, scores, np.arange(500), 500), 500)
    assert float(found["calibration_slope"]) == pytest.approx(slope_of(truth, scores), rel=1e-4)
    assert float(found["calibration_intercept"]) == pytest.approx(intercept_of(truth, scores), rel=1e-6)


@pytest.mark.parametrize("score", [1e-2, 1e-4, 1 - 1e-5])
def test_an_intercept_far_from_0_is_found(score: float) -> None:
    """Half of the rows are positive: logit 1/2 - logit score. Newton's first step would leave all numbers behind."""
    truth = np.arange(40) % 2 == 0
    found = CalibrationLine(truth, np.full(40, score), np.arange(40), 40)(np.ones((40, 3)))
    np.testing.assert_allclose(found["calibration_intercept"], -logit(score), rtol=1e-6)


def test_right_probabilities_have_intercept_0_and_slope_1() -> None:
    truth, scores = sample(60_000)
    found = plain(CalibrationLine(truth, scores, np.arange(60_000), 60_000), 60_000)
    assert float(found["calibration_slope"]) == pytest.approx(1, abs=0.05)
    assert float(found["calibration_intercept"]) == pytest.approx(0, abs=0.05)


def test_a_draw_s_are_those_of_its_rows() -> None:
    truth, scores = sample(150, slope=0.7, seed=3)
    units = np.arange(150) // 3
    counts = np.random.default_rng(2).integers(0, 3, (50, 12)).astype(float)
    found = CalibrationLine(truth, scores, units, 50)(counts)
    for draw in range(12):
        rows = repeated_rows(units, counts[:, draw])
        expected = slope_of(truth[rows], scores[rows]), intercept_of(truth[rows], scores[rows])
        assert found["calibration_slope"][draw] == pytest.approx(expected[0], rel=1e-3)
        assert found["calibration_intercept"][draw] == pytest.approx(expected[1], rel=1e-6)


def test_draws_that_come_together_are_those_that_come_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, scores = sample(80)
    counts = np.random.default_rng(2).integers(0, 3, (80, 9)).astype(float)
    whole = CalibrationLine(truth, scores, np.arange(80), 80)(counts)
    monkeypatch.setattr("remedis.evaluate.slope._CELLS", 160)
    parts = CalibrationLine(truth, scores, np.arange(80), 80)(counts)
    for name, values in whole.items():
        np.testing.assert_allclose(parts[name], values, rtol=1e-6)


def test_a_temperature_multiplies_the_slope() -> None:
    truth, scores = sample(300, slope=0.5)
    one, other = (
        float(plain(CalibrationLine(truth, values, np.arange(300), 300), 300)["calibration_slope"])
        for values in (scores, scaled(scores, 2.0))
    )
    assert other == pytest.approx(2 * one, rel=1e-6)


@pytest.mark.parametrize(
    ("truth", "scores"),
    [([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]), ([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5])],
    ids=["told apart without error", "all scores equal"],
)
def test_where_no_finite_slope_exists_there_is_none(truth: list[int], scores: list[float]) -> None:
    found = plain(CalibrationLine(np.array(truth, bool), np.array(scores), np.arange(4), 4), 4)
    assert np.isnan(found["calibration_slope"])
    assert float(found["calibration_intercept"]) == pytest.approx(0, abs=1e-9)


def test_a_draw_of_one_class_has_neither() -> None:
    truth, scores = sample(30)
    found = CalibrationLine(truth, scores, np.arange(30), 30)(truth[:, None].astype(float))
    assert np.isnan([found["calibration_slope"][0], found["calibration_intercept"][0]]).all()
