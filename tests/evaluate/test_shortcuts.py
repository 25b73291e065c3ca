"""What trivial features reach is scikit-learn's, its error DeLong's, and what says nothing is seldom a finding."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from remedis.evaluate import shortcuts
from remedis.evaluate.delong import delong
from remedis.evaluate.folds import grouped_folds
from remedis.evaluate.intervals import bootstrap
from remedis.evaluate.metrics import Ranking
from remedis.evaluate.shortcuts import alone, auroc_by_unit, auroc_of_size_in_folds, holm, size_features
from remedis.evaluate.targets import Target

Ints = NDArray[np.int64]


def target(codes: Ints, classes: int = 2) -> Target:
    return Target("label", tuple(str(code) for code in range(classes)), codes, {})


def planted(
    seed: int, rows: int = 240, classes: int = 2, effect: float = 1.0
) -> tuple[NDArray[np.float32], Ints, Ints]:
    """Three features, of which the first tells the class; two rows a patient."""
    random = np.random.default_rng(seed)
    units = np.repeat(np.arange(rows // 2), 2)
    codes = random.integers(0, classes, rows // 2)[units]
    features = random.normal(size=(rows, 3)) * [1, 10, 0.01] + [5, 100, 0]
    features[:, 0] += effect * codes
    return features.astype(np.float32), codes, units


def out_of_fold(features: NDArray[np.float32], codes: Ints, units: Ints) -> NDArray[np.float64]:
    """scikit-learn's scores on the same folds."""
    folds = np.zeros(len(codes), np.int64)
    for number, fold in enumerate(grouped_folds(codes, units, count=5, seed=0)):
        folds[fold.test] = number
        assert not set(units[fold.test]) & set(units[fold.train])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, tol=1e-7, max_iter=10_000))
    found = cross_val_predict(
        model, features.astype(np.float64), codes, cv=PredefinedSplit(folds), method="predict_proba"
    )
    return np.asarray(found)


def test_the_auroc_of_two_classes_is_scikit_learns() -> None:
    features, codes, units = planted(0)
    (found,) = alone({"size": features}, target(codes), units)
    assert found.auroc == pytest.approx(roc_auc_score(codes, out_of_fold(features, codes, units)[:, 1]), abs=1e-4)
    assert (found.feature, found.images, found.units, found.telling) == ("size", 240, 120, True)
    assert found.low < found.auroc < found.high
    truth = np.asarray(codes == 1)
    same = auroc_of_size_in_folds(features, codes, truth, units, seed=0)
    assert same == pytest.approx(found.auroc, abs=1e-12)


def test_the_auroc_of_several_classes_is_the_mean_of_each_against_the_rest() -> None:
    features, codes, units = planted(1, classes=3)
    (found,) = alone({"size": features}, target(codes, 3), units)
    scores = out_of_fold(features, codes, units)
    assert found.auroc == pytest.approx(roc_auc_score(codes, scores, multi_class="ovr", average="macro"), abs=1e-4)


def test_the_error_of_independent_rows_is_delongs() -> None:
    random = np.random.default_rng(2)
    truth = random.random(300) < 0.3
    scores = np.round(random.normal(size=300) + truth, 1)  # with ties
    auroc, error = auroc_by_unit(truth, scores, np.arange(300))
    expected, covariance = delong(truth, scores)
    assert auroc == pytest.approx(expected[0])
    assert error == pytest.approx(float(np.sqrt(covariance[0, 0])), rel=0.01)


@pytest.mark.parametrize("columns", [1, 3])
def test_the_error_of_patients_is_that_of_resampling_them(columns: int) -> None:
    random = np.random.default_rng(3)
    units = np.repeat(np.arange(90), random.integers(1, 5, 90))
    person = random.normal(size=(90, columns))[units]
    codes = random.integers(0, max(2, columns), 90)[units]
    truth = codes[:, None] == (np.arange(columns) if columns > 1 else np.array([1]))
    scores = person + 0.3 * random.normal(size=person.shape) + truth
    _, error = auroc_by_unit(truth, scores, units)
    statistics = {str(k): Ranking(truth[:, k], scores[:, k], units, ("auroc",)) for k in range(columns)}
    drawn = bootstrap(statistics, 90, draws=2000, seed=0)
    resampled = np.mean([drawn[str(k)]["auroc"] for k in range(columns)], axis=0).std()
    assert error == pytest.approx(resampled, rel=0.1)
    assert error > 1.3 * auroc_by_unit(truth, scores, np.arange(len(units)))[1]


def test_holm_is_the_step_down_of_the_paper() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []
    random = np.random.default_rng(0)
    for _ in range(20):
        p = random.random(6) ** 3
        order = np.argsort(p)
        rejected = np.zeros(6, bool)  # the procedure as it is told: reject from the smallest on, stop at the first not
        for rank, place in enumerate(order):
            if p[place] >= 0.05 / (6 - rank):
                break
            rejected[place] = True
        assert (np.array(holm(p.tolist())) < 0.05).tolist() == rejected.tolist()


def test_rows_that_are_not_known_are_left_out() -> None:
    features, codes, units = planted(4)
    unknown = features.copy()
    unknown[:60] = np.nan
    without = codes.copy()
    without[200:] = -1
    found = {each.feature: each for each in alone({"a": unknown, "b": features}, target(without), units)}
    assert (found["a"].images, found["b"].images) == (140, 200)
    (same,) = alone({"a": features[60:200]}, target(codes[60:200]), units[60:200])
    assert found["a"].auroc == same.auroc


def test_where_nothing_can_be_told_nothing_is_said() -> None:
    features, codes, units = planted(5)
    assert alone({"a": np.full_like(features, np.nan)}, target(codes), units) == []
    assert alone({"a": features}, target(np.zeros_like(codes)), units) == []
    one_patient_is_sick = (units == 3).astype(np.int64)
    assert alone({"a": features}, target(one_patient_is_sick), units) == []
    assert alone({}, target(codes), units) == []


def test_a_perfect_shortcut_of_a_few_patients_may_be_chance() -> None:
    for patients, telling in ((4, False), (16, True)):
        codes = np.arange(patients) % 2
        (found,) = alone({"a": codes[:, None].astype(np.float32)}, target(codes), np.arange(patients))
        assert found.auroc == 1.0
        assert found.telling == telling
    codes = np.repeat([0, 1], [20, 20])  # forty images, of four patients
    (found,) = alone({"a": codes[:, None].astype(np.float32)}, target(codes), np.repeat(np.arange(4), 10))
    assert not found.telling


def test_a_weak_feature_is_no_shortcut_however_sure() -> None:
    features, codes, units = planted(6, rows=6000, effect=0.2)
    (found,) = alone({"a": features}, target(codes), units)
    assert found.adjusted < 0.001
    assert 0.5 < found.auroc < shortcuts.SHORTCUT
    assert not found.telling


def empty_table(
    random: np.random.Generator, patients: int, images: int
) -> tuple[dict[str, NDArray[np.float32]], Ints, Ints]:
    """Four groups of features and a label of patients, each drawn without a look at the other."""
    units = np.repeat(np.arange(patients), images)
    codes = (random.random(patients) < 0.4).astype(np.int64)[units]

    def of_patients(columns: int) -> NDArray[np.float32]:
        own = random.normal(size=(patients, columns))[units]
        return (own + 0.3 * random.normal(size=own.shape)).astype(np.float32)

    site = random.integers(0, 3, patients)[units]
    features = {
        "size": of_patients(3), "brightness": of_patients(4),
        "site": (site[:, None] == np.arange(3)).astype(np.float32),
        "view": (random.random(patients) < 0.5)[units][:, None].astype(np.float32),
    }  # fmt: skip
    return features, codes, units


def alarms(tables: int, patients: int, images: int) -> int:
    """How many tables without a shortcut have a finding."""
    random = np.random.default_rng(patients)
    found = 0
    for number in range(tables):
        features, codes, units = empty_table(random, patients, images)
        found += any(each.telling for each in alone(features, target(codes), units, seed=number))
    return found


def test_tables_without_a_shortcut_seldom_have_a_finding() -> None:
    tables = 20
    assert alarms(tables, 40, 1) <= binom.ppf(0.999, tables, shortcuts.DOUBT)


@pytest.mark.slow
@pytest.mark.parametrize(("patients", "images"), [(30, 1), (60, 3), (150, 1)])
def test_the_rate_of_false_alarms_is_at_most_the_one_that_is_stated(patients: int, images: int) -> None:
    tables = 150
    assert alarms(tables, patients, images) <= binom.ppf(0.99, tables, shortcuts.DOUBT)


def test_a_planted_shortcut_is_found_among_features_that_say_nothing() -> None:
    random = np.random.default_rng(8)
    for _ in range(4):
        features, codes, units = empty_table(random, 80, 2)
        features["site"] = np.eye(3, dtype=np.float32)[np.where(random.random(len(codes)) < 0.85, codes, 2)]
        found = {each.feature: each.telling for each in alone(features, target(codes), units)}
        assert found.pop("site")
        assert not any(found.values())


def test_permutations_keep_patients_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """With features of patients and labels of patients, only as many deals as patients allow are told apart."""
    monkeypatch.setattr(shortcuts, "_BEYOND_DOUBT", 0.0)
    codes = np.repeat([0, 0, 0, 0, 1, 1, 1, 1], 10)
    (found,) = alone({"a": codes[:, None].astype(np.float32)}, target(codes), np.repeat(np.arange(8), 10))
    assert 0.02 < found.p < 0.06  # two deals in 70 tell them apart: the same one, and the one the other way round


def test_sizes_are_features_where_they_are_known_and_differ() -> None:
    table = pa.table({"width": [100, 200, 400], "height": [100, 100, 100]})
    expected = np.log([[100, 100, 1], [200, 100, 2], [400, 100, 4]])
    assert size_features(table) == pytest.approx(expected, abs=1e-5)
    for broken in ({"width": [100, 0, 3], "height": [1, 1, 1]}, {"width": [100, None, 3], "height": [1, 1, 1]}):
        assert size_features(pa.table(broken)) is None
    assert size_features(pa.table({"width": [100, 100], "height": [90, 90]})) is None
    assert size_features(pa.table({"image": ["a"]})) is None
