"""Every metric is scikit-learn's, with ties, constant scores and rows that count several times."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from references.bootstrap import repeated_rows
from references.sensitivity import sensitivity_at_95_specificity
from remedis.evaluate.intervals import plain
from remedis.evaluate.metrics import RANK_METRICS, Ranking, SquaredError

EXACT = {"rel": 1e-12, "abs": 1e-12}
REFERENCES: dict[str, Any] = {
    "auroc": roc_auc_score,
    "average_precision": average_precision_score,
    "sensitivity_at_95_specificity": sensitivity_at_95_specificity,
}


def sample(rows: int, *, seed: int, digits: int | None, prevalence: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.random(rows) < prevalence
    truth[:2] = [True, False]
    scores = 1 / (1 + np.exp(-random.normal(truth * 1.0, 1.0)))
    return truth, scores if digits is None else np.round(scores, digits)


@pytest.mark.parametrize("digits", [None, 2, 1, 0])
@pytest.mark.parametrize("rows", [2, 5, 41, 400])
def test_rank_metrics_are_those_of_scikit_learn(rows: int, digits: int | None) -> None:
    for seed in range(8):
        truth, scores = sample(rows, seed=seed, digits=digits)
        found = plain(Ranking(truth, scores, np.arange(rows)), rows)
        for name, reference in REFERENCES.items():
            assert float(found[name]) == pytest.approx(reference(truth, scores), **EXACT), (name, seed)


def test_constant_scores_say_nothing() -> None:
    truth = np.arange(40) % 4 == 0
    found = plain(Ranking(truth, np.full(40, 0.7), np.arange(40)), 40)
    assert found["auroc"] == 0.5
    assert found["average_precision"] == pytest.approx(0.25, **EXACT)
    assert found["sensitivity_at_95_specificity"] == 0.0  # all 30 false alarms come with the first hit


@pytest.mark.parametrize(("negatives", "allowed"), [(20, 1), (60, 3), (140, 7), (19, 0), (59, 2)])
def test_a_false_positive_rate_of_exactly_a_twentieth_is_allowed(negatives: int, allowed: int) -> None:
    """Negatives on top, one above each positive, so that the hits tell how many false alarms were let through."""
    positives = 10
    truth = np.array([False, True] * positives + [False] * (negatives - positives))
    scores = np.linspace(1, 0, len(truth))
    found = plain(Ranking(truth, scores, np.arange(len(truth))), len(truth))
    assert found["sensitivity_at_95_specificity"] == pytest.approx(allowed / positives)


def test_counts_are_repeated_rows() -> None:
    """A draw's metric is scikit-learn's of the rows written out as often as their unit was drawn."""
    random = np.random.default_rng(3)
    truth, scores = sample(90, seed=3, digits=1)
    units = random.integers(0, 30, 90)
    units[:30] = np.arange(30)
    counts = random.multinomial(30, np.full(30, 1 / 30), size=25).T.astype(float)
    found = Ranking(truth, scores, units)(counts)
    for draw in range(25):
        rows = repeated_rows(units, counts[:, draw])
        for name, reference in REFERENCES.items():
            expected = reference(truth[rows], scores[rows])
            assert found[name][draw] == pytest.approx(expected, **EXACT), (name, draw)


def test_the_auroc_alone_is_the_same_auroc() -> None:
    truth, scores = sample(120, seed=5, digits=1)
    counts = np.random.default_rng(0).integers(0, 4, (120, 30)).astype(float)
    alone = Ranking(truth, scores, np.arange(120), ("auroc",))(counts)
    assert list(alone) == ["auroc"]
    np.testing.assert_allclose(alone["auroc"], Ranking(truth, scores, np.arange(120))(counts)["auroc"], rtol=1e-12)


def test_a_draw_without_one_class_has_no_metric() -> None:
    truth = np.array([True, False, False])
    found = Ranking(truth, np.array([0.9, 0.2, 0.5]), np.arange(3))(
        np.array([[0.0, 3.0, 1.0], [2.0, 0.0, 1.0], [1.0, 0.0, 1.0]])
    )
    for name in RANK_METRICS:
        assert np.isnan(found[name][:2]).all(), name
        assert found[name][2] == 1.0


def test_an_order_preserving_change_of_the_scores_changes_nothing() -> None:
    truth, scores = sample(200, seed=9, digits=2)
    one = plain(Ranking(truth, scores, np.arange(200)), 200)
    other = plain(Ranking(truth, np.exp(3 * scores) - 5, np.arange(200)), 200)
    assert {name: float(value) for name, value in one.items()} == {name: float(value) for name, value in other.items()}


def test_the_order_of_the_rows_changes_nothing() -> None:
    truth, scores = sample(200, seed=11, digits=1)
    order = np.random.default_rng(0).permutation(200)
    one = plain(Ranking(truth, scores, np.arange(200)), 200)
    other = plain(Ranking(truth[order], scores[order], np.arange(200)), 200)
    for name in RANK_METRICS:
        assert float(one[name]) == pytest.approx(float(other[name]), **EXACT)


@pytest.mark.parametrize("digits", [None, 1])
def test_the_brier_score_is_scikit_learns(digits: int | None) -> None:
    truth, scores = sample(300, seed=1, digits=digits)
    found = plain(SquaredError(truth, scores, np.arange(300), 300), 300)["brier"]
    assert float(found) == pytest.approx(brier_score_loss(truth, scores), **EXACT)


def test_the_brier_score_of_several_classes_is_summed_over_them() -> None:
    random = np.random.default_rng(2)
    scores = random.dirichlet(np.ones(4), 150)
    codes = random.integers(0, 4, 150)
    truth = codes[:, None] == np.arange(4)
    found = plain(SquaredError(truth, scores, np.arange(150), 150), 150)["brier"]
    expected = brier_score_loss(codes, scores, labels=np.arange(4), scale_by_half=False)
    assert float(found) == pytest.approx(expected, **EXACT)


def test_the_brier_score_of_a_draw_is_that_of_its_rows() -> None:
    truth, scores = sample(60, seed=4, digits=None)
    units = np.arange(60) // 3
    counts = np.random.default_rng(1).integers(0, 3, (20, 10)).astype(float)
    found = SquaredError(truth, scores, units, 20)(counts)["brier"]
    for draw in range(10):
        rows = repeated_rows(units, counts[:, draw])
        assert found[draw] == pytest.approx(brier_score_loss(truth[rows], scores[rows]), **EXACT)
