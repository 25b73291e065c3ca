"""Curves as tables: every threshold of scikit-learn's ROC and precision-recall curves, and its calibration curve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve, roc_auc_score, roc_curve

from remedis.evaluate.bands import fewer, roc
from remedis.evaluate.curve_tables import reliability_table, roc_table
from remedis.evaluate.label_tables import Frozen
from remedis.evaluate.predictions import Predictions, choose_rows, open_predictions
from remedis.evaluate.temperature import scaled
from remedis.evaluate.tested_rows import Rows, rows_of
from synthetic_predictions import predictions

DRAWS = {"draws": 60, "seed": 0}


@pytest.fixture
def opened(tmp_path: Path) -> Predictions:
    """Predictions of three labels, opened."""
    pq.write_table(predictions(), tmp_path / "p.parquet")
    return open_predictions(tmp_path / "p.parquet")


def of_label(opened: Predictions, label: str) -> Rows:
    of = next(each for each in opened.targets if each.label == label)
    return rows_of(opened, of, choose_rows(opened, of).test)


def test_every_threshold_of_the_roc_curve_is_there(opened: Predictions) -> None:
    rows = of_label(opened, "effusion")
    table = roc_table(rows, **DRAWS)
    false, true, thresholds = roc_curve(rows.truth, rows.scores, drop_intermediate=False)
    assert table[0]["threshold"] is None
    assert [row["threshold"] for row in table[1:]] == thresholds[1:].tolist()
    np.testing.assert_allclose([row["false_positive_rate"] for row in table], false, atol=1e-12)
    np.testing.assert_allclose([row["sensitivity"] for row in table], true, atol=1e-12)


def test_precision_is_that_of_the_same_rows(opened: Predictions) -> None:
    rows = of_label(opened, "effusion")
    table = roc_table(rows, **DRAWS)
    precision, recall, thresholds = precision_recall_curve(rows.truth, rows.scores)
    assert table[0]["precision"] is None
    falling = table[1:][::-1]  # scikit-learn's thresholds rise
    assert [row["threshold"] for row in falling] == thresholds.tolist()
    np.testing.assert_allclose([row["precision"] for row in falling], precision[:-1], atol=1e-12)
    np.testing.assert_allclose([row["sensitivity"] for row in falling], recall[:-1], atol=1e-12)


def test_the_band_holds_the_curve_and_has_a_width(opened: Predictions) -> None:
    table = roc_table(of_label(opened, "effusion"), **DRAWS)
    inner = [row for row in table if 0.05 < row["false_positive_rate"] < 0.9]
    assert len(inner) > 20
    inside = [row["low"] - 0.05 <= row["sensitivity"] <= row["high"] + 0.05 for row in inner]
    assert np.mean(inside) > 0.95
    assert np.mean([row["high"] - row["low"] for row in inner]) > 0.02


def test_each_of_several_classes_has_its_curve(opened: Predictions) -> None:
    rows = of_label(opened, "kind")
    table = roc_table(rows, **DRAWS)
    for name, truth, scores in rows.columns:
        own = [row for row in table if row["class"] == name]
        area = np.trapezoid([row["sensitivity"] for row in own], [row["false_positive_rate"] for row in own])
        assert area == pytest.approx(roc_auc_score(truth, scores), abs=1e-9)


def test_of_very_many_thresholds_the_curve_keeps_its_ends_and_its_area() -> None:
    random = np.random.default_rng(0)
    truth = random.random(20_000) < 0.3
    scores = random.normal(size=20_000) + truth
    whole = roc(truth, scores, np.arange(20_000), draws=0)
    few = fewer(whole)
    assert len(few.x) == 500
    assert (few.x[0], few.y[0], few.x[-1], few.y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(few.y, few.x) == pytest.approx(roc_auc_score(truth, scores), abs=2e-3)


def test_observed_shares_are_scikit_learns(opened: Predictions) -> None:
    rows = of_label(opened, "effusion")
    table = reliability_table(rows, Frozen(temperature=2.0), **DRAWS)
    for kind, scores in (("raw", rows.scores), ("scaled", scaled(rows.scores, 2.0))):
        own = [row for row in table if row["scores"] == kind]
        share, mean = calibration_curve(rows.truth, scores, n_bins=15, strategy="uniform")
        np.testing.assert_allclose([row["share"] for row in own], share)
        np.testing.assert_allclose([row["mean"] for row in own], mean)
        assert sum(row["count"] for row in own) == len(rows.truth)
        assert all(row["from"] <= row["mean"] <= row["to"] for row in own)


def test_without_a_temperature_there_are_no_scaled_shares(opened: Predictions) -> None:
    table = reliability_table(of_label(opened, "effusion"), Frozen(), **DRAWS)
    assert {row["scores"] for row in table} == {"raw"}
