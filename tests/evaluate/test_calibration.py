"""The calibration error against its definition, and an interval that resampling does not push away from the truth."""

from __future__ import annotations

import numpy as np
import pytest

from references.bootstrap import repeated_rows
from references.ece import expected_calibration_error
from remedis.evaluate.calibration import BINS, CalibrationGaps, bins_of, calibration_interval, reliability
from remedis.evaluate.intervals import bootstrap


def gaps_of(truth: np.ndarray, scores: np.ndarray) -> np.ndarray:
    rows = np.arange(len(truth))
    return CalibrationGaps(truth, scores, rows, len(rows))(np.ones((len(rows), 1)))["gaps"][:, 0]


@pytest.mark.parametrize("digits", [None, 3, 1])
@pytest.mark.parametrize("rows", [1, 7, 500])
def test_the_gaps_sum_to_the_calibration_error(rows: int, digits: int | None) -> None:
    random = np.random.default_rng(rows)
    scores = random.random(rows)
    scores = scores if digits is None else np.round(scores, digits)
    truth = random.random(rows) < scores**2
    assert np.abs(gaps_of(truth, scores)).sum() == pytest.approx(expected_calibration_error(truth, scores), abs=1e-12)


def test_edges_belong_to_the_bin_below() -> None:
    edges = np.linspace(0, 1, BINS + 1)
    assert bins_of(edges).tolist() == [0, *range(BINS)]
    assert bins_of(np.nextafter(edges[1:-1], 1)).tolist() == list(range(1, BINS))
    truth = np.arange(BINS + 1) % 2 == 0
    assert np.abs(gaps_of(truth, edges)).sum() == pytest.approx(expected_calibration_error(truth, edges), abs=1e-12)


def test_a_draw_is_its_repeated_rows() -> None:
    random = np.random.default_rng(0)
    scores, units = random.random(80), np.arange(80) // 4
    truth = random.random(80) < scores
    counts = random.integers(0, 3, (20, 12)).astype(float)
    drawn = CalibrationGaps(truth, scores, units, 20)(counts)["gaps"]
    for draw in range(12):
        rows = repeated_rows(units, counts[:, draw])
        expected = expected_calibration_error(truth[rows], scores[rows])
        assert np.abs(drawn[:, draw]).sum() == pytest.approx(expected, abs=1e-12)


def interval_of(truth: np.ndarray, scores: np.ndarray, draws: int = 500) -> tuple[float, float, float]:
    rows = np.arange(len(truth))
    statistic = CalibrationGaps(truth, scores, rows, len(rows))
    drawn = bootstrap({"": statistic}, len(rows), draws=draws, seed=0)[""]["gaps"]
    found = calibration_interval(gaps_of(truth, scores), drawn)
    return found.value, found.low, found.high


def test_the_limits_reach_down_to_a_truth_that_draws_never_come_near() -> None:
    """A well calibrated sample: its error is chance, that of its draws is chance twice over, none is near 0."""
    random = np.random.default_rng(4)
    scores = random.random(300)
    truth = random.random(300) < scores
    value, low, high = interval_of(truth, scores)
    rows = np.arange(300)
    drawn = bootstrap({"": CalibrationGaps(truth, scores, rows, 300)}, 300, draws=500, seed=0)[""]["gaps"]
    assert np.median(np.abs(drawn).sum(axis=0)) > 1.2 * value
    assert low == 0.0  # zero error cannot be refused
    assert low <= value <= high


def test_gross_error_is_told_from_none() -> None:
    random = np.random.default_rng(5)
    scores = np.where(random.random(400) < 0.5, 0.9, 0.1)
    value, low, high = interval_of(random.random(400) < 0.5, scores)
    assert value == pytest.approx(0.4, abs=0.06)
    assert 0.3 < low < value < high < 0.5


def test_a_perfect_forecast_has_no_error_and_no_width() -> None:
    truth = np.arange(50) % 2 == 0
    assert interval_of(truth, truth.astype(float)) == (0.0, 0.0, 0.0)


def test_the_reliability_table_counts_and_averages_by_bin() -> None:
    truth = np.array([True, False, True, True])
    found = reliability(truth, np.array([0.1, 0.15, 0.95, 1.0]), bins=10)
    assert found.count.tolist() == [1, 1, 0, 0, 0, 0, 0, 0, 0, 2]
    assert found.mean[[0, 1, 9]] == pytest.approx([0.1, 0.15, 0.975])
    assert found.share[[0, 1, 9]].tolist() == [1.0, 0.0, 1.0]
    assert np.isnan(found.mean[2:9]).all()
    assert np.isnan(found.share[2:9]).all()
