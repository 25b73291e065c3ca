"""The fit against scikit-learn's own, run to convergence; the strength against a grid searched by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.preprocessing import StandardScaler

from remedis.evaluate import logistic
from remedis.evaluate.folds import Fold
from remedis.evaluate.logistic import STRENGTHS, choose_strength, fit, log_loss
from synthetic_embeddings import separable


def sample(rows: int, width: int, classes: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    codes = np.arange(rows) % classes
    features = separable(codes, width=width, distance=1.2, seed=seed)
    spread = 10 ** np.random.default_rng(seed).normal(size=width)
    return (features * spread + 3).astype(np.float32), codes


def converged(features: np.ndarray, codes: np.ndarray, strength: float) -> tuple[StandardScaler, LogisticRegression]:
    scaler = StandardScaler().fit(features.astype(np.float64))
    model = LogisticRegression(C=strength, solver="newton-cg", tol=1e-12, max_iter=5000)
    return scaler, model.fit(scaler.transform(features.astype(np.float64)), codes)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(("rows", "width"), [(200, 12), (60, 150), (40, 40)])
@pytest.mark.parametrize("strength", [1e-3, 1.0])
def test_coefficients_and_scores_are_scikit_learns(rows: int, width: int, classes: int, strength: float) -> None:
    """With fewer rows than features too, where ours is fitted in the rows' span; newton-cg is another solver."""
    features, codes = sample(rows, width, classes)
    scaler, expected = converged(features, codes, strength)
    ours = fit(features, codes, strength)
    assert ours.converged
    assert ours.coefficients.shape == expected.coef_.shape
    np.testing.assert_allclose(ours.coefficients, expected.coef_, atol=2e-4 * np.abs(expected.coef_).max())
    np.testing.assert_allclose(ours.intercept, expected.intercept_, atol=1e-4)
    others = sample(30, width, classes, seed=1)[0]
    probabilities = expected.predict_proba(scaler.transform(others.astype(np.float64)))
    scores = ours.scores(others)
    assert scores.shape == ((30,) if classes == 2 else (30, classes))
    np.testing.assert_allclose(scores, probabilities[:, 1] if classes == 2 else probabilities, atol=1e-4)


def test_scores_are_the_formula_on_standardised_features() -> None:
    features, codes = sample(80, 10, 3)
    model = fit(features, codes, 0.1)
    z = (features.astype(np.float64) - model.mean) / model.scale @ model.coefficients.T + model.intercept
    expected = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.scores(features), expected, rtol=1e-9)
    np.testing.assert_allclose(model.mean, features.astype(np.float64).mean(axis=0))
    np.testing.assert_allclose(model.scale, features.astype(np.float64).std(axis=0))


def by_hand(features: np.ndarray, codes: np.ndarray, folds: list[Fold]) -> dict[float, float]:
    """Fit every strength afresh and run to convergence; no path, no early end."""
    losses = {}
    for strength in STRENGTHS:
        total = 0.0
        for fold in folds:
            scaler, model = converged(features[fold.train], codes[fold.train], strength)
            probabilities = model.predict_proba(scaler.transform(features[fold.test].astype(np.float64)))
            total += sklearn_log_loss(codes[fold.test], probabilities, normalize=False, labels=np.unique(codes))
        losses[strength] = total / sum(len(fold.test) for fold in folds)
    return losses


@pytest.mark.parametrize("classes", [2, 3])
def test_the_strength_is_the_one_with_the_smallest_validation_loss(classes: int) -> None:
    features, codes = sample(150, 20, classes)
    rows = np.random.default_rng(0).permutation(150)
    folds = [Fold(np.setdiff1d(rows, part), part) for part in np.array_split(rows, 3)]
    strength, losses = choose_strength(features, codes, folds, classes=classes)
    expected = by_hand(features, codes, folds)
    assert strength == min(expected, key=lambda each: expected[each])
    for looked_at, loss in losses.items():
        assert loss == pytest.approx(expected[looked_at], rel=2e-3)


def test_the_search_ends_when_the_loss_rises_for_good() -> None:
    features, codes = sample(60, 40, 2)
    folds = [Fold(np.arange(40), np.arange(40, 60))]
    _, losses = choose_strength(features, codes, folds, classes=2)
    values = list(losses.values())
    assert list(losses) == list(STRENGTHS[: len(losses)])
    assert len(losses) < len(STRENGTHS)
    assert values[-1] > values[-2] > values[-3]


def test_labels_of_noise_are_shrunk_to_the_prevalence() -> None:
    """No strength helps, so the chosen one must do no worse on the held-out rows than the training rows' prevalence."""
    random = np.random.default_rng(0)
    features, codes = random.normal(size=(300, 30)).astype(np.float32), (random.random(300) < 0.3).astype(int)
    folds = [Fold(np.arange(200), np.arange(200, 300))]
    strength, losses = choose_strength(features, codes, folds, classes=2)
    prevalence = codes[:200].mean()
    constant = sklearn_log_loss(codes[200:], np.full(100, prevalence))
    assert losses[strength] <= constant + 0.005
    assert fit(features, codes, 1e-6).scores(features) == pytest.approx(codes.mean(), abs=1e-3)
    assert np.ptp(fit(features, codes, strength).scores(features)) < 0.5 * np.ptp(
        fit(features, codes, 1.0).scores(features)
    )


def test_a_class_that_the_training_rows_lack_has_probability_0_and_a_finite_loss() -> None:
    features, codes = sample(90, 5, 3)
    known = np.flatnonzero(codes != 1)
    train, test = known[:40], known[40:]
    _, losses = choose_strength(features, codes, [Fold(train, test)], classes=3)
    scaler, model = converged(features[train], codes[train], 1e-6)
    probabilities = model.predict_proba(scaler.transform(features[test].astype(np.float64)))
    assert losses[1e-6] == pytest.approx(sklearn_log_loss(codes[test], probabilities, labels=[0, 2]), rel=2e-3)
    _, with_unknown = choose_strength(features, codes, [Fold(train, np.arange(60, 90))], classes=3)
    assert all(100 < loss < np.inf for loss in with_unknown.values())


def test_log_loss_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    probabilities, codes = random.dirichlet(np.ones(3), 50), random.integers(0, 3, 50)
    expected = sklearn_log_loss(codes, probabilities, normalize=False, labels=[0, 1, 2])
    assert log_loss(probabilities, codes) == pytest.approx(expected, rel=1e-12)


def test_a_solver_that_gives_up_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    features, codes = sample(100, 8, 2)
    assert fit(features, codes, 1.0).converged
    monkeypatch.setattr(logistic, "_MOST_ITERATIONS", 1)
    assert not fit(features, codes, 1.0).converged


def test_the_scale_of_a_feature_changes_no_score() -> None:
    features, codes = sample(100, 8, 2)
    scaled = (features * np.float32(1024.0)).astype(np.float32)
    np.testing.assert_allclose(
        fit(scaled, codes, 1.0).scores(scaled), fit(features, codes, 1.0).scores(features), atol=1e-6
    )
