"""One label probed: what is tested decides nothing, no row is scored by a model that saw its unit, leaks would show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

from remedis.errors import LabelError
from remedis.evaluate import probe as module
from remedis.evaluate.logistic import STRENGTHS, Logistic
from remedis.evaluate.parts import split_words, units_of
from remedis.evaluate.probe import Plan, Probed, Settings, plan, probe
from remedis.evaluate.sources import Source
from remedis.evaluate.targets import target
from synthetic_embeddings import separable

QUICK = Settings(draws=20, folds=3)


def source(features: np.ndarray, cluster: str | None = None, **columns: Any) -> Source:
    table = pa.table({"image": [f"{row}.png" for row in range(len(features))], **columns})
    return Source(table, features.astype(np.float32), units_of(table, cluster), split_words(table), "emb")


def planned(of: Source, other: Source | None = None, settings: Settings = QUICK, **options: Any) -> Plan:
    return plan(target(of.table, "label", **options), of, other, settings)


def probed(of: Source, other: Source | None = None, settings: Settings = QUICK) -> Probed:
    return probe(planned(of, other, settings), settings)


def auroc(found: Probed, method: str = "logistic") -> float:
    return next(figure.interval.value for figure in found.figures[method] if figure.metric == "auroc")


def split_source(*, validation: bool = True, classes: int = 2, seed: int = 0) -> Source:
    random = np.random.default_rng(seed)
    codes = random.integers(0, classes, 240)
    words = np.repeat(["train", "val" if validation else "train", "test"], [120, 60, 60])
    return source(separable(codes, seed=seed), label=codes.tolist(), split=words.tolist())


def test_tested_labels_decide_nothing_of_the_model() -> None:
    """Whatever the tested rows say, the same model comes out to the last bit; only its figures change."""
    one = split_source()
    labels = one.table["label"].to_pylist()
    turned = replace(
        one, table=one.table.set_column(1, "label", [labels[:180] + [1 - label for label in labels[180:]]])
    )
    here, there = probed(one), probed(turned)
    assert here.model.strength == there.model.strength
    np.testing.assert_array_equal(here.model.coefficients, there.model.coefficients)
    np.testing.assert_array_equal(here.scores["logistic"], there.scores["logistic"])
    np.testing.assert_array_equal(here.scores["knn"], there.scores["knn"])
    assert auroc(there) == pytest.approx(1 - auroc(here))


def test_tested_features_decide_nothing_of_the_model() -> None:
    one = split_source()
    features = one.features.copy()
    features[180:] = 1000
    here, there = probed(one), probed(replace(one, features=features))
    assert here.losses == there.losses
    np.testing.assert_array_equal(here.model.mean, there.model.mean)
    np.testing.assert_array_equal(here.model.coefficients, there.model.coefficients)


def test_the_validation_part_chooses_and_is_not_fitted_on() -> None:
    one = split_source()
    labels = one.table["label"].to_pylist()
    noise = np.random.default_rng(0).integers(0, 2, 60).tolist()
    other = replace(one, table=one.table.set_column(1, "label", [labels[:120] + noise + labels[180:]]))
    here, there = probed(one), probed(other)
    assert (here.chosen_on, there.chosen_on) == ("validation", "validation")
    assert there.model.strength < here.model.strength  # labels of noise ask for a stronger penalty
    scaler = StandardScaler().fit(one.features[:120].astype(np.float64))
    np.testing.assert_allclose(here.model.mean, scaler.mean_)


def test_the_scores_are_those_of_scikit_learns_regression_with_the_chosen_strength() -> None:
    one = split_source()
    found = probed(one)
    scaler = StandardScaler().fit(one.features[:120].astype(np.float64))
    rows = scaler.transform(one.features.astype(np.float64))
    codes = np.array(one.table["label"].to_pylist())
    model = LogisticRegression(C=found.model.strength, solver="newton-cg", tol=1e-12, max_iter=5000)
    model.fit(rows[:120], codes[:120])
    np.testing.assert_allclose(found.scores["logistic"], model.predict_proba(rows[180:])[:, 1], atol=1e-4)
    assert auroc(found) == pytest.approx(roc_auc_score(codes[180:], found.scores["logistic"]), abs=1e-12)


def test_without_a_validation_part_folds_of_the_training_part_choose() -> None:
    found = probed(split_source(validation=False))
    assert found.chosen_on == "3 folds of the training part"
    assert found.model.strength in STRENGTHS
    assert found.cautions == []


def test_a_validation_part_of_one_class_cannot_choose_and_it_is_said() -> None:
    one = split_source()
    labels = one.table["label"].to_pylist()
    constant = replace(one, table=one.table.set_column(1, "label", [labels[:120] + [1] * 60 + labels[180:]]))
    found = probed(constant)
    assert found.chosen_on == "3 folds of the training part"
    assert any("the validation part has one class" in text for text in found.cautions)


def test_too_few_units_to_choose_leave_a_fixed_strength_and_say_so() -> None:
    features = separable(np.array([0, 0, 1, 1, 0, 1, 0, 1]))
    words = ["train"] * 4 + ["test"] * 4
    one = source(features, label=[0, 0, 1, 1, 0, 1, 0, 1], split=words, patient_id=list("aabbcdef"))
    found = probed(one)
    assert (found.chosen_on, found.model.strength) == ("", 1e-3)
    assert any("C was not chosen" in text for text in found.cautions)


def fingerprints(*, patients: int = 60, images: int = 4, seed: int = 0) -> dict[str, Any]:
    """Embeddings that tell each patient and nothing else: labels are tossed by patient, all images of one are alike."""
    random = np.random.default_rng(seed)
    unit = np.repeat(np.arange(patients), images)
    features = random.normal(size=(patients, 80))[unit] + 0.05 * random.normal(size=(len(unit), 80))
    label = (random.random(patients) < 0.5).astype(int)[unit]
    return {"features": features, "label": label.tolist(), "patient_id": [f"p{number}" for number in unit]}


@pytest.mark.parametrize("method", ["logistic", "knn"])
def test_folds_that_cut_patients_would_find_labels_that_cannot_be_known(method: str) -> None:
    """The leak that grouping prevents: with patients kept whole the labels are beyond reach, with images not."""
    marks = fingerprints()
    whole = source(**marks)
    cut = source(**{name: value for name, value in marks.items() if name != "patient_id"})
    assert cut.units.name == "images"
    assert 0.3 < auroc(probed(whole), method) < 0.7
    assert auroc(probed(cut), method) > 0.9


def test_a_cluster_is_kept_whole_as_patients_are() -> None:
    marks = fingerprints()
    field = marks.pop("patient_id")
    assert 0.3 < auroc(probed(source(cluster="field", field=field, **marks))) < 0.7


def test_each_row_is_scored_by_a_model_that_saw_none_of_its_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    one = source(**fingerprints(patients=30))
    fitted, scored = [], []
    fit = module.fit

    def noting(features: np.ndarray, codes: np.ndarray, strength: float) -> Logistic:
        model = fit(features, codes, strength)
        fitted.append({row.tobytes() for row in features})
        return model

    def scores(model: Logistic, features: np.ndarray) -> np.ndarray:
        scored.append((fitted[-1], {row.tobytes() for row in features}))
        return original(model, features)

    original = Logistic.scores
    monkeypatch.setattr(module, "fit", noting)
    monkeypatch.setattr(Logistic, "scores", scores)
    probed(one)
    patient_of = {
        row.tobytes(): patient for row, patient in zip(one.features, one.table["patient_id"].to_pylist(), strict=True)
    }
    assert len(scored) == 3
    for known, tested in scored:
        assert not {patient_of[row] for row in known} & {patient_of[row] for row in tested}
    assert set().union(*(tested for _, tested in scored)) == set(patient_of)


def test_pooled_out_of_fold_scores_give_the_figures() -> None:
    codes = np.random.default_rng(0).integers(0, 2, 120)
    one = source(separable(codes, distance=2.0), label=codes.tolist())
    found = probed(one)
    assert found.evaluation == "nested-cv"
    assert not np.isnan(found.scores["logistic"]).any()
    for method in ("logistic", "knn"):
        assert auroc(found, method) == pytest.approx(roc_auc_score(codes, found.scores[method]), abs=1e-12)
        assert auroc(found, method) > 0.7


def test_several_classes_have_scores_that_sum_to_one() -> None:
    found = probed(split_source(classes=3))
    for method in ("logistic", "knn"):
        assert found.scores[method].shape == (60, 3)
        np.testing.assert_allclose(found.scores[method].sum(axis=1), 1, atol=1e-12)
    assert {figure.name for figure in found.figures["logistic"]} == {"0", "1", "2", "macro"}


def test_other_embeddings_are_tested_on_all_their_rows() -> None:
    one, other = split_source(), split_source(seed=5)
    found = probed(one, other)
    assert found.evaluation == "external"
    assert len(found.scores["logistic"]) == 240
    assert found.parts.left_out == {"split is test, and other embeddings are tested": 60}
    np.testing.assert_array_equal(found.model.coefficients, probed(one).model.coefficients)
    np.testing.assert_array_equal(found.scores["logistic"], found.model.scores(other.features))


def test_without_a_split_all_rows_are_learnt_from_when_others_are_tested() -> None:
    one, other = split_source(), split_source(seed=5)
    found = probed(replace(one, split=None), other)
    assert (len(found.parts.train), found.chosen_on) == (240, "3 folds of the training part")
    assert found.parts.left_out == {}


def test_a_class_that_only_other_embeddings_have_is_left_out_and_counted() -> None:
    one, other = split_source(), split_source(classes=3, seed=5)
    found = probed(one, other)
    third = other.table["label"].to_pylist().count(2)
    assert found.tested.left_out == {"class 2 was not learnt": third}
    assert len(found.scores["logistic"]) == 240 - third


def test_few_units_and_a_perfect_figure_are_cautioned_of() -> None:
    codes = np.arange(40) % 2
    one = source(
        separable(codes, distance=50), label=codes.tolist(), field=(np.arange(40) // 4).tolist(), cluster="field"
    )
    found = probed(one)
    assert any("rest on 10 values of field; under 20" in text for text in found.cautions)
    assert any("the AUROC is 1; an interval without width is no certainty" in text for text in found.cautions)


def test_a_split_that_cuts_a_cluster_is_cautioned_of() -> None:
    one = split_source()
    table = one.table.append_column("field", [[f"f{row % 40}" for row in range(240)]])
    cut = replace(one, table=table, units=units_of(table, "field"))
    assert any("40 values of field stand in the training part and in the tested one" in t for t in probed(cut).cautions)


def test_patients_are_counted_beside_clusters() -> None:
    one = split_source()
    table = one.table.append_column("patient_id", [[f"p{row // 2}" for row in range(240)]])
    table = table.append_column("field", [[row // 10 for row in range(240)]])
    clustered = probed(replace(one, table=table, units=units_of(table, "field")))
    assert (clustered.patients, clustered.figures["logistic"][0].units) == (30, 6)
    assert probed(one).patients == 60


def test_every_step_is_told() -> None:
    for of in (split_source(), replace(split_source(), split=None)):
        found, steps = planned(of), []
        probe(found, QUICK, done=lambda steps=steps: steps.append(1))  # type: ignore[misc]
        assert len(steps) == found.steps


def test_the_seed_decides_folds_and_draws() -> None:
    one = replace(split_source(), split=None)
    here, same = probed(one), probed(one)
    other = probed(one, settings=replace(QUICK, seed=1))
    np.testing.assert_array_equal(here.scores["logistic"], same.scores["logistic"])
    assert here.figures == same.figures
    assert (here.scores["logistic"] != other.scores["logistic"]).any()


def test_settings_change_the_result() -> None:
    one = replace(split_source(), split=None)
    assert probed(one, settings=replace(QUICK, methods=("logistic",))).figures.keys() == {"logistic"}
    few = probed(one, settings=replace(QUICK, neighbours=1))
    assert set(np.unique(few.scores["knn"])) == {0.0, 1.0}
    assert len(planned(one, settings=replace(QUICK, folds=4)).folds) == 4


def test_a_class_in_one_patient_is_refused_for_folds() -> None:
    one = source(separable(np.arange(20) // 18), label=[0] * 18 + [1] * 2, patient_id=[*map(str, range(18)), "z", "z"])
    with pytest.raises(LabelError, match="stands in 1 of the patients"):
        planned(one)
