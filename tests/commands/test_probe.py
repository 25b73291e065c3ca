"""`remedis probe` on simulated embeddings: the figures follow from the predictions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
from sklearn.preprocessing import StandardScaler

from probes_made import FILES, cohort, config_of, embedded, results_of, run
from references.ece import expected_calibration_error
from references.sensitivity import sensitivity_at_95_specificity
from remedis.data import embeddings
from remedis.evaluate.results import COLUMNS, figures
from remedis.report.of_probe import probe_page
from remedis.report.probe_folder import open_probe
from synthetic_embeddings import write_embeddings

METRICS = {
    "auroc": roc_auc_score,
    "average_precision": average_precision_score,
    "sensitivity_at_95_specificity": sensitivity_at_95_specificity,
    "brier": brier_score_loss,
    "ece": expected_calibration_error,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with embeddings: with a split, without, of another site, of another encoder."""
    return embedded(tmp_path_factory.mktemp("made"))


def scored(folder: Path, columns: Sequence[str], *, method: str = "logistic") -> tuple[pa.Table, np.ndarray]:
    """Return the rows that have the scores, and the scores (n, columns)."""
    table = pq.read_table(folder / ("predictions.parquet" if method == "logistic" else "predictions_knn.parquet"))
    table = table.filter(pa.compute.is_valid(table[columns[0]]))
    return table, np.stack([table[name].to_numpy() for name in columns], axis=1)


def check_against_sklearn(folder: Path, label: str, positive: str, columns: dict[str, str]) -> None:
    """Compare every row of results of a label with scikit-learn's figure of the scores that the predictions hold.

    Args:
        folder: The probe.
        label: The label.
        positive: The class of a score without a class's name.
        columns: Class in `results.csv` (empty for two classes) to score column.
    """
    for method in ("logistic", "knn"):
        table, _ = scored(folder, list(columns.values()), method=method)
        texts = np.array([str(value) for value in table[label].to_pylist()])
        for name, column in columns.items():
            truth, scores = texts == (name or positive), table[column].to_numpy()
            rows = {
                row["metric"]: row
                for row in results_of(folder)
                if (row["label"], row["class"], row["method"]) == (label, name, method)
            }
            assert set(rows) == set(METRICS)
            for metric, reference in METRICS.items():
                assert float(rows[metric]["value"]) == pytest.approx(reference(truth, scores), abs=1e-12), metric
                assert int(rows[metric]["n"]) == len(truth)
                assert int(rows[metric]["n_patients"]) == len(set(table["patient_id"].to_pylist()))


def test_the_figures_of_a_split_are_scikit_learns_of_the_stored_scores(made: Path, tmp_path: Path) -> None:
    assert run(made / "emb", "--label", "sick", "--out", tmp_path / "probe") == 0
    assert {path.name for path in (tmp_path / "probe").iterdir()} == FILES
    rows = results_of(tmp_path / "probe")
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 10
    assert {(row["encoder"], row["dataset"], row["seed"]) for row in rows} == {("enc", "here/one.parquet", "0")}
    check_against_sklearn(tmp_path / "probe", "sick", "1", {"": "score_sick"})
    table = pq.read_table(tmp_path / "probe" / "predictions.parquet")
    manifest = ds.dataset(made / "emb").to_table().drop_columns(["embedding"])
    tested = manifest.filter(pa.compute.equal(manifest["split"], "test"))
    assert table.select(tested.column_names).to_pylist() == tested.to_pylist()
    assert table.column_names[-2:] == ["score_sick", "seen"]
    assert set(table["seen"].to_pylist()) == {"no"}


@pytest.mark.parametrize("label", ["kind", "effusion"])
def test_figures_made_again_from_the_predictions_are_the_same_floats(made: Path, tmp_path: Path, label: str) -> None:
    """Values and limits, to the last bit: nothing but the predictions and the seed goes into them."""
    run(made / "free", "--label", f"{label},sick", "--out", tmp_path / "probe")
    tested = open_probe(tmp_path / "probe").tested[0]
    rows = {
        (row["method"], row["class"], row["metric"]): [row["value"], row["low"], row["high"]]
        for row in results_of(tmp_path / "probe")
        if row["label"] == label
    }
    for method, scores in tested.scores.items():
        for each in figures(tested.truth, scores, tested.units, classes=tested.classes, draws=20):
            expected = [each.interval.value, each.interval.low, each.interval.high]
            assert [float(text) for text in rows[method, each.name, each.metric]] == expected


def test_several_classes_have_a_row_each_and_macro(made: Path, tmp_path: Path) -> None:
    assert run(made / "emb", "--label", "kind", "--out", tmp_path / "probe") == 0
    columns = {name: f"score_kind={name}" for name in ("mild", "none", "severe")}
    check_against_sklearn(tmp_path / "probe", "kind", "", columns)
    macro = {row["metric"]: row for row in results_of(tmp_path / "probe") if row["class"] == "macro"}
    assert set(macro) == set(METRICS)
    _, scores = scored(tmp_path / "probe", list(columns.values()))
    np.testing.assert_allclose(scores.sum(axis=1), 1, atol=1e-12)


def test_several_labels_share_one_file_with_the_union_of_their_rows(made: Path, tmp_path: Path) -> None:
    assert run(made / "emb", "--label", "effusion,sick", "--out", tmp_path / "probe") == 0
    table = pq.read_table(tmp_path / "probe" / "predictions.parquet")
    empty = np.array([value is None for value in table["effusion"].to_pylist()])
    assert 0 < empty.sum() < len(empty)
    assert [value is None for value in table["score_effusion"].to_pylist()] == empty.tolist()
    assert table["score_sick"].null_count == 0
    check_against_sklearn(tmp_path / "probe", "effusion", "1", {"": "score_effusion"})
    check_against_sklearn(tmp_path / "probe", "sick", "1", {"": "score_sick"})
    entry = config_of(tmp_path / "probe")["labels"][0]
    assert entry["left_out"]["label is empty"] == ds.dataset(made / "emb").to_table()["effusion"].null_count


def test_without_a_split_every_row_is_tested(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(made / "free", "--label", "sick", "--out", tmp_path / "probe") == 0
    check_against_sklearn(tmp_path / "probe", "sick", "1", {"": "score_sick"})
    table = pq.read_table(tmp_path / "probe" / "predictions.parquet")
    assert table.num_rows == ds.dataset(made / "free").count_rows()
    assert "3 nested folds of" in capsys.readouterr().err
    assert config_of(tmp_path / "probe")["labels"][0]["evaluation"] == "nested-cv"


def test_other_embeddings_are_tested_whole(made: Path, tmp_path: Path) -> None:
    assert run(made / "emb", "--label", "sick", "--test", made / "emb2", "--out", tmp_path / "probe") == 0
    check_against_sklearn(tmp_path / "probe", "sick", "1", {"": "score_sick"})
    table = pq.read_table(tmp_path / "probe" / "predictions.parquet")
    assert table.num_rows == ds.dataset(made / "emb2").count_rows()
    assert {row["dataset"] for row in results_of(tmp_path / "probe")} == {"two.parquet"}
    assert set(table["seen"].to_pylist()) == {"no"}
    assert config_of(tmp_path / "probe")["cautions"] == []


def test_a_cluster_groups_draws_and_folds(made: Path, tmp_path: Path) -> None:
    run(made / "free", "--label", "sick", "--cluster", "field", "--out", tmp_path / "field")
    run(made / "free", "--label", "sick", "--out", tmp_path / "patients")
    one, other = results_of(tmp_path / "field")[0], results_of(tmp_path / "patients")[0]
    assert (one["low"], one["value"]) != (other["low"], other["value"])
    assert open_probe(tmp_path / "field").tested[0].unit_count == 30
    check_against_sklearn(tmp_path / "field", "sick", "1", {"": "score_sick"})


def test_positive_turns_the_score_round(made: Path, tmp_path: Path) -> None:
    run(made / "emb", "--label", "sick", "--out", tmp_path / "one")
    run(made / "emb", "--label", "sick", "--positive", "0", "--out", tmp_path / "zero")
    check_against_sklearn(tmp_path / "zero", "sick", "0", {"": "score_sick"})
    _, ones = scored(tmp_path / "one", ["score_sick"])
    _, zeros = scored(tmp_path / "zero", ["score_sick"])
    np.testing.assert_allclose(ones + zeros, 1, atol=1e-4)


def test_an_excluded_class_leaves_two(made: Path, tmp_path: Path) -> None:
    run(made / "emb", "--label", "kind", "--exclude-class", "mild", "--out", tmp_path / "probe")
    check_against_sklearn(tmp_path / "probe", "kind", "severe", {"": "score_kind"})
    assert "class mild is excluded" in config_of(tmp_path / "probe")["labels"][0]["left_out"]


def test_conditions_keep_rows(made: Path, tmp_path: Path) -> None:
    run(made / "emb", "--label", "sick", "--where", "kind!=mild", "--out", tmp_path / "probe")
    assert set(pq.read_table(tmp_path / "probe" / "predictions.parquet")["kind"].to_pylist()) == {"none", "severe"}


def test_methods_seed_and_neighbours_change_what_they_should(made: Path, tmp_path: Path) -> None:
    run(made / "emb", "--label", "sick", "--methods", "logistic", "--out", tmp_path / "alone")
    assert {path.name for path in (tmp_path / "alone").iterdir()} == FILES - {"predictions_knn.parquet"}
    run(made / "emb", "--label", "sick", "--k", "1", "--seed", "4", "--out", tmp_path / "one")
    assert set(np.unique(scored(tmp_path / "one", ["score_sick"], method="knn")[1])) == {0.0, 1.0}
    alone, one = results_of(tmp_path / "alone")[0], results_of(tmp_path / "one")[0]
    assert (alone["seed"], one["seed"]) == ("0", "4")
    assert alone["value"] == one["value"]
    assert alone["low"] != one["low"]


def test_the_terminal_shows_parts_figures_cautions_and_what_comes_next(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(made / "emb", "--label", "sick", "--out", tmp_path / "probe")
    said = capsys.readouterr()
    counts = config_of(tmp_path / "probe")["labels"][0]["counts"]
    parts = {name: (count["images"], count["units"]) for name, count in counts.items()}
    assert said.err.splitlines()[0] == (
        "train {} images / {} patients · validation {} / {} · test {} / {}".format(
            *parts["train"], *parts["validation"], *parts["test"]
        )
    )
    first = results_of(tmp_path / "probe")[0]
    lines = said.out.splitlines()
    assert lines[0].split() == ["sick", "value", "95%", "interval", "(patients,", "20", "draws)"]
    shown = f"{float(first['value']):.3f}   {float(first['low']):.3f} … {float(first['high']):.3f}"
    assert lines[1].split(maxsplit=1) == ["AUROC", shown]
    assert lines[-1].endswith(f"next: remedis report {tmp_path / 'probe'} --out report.html")


def test_the_shortcut_s_figure_is_scikit_learns(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(made / "emb", "--label", "sick", "--out", tmp_path / "probe")
    noted = config_of(tmp_path / "probe")["labels"][0]["size_alone"]
    table = embeddings.read(made / "emb").table
    width, height = (np.log(np.array(table[name].to_pylist(), dtype=np.float64)) for name in ("width", "height"))
    features = StandardScaler().fit(np.c_[width, height, width - height][_part(table, "train")])
    shape = features.transform(np.c_[width, height, width - height])
    sick = np.array([int(value or 0) for value in table["sick"].to_pylist()])
    model = LogisticRegression(C=1.0, tol=1e-8).fit(shape[_part(table, "train")], sick[_part(table, "train")])
    scores = model.predict_proba(shape[_part(table, "test")])[:, 1]
    assert noted == pytest.approx(roc_auc_score(sick[_part(table, "test")], scores), abs=0.005)
    assert f"caution: sick: image size and aspect alone reach AUROC {noted:.2f} here" in capsys.readouterr().out


def _part(table: pa.Table, word: str) -> list[int]:
    """Rows of a part whose label is known."""
    rows = zip(table["split"].to_pylist(), table["sick"].to_pylist(), strict=True)
    return [row for row, (split, sick) in enumerate(rows) if split == word and sick is not None]


def test_few_clusters_are_cautioned_of(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(made / "emb", "--label", "sick", "--cluster", "kind", "--out", tmp_path / "probe")
    out = capsys.readouterr().out
    assert "caution: sick: the intervals rest on 3 values of kind; under 20 they are too narrow to be believed" in out


def test_json_gives_every_figure(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(made / "emb", "--label", "sick", "--json", "--out", tmp_path / "probe") == 0
    data = json.loads(capsys.readouterr().out)
    rows = results_of(tmp_path / "probe")
    assert [row["value"] for row in data["results"]] == [float(row["value"]) for row in rows]
    assert data["cautions"]


def test_the_report_opens_what_was_written(made: Path, tmp_path: Path) -> None:
    from remedis.options.report import Report

    run(made / "emb", "--label", "effusion,kind", "--test", made / "emb2", "--out", tmp_path / "probe")
    opened = open_probe(tmp_path / "probe")
    assert opened.gone == ""
    assert opened.external
    assert opened.train is not None
    assert opened.train.path.resolve() == (made / "emb").resolve()
    page = probe_page(Report(folder=tmp_path / "probe", out=tmp_path / "r.html", images=False))
    assert "effusion" in page.html


def test_probe_and_embeddings_may_move_together(tmp_path: Path) -> None:
    features, columns = cohort(patients=40)
    write_embeddings(tmp_path / "work" / "emb", features, columns)
    run(tmp_path / "work" / "emb", "--label", "sick", "--out", tmp_path / "work" / "probe")
    (tmp_path / "work").rename(tmp_path / "moved")
    assert open_probe(tmp_path / "moved" / "probe").gone == ""


def test_images_are_found_from_where_the_predictions_lie(made: Path, tmp_path: Path) -> None:
    run(made / "emb", "--label", "sick", "--out", tmp_path / "probe")
    facts = json.loads(pq.read_schema(tmp_path / "probe" / "predictions.parquet").metadata[b"remedis"])
    assert (tmp_path / "probe" / facts["root"]).resolve() == made / "images"
    assert facts["data_set"] == "some"
