"""Thresholds are those that trying every score finds, and a frozen threshold's shares are counted on other rows."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.metrics import confusion_matrix, precision_score, recall_score

from references.bootstrap import repeated_rows
from references.thresholds import chosen
from remedis.errors import UsageError
from remedis.evaluate.operating import Confusion, Rule, choose_threshold, rule, wilson


def sample(rows: int, seed: int, digits: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.random(rows) < 0.4
    truth[:2] = [True, False]
    scores = 1 / (1 + np.exp(-random.normal(1.5 * truth, 1.0)))
    return truth, scores if digits is None else np.round(scores, digits)


RULES = [Rule("youden"), *(Rule(kind, least) for kind in ("sensitivity", "specificity") for least in (0.5, 0.9, 0.95))]


@pytest.mark.parametrize("digits", [None, 1])
@pytest.mark.parametrize("by", RULES, ids=lambda by: by.words)
def test_thresholds_are_those_of_trying_every_score(by: Rule, digits: int | None) -> None:
    for seed in range(20):
        truth, scores = sample(40, seed, digits)
        expected = chosen(truth.tolist(), scores.tolist(), by.kind, by.least)
        found = choose_threshold(truth, scores, by)
        if expected is None:  # only calling nobody positive is specific enough, or better than chance
            assert not (scores >= found).any()
            assert found == np.nextafter(scores.max(), 2)
        else:
            assert found == expected


def test_what_must_be_reached_is_reached_on_the_rows_that_chose() -> None:
    truth, scores = sample(300, 1)
    at = choose_threshold(truth, scores, Rule("sensitivity", 0.9))
    assert recall_score(truth, scores >= at) >= 0.9
    at = choose_threshold(truth, scores, Rule("specificity", 0.95))
    assert recall_score(~truth, scores < at) >= 0.95


def test_scores_that_tell_all_rows_apart_have_a_threshold_without_error() -> None:
    truth = np.array([False, False, True, True])
    scores = np.array([0.1, 0.2, 0.8, 0.9])
    for by in RULES:
        found = Confusion(truth, scores >= choose_threshold(truth, scores, by), np.arange(4), 4)(np.ones((4, 1)))
        reached = found[by.kind][0] if by.kind != "youden" else found["sensitivity"][0] + found["specificity"][0] - 1
        assert reached >= (by.least or 1)


def test_shares_are_those_of_scikit_learn() -> None:
    truth, scores = sample(200, 2)
    called = scores >= 0.6
    confusion = Confusion(truth, called, np.arange(200), 200)
    tn, fp, fn, tp = confusion_matrix(truth, called).ravel()
    assert confusion.cells == (tp, fp, fn, tn)
    found = confusion(np.ones((200, 1)))
    expected = {
        "sensitivity": recall_score(truth, called), "specificity": recall_score(~truth, ~called),
        "ppv": precision_score(truth, called), "npv": precision_score(~truth, ~called), "prevalence": truth.mean(),
    }  # fmt: skip
    assert {name: float(value[0]) for name, value in found.items()} == pytest.approx(expected)


def test_a_draw_s_shares_are_those_of_its_rows() -> None:
    truth, scores = sample(60, 3)
    units = np.arange(60) // 3
    counts = np.random.default_rng(0).integers(0, 3, (20, 15)).astype(float)
    found = Confusion(truth, scores >= 0.5, units, 20)(counts)
    for draw in range(15):
        rows = repeated_rows(units, counts[:, draw])
        assert found["sensitivity"][draw] == pytest.approx(recall_score(truth[rows], scores[rows] >= 0.5))
        assert found["npv"][draw] == pytest.approx(precision_score(~truth[rows], scores[rows] < 0.5))


def test_what_nothing_can_be_divided_by_is_unknown() -> None:
    found = Confusion(np.array([True, True]), np.array([True, True]), np.arange(2), 2)(np.ones((2, 1)))
    assert found["sensitivity"] == 1
    assert np.isnan([found["specificity"][0], found["npv"][0]]).all()


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (10, 10), (3, 7), (95, 100), (1, 1)])
def test_wilson_s_limits_are_scipys(successes: int, trials: int) -> None:
    expected = binomtest(successes, trials).proportion_ci(method="wilson")
    assert wilson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_of_no_trial_there_are_no_limits() -> None:
    assert np.isnan(wilson(0, 0)).all()


def test_rules_are_read_as_they_are_typed() -> None:
    assert [rule(text) for text in ("youden", "sensitivity=0.9", "specificity=.95")] == [
        Rule("youden"), Rule("sensitivity", 0.9), Rule("specificity", 0.95),
    ]  # fmt: skip
    assert rule("specificity=.95").words == "specificity=0.95"


@pytest.mark.parametrize(
    "text", ["", "youden=1", "sensitivity", "sensitivity=90", "specificity=0", "f1=0.9", "specificity=x"]
)
def test_other_rules_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected"):
        rule(text)
