"""Here against elsewhere: frozen choices, independent draws, differences of the same metrics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import expit
from sklearn.metrics import average_precision_score, brier_score_loss, recall_score, roc_auc_score

from references.bootstrap import statistic_of_draws
from references.ece import expected_calibration_error
from remedis.evaluate.intervals import counts_of_draws
from remedis.evaluate.label_tables import freeze
from remedis.evaluate.operating import Rule
from remedis.evaluate.predictions import Predictions
from remedis.evaluate.shift import second_seed, shift_table
from remedis.evaluate.targets import Target
from remedis.evaluate.temperature import scaled
from remedis.evaluate.tested_rows import Rows, rows_of


def rows(seed: int, count: int = 120, *, strength: float = 2.0, classes: tuple[str, ...] = ("0", "1")) -> Rows:
    """Return rows of patients with two images each."""
    random = np.random.default_rng(seed)
    codes = np.repeat(random.integers(0, len(classes), count // 2), 2)
    table = {"image": [f"{row}.png" for row in range(count)], "patient_id": [f"p{row // 2}" for row in range(count)]}
    target = Target("ill", classes, codes, {})
    if len(classes) == 2:
        scores = expit(3 * (strength * codes + random.normal(size=count) - 1))[:, None]
    else:
        scores = np.exp(strength * np.eye(len(classes))[codes] + random.normal(size=(count, len(classes))))
        scores /= scores.sum(axis=1, keepdims=True)
    columns = dict(zip(target.score_columns, scores.T, strict=True))
    found = Predictions(pa.table(table | columns), Path("p.parquet"), {}, (target,))
    return rows_of(found, target, np.arange(count))


def test_every_metric_is_that_of_other_programs_at_the_threshold_chosen_here() -> None:
    validation, here, there = rows(0), rows(1), rows(2, 90, strength=1.0)
    frozen = freeze(validation, here, (Rule("sensitivity", 0.9),))
    table = shift_table(here, there, frozen, draws=20, seed=0)
    threshold, temperature = frozen.points[0].threshold, frozen.temperature
    assert temperature is not None
    checked = set()
    for row in table:
        for place, part in (("in", here), ("out", there)):
            truth, scores = part.truth, part.scores
            sharp = scaled(scores, temperature) if row.get("scores") == "scaled" else scores
            expected = {
                "auroc": lambda t=truth, s=scores: roc_auc_score(t, s),
                "average_precision": lambda t=truth, s=scores: average_precision_score(t, s),
                "sensitivity": lambda t=truth, s=scores: recall_score(t, s >= threshold),
                "specificity": lambda t=truth, s=scores: recall_score(~t, s < threshold),
                "brier": lambda t=truth, s=sharp: brier_score_loss(t, s),
                "ece": lambda t=truth, s=sharp: expected_calibration_error(t.tolist(), s.tolist()),
            }.get(row["metric"])
            if expected is not None:
                assert row[place] == pytest.approx(expected()), row
                checked.add((row["metric"], row.get("scores")))
        assert row["difference"] == pytest.approx(row["out"] - row["in"])
        assert (row["n_in"], row["n_patients_in"], row["n_out"], row["n_patients_out"]) == (120, 60, 90, 45)
    assert len(checked) == 8
    assert [row["low"] for row in table if row["metric"] == "ece"] == [None, None]


def test_the_limits_are_those_of_two_independent_bootstraps() -> None:
    here, there = rows(1, 60), rows(2, 60)
    found = shift_table(here, there, freeze(None, here, ()), draws=30, seed=3)
    drawn = [
        statistic_of_draws(
            roc_auc_score, part.truth, part.scores, part.units,
            np.concatenate(list(counts_of_draws(30, 30, seed)), axis=1),
        )
        for part, seed in ((here, 3), (there, second_seed(3)))
    ]  # fmt: skip
    expected = np.quantile(drawn[1] - drawn[0], [0.025, 0.975])
    assert (found[0]["low"], found[0]["high"]) == pytest.approx(tuple(expected))


def test_two_sets_of_one_size_do_not_share_their_draws() -> None:
    """The same rows on both sides: with shared draws every difference would be 0 and the interval without width."""
    here = rows(1)
    row = shift_table(here, rows(1), freeze(None, here, ()), draws=200, seed=0)[0]
    assert row["difference"] == 0
    assert row["low"] < -0.02
    assert row["high"] > 0.02


def test_a_class_that_is_missing_elsewhere_makes_no_part_of_either_mean() -> None:
    here = rows(1, 150, classes=("a", "b", "c"))
    whole = rows(2, 150, classes=("a", "b", "c"))
    kept = np.flatnonzero(whole.target.codes != 2)
    found = Predictions(whole.table, Path("o.parquet"), {}, (whole.target,))
    there = rows_of(found, whole.target, kept)
    table = shift_table(here, there, freeze(None, here, ()), draws=5, seed=0)
    row = next(row for row in table if row["class"] == "macro" and row["metric"] == "auroc")
    for place, part in (("in", here), ("out", there)):
        own = [roc_auc_score(part.truth[:, column], part.scores[:, column]) for column in (0, 1)]
        assert row[place] == pytest.approx(np.mean(own))
    assert not any(row["class"] == "c" and row["metric"] == "auroc" for row in table)
