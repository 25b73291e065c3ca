"""Nearest neighbours against scikit-learn's search on the same standardised directions."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from remedis.evaluate import knn
from remedis.evaluate.knn import knn_scores, standard


def two_sets(
    train: int = 120, test: int = 50, width: int = 16, classes: int = 3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    codes = random.integers(0, classes, train)
    codes[:classes] = np.arange(classes)
    features = random.normal(size=(train, width)) * 10 ** random.normal(size=width) + 5
    features[:, 0] += codes
    return features.astype(np.float32), codes, (random.normal(size=(test, width)) * 3 + 5).astype(np.float32)


@pytest.mark.parametrize("k", [1, 5, 20])
def test_votes_are_those_of_scikit_learns_neighbours(k: int) -> None:
    """Weight exp(cosine / 0.07) of each of the k nearest, as Wu et al. (2018) write it, summed by class."""
    train, codes, test = two_sets()
    scaler = StandardScaler().fit(train.astype(np.float64))
    search = NearestNeighbors(n_neighbors=k, metric="cosine").fit(scaler.transform(train.astype(np.float64)))
    distance, nearest = search.kneighbors(scaler.transform(test.astype(np.float64)))
    expected = np.zeros((len(test), 3))
    for row in range(len(test)):
        for column in range(k):
            expected[row, codes[nearest[row, column]]] += np.exp((1 - distance[row, column]) / 0.07)
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(knn_scores(train, codes, test, classes=3, k=k), expected, atol=1e-9)


def test_scores_sum_to_one_and_are_probabilities() -> None:
    train, codes, test = two_sets()
    scores = knn_scores(train, codes, test, classes=3)
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-12)
    assert scores.min() >= 0
    assert scores.max() <= 1


def test_a_known_row_calls_itself() -> None:
    train, codes, _ = two_sets()
    np.testing.assert_array_equal(knn_scores(train, codes, train, classes=3, k=1).argmax(axis=1), codes)


def test_more_neighbours_than_rows_are_all_rows() -> None:
    train, codes, test = two_sets(train=6)
    np.testing.assert_array_equal(
        knn_scores(train, codes, test, classes=3, k=500), knn_scores(train, codes, test, classes=3, k=6)
    )


def test_long_tables_are_scored_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    train, codes, test = two_sets()
    whole = knn_scores(train, codes, test, classes=3)
    monkeypatch.setattr(knn, "_BLOCK", 7)
    np.testing.assert_allclose(knn_scores(train, codes, test, classes=3), whole, rtol=1e-12)


def test_a_constant_feature_is_left_alone() -> None:
    """Its deviation would be 0, or rounding alone; neither may blow it up."""
    features = np.full((1000, 3), 0.1, np.float32)
    features[:, 1] = np.arange(1000)
    features[::2, 2] = 1e4
    mean, scale = standard(features)
    assert scale[0] == 1.0
    assert mean[0] == pytest.approx(0.1)
    assert scale[1] == pytest.approx(np.arange(1000).std())
    assert np.isfinite((features - mean) / scale).all()


def test_a_row_at_the_mean_has_no_direction_and_still_a_score() -> None:
    train, codes, _ = two_sets()
    mean, _ = standard(train)
    scores = knn_scores(train, codes, mean[None].astype(np.float32), classes=3)
    assert scores.sum() == pytest.approx(1)
