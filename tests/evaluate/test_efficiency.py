"""Label-efficiency curves against scikit-learn, a bootstrap written out row by row, and lines with a known crossing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import roc_auc_score

from remedis.evaluate.efficiency import Curve, curve, difference, match, non_inferior
from remedis.evaluate.intervals import counts_of_draws

DRAWS = 25


def answers(seed: int, *, patients: int = 30, images: int = 2, classes: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Truth and units of patients with several images."""
    random = np.random.default_rng(seed)
    units = np.repeat(np.arange(patients), images)
    codes = random.permutation(patients) % max(classes, 2)
    truth = codes[units] == 1 if classes == 1 else codes[units][:, None] == np.arange(classes)
    return truth, units


def scores_of(truth: np.ndarray, seed: int, strength: float = 1.0) -> np.ndarray:
    return strength * truth + np.random.default_rng(seed).normal(size=truth.shape)


def flat(fractions: list[float], values: list[float], spread: float = 0.0, moves: int = 101) -> Curve:
    """A curve whose bootstrap draws are its values, moved up and down together."""
    own = np.array(values)
    return Curve(
        np.array(fractions), own, own - spread, own + spread, own[:, None] + np.linspace(-spread, spread, moves)
    )


def test_values_are_the_mean_auroc_over_draws_of_labels() -> None:
    truth, units = answers(0)
    scores = {0.1: [scores_of(truth, seed, 0.5) for seed in range(4)], 1.0: [scores_of(truth, 9)]}
    found = curve(scores, truth, units, draws=DRAWS)
    assert found.fractions.tolist() == [0.1, 1.0]
    expected = [np.mean([roc_auc_score(truth, each) for each in scores[share]]) for share in (0.1, 1.0)]
    np.testing.assert_allclose(found.values, expected, rtol=1e-12)
    assert (found.low <= found.values).all()
    assert (found.values <= found.high).all()


def test_several_classes_count_as_their_mean_against_the_rest() -> None:
    truth, units = answers(1, classes=3)
    truth = np.c_[truth, np.zeros(len(truth), bool)]  # a class that no tested row has
    scores = scores_of(truth, 2)
    found = curve({1.0: [scores]}, truth, units, draws=5)
    expected = np.mean([roc_auc_score(truth[:, place], scores[:, place]) for place in range(3)])
    np.testing.assert_allclose(found.values, [expected], rtol=1e-12)


def test_a_bootstrap_draw_takes_patients_with_all_their_images() -> None:
    """With one draw of labels, each value is the AUROC of the drawn rows, repeated as often as their patient."""
    truth, units = answers(3)
    scores = scores_of(truth, 4)
    found = curve({1.0: [scores]}, truth, units, draws=DRAWS, seed=7)
    counts = np.concatenate(list(counts_of_draws(30, DRAWS, 7)), axis=1)
    for number in range(DRAWS):
        rows = np.repeat(np.arange(len(units)), counts[units, number].astype(int))
        assert found.drawn[0, number] == pytest.approx(roc_auc_score(truth[rows], scores[rows]), abs=1e-12)


def test_a_bootstrap_draw_takes_draws_of_labels_too() -> None:
    """Patients who all have the same score in a draw of labels leave only the second level: a multinomial's mean."""
    truth, units = answers(5, images=1)
    right, wrong = truth.astype(float), -truth.astype(float)
    found = curve({0.5: [right, wrong]}, truth, units, draws=4000)
    values, often = np.unique(found.drawn[0], return_counts=True)
    np.testing.assert_allclose(values, [0, 0.5, 1], atol=1e-12)
    np.testing.assert_allclose(often / 4000, [0.25, 0.5, 0.25], atol=0.035)
    assert found.low[0] == pytest.approx(0)
    assert found.high[0] == pytest.approx(1)


def test_more_draws_of_labels_narrow_the_second_level_alone() -> None:
    truth, units = answers(6, patients=200, images=1)
    random = np.random.default_rng(0)
    one = [truth * random.choice([0.2, 2.0]) + random.normal(size=len(truth)) for _ in range(40)]
    few, many = (curve({0.5: one[:count]}, truth, units, draws=600).drawn[0].std() for count in (5, 40))
    alone = np.mean([curve({1.0: [each]}, truth, units, draws=200).drawn[0].std() for each in one[:5]])
    assert many < few
    spread = np.std([roc_auc_score(truth, each) for each in one[:5]])
    assert 0.85 * spread / np.sqrt(5) < few < np.hypot(alone, spread / np.sqrt(5)) * 1.1


def test_curves_of_the_same_rows_are_paired() -> None:
    truth, units = answers(8)
    scores = scores_of(truth, 1)
    one, same = (curve({0.5: [scores], 1.0: [scores]}, truth, units, draws=DRAWS) for _ in range(2))
    found = difference(one, same)
    assert not found.values.any()
    assert not found.low.any()
    assert not found.high.any()
    better = curve({1.0: [scores + 0.3 * truth]}, truth, units, draws=DRAWS)
    paired = difference(better, one)
    assert paired.fractions.tolist() == [1.0]
    assert paired.values[0] == pytest.approx(better.values[0] - one.values[1])
    assert paired.high[0] - paired.low[0] < 0.7 * (one.high[1] - one.low[1])


def test_the_seed_decides() -> None:
    truth, units = answers(8)
    scores = {1.0: [scores_of(truth, 1)]}
    one, same, other = (curve(scores, truth, units, draws=DRAWS, seed=seed).drawn for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_non_inferior_where_the_lower_limit_is_above_minus_the_margin() -> None:
    line = flat([0.1, 0.5, 1.0], [0.8, 0.8, 0.8])
    found = difference(flat([0.1, 0.5, 1.0], [0.785, 0.795, 0.85]), line)
    assert non_inferior(found).tolist() == [False, True, True]
    assert non_inferior(found, margin=0.02).tolist() == [True, True, True]
    unsure = difference(flat([0.1, 0.5, 1.0], [0.8, 0.8, 0.85], spread=0.03), line)
    assert non_inferior(unsure).tolist() == [False, False, True]  # the mean alone would do


def test_a_crossing_between_two_shares_is_read_off_in_the_logarithm() -> None:
    found = match(flat([0.01, 0.1, 1.0], [0.6, 0.7, 0.8]), np.full(101, 0.75), 0.75)
    assert found.fraction == pytest.approx(10**-0.5)
    assert found.low == pytest.approx(10**-0.5)
    assert found.reached == 1
    assert not found.at_most


def test_limits_come_from_the_draws() -> None:
    found = match(flat([0.01, 0.1, 1.0], [0.6, 0.7, 0.8], spread=0.1), np.full(101, 0.75), 0.75)
    assert found.fraction == pytest.approx(10**-0.5)
    assert found.low == pytest.approx(10 ** (-0.5 - 0.96), rel=0.02)  # 2 of 101 moves are cut off at each end
    assert found.high == np.inf
    assert found.reached == pytest.approx(76 / 101)
    paired = match(flat([0.01, 0.1, 1.0], [0.6, 0.7, 0.8], spread=0.1), 0.75 + np.linspace(-0.1, 0.1, 101), 0.75)
    assert paired.high == pytest.approx(10**-0.5)


def test_the_smallest_share_is_at_most_and_none_is_infinite() -> None:
    line = np.full(101, 0.75)
    found = match(flat([0.05, 1.0], [0.8, 0.9]), line, 0.75)
    assert (found.fraction, found.low, found.high, found.at_most) == (0.05, 0.05, 0.05, True)
    never = match(flat([0.05, 1.0], [0.6, 0.7]), line, 0.75)
    assert (never.fraction, never.low, never.high, never.reached) == (np.inf, np.inf, np.inf, 0)
    unknown = match(flat([0.05, 1.0], [0.6, float("nan")]), line, 0.75)
    assert np.isnan([unknown.fraction, unknown.low, unknown.high, unknown.reached]).all()


def test_the_baseline_reaches_itself_at_all_labels_at_the_latest() -> None:
    truth, units = answers(11)
    own = curve({share: [scores_of(truth, 3, share)] for share in (0.25, 0.5, 1.0)}, truth, units, draws=DRAWS)
    found = match(own, own.drawn[-1], float(own.values[-1]))
    assert found.fraction <= 1
    assert found.reached > 0.9


VALUES = st.lists(st.integers(50, 99), min_size=2, max_size=7)


@settings(max_examples=50)
@given(VALUES, st.integers(50, 99))
def test_a_noisy_share_does_not_decide(values: list[int], level: int) -> None:
    """The crossing is that of scikit-learn's isotonic curve, interpolated by numpy."""
    shares = np.geomspace(0.01, 1, len(values))
    rising = IsotonicRegression().fit_transform(np.arange(len(values)), np.array(values) / 100)
    line = level / 100 + 0.001  # between what the curve can be, up to means
    found = match(flat(shares.tolist(), [each / 100 for each in values], moves=1), np.full(1, line), line).fraction
    if rising[-1] < line - 1e-12:
        assert found == np.inf
    elif rising[0] >= line - 1e-12:
        assert found == pytest.approx(shares[0])
    else:
        place = int(np.argmax(rising >= line - 1e-12))
        way = (line - rising[place - 1]) / (rising[place] - rising[place - 1])
        expected = np.exp(np.log(shares[place - 1]) + way * (np.log(shares[place]) - np.log(shares[place - 1])))
        assert found == pytest.approx(expected, rel=1e-6)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"scores of shape \(3, 2\) do not fit truth of shape \(3,\)"):
        curve({1.0: [np.zeros((3, 2))]}, np.array([True, False, True]), np.arange(3))
