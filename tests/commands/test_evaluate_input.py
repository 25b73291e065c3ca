"""`remedis evaluate` on rows and options of every kind: what is refused in one line, and what is done with the rest."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

from evaluations import DRAWS, binary, evaluated, part, rows
from remedis import cli
from synthetic_embeddings import separable, write_embeddings
from synthetic_predictions import predictions


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with predictions, those of another model, of another site, and a full evaluation."""
    return evaluated(tmp_path_factory.mktemp("evaluate"))


def evaluate(folder: Path, *options: str, name: str = "p.parquet", out: str = "out") -> int:
    return cli.run(["evaluate", str(folder / name), "--out", str(folder / out), *DRAWS, *options])


Changed = Callable[[pa.Table], pa.Table]


def changed(tmp_path: Path, change: Changed, name: str = "p.parquet") -> Path:
    pq.write_table(change(predictions()), tmp_path / name)
    return tmp_path


def replaced(column: str, values: Callable[[pa.Table], Any]) -> Changed:
    def change(table: pa.Table) -> pa.Table:
        return table.set_column(table.column_names.index(column), column, pa.array(values(table)))

    return change


def test_without_validation_rows_the_points_are_descriptive_and_called_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed(tmp_path, lambda table: table.filter(pc.equal(table["seen"], "no")))
    assert evaluate(tmp_path, "--label", "effusion", "--at", "youden") == 0
    said = capsys.readouterr().out
    assert "there are no validation rows to choose on" in said
    assert {row["chosen_on"] for row in rows(tmp_path / "out" / "operating_points.csv")} == {"test (descriptive)"}
    facts = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert facts["labels"][0]["temperature"] is None
    assert facts["labels"][0]["counts"]["validation"] is None
    assert {row["scores"] for row in rows(tmp_path / "out" / "calibration.csv")} == {"raw"}
    assert not rows(tmp_path / "out" / "subgroups.csv", metric="sensitivity at youden")
    assert not (tmp_path / "out" / "shift.csv").exists()


def test_rows_that_were_all_seen_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(tmp_path, lambda table: table.filter(pc.equal(table["seen"], "train")))
    assert evaluate(tmp_path) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert "every row was seen by the model" in error
    assert not (tmp_path / "out").exists()


def test_tested_rows_of_one_class_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def one_class(table: pa.Table) -> list[int]:
        return [
            0 if seen == "no" else ill
            for seen, ill in zip(*(table[n].to_pylist() for n in ("seen", "effusion")), strict=True)
        ]

    changed(tmp_path, replaced("effusion", one_class))
    assert evaluate(tmp_path, "--label", "effusion") == 2
    assert "one class (0) in the tested rows" in capsys.readouterr().err


def test_a_missing_label_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(tmp_path, lambda table: table.drop_columns(["oedema"]))
    assert evaluate(tmp_path) == 2
    assert "'score_oedema' has no label beside it" in capsys.readouterr().err
    changed(tmp_path, lambda table: table)
    assert evaluate(tmp_path, "--label", "efusion") == 2
    assert "did you mean effusion" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda table: table.slice(0, table.num_rows // 2), "tested rows are not in it"),
        (lambda table: pa.concat_tables([table, table]), "stands in it twice"),
        (
            replaced("effusion", lambda table: pc.subtract(1, table["effusion"]).combine_chunks()),
            "has other classes in it",
        ),
        (replaced("seen", lambda table: ["train"] * table.num_rows), "its model has seen"),
    ],
    ids=["other rows", "rows twice", "other labels", "rows that were seen"],
)
def test_another_model_s_rows_must_be_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Changed, says: str
) -> None:
    changed(tmp_path, lambda table: table)
    changed(tmp_path, change, "q.parquet")
    assert evaluate(tmp_path, "--compare", str(tmp_path / "q.parquet")) == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_order_of_another_model_s_rows_does_not_matter(folder: Path, tmp_path: Path) -> None:
    other = pq.read_table(folder / "other.parquet")
    order = np.random.default_rng(0).permutation(other.num_rows)
    pq.write_table(other.take(pa.array(order)), tmp_path / "shuffled.parquet")
    pq.write_table(pq.read_table(folder / "p.parquet"), tmp_path / "p.parquet")
    assert evaluate(tmp_path, "--compare", str(tmp_path / "shuffled.parquet"), "--at", "youden") == 0
    assert rows(tmp_path / "out" / "comparison.csv") == rows(folder / "full" / "comparison.csv")


def test_each_label_is_compared_on_the_rows_that_have_it(tmp_path: Path) -> None:
    """The first label is known in every other row only, so that its rows are not the first ones of the other file."""
    for name, noise in (("p.parquet", 0.0), ("q.parquet", 3.0)):
        table = predictions(noise=noise)
        known = np.arange(table.num_rows) % 2 == 1
        half = pa.array(table["effusion"].to_numpy(), mask=~known)
        table = table.set_column(table.column_names.index("effusion"), "effusion", half)
        pq.write_table(table, tmp_path / name)
    assert evaluate(tmp_path, "--compare", str(tmp_path / "q.parquet"), "--label", "effusion,oedema") == 0
    own = table.filter(pa.array(known)).filter(pc.equal(table.filter(pa.array(known))["split"], "test"))
    row = rows(tmp_path / "out" / "comparison.csv", label="effusion", metric="auroc")[0]
    assert float(row["other"]) == pytest.approx(roc_auc_score(*binary(own)))
    assert row["n"] == str(own.num_rows)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--at", "precision=0.9"), "sensitivity=0.9, specificity=0.95 or youden was expected"),
        (("--prevalence", "1.5"), "a share above 0 and below 1"),
        (("--draws", "0"), "--draws is 0"),
        (("--age-bands", "40,18"), "two ages or more that rise"),
        (("--subgroups", "sxe"), "did you mean sex"),
        (("--cluster", "sitte"), "did you mean site"),
        (("--positive", "2"), "no such class"),
        (("--per", "slide"), "image"),
    ],
    ids=["rule", "prevalence", "draws", "bands", "subgroups", "cluster", "positive", "per"],
)
def test_a_wrong_option_is_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], says: str
) -> None:
    words = ["evaluate", str(folder / "p.parquet"), "--out", str(tmp_path / "out"), "--label", "effusion", *options]
    assert cli.run(words) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("remedis: error: ")
    assert says in error
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--ood", "--compare"])
def test_predictions_are_not_held_against_themselves(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    path = str(folder / "p.parquet")
    assert cli.run(["evaluate", path, "--out", str(tmp_path / "out"), option, path]) == 2
    assert "the predictions themselves" in capsys.readouterr().err


def test_a_folder_of_another_job_is_refused_and_the_same_job_is_not_done_again(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["evaluate", str(folder / "p.parquet"), "--out", str(tmp_path / "out"), "--label", "effusion", *DRAWS]
    assert cli.run(words) == 0
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    capsys.readouterr()
    assert cli.run(words) == 0
    assert "is there already" in capsys.readouterr().out
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before
    assert cli.run([*words, "--seed", "1"]) == 2
    assert "seed is 0 there, 1 here" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    assert cli.run([*words[:3], str(tmp_path / "mine"), *words[4:]]) == 2
    assert "was not made by this command" in capsys.readouterr().err


def test_per_patient_every_patient_counts_once(folder: Path, tmp_path: Path) -> None:
    test = part(folder, "test")
    words = ["evaluate", str(folder / "p.parquet"), "--out", str(tmp_path / "out"), "--label", "effusion,kind", *DRAWS]
    assert cli.run([*words, "--per", "patient", "--aggregate", "max"]) == 0
    patients = np.array(test["patient_id"].to_pylist())
    truth, scores = binary(test)
    names = np.unique(patients)
    expected = roc_auc_score(
        [truth[patients == name].any() for name in names], [scores[patients == name].max() for name in names]
    )
    row = rows(tmp_path / "out" / "results.csv", label="effusion", metric="auroc")[0]
    assert float(row["value"]) == pytest.approx(expected)
    assert (row["n"], row["n_patients"]) == (str(len(names)), str(len(names)))
    assert float(row["low_delong"]) < float(row["value"]) < float(row["high_delong"])
    point = rows(tmp_path / "out" / "operating_points.csv", label="effusion")[0]
    assert float(point["low_wilson"]) < float(point["value"]) < float(point["high_wilson"])


def test_a_perfect_model_has_an_auroc_of_1_and_a_caution(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed(
        tmp_path,
        replaced("score_effusion", lambda table: pc.add(0.1, pc.multiply(table["effusion"], 0.8)).combine_chunks()),
    )
    assert evaluate(tmp_path, "--label", "effusion", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert {row["metric"]: row["value"] for row in data["results"]}["auroc"] == 1
    assert any("no certainty" in text for text in data["cautions"])
    assert any("T stands at its bound" in text for text in data["cautions"])


def test_patients_in_both_sets_are_told(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pq.write_table(part(folder, "test"), tmp_path / "again.parquet")
    words = ["evaluate", str(folder / "p.parquet"), "--out", str(tmp_path / "out"), "--label", "effusion", *DRAWS]
    assert cli.run([*words, "--ood", str(tmp_path / "again.parquet")]) == 0
    assert "patients stand in" in capsys.readouterr().out


def test_json_holds_the_tables(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["evaluate", str(folder / "p.parquet"), "--out", str(tmp_path / "out"), "--label", "kind", *DRAWS]
    assert cli.run([*words, "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert len(data["results"]) == len(rows(tmp_path / "out" / "results.csv"))
    assert {row["class"] for row in data["results"]} == {"none", "mild", "severe", "macro"}
    assert data["labels"][0]["counts"]["test"]["rows"] == data["results"][0]["n"]


def test_a_probe_s_own_predictions_and_those_of_predict_can_be_evaluated(tmp_path: Path) -> None:
    """The probe's figures come out again; `predict` of the same embeddings brings the validation rows that choose."""
    random = np.random.default_rng(0)
    of = np.repeat(np.arange(90), 2)
    codes = random.integers(0, 2, 90)[of]
    split = np.array(["train", "validation", "test"])[np.searchsorted([0.4, 0.7], random.random(90))][of]
    columns = {
        "patient_id": [f"p{number}" for number in of], "ill": np.array(["well", "ill"])[codes].tolist(),
        "split": split.tolist(),
    }  # fmt: skip
    write_embeddings(tmp_path / "emb", separable(codes, distance=1.5), columns)
    probe = ["probe", str(tmp_path / "emb"), "--label", "ill", "--positive", "ill", "--out", str(tmp_path / "probe")]
    assert cli.run([*probe, *DRAWS]) == 0
    assert evaluate(tmp_path / "probe", name="predictions.parquet", out="../own") == 0
    numbers = ("metric", "value", "low", "high", "n", "n_patients", "encoder", "method")
    probed = [[row[name] for name in numbers] for row in rows(tmp_path / "probe" / "results.csv", method="logistic")]
    assert [[row[name] for name in numbers] for row in rows(tmp_path / "own" / "results.csv")] == probed
    made = ["predict", str(tmp_path / "emb"), "--model", str(tmp_path / "probe"), "--out", str(tmp_path / "p.parquet")]
    assert cli.run(made) == 0
    assert evaluate(tmp_path, "--positive", "ill") == 0
    assert {row["chosen_on"] for row in rows(tmp_path / "out" / "operating_points.csv")} == {"validation"}
    assert [row["value"] for row in rows(tmp_path / "out" / "results.csv")] == [row[1] for row in probed]
