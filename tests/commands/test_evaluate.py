"""`remedis evaluate` on simulated predictions: every table follows from the rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, precision_score, recall_score, roc_auc_score

from evaluations import binary, evaluated, part, rows
from references.ece import expected_calibration_error
from references.thresholds import chosen, net_benefit
from remedis.evaluate.evaluation_folder import COLUMNS
from remedis.evaluate.results import COLUMNS as RESULTS
from remedis.evaluate.temperature import fit_temperature, scaled


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with predictions, those of another model, of another site, and a full evaluation."""
    return evaluated(tmp_path_factory.mktemp("evaluate"))


def test_the_figures_are_those_of_the_test_rows(folder: Path) -> None:
    truth, scores = binary(part(folder, "test"))
    found = rows(folder / "full" / "results.csv", label="effusion", dataset=str(folder / "p.parquet"))
    values = {row["metric"]: float(row["value"]) for row in found}
    assert list(found[0]) == list(RESULTS)
    assert values["auroc"] == pytest.approx(roc_auc_score(truth, scores))
    assert values["average_precision"] == pytest.approx(average_precision_score(truth, scores))
    assert values["brier"] == pytest.approx(brier_score_loss(truth, scores))
    assert values["ece"] == pytest.approx(expected_calibration_error(truth.tolist(), scores.tolist()))
    assert {(row["n"], row["n_patients"]) for row in found} == {
        (str(len(truth)), str(len(set(part(folder, "test")["patient_id"].to_pylist()))))
    }
    for row in found:
        assert float(row["low"]) <= float(row["value"]) <= float(row["high"])


def test_the_macro_rows_are_the_labels_means(folder: Path) -> None:
    table = rows(folder / "full" / "results.csv", dataset=str(folder / "p.parquet"), metric="auroc")
    of = {(row["label"], row["class"]): float(row["value"]) for row in table}
    assert of["macro", "macro"] == pytest.approx(
        np.mean([of["effusion", ""], of["oedema", ""], of["kind", "macro"]])
    )  # fmt: skip
    assert of["kind", "macro"] == pytest.approx(np.mean([of["kind", name] for name in ("none", "mild", "severe")]))


def test_thresholds_are_chosen_on_validation_rows_and_applied_to_test_rows_and_elsewhere(folder: Path) -> None:
    expected = chosen(*(values.tolist() for values in binary(part(folder, "val"))), "sensitivity", 0.9)
    for name, table in (("p.parquet", part(folder, "test")), ("ood.parquet", pq.read_table(folder / "ood.parquet"))):
        truth, scores = binary(table)
        found = rows(
            folder / "full" / "operating_points.csv", label="effusion", rule="sensitivity=0.9",
            dataset=str(folder / name),
        )  # fmt: skip
        assert {float(row["threshold"]) for row in found} == {expected}
        assert {row["chosen_on"] for row in found} == {"validation"}
        values = {row["metric"]: float(row["value"]) for row in found}
        called = scores >= expected
        assert values == pytest.approx(
            {
                "sensitivity": recall_score(truth, called), "specificity": recall_score(~truth, ~called),
                "ppv": precision_score(truth, called), "npv": precision_score(~truth, ~called),
            }
        )  # fmt: skip
        assert int(found[0]["tp"]) + int(found[0]["fp"]) + int(found[0]["fn"]) + int(found[0]["tn"]) == len(truth)


def test_the_shift_is_there_less_here(folder: Path) -> None:
    points = rows(folder / "full" / "operating_points.csv", label="effusion", rule="youden", metric="specificity")
    by_file = {Path(row["dataset"]).name: float(row["value"]) for row in points}
    found = rows(folder / "full" / "shift.csv", label="effusion", rule="youden", metric="specificity")
    assert len(found) == 1
    assert float(found[0]["difference"]) == pytest.approx(by_file["ood.parquet"] - by_file["p.parquet"])
    assert float(found[0]["low"]) <= float(found[0]["difference"]) <= float(found[0]["high"])


def test_predictive_values_follow_by_bayes_rule(folder: Path) -> None:
    point = {
        row["metric"]: float(row["value"])
        for row in rows(folder / "full" / "operating_points.csv", label="effusion", rule="youden")
        if row["dataset"].endswith("p.parquet")
    }
    for row in rows(folder / "full" / "prevalence.csv", label="effusion", rule="youden", metric="ppv"):
        if not row["dataset"].endswith("p.parquet"):
            continue
        prevalence = float(row["prevalence"])
        hits = point["sensitivity"] * prevalence
        expected = hits / (hits + (1 - point["specificity"]) * (1 - prevalence))
        assert float(row["value"]) == pytest.approx(expected)
        assert row["of"] == "these rows" or prevalence in (0.01, 0.05, 0.1, 0.2)


def test_the_temperature_is_that_of_validation_rows_and_scales_the_test_s_probabilities(folder: Path) -> None:
    facts = json.loads((folder / "full" / "evaluation.json").read_text())
    temperature = facts["labels"][0]["temperature"]
    assert temperature == pytest.approx(fit_temperature(*binary(part(folder, "val"))))
    assert temperature > 1.5  # the scores are three times too sure
    truth, scores = binary(part(folder, "test"))
    found = rows(
        folder / "full" / "calibration.csv", label="effusion", scores="scaled", dataset=str(folder / "p.parquet")
    )  # fmt: skip
    values = {row["metric"]: float(row["value"]) for row in found}
    assert values["brier"] == pytest.approx(brier_score_loss(truth, scaled(scores, temperature)))
    raw = rows(folder / "full" / "calibration.csv", label="effusion", scores="raw", dataset=str(folder / "p.parquet"))
    slopes = [float(row["value"]) for row in raw if row["metric"] == "calibration_slope"]
    assert values["calibration_slope"] == pytest.approx(temperature * slopes[0], rel=1e-6)
    curve = rows(folder / "full" / "decision_curve.csv", label="effusion", scores="scaled", threshold="0.3")
    own = next(row for row in curve if row["dataset"].endswith("p.parquet"))
    expected = net_benefit(truth.tolist(), scaled(scores, temperature).tolist(), 0.3)
    assert float(own["net_benefit"]) == pytest.approx(expected)


def test_the_comparison_is_of_the_same_rows_with_p_values_that_grow_by_holm(folder: Path) -> None:
    found = rows(folder / "full" / "comparison.csv", metric="auroc")
    assert [row["label"] for row in found] == ["effusion", "oedema", "kind"]
    truth, scores = binary(part(folder, "test", "other.parquet"))
    assert float(found[0]["other"]) == pytest.approx(roc_auc_score(truth, scores))
    smallest = min(float(row["p_permutation"]) for row in found)
    adjusted = {float(row["p_permutation"]): float(row["p_permutation_holm"]) for row in found}
    assert adjusted[smallest] == pytest.approx(min(3 * smallest, 1))
    assert {row["p_delong"] for row in found} == {""}  # patients have several images


def test_subgroups_are_those_of_the_table(folder: Path) -> None:
    test = part(folder, "test")
    women = test.filter(pc.equal(test["sex"], "F"))
    found = rows(folder / "full" / "subgroups.csv", label="effusion", column="sex", group="F", metric="auroc")
    assert float(found[0]["value"]) == pytest.approx(roc_auc_score(*binary(women)))
    assert {row["kind"] for row in rows(folder / "full" / "subgroups.csv", column="sex")} == {"group", "rest", "gap"}
    assert not rows(folder / "full" / "subgroups.csv", column="site")  # one site is nothing to compare
    assert rows(folder / "full" / "subgroups.csv", label="effusion", metric="sensitivity at youden")


def test_every_table_has_its_columns_and_no_other_file_is_there(folder: Path) -> None:
    own = {"results.csv", "evaluation.json", "evaluation.html", "evaluation_page.json"}
    assert {path.name for path in (folder / "full").iterdir()} == own | set(COLUMNS)
    for name, columns in COLUMNS.items():
        assert tuple(rows(folder / "full" / name)[0]) == columns
    assert not [path.name for path in folder.iterdir() if path.name.startswith("_")]
