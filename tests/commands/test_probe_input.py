"""`remedis probe` started again and on bad input: the same job is not done twice, and each refusal is one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from probes_made import FILES, cohort, config_of, embedded, run
from remedis.data.files import write_json
from synthetic_embeddings import write_embeddings


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with embeddings: with a split, without, of another site, of another encoder."""
    return embedded(tmp_path_factory.mktemp("made"))


def test_the_same_job_is_there_already(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = (made / "emb", "--label", "sick", "--out", tmp_path / "probe")
    run(*words)
    first = capsys.readouterr().out.splitlines()
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "probe").iterdir()}
    assert run(*words) == 0
    second = capsys.readouterr().out.splitlines()
    assert second[:-1] == first[:-1]
    assert "is there already" in second[-1]
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "probe").iterdir()} == before


@pytest.mark.parametrize(
    ("words", "differs"),
    [
        (["--label", "kind"], "label is ['sick'] there, ['kind'] here"),
        (["--label", "sick", "--seed", "1"], "seed is 0 there, 1 here"),
        (["--label", "sick", "--cluster", "field"], "cluster is None there, 'field' here"),
    ],
)
def test_a_folder_of_another_job_is_refused_and_kept(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], differs: str
) -> None:
    run(made / "emb", "--label", "sick", "--out", tmp_path / "probe")
    before = (tmp_path / "probe" / "results.csv").read_bytes()
    refused(run(made / "emb", *words, "--out", tmp_path / "probe"), capsys, differs)
    assert (tmp_path / "probe" / "results.csv").read_bytes() == before


def test_other_embeddings_at_the_same_place_are_another_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    features, columns = cohort(patients=40)
    write_embeddings(tmp_path / "emb", features, columns)
    run(tmp_path / "emb", "--label", "sick", "--out", tmp_path / "probe")
    facts = json.loads((tmp_path / "emb" / "_embeddings.json").read_text())
    facts["job"]["manifest_hash"] = "ff" * 32
    write_json(tmp_path / "emb" / "_embeddings.json", facts)
    refused(run(tmp_path / "emb", "--label", "sick", "--out", tmp_path / "probe"), capsys, "manifest_hash is")


def refused(status: int, capsys: pytest.CaptureFixture[str], words: str) -> None:
    error = capsys.readouterr().err.splitlines()[-1]
    assert status == 2
    assert error.startswith("remedis: error: ")
    assert words in error


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing", "--label", "sick"], "nothing: there is no such folder; remedis embed makes one"),
        (["emb", "--label", "sik"], "there is no column 'sik', did you mean sick"),
        (["emb", "--label", "height"], "label 'height' has one class (100)"),
        (["emb", "--label", "image"], "looks like a measurement or a name"),
        (["emb", "--label", "sick", "--cluster", "filed"], "there is no such column, did you mean field"),
        (["emb", "--label", "sick", "--where", "sicc=1"], "there is no column 'sicc'"),
        (["emb", "--label", "sick", "--where", "sick=1"], "has one class (1)"),
        (["emb", "--label", "sick", "--where", "split!=test"], "has no row in the test part"),
        (["emb", "--label", "sick", "--positive", "2"], "no such class"),
        (["emb", "--label", "kind", "--positive", "mild"], "has 3 classes"),
        (["emb", "--label", "kind", "--exclude-class", "mlid"], "did you mean mild"),
        (["emb", "--label", "sick", "--methods", "knn"], "--methods lacks logistic"),
        (["emb", "--label", "sick", "--methods", "forest"], "there is no such method"),
        (["emb", "--label", "sick", "--k", "0"], "--k is 0"),
        (["emb", "--label", "sick", "--seed", "-1"], "--seed is -1"),
        (["emb", "--label", "sick", "--test", "other"], "encoder hash 000000000000…, not abababababab…"),
        (["free", "--label", "sick", "--test", "free"], "every labelled row was learnt from"),
        (["emb", "--label", "sick", "--test", "absent"], "there is no such folder"),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(made)
    before = sorted(path.name for path in made.iterdir())
    refused(run(*words, "--out", tmp_path / "probe"), capsys, message)
    assert not list(tmp_path.iterdir())
    assert sorted(path.name for path in made.iterdir()) == before


def test_test_embeddings_that_hold_seen_patients_are_cautioned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole cohort as the other embeddings: its tested part was not seen, the rest was."""
    features, columns = cohort(patients=60)
    write_embeddings(tmp_path / "emb", features, columns)
    columns["image"] = [f"{row}.png" for row in range(len(features))]
    half = np.flatnonzero(np.array(columns["split"]) != "val")
    write_embeddings(
        tmp_path / "again", features[half], {name: [value[row] for row in half] for name, value in columns.items()}
    )
    assert run(tmp_path / "emb", "--label", "sick", "--test", tmp_path / "again", "--out", tmp_path / "probe") == 0
    table = pq.read_table(tmp_path / "probe" / "predictions.parquet")
    expected = ["train" if word == "train" else "no" for word in table["split"].to_pylist()]
    assert expected.count("train") > 0
    assert table["seen"].to_pylist() == expected
    told = f"{expected.count('train')} of {len(expected)} tested images, or their patients, were seen"
    assert told in capsys.readouterr().out


def test_a_patient_in_two_parts_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    features, columns = cohort(patients=40)
    columns["split"] = (["train", "test"] * len(features))[: len(features)]
    write_embeddings(tmp_path / "emb", features, columns)
    refused(run(tmp_path / "emb", "--label", "sick", "--out", tmp_path / "probe"), capsys, "in two parts of the split")
    assert not (tmp_path / "probe").exists()


def test_unfinished_embeddings_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    features, columns = cohort(patients=20)
    write_embeddings(tmp_path / "emb", features, columns, complete=False)
    refused(run(tmp_path / "emb", "--label", "sick", "--out", tmp_path / "probe"), capsys, "are not finished")


def test_an_empty_label_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    features, columns = cohort(patients=20)
    columns["label"] = [None] * len(features)
    write_embeddings(tmp_path / "emb", features, columns)
    refused(run(tmp_path / "emb", "--label", "label", "--out", tmp_path / "probe"), capsys, "is empty in all")


def test_a_folder_that_is_no_probe_is_left_alone(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    refused(run(made / "emb", "--label", "sick", "--out", tmp_path / "mine"), capsys, "was not made by this command")
    refused(run(made / "emb", "--label", "sick", "--out", made / "emb"), capsys, "was not made by this command")
    refused(run(made / "emb", "--label", "sick", "--out", made / "emb" / "probe"), capsys, "inside the embeddings")
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"
    assert ds.dataset(made / "emb").count_rows()


def test_a_split_that_never_says_train_counts_as_absent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    features, columns = cohort(patients=40)
    columns["split"] = ["a"] * len(features)
    write_embeddings(tmp_path / "emb", features, columns)
    assert run(tmp_path / "emb", "--label", "sick", "--out", tmp_path / "probe") == 0
    assert f"no row's split says train (a {len(features)})" in capsys.readouterr().err
    assert config_of(tmp_path / "probe")["labels"][0]["evaluation"] == "nested-cv"


def test_two_runs_give_the_same_bytes(made: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        run(made / "free", "--label", "sick", "--out", tmp_path / name)
    for name in FILES - {"config.json"}:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
