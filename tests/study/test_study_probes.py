"""One cell computed again with scikit-learn: its standardisation, its choice of C on validation alone, its scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import StandardScaler

import planted_studies as planting
from remedis.data import manifest
from remedis.data.manifest import Manifest
from remedis.errors import LabelError
from remedis.study import probes
from remedis.study.features import Known
from remedis.study.fits import cells_of
from remedis.study.question import SCENARIOS, EncoderAsked, Question, data_sets

WIDTH = 8
STRENGTHS = (1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0)


def question_of(here: Manifest, there: Manifest, **changes: Any) -> Question:
    labels = changes.pop("labels", ("sick",))
    made = data_sets([("here", here)], [("there", there)], labels, positive=None, exclude=(), repeats=1, seed=3)
    given = {
        "encoders": (EncoderAsked("e", "e.npz", "0" * 64, "elsewhere", trained=True),), "baseline": "e",
        "methods": ("probe",), "label_fractions": (0.3, 1.0), "target_fractions": (0.5, 1.0), "draws": 2,
        "scenarios": SCENARIOS, "repeats": 1, "seed": 3,
    }  # fmt: skip
    return Question(made, **{**given, **changes})


def two_sites(folder: Path, labels: int = 2) -> tuple[Manifest, Manifest, npt.NDArray[Any], npt.NDArray[Any]]:
    """Return two manifests with a label of so many classes that is unknown in every ninth row, and their vectors."""
    found = []
    for name, count in (("here", 120), ("there", 90)):
        random = np.random.default_rng(count)
        codes = random.permutation(count) % labels
        words = [None if row % 9 == 4 else f"c{code}" for row, code in enumerate(codes)]
        table = pa.table({
            "image": [f"{name}{row}.png" for row in range(count)],
            "patient_id": [f"{name}{row // 2}" for row in range(count)],
            "sick": words,
        })  # fmt: skip
        manifest.write(table, folder / f"{name}.parquet", {"root": ".", "data_set": name})
        vectors = random.normal(size=(count, WIDTH)) * np.geomspace(0.1, 50, WIDTH) + 5
        vectors[:, 0] += 0.1 * codes
        found += [manifest.read(folder / f"{name}.parquet"), vectors.astype(np.float32)]
    return found[0], found[2], found[1], found[3]


def known_of(vectors: npt.NDArray[Any], kept: npt.NDArray[np.int64] | None = None) -> Known:
    rows = np.arange(len(vectors)) if kept is None else kept
    return Known(rows, vectors[rows], [])


def fitted(strength: float) -> LogisticRegression:
    return LogisticRegression(C=strength, solver="newton-cholesky", tol=1e-9, max_iter=1000)


def loss_of(model: LogisticRegression, rows: npt.NDArray[Any], codes: npt.NDArray[np.int64]) -> float:
    return float(-np.log(model.predict_proba(rows)[np.arange(len(codes)), codes]).sum())


@pytest.mark.parametrize(("classes", "at_once"), [(2, 21), (2, 1), (3, 21), (3, 2)])
def test_a_cell_is_what_scikit_learn_computes(
    tmp_path: Path, classes: int, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probes, "STRENGTHS", STRENGTHS)
    monkeypatch.setattr(probes, "_FIRST", at_once)  # the search ends early, and finds the same
    monkeypatch.setattr(probes, "_FURTHER", at_once)
    here, there, own, other = two_sites(tmp_path, classes)
    question = question_of(here, there)
    cell = cells_of(question)[0]
    found = probes.scores(question, cell, {"here": known_of(own), "there": known_of(other)}, "cpu")
    learnt, elsewhere = question.data_sets
    codes, parts = learnt.targets[0].codes, learnt.parts[0]
    scale = StandardScaler().fit(own[parts.train].astype(np.float64))
    x, x_there = scale.transform(own.astype(np.float64)), scale.transform(other.astype(np.float64))
    for fit in cell.fits:
        rows = probes.training_rows(question, fit)
        models = [fitted(strength).fit(x[rows], codes[rows]) for strength in STRENGTHS]
        best = min(models, key=lambda model: loss_of(model, x[parts.validation], codes[parts.validation]))
        mine = [each for each in found if (each.fraction, each.draw) == (fit.fraction, fit.draw)]
        assert [(each.dataset, each.part) for each in mine] == [
            ("here", "validation"), ("here", "test"), ("there", "test"),
        ]  # fmt: skip
        for each, features, tested in (
            (mine[0], x, parts.validation), (mine[1], x, parts.test), (mine[2], x_there, elsewhere.parts[0].test),
        ):  # fmt: skip
            assert each.rows.tolist() == tested.tolist()
            expected = best.predict_proba(features[tested])
            np.testing.assert_allclose(each.scores, expected[:, 1] if classes == 2 else expected, atol=2e-5)


def test_tested_rows_have_no_say_in_anything(tmp_path: Path) -> None:
    """Neither their labels nor their vectors change what other rows are scored."""
    here, there, own, other = two_sites(tmp_path)
    question = question_of(here, there)
    learnt = question.data_sets[0]
    test = learnt.parts[0].test
    changed = own.copy()
    changed[test] *= -3
    one, two = (
        probes.scores(question, cells_of(question)[0], {"here": known_of(each), "there": known_of(other)}, "cpu")
        for each in (own, changed)
    )
    for first, second in zip(one, two, strict=True):
        same = np.array_equal(first.scores, second.scores)
        assert same == ((first.dataset, first.part) != ("here", "test"))
    learnt.targets[0].codes[test] = 1 - learnt.targets[0].codes[test]
    three = probes.scores(question, cells_of(question)[0], {"here": known_of(own), "there": known_of(other)}, "cpu")
    for first, second in zip(one, three, strict=True):
        np.testing.assert_array_equal(first.scores, second.scores)


def test_validation_decides_the_strength(tmp_path: Path) -> None:
    """Where the signal points the other way in validation, the strongest penalty has the smallest loss."""
    here, there, own, other = two_sites(tmp_path)
    question = question_of(here, there)
    learnt = question.data_sets[0]
    codes, validation = learnt.targets[0].codes, learnt.parts[0].validation
    clear = own.copy()
    clear[:, 0] = codes * 3
    turned = clear.copy()
    turned[validation, 0] = 3 - turned[validation, 0]
    spread = []
    for vectors in (clear, turned):
        known = {"here": known_of(vectors), "there": known_of(other)}
        found = probes.scores(question, cells_of(question)[0], known, "cpu")
        spread.append(next(each for each in found if each.part == "test" and each.fraction == 1).scores.std())
    assert spread[0] > 0.45
    assert spread[1] < 0.001


def test_the_whole_training_part_standardises_a_small_draw(tmp_path: Path) -> None:
    """Another value in a training row that the draw left out changes the scores; a validation row's does not."""
    here, there, own, other = two_sites(tmp_path)
    question = question_of(here, there)
    fit = cells_of(question)[0].fits[0]
    parts = question.data_sets[0].parts[0]
    left_out = np.setdiff1d(parts.train, probes.training_rows(question, fit))[0]
    found = []
    for row in (None, left_out, parts.test[0]):
        vectors = own.copy()
        if row is not None:
            vectors[row] += 500
        known = {"here": known_of(vectors), "there": known_of(other)}
        found.append(probes.scores(question, cells_of(question)[0], known, "cpu")[0].scores)
    assert not np.array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_images_without_a_vector_are_left_out(tmp_path: Path) -> None:
    here, there, own, other = two_sites(tmp_path)
    question = question_of(here, there)
    parts = question.data_sets[0].parts[0]
    kept = np.setdiff1d(np.arange(len(own)), [parts.test[0], parts.validation[1], parts.train[2]])
    known = {"here": known_of(own, kept), "there": known_of(other)}
    validation, test, _ = probes.scores(question, cells_of(question)[0], known, "cpu")[:3]
    assert test.rows.tolist() == parts.test[1:].tolist()
    assert validation.rows.tolist() == np.delete(parts.validation, 1).tolist()


def test_a_class_whose_images_have_no_vector_is_said(tmp_path: Path) -> None:
    here, there, own, other = two_sites(tmp_path)
    question = question_of(here, there)
    codes = question.data_sets[0].targets[0].codes
    fit = cells_of(question)[0].fits[0]
    drawn = probes.training_rows(question, fit)
    kept = np.setdiff1d(np.arange(len(own)), drawn[codes[drawn] == 1])
    known = {"here": known_of(own, kept), "there": known_of(other)}
    with pytest.raises(LabelError, match=r"here: label 'sick': of class c1 draw 0 at 0.3 has only images that e could"):
        probes.scores(question, cells_of(question)[0], known, "cpu")


def test_draws_are_the_same_for_every_encoder_and_method(tmp_path: Path) -> None:
    here, there, _, _ = two_sites(tmp_path)
    encoders = tuple(EncoderAsked(name, "", "0" * 64, name, trained=False) for name in ("a", "b"))
    question = question_of(here, there, encoders=encoders, methods=("probe", "finetune"), baseline="a")
    drawn: dict[tuple[Any, ...], set[tuple[int, ...]]] = {}
    for cell in cells_of(question):
        for fit in cell.fits:
            rows = tuple(probes.training_rows(question, fit).tolist())
            drawn.setdefault((fit.train, fit.fraction, fit.draw), set()).add(rows)
    assert all(len(rows) == 1 for rows in drawn.values())
    assert len(drawn) == 6
    assert drawn["here", 0.3, 0] != drawn["here", 0.3, 1]
    for (name, _, _), (rows,) in drawn.items():
        assert set(rows) <= set(question.data_set(name).parts[0].train.tolist())


def test_planted_vectors_are_what_they_say(tmp_path: Path) -> None:
    """The helper of these tests: a signal of two standard deviations has the AUROC Φ(2 / √2) = 0.921."""
    site = planting.site(tmp_path, "s", 4000, seed=0)
    x = planting.planted(site, 2.0, width=3, seed=0)
    assert roc_auc_score(site.sick, x[:, 0]) == pytest.approx(norm.cdf(2 / np.sqrt(2)), abs=0.015)
    assert abs(roc_auc_score(site.sick, x[:, 1]) - 0.5) < 0.03
