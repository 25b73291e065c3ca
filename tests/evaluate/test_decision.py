"""Net benefit is that of counting every row, in every draw, and the two simple policies are its ends."""

from __future__ import annotations

import numpy as np
import pytest

from references.bootstrap import repeated_rows
from references.thresholds import net_benefit
from remedis.evaluate.decision import THRESHOLDS, NetBenefit


def sample(digits: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    truth = random.random(90) < 0.3
    scores = 1 / (1 + np.exp(-random.normal(2.0 * truth - 1, 1.0)))
    return truth, scores if digits is None else np.round(scores, digits), np.arange(90) // 3


@pytest.mark.parametrize("digits", [None, 2])
def test_net_benefit_is_that_of_counting_rows(digits: int | None) -> None:
    """With two digits the scores stand on the thresholds, where a row is acted on."""
    truth, scores, units = sample(digits)
    counts = np.random.default_rng(1).integers(0, 3, (30, 4)).astype(float)
    counts[:, 0] = 1
    found = NetBenefit(truth, scores, units, 30)(counts)
    for draw in range(4):
        rows = repeated_rows(units, counts[:, draw])
        expected = [net_benefit(truth[rows].tolist(), scores[rows].tolist(), t) for t in THRESHOLDS]
        np.testing.assert_allclose(found["net_benefit"][:, draw], expected, atol=1e-12)
        all_of_them = [net_benefit(truth[rows].tolist(), [1.0] * len(rows), t) for t in THRESHOLDS]
        np.testing.assert_allclose(found["treat_all"][:, draw], all_of_them, atol=1e-12)


def test_below_every_score_all_are_acted_on_and_above_none() -> None:
    truth, _, units = sample(None)
    found = NetBenefit(truth, np.full(90, 0.5), units, 30, (0.4, 0.6))(np.ones((30, 1)))
    assert found["net_benefit"][0] == pytest.approx(found["treat_all"][0])
    assert found["net_benefit"][1] == 0


def test_acting_on_all_is_worth_nothing_where_the_threshold_is_the_prevalence() -> None:
    truth = np.arange(10) < 3
    found = NetBenefit(truth, truth * 1.0, np.arange(10), 10, (0.3,))(np.ones((10, 1)))
    assert found["treat_all"][0] == pytest.approx(0, abs=1e-12)
    assert found["net_benefit"][0] == pytest.approx(0.3)  # no error: all positives are won
