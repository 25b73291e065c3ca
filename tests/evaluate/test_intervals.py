"""The bootstrap's draws: of whole units, of the same distribution as scipy's, and the percentiles of what they give."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from references.bootstrap import statistic_of_draws
from remedis.evaluate import intervals
from remedis.evaluate.intervals import bootstrap, counts_of_draws, interval, plain
from remedis.evaluate.metrics import Ranking, SquaredError


def counts(units: int, draws: int, seed: int = 0) -> np.ndarray:
    return np.concatenate(list(counts_of_draws(units, draws, seed)), axis=1)


def test_every_draw_holds_as_many_units_as_there_are() -> None:
    found = counts(37, 2500)
    assert found.shape == (37, 2500)
    assert (found.sum(axis=0) == 37).all()
    assert (found >= 0).all()


def test_counts_are_multinomial() -> None:
    """Each unit's count is binomial(n, 1/n), and two units' counts have covariance -1/n."""
    n, draws = 12, 40_000
    found = counts(n, draws)
    expected = stats.binom.pmf(np.arange(5), n, 1 / n)
    observed = np.array([(found == times).mean() for times in range(5)])
    np.testing.assert_allclose(observed, expected, atol=4 * np.sqrt(0.25 / (n * draws)) * n**0.5)
    covariance = np.cov(found)
    np.testing.assert_allclose(np.diag(covariance), 1 - 1 / n, atol=0.05)
    np.testing.assert_allclose(covariance[~np.eye(n, dtype=bool)], -1 / n, atol=0.03)


def test_the_same_seed_gives_the_same_draws_and_another_seed_others() -> None:
    np.testing.assert_array_equal(counts(50, 300, seed=3), counts(50, 300, seed=3))
    assert (counts(50, 300, seed=3) != counts(50, 300, seed=4)).any()


def test_draws_are_those_of_one_array_of_random_units() -> None:
    """However they are counted, so that figures stay the same from version to version."""
    drawn = np.random.default_rng(7).integers(0, 23, (60, 23))
    expected = np.stack([(drawn == unit).sum(axis=1) for unit in range(23)])
    np.testing.assert_array_equal(counts(23, 60, seed=7), expected)


def test_draws_come_in_blocks_that_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "CELLS", 1000)
    shapes = [block.shape for block in counts_of_draws(20, 110, 0)]
    assert shapes == [(20, 50), (20, 50), (20, 10)]


def scored(patients: int, images: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    units = np.repeat(np.arange(patients), images)
    truth = (random.random(patients) < 0.4)[units]
    x = truth + random.normal(size=patients)[units] + 0.5 * random.normal(size=len(units))
    return truth, np.round(1 / (1 + np.exp(-x)), 2), units


def test_clusters_are_drawn_with_all_their_rows() -> None:
    """Against the plain loop that writes every drawn patient's rows out."""
    truth, scores, units = scored(25, 3, seed=1)
    drawn = bootstrap({"": Ranking(truth, scores, units, ("auroc",))}, 25, draws=60, seed=5)[""]["auroc"]
    expected = statistic_of_draws(roc_auc_score, truth, scores, units, counts(25, 60, seed=5))
    np.testing.assert_allclose(drawn, expected, rtol=1e-12)


def auroc(truth: np.ndarray, scores: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mann and Whitney's count by mid-ranks, for many samples at once."""
    positives, rows = truth.sum(axis=axis), truth.shape[axis]
    ranks = (stats.rankdata(scores, axis=axis) * truth).sum(axis=axis)
    return (ranks - positives * (positives + 1) / 2) / (positives * (rows - positives))


def squared_error(truth: np.ndarray, scores: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.square(scores - truth).mean(axis=axis)


@pytest.mark.parametrize(("metric", "statistic"), [("auroc", auroc), ("brier", squared_error)])
def test_independent_rows_have_scipys_distribution(metric: str, statistic: Callable[..., np.ndarray]) -> None:
    """Two independent bootstraps of one sample, compared by their limits and by Kolmogorov and Smirnov."""
    truth, scores, units = scored(80, 1, seed=2)
    ours = {"auroc": Ranking(truth, scores, units, ("auroc",)), "brier": SquaredError(truth, scores, units, 80)}[metric]
    drawn = bootstrap({"": ours}, 80, draws=4000, seed=0)[""][metric]
    theirs = stats.bootstrap(
        (truth, scores), statistic, paired=True, vectorized=True, n_resamples=4000, method="percentile",
        rng=np.random.default_rng(1),
    )  # fmt: skip
    assert stats.ks_2samp(drawn, theirs.bootstrap_distribution).pvalue > 0.01
    found = interval(0.5, drawn)
    error = 4 * 2**0.5 * 2.7 * drawn.std() / np.sqrt(4000)  # a 2.5% quantile's own deviation is about 2.7 sd / sqrt n
    assert found.low == pytest.approx(theirs.confidence_interval.low, abs=error)
    assert found.high == pytest.approx(theirs.confidence_interval.high, abs=error)


def test_statistics_share_their_draws() -> None:
    truth, scores, units = scored(30, 2, seed=3)
    one = bootstrap({"a": Ranking(truth, scores, units), "b": SquaredError(truth, scores, units, 30)}, 30, draws=40)
    alone = bootstrap({"b": SquaredError(truth, scores, units, 30)}, 30, draws=40)
    np.testing.assert_array_equal(one["b"]["brier"], alone["b"]["brier"])
    assert one["a"]["auroc"].shape == (40,)


def test_the_plain_value_is_that_of_all_rows() -> None:
    truth, scores, units = scored(30, 2, seed=4)
    assert float(plain(Ranking(truth, scores, units), 30)["auroc"]) == pytest.approx(roc_auc_score(truth, scores))


def test_limits_are_percentiles_and_undefined_draws_are_counted() -> None:
    drawn = np.append(np.linspace(0, 1, 101), [np.nan] * 3)
    found = interval(0.5, drawn)
    assert (found.value, found.undefined) == (0.5, 3)
    assert (found.low, found.high) == pytest.approx((0.025, 0.975))
    half = interval(0.5, drawn, level=0.5)
    assert (half.low, half.high) == pytest.approx((0.25, 0.75))


@pytest.mark.parametrize(("value", "drawn"), [(np.nan, [0.5, 0.6]), (0.5, [np.nan, np.nan])])
def test_without_a_value_or_a_draw_there_are_no_limits(value: float, drawn: list[float]) -> None:
    found = interval(value, np.array(drawn))
    assert np.isnan([found.low, found.high]).all()
