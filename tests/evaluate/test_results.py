"""Rows of results: scikit-learn's values, the macro over classes, and numbers that read back as they were."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from references.delong import delong_by_pairs
from references.ece import expected_calibration_error
from references.sensitivity import sensitivity_at_95_specificity
from remedis.evaluate.intervals import bootstrap
from remedis.evaluate.metrics import METRICS, Ranking
from remedis.evaluate.results import COLUMNS, MACRO, About, Figure, csv_text, figures, rows

ABOUT = About("enc", "logistic", "m.parquet", "x", seed=3, patients=17)


def two_classes(count: int = 150, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.random(count) < 0.35
    return truth, np.round(1 / (1 + np.exp(-random.normal(truth * 1.2 - 0.5, 1.0))), 2)


def several(count: int = 200, classes: int = 4, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    codes = random.integers(0, classes, count)
    scores = random.dirichlet(np.ones(classes), count) + 0.5 * np.eye(classes)[codes]
    return codes, codes[:, None] == np.arange(classes), scores / scores.sum(axis=1, keepdims=True)


def expected(truth: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    return {
        "auroc": roc_auc_score(truth, scores),
        "average_precision": average_precision_score(truth, scores),
        "sensitivity_at_95_specificity": sensitivity_at_95_specificity(truth, scores),
        "brier": brier_score_loss(truth, scores),
        "ece": expected_calibration_error(truth, scores),
    }


def values(found: list[Figure], name: str = "") -> dict[str, float]:
    return {figure.metric: figure.interval.value for figure in found if figure.name == name}


def test_every_metric_of_two_classes_is_scikit_learns() -> None:
    truth, scores = two_classes()
    found = figures(truth, scores, np.arange(150), draws=50)
    assert [figure.metric for figure in found] == list(METRICS)
    assert values(found) == pytest.approx(expected(truth, scores), rel=1e-12)
    for figure in found:
        assert figure.interval.low <= figure.interval.value <= figure.interval.high
        assert (figure.rows, figure.units) == (150, 150)


def test_each_of_several_classes_stands_against_the_rest_and_macro_is_their_mean() -> None:
    codes, truth, scores = several()
    found = figures(truth, scores, np.arange(200), classes=list("abcd"), draws=50)
    each = [expected(truth[:, column], scores[:, column]) for column in range(4)]
    for column, name in enumerate("abcd"):
        assert values(found, name) == pytest.approx(each[column], rel=1e-12)
    macro = values(found, MACRO)
    for metric in set(METRICS) - {"brier"}:
        assert macro[metric] == pytest.approx(np.mean([of_class[metric] for of_class in each]), rel=1e-12)
    assert macro["auroc"] == pytest.approx(roc_auc_score(codes, scores, multi_class="ovr", average="macro"), rel=1e-12)
    whole = brier_score_loss(codes, scores, labels=np.arange(4), scale_by_half=False)
    assert macro["brier"] == pytest.approx(whole, rel=1e-12)
    assert len(found) == 5 * 5


def test_a_class_without_tested_rows_has_no_figure_and_no_part_in_the_mean() -> None:
    codes, truth, scores = several()
    kept = codes != 2
    found = figures(truth[kept], scores[kept], np.arange(kept.sum()), classes=list("abcd"), draws=50)
    assert np.isnan(values(found, "c")["auroc"])
    each = [roc_auc_score(truth[kept, column], scores[kept, column]) for column in (0, 1, 3)]
    assert values(found, MACRO)["auroc"] == pytest.approx(np.mean(each), rel=1e-12)
    whole = np.square(scores[kept] - truth[kept]).sum(axis=1).mean()
    assert values(found, MACRO)["brier"] == pytest.approx(whole, rel=1e-12)


def test_the_macro_s_interval_is_of_the_mean_in_each_draw() -> None:
    """Drawn means are narrower than the mean of the limits: classes are drawn together."""
    _, truth, scores = several()
    units = np.arange(200) // 2
    found = {
        (f.name, f.metric): f.interval for f in figures(truth, scores, units, classes=list("abcd"), draws=300, seed=7)
    }
    drawn = bootstrap(
        {name: Ranking(truth[:, i], scores[:, i], units) for i, name in enumerate("abcd")}, 100, draws=300, seed=7
    )
    means = np.mean([drawn[name]["auroc"] for name in "abcd"], axis=0)
    macro = found[MACRO, "auroc"]
    assert (macro.low, macro.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), rel=1e-12)


def test_delong_stands_beside_where_every_unit_has_one_row() -> None:
    truth, scores = two_classes()
    alone = {figure.metric: figure.delong for figure in figures(truth, scores, np.arange(150), draws=20)}
    area, covariance = delong_by_pairs(scores[None, truth], scores[None, ~truth])
    half = 1.959963984540054 * np.sqrt(covariance[0, 0])
    assert alone["auroc"] == pytest.approx((area[0] - half, area[0] + half), rel=1e-9)
    assert all(alone[metric] is None for metric in METRICS if metric != "auroc")
    assert all(figure.delong is None for figure in figures(truth, scores, np.arange(150) // 2, draws=20))


@pytest.mark.parametrize("positives", [1, 149])
def test_delong_needs_two_rows_of_each_class(positives: int) -> None:
    _, scores = two_classes()
    assert figures(np.arange(150) < positives, scores, np.arange(150), draws=20)[0].delong is None


def test_rows_carry_what_the_table_s_columns_say() -> None:
    truth, scores = two_classes()
    found = rows(figures(truth, scores, np.arange(150) // 2, draws=20), ABOUT)
    assert all(tuple(row) == COLUMNS for row in found)
    first = found[0]
    shown = {name: first[name] for name in ("encoder", "method", "label_fraction", "seed", "dataset", "label", "class")}
    assert shown == {
        "encoder": "enc", "method": "logistic", "label_fraction": 1.0, "seed": 3, "dataset": "m.parquet", "label": "x",
        "class": "",
    }  # fmt: skip
    assert (first["n"], first["n_patients"], first["low_delong"]) == (150, 17, None)
    without = rows(figures(truth, scores, np.arange(150) // 2, draws=20), About("e", "knn", "m", "x"))
    assert without[0]["n_patients"] == 75


def test_numbers_read_back_as_the_same_floats_and_nothing_is_an_empty_cell() -> None:
    truth, scores = two_classes()
    found = rows(figures(truth, scores, np.arange(150), draws=20), ABOUT)
    found[1] |= {"value": None, "low": 1 / 3, "high": 1e-300}
    read = list(csv.DictReader(io.StringIO(csv_text(found))))
    assert list(read[0]) == list(COLUMNS)
    for row, text in zip(found, read, strict=True):
        for name in ("value", "low", "high", "low_delong", "high_delong"):
            assert (float(text[name]) if text[name] else None) == row[name]


def test_the_same_seed_gives_the_same_limits() -> None:
    truth, scores = two_classes()
    one, same, other = (figures(truth, scores, np.arange(150), draws=60, seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one[0].interval != other[0].interval
