"""Two models on the same rows: DeLong's test by pairs, the bootstrap by loops, the permutation test by all swaps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from references.bootstrap import statistic_of_draws
from references.delong import delong_by_pairs
from references.two_models import exact_permutation, rejected_by_holm
from remedis.evaluate.compare import METRICS, delong_paired, holm, paired_bootstrap, permutation
from remedis.evaluate.intervals import counts_of_draws

SKLEARN: dict[str, Callable[..., float]] = {
    "auroc": roc_auc_score, "average_precision": average_precision_score, "brier": brier_score_loss,
}  # fmt: skip


def models(
    units: int, *, images: int = 1, seed: int = 0, better: float = 1.0, digits: int = 6
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return truth, the scores of two models with shared noise, and units of one class each."""
    random = np.random.default_rng(seed)
    of = np.repeat(np.arange(units), images)
    truth = (np.arange(units) % 3 == 0)[of]
    shared = random.normal(size=len(of))
    one, other = (
        np.round(1 / (1 + np.exp(-(strength * truth + shared + 0.7 * random.normal(size=len(of)) - 0.5))), digits)
        for strength in (1.0 + better, 1.0)
    )
    return truth, one, other, of


@pytest.mark.parametrize("digits", [6, 1])
def test_delong_s_test_is_that_of_the_paper(digits: int) -> None:
    truth, one, other, _ = models(60, digits=digits)
    scores = np.stack([one, other])
    aurocs, covariance = delong_by_pairs(scores[:, truth], scores[:, ~truth])
    variance = covariance[0, 0] + covariance[1, 1] - covariance[0, 1] - covariance[1, 0]
    z = (aurocs[0] - aurocs[1]) / np.sqrt(variance)
    found = delong_paired(truth, one, other)
    assert found.difference == pytest.approx(aurocs[0] - aurocs[1])
    assert found.p == pytest.approx(2 * stats.norm.sf(abs(z)))
    assert (found.low, found.high) == pytest.approx(
        (found.difference - 1.959964 * np.sqrt(variance), found.difference + 1.959964 * np.sqrt(variance))
    )


def test_the_order_of_the_models_turns_the_sign_only() -> None:
    truth, one, other, _ = models(60)
    first, second = delong_paired(truth, one, other), delong_paired(truth, other, one)
    assert first.p == pytest.approx(second.p)
    assert (first.low, first.high) == pytest.approx((-second.high, -second.low))


def test_the_same_scores_are_no_difference() -> None:
    truth, one, _, units = models(40)
    found = delong_paired(truth, one, one.copy())
    assert (found.difference, found.p) == (0, 1)
    assert delong_paired(truth, one, 2 * one).p == 1  # another scale, the same order
    for metric in METRICS:
        assert permutation(truth, one, one.copy(), units, metric=metric, rounds=99) == 1
    assert permutation(truth, one, one**2, units, rounds=99) == 1
    pair = paired_bootstrap(truth, one, one.copy(), units, draws=50)["auroc"]
    assert (pair.difference.value, pair.difference.low, pair.difference.high) == (0, 0, 0)


def test_a_perfect_model_against_a_chance_one_has_a_p_and_two_perfect_ones_have_1() -> None:
    truth = np.arange(40) % 2 == 0
    perfect, constant = truth * 0.8 + 0.1, np.full(40, 0.5)
    assert delong_paired(truth, perfect, constant).p == 0
    assert delong_paired(truth, perfect, truth * 0.2).p == 1


def test_a_class_of_one_row_has_no_p() -> None:
    truth = np.arange(10) == 3
    found = delong_paired(truth, np.linspace(0, 1, 10), np.linspace(1, 0, 10))
    assert np.isnan([found.p, found.low, found.high]).all()


@pytest.mark.parametrize("images", [1, 3])
def test_the_paired_bootstrap_is_the_loop_over_the_same_draws(images: int) -> None:
    truth, one, other, units = models(30, images=images)
    found = paired_bootstrap(truth, one, other, units, draws=24, seed=4)
    counts = np.concatenate(list(counts_of_draws(30, 24, 4)), axis=1)
    for metric, reference in SKLEARN.items():
        drawn = [statistic_of_draws(reference, truth, scores, units, counts) for scores in (one, other)]
        expected = np.quantile(drawn[0] - drawn[1], [0.025, 0.975])
        pair = found[metric]
        assert (pair.one, pair.other) == pytest.approx((reference(truth, one), reference(truth, other)))
        assert (pair.difference.low, pair.difference.high) == pytest.approx(tuple(expected))
        assert pair.difference.value == pytest.approx(pair.one - pair.other)


def test_of_several_classes_it_is_the_classes_mean() -> None:
    random = np.random.default_rng(0)
    codes = np.arange(90) % 3
    truth = codes[:, None] == np.arange(3)
    one, other = (random.dirichlet(np.ones(3), 90) * 0.5 + strength * truth for strength in (0.5, 0.3))
    one, other = (scores / scores.sum(axis=1, keepdims=True) for scores in (one, other))
    found = paired_bootstrap(truth, one, other, np.arange(90), draws=20)
    for scores, value in ((one, found["auroc"].one), (other, found["auroc"].other)):
        assert value == pytest.approx(roc_auc_score(codes, scores, multi_class="ovr"))
    assert found["brier"].one == pytest.approx(brier_score_loss(codes, one, labels=np.arange(3), scale_by_half=False))
    assert permutation(truth, one, one.copy(), np.arange(90), rounds=49) == 1


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("images", [1, 3])
def test_the_permutation_test_is_that_of_all_swaps(metric: str, images: int) -> None:
    """All 2^7 swaps of seven patients; ranks instead of scores where the metric looks at the order only."""
    truth, one, other, units = models(7, images=images, seed=1, better=0.3)
    if metric == "brier":
        expected = exact_permutation(brier_score_loss, truth, one, other, units)
    else:
        ranks = [stats.rankdata(scores) for scores in (one, other)]
        expected = exact_permutation(SKLEARN[metric], truth, *ranks, units)
    found = permutation(truth, one, other, units, metric=metric, rounds=4000, seed=1)
    assert 0.05 < expected < 0.95  # else the tolerance would hide an error
    assert found == pytest.approx(expected, abs=4 * np.sqrt(0.25 / 4000))


def test_the_permutation_test_keeps_patients_whole() -> None:
    """Ten copies of each row are no more evidence than one where they belong to one patient."""
    truth, one, other, units = models(40, better=0.6, seed=3)
    copies = [np.repeat(each, 10) for each in (truth, one, other, units)]
    alone = permutation(truth, one, other, units, rounds=1000, seed=0)
    assert permutation(*copies, rounds=1000, seed=0) == pytest.approx(alone, abs=0.03)
    by_row = permutation(*copies[:3], np.arange(400), rounds=1000, seed=0)
    assert by_row < alone / 3


def test_the_permutation_test_has_no_p_of_zero_and_repeats() -> None:
    truth, one, other, units = models(200, better=3.0)
    assert permutation(truth, one, other, units, rounds=199) == 1 / 200
    truth, one, other, units = models(40, better=0.4)
    assert permutation(truth, one, other, units, rounds=300, seed=5) == permutation(
        truth, one, other, units, rounds=300, seed=5
    )


@given(p=st.lists(st.floats(0, 1), min_size=1, max_size=8), alpha=st.floats(0.001, 0.999))
def test_holm_s_values_reject_what_his_procedure_rejects(p: list[float], alpha: float) -> None:
    adjusted = holm(p)
    if any(abs(value - alpha) < 1e-9 for value in adjusted):
        return  # on the edge rounding decides
    assert [value <= alpha for value in adjusted] == rejected_by_holm(p, alpha)


def test_holm_s_values_of_a_known_family() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.2]) == [0.2]
    assert holm([]) == []


def test_an_unknown_p_is_not_counted() -> None:
    found = holm([0.01, float("nan"), 0.04])
    assert found[0] == pytest.approx(0.02)
    assert found[2] == pytest.approx(0.04)
    assert np.isnan(found[1])
