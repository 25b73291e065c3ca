"""A grid's regressions against scikit-learn's second-order solvers, and against the gradient written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from references import penalised_logistic as reference
from remedis.ops import logistic_rows
from remedis.ops.logistic import Problem, Solution, solve
from remedis.ops.logistic_newton import Loss, minimise
from remedis.ops.logistic_spaces import FeatureSpace
from synthetic_embeddings import separable

FEW, MANY, SQUARE = (60, 150), (150, 20), (40, 40)


def sample(rows: int, width: int, classes: int, *, distance: float = 1.2, seed: int = 0) -> tuple[np.ndarray, ...]:
    codes = np.arange(rows) % classes
    features = separable(codes, width=width, distance=distance, seed=seed).astype(np.float64)
    features = features @ np.random.default_rng(seed).normal(size=(width, width))  # correlated
    return (features - features.mean(axis=0)) / features.std(axis=0), codes


def problem(codes: np.ndarray, rows: np.ndarray | None = None) -> Problem:
    rows = np.arange(len(codes)) if rows is None else rows
    return Problem(torch.from_numpy(rows), torch.from_numpy(codes[rows]), int(codes.max()) + 1)


def solved(features: np.ndarray, codes: np.ndarray, *strengths: float) -> Solution:
    return solve(torch.from_numpy(features), [problem(codes)], strengths)[0]


def relative(found: torch.Tensor | np.ndarray, expected: torch.Tensor | np.ndarray) -> float:
    found, expected = np.asarray(found), np.asarray(expected)
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


def assert_minimum(features: np.ndarray, codes: np.ndarray, strength: float, w: np.ndarray, b: np.ndarray) -> None:
    """Both gradients vanish beside the rows' pulls, C times their entries, which they are the difference of.

    Where rows pull against each other a margin's rounding error, some 1e-9, shows C times in the gradient.
    """
    of_coefficients, of_intercepts = reference.gradient(features, codes, strength, w, b)
    pulls = strength * np.abs(features).max() * len(codes)
    assert np.abs(of_coefficients).max() <= 1e-7 * np.abs(w).max() + 1e-9 * pulls
    assert np.abs(of_intercepts).max() <= 1e-9 * pulls + 1e-12


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("shape", [FEW, MANY, SQUARE], ids=["few rows", "many rows", "square"])
def test_coefficients_are_scikit_learns(shape: tuple[int, int], classes: int) -> None:
    """With more rows than features and fewer, which ours solves in different unknowns; strengths in any order."""
    features, codes = sample(*shape, classes)
    strengths = [1.0, 1e-5, 1e-2, 30.0]
    ours = solved(features, codes, *strengths)
    assert ours.coefficients.shape == (4, 1 if classes == 2 else classes, shape[1])
    assert ours.coefficients.dtype == torch.float64
    assert ours.converged.tolist() == [True] * 4
    others = np.random.default_rng(1).normal(size=(7, shape[1]))
    logits = ours.logits(torch.from_numpy(others))
    for place, strength in enumerate(strengths):
        solver = "newton-cholesky" if classes == 2 else "newton-cg"
        expected = LogisticRegression(C=strength, tol=1e-10, max_iter=2000, solver=solver).fit(features, codes)
        assert relative(ours.coefficients[place], expected.coef_) < 1e-6
        np.testing.assert_allclose(ours.intercepts[place], expected.intercept_, atol=1e-7)
        expected_logits = expected.decision_function(others).reshape(len(others), -1)
        np.testing.assert_allclose(logits[place], expected_logits, atol=1e-5)


@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("shape", [FEW, MANY], ids=["few rows", "many rows"])
def test_the_gradient_vanishes_from_the_weakest_to_the_strongest(shape: tuple[int, int], classes: int) -> None:
    features, codes = sample(*shape, classes)
    strengths = [10.0**power for power in range(-6, 6)]
    ours = solved(features, codes, *strengths)
    assert bool(ours.converged.all())
    for strength, w, b in zip(strengths, ours.coefficients.numpy(), ours.intercepts.numpy(), strict=True):
        assert_minimum(features, codes, strength, w, b)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_objective_rises_in_every_direction(classes: int) -> None:
    features, codes = sample(*FEW, classes)
    ours = solved(features, codes, 10.0)
    w, b = ours.coefficients[0].numpy(), ours.intercepts[0].numpy()
    lowest = reference.objective(features, codes, 10.0, w, b)
    random = np.random.default_rng(0)
    for _ in range(10):
        moved = w + 1e-3 * random.normal(size=w.shape), b + 1e-3 * random.normal(size=b.shape)
        assert reference.objective(features, codes, 10.0, *moved) > lowest


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("shape", [(30, 80), (80, 10)], ids=["few rows", "many rows"])
def test_separable_classes_and_almost_no_penalty(shape: tuple[int, int], classes: int) -> None:
    """Straight to C = 1e6 without a path to it, where margins are wide and weights almost nothing."""
    features, codes = sample(*shape, classes, distance=12.0)
    ours = solved(features, codes, 1e6)
    assert bool(ours.converged.all())
    assert torch.isfinite(ours.coefficients).all()
    logits = ours.logits(torch.from_numpy(features))[0].numpy()
    predicted = (logits[:, 0] > 0).astype(int) if classes == 2 else logits.argmax(axis=1)
    np.testing.assert_array_equal(predicted, codes)
    assert_minimum(features, codes, 1e6, ours.coefficients[0].numpy(), ours.intercepts[0].numpy())


@pytest.mark.parametrize("classes", [2, 3])
def test_one_row_a_class(classes: int) -> None:
    """Two rows have a closed form: w = a·d along their difference d, with a = C (1 - p) and logit p = a|d|²/2."""
    features, codes = sample(60, 30, classes)
    features, codes = features[:classes], codes[:classes]
    ours = solved(features, codes, 1e-6, 1.0, 1e6)
    assert bool(ours.converged.all())
    for strength, w, b in zip((1e-6, 1.0, 1e6), ours.coefficients.numpy(), ours.intercepts.numpy(), strict=True):
        assert_minimum(features, codes, strength, w, b)
        if classes == 2:
            apart = features[1] - features[0]
            factor = float(w[0] @ apart / (apart @ apart))
            np.testing.assert_allclose(w[0], factor * apart, rtol=1e-8, atol=1e-12 * factor)
            np.testing.assert_allclose(factor, strength / (1 + np.exp(factor * (apart @ apart) / 2)), rtol=1e-6)
            np.testing.assert_allclose(b[0], -w[0] @ (features[0] + features[1]) / 2, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("shape", [(30, 80), (80, 10)], ids=["few rows", "many rows"])
def test_rows_that_contradict_each_other(shape: tuple[int, int]) -> None:
    """Equal rows of different classes: bounded coefficients however weak the penalty, and where the other rows do
    not matter (fewer rows than features) even odds."""
    features, codes = sample(*shape, 2)
    features, codes = np.concatenate([features, features[:3]]), np.concatenate([codes, 1 - codes[:3]])
    strengths = (1.0, 1e3, 1e6)
    ours = solved(features, codes, *strengths)
    assert bool(ours.converged.all())
    for strength, w, b in zip(strengths, ours.coefficients.numpy(), ours.intercepts.numpy(), strict=True):
        assert_minimum(features, codes, strength, w, b)
    if shape[0] < shape[1]:
        np.testing.assert_allclose(ours.logits(torch.from_numpy(features[:3]))[-1], 0.0, atol=1e-4)


@pytest.mark.parametrize("constant", [0.0, 3.0, 1e3])
@pytest.mark.parametrize("shape", [(30, 80), (80, 10)], ids=["few rows", "many rows"])
def test_a_constant_feature_has_no_coefficient(shape: tuple[int, int], constant: float) -> None:
    features, codes = sample(*shape, 2)
    with_it = np.column_stack([features, np.full(len(codes), constant)])
    ours, without = solved(with_it, codes, 0.1, 10.0), solved(features, codes, 0.1, 10.0)
    np.testing.assert_allclose(ours.coefficients[..., -1], 0.0, atol=1e-9)
    assert relative(ours.coefficients[..., :-1], without.coefficients) < 1e-8
    np.testing.assert_allclose(ours.intercepts, without.intercepts, atol=1e-6)


def test_features_that_say_nothing_leave_the_classes_shares() -> None:
    codes = np.array([0, 0, 0, 0, 0, 0, 1, 1, 2])
    two = solved(np.zeros((9, 4)), np.minimum(codes, 1), 1e-3, 1e3)
    np.testing.assert_allclose(two.intercepts, np.log(3 / 6), rtol=1e-9)
    three = solved(np.zeros((9, 4)), codes, 1e-3, 1e3)
    np.testing.assert_allclose(torch.softmax(three.intercepts, dim=1), [[6 / 9, 2 / 9, 1 / 9]] * 2, rtol=1e-9)
    assert bool(two.converged.all())
    assert bool(three.converged.all())
    assert float(two.coefficients.abs().max()) == float(three.coefficients.abs().max()) == 0.0


@pytest.mark.parametrize("classes", [2, 3])
def test_a_rare_class(classes: int) -> None:
    features, codes = sample(200, 12, classes)
    kept = np.flatnonzero((codes != 1) | (np.arange(200) < 8))
    features, codes = features[kept], codes[kept]
    ours = solved(features, codes, 1e-4, 1.0, 1e4)
    for strength, w, b in zip((1e-4, 1.0, 1e4), ours.coefficients.numpy(), ours.intercepts.numpy(), strict=True):
        assert_minimum(features, codes, strength, w, b)


@pytest.mark.parametrize("classes", [2, 3])
def test_a_problem_does_not_feel_the_others(classes: int) -> None:
    """Of other sizes, so that it is padded, with other classes, and in either set of unknowns; whatever the order."""
    features, codes = sample(140, 60, classes)
    labels = np.where(np.arange(140) % 7 < 4, codes, 0)
    random = np.random.default_rng(3)
    subsets = [np.sort(random.permutation(140)[:size]) for size in (30, 32, 60, 61, 64, 120)]
    problems = [problem(codes, rows) for rows in subsets] + [problem(labels, rows) for rows in subsets]
    problems += [problem(np.minimum(codes, 1), rows) for rows in subsets[:3]]
    strengths = (1e-5, 1.0, 1e3)
    together = solve(torch.from_numpy(features), problems, strengths)
    for each, found in list(zip(problems, together, strict=True))[::4]:
        alone = solve(torch.from_numpy(features), [each], strengths)[0]
        for place in range(len(strengths)):
            assert relative(found.coefficients[place], alone.coefficients[place]) < 1e-9
        np.testing.assert_allclose(found.intercepts, alone.intercepts, atol=1e-9)
    for found, again in zip(together, solve(torch.from_numpy(features), problems[::-1], strengths)[::-1], strict=True):
        assert relative(found.coefficients, again.coefficients) < 1e-9


@pytest.mark.parametrize("shape", [FEW, MANY], ids=["few rows", "many rows"])
def test_the_order_of_rows_is_nothing_and_equal_problems_are_solved_once(shape: tuple[int, int]) -> None:
    features, codes = sample(*shape, 3)
    order = np.random.default_rng(0).permutation(len(codes))
    finished: list[int] = []
    first, second, third = solve(
        torch.from_numpy(features),
        [problem(codes), problem(codes, order), problem(codes, order[:40])],
        [0.1, 1.0],
        done=finished.append,
    )
    assert first is second
    assert third is not first
    assert sum(finished) == 6
    turned = solved(features[order], codes[order], 0.1, 1.0)
    assert relative(turned.coefficients, first.coefficients) < 1e-9


def test_an_order_of_strengths_a_repeated_one_and_a_path_are_nothing() -> None:
    features, codes = sample(*FEW, 2)
    ours = solved(features, codes, 1e3, 1e-2, 1e3, 1.0)
    assert torch.equal(ours.coefficients[0], ours.coefficients[2]) or relative(*ours.coefficients[[0, 2]]) < 1e-9
    for place, strength in enumerate((1e3, 1e-2, 1e3, 1.0)):
        assert relative(ours.coefficients[place], solved(features, codes, strength).coefficients[0]) < 1e-8


@pytest.mark.parametrize("classes", [2, 3])
def test_strengths_far_apart(classes: int) -> None:
    """What fits nearby foretell of C = 1e8 is absurd, and is not begun from."""
    features, codes = sample(*FEW, classes)
    ours = solved(features, codes, 1e-6, 1e-4, 1e-2, 1e8)
    assert bool(ours.converged.all())
    assert relative(ours.coefficients[-1], solved(features, codes, 1e8).coefficients[0]) < 1e-7


def test_no_coefficients_are_no_end_while_the_intercept_moves() -> None:
    codes, present = torch.tensor([[0, 0, 0, 1]]), torch.ones(1, 4, dtype=torch.float64)
    space = FeatureSpace(torch.zeros(1, 4, 2, dtype=torch.float64), present, 1)
    start = space.constant(torch.full((1, 1), 3.0, dtype=torch.float64))
    found, reached, _ = minimise(space, Loss(codes, present, 2), 1.0, start, torch.ones(1, dtype=torch.bool))
    assert bool(reached)
    np.testing.assert_allclose(found.inner[0, 0], [0.0, 0.0, np.log(1 / 3)], atol=1e-9)


def test_names_of_classes_are_nothing() -> None:
    """Two classes named the other way round turn the sign; several are exchanged."""
    features, codes = sample(*FEW, 2)
    assert relative(-solved(features, 1 - codes, 1.0).coefficients, solved(features, codes, 1.0).coefficients) < 1e-9
    features, codes = sample(*FEW, 3)
    turned = solved(features, (codes + 1) % 3, 1.0).coefficients[0]
    assert relative(turned[[1, 2, 0]], solved(features, codes, 1.0).coefficients[0]) < 1e-9


def test_one_gram_matrix_for_all_and_one_a_problem_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    features, codes = sample(60, 150, 2)
    shifted = features + 2.0  # not centred: a shift is the intercept's affair
    subsets = [np.random.default_rng(seed).permutation(60)[:45] for seed in range(4)]
    problems = [problem(codes, rows) for rows in subsets]
    shared = solve(torch.from_numpy(shifted), problems, [1.0])
    monkeypatch.setattr(logistic_rows, "_MOST", 0)
    for found, own, rows in zip(shared, solve(torch.from_numpy(shifted), problems, [1.0]), subsets, strict=True):
        assert relative(found.coefficients, own.coefficients) < 1e-9
        assert_minimum(shifted[rows], codes[rows], 1.0, found.coefficients[0].numpy(), found.intercepts[0].numpy())


def test_float32_features_are_worked_on_in_float64() -> None:
    features, codes = sample(*FEW, 2)
    narrow = features.astype(np.float32)
    assert torch.equal(solved(narrow, codes, 1.0).coefficients, solved(narrow.astype(float), codes, 1.0).coefficients)
    assert solved(narrow, codes, 1.0).logits(torch.from_numpy(narrow)).dtype == torch.float64


def test_what_cannot_be_fitted_is_refused() -> None:
    features, codes = torch.ones(4, 2), torch.tensor([0, 0, 2, 2])
    rows = torch.arange(4)
    with pytest.raises(ValueError, match=r"problem 0 has the classes \[0, 2\], not each of 0 … 2"):
        solve(features, [Problem(rows, codes, 3)], [1.0])
    with pytest.raises(ValueError, match="strengths must be positive"):
        solve(features, [Problem(rows, codes // 2, 2)], [0.0])
    with pytest.raises(ValueError, match="features are not all finite"):
        solve(features / 0, [Problem(rows, codes // 2, 2)], [1.0])
