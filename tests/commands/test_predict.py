"""`remedis predict`: the probe's own scores again, of embeddings or of images, and a word on what it had seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from embed_runs import make_pictures

from remedis import cli
from remedis.data import manifest
from remedis.data.files import write_json
from synthetic_embeddings import separable, write_embeddings

QUICK = ["--draws", "10", "--folds", "3"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A probe of simulated embeddings with a split, and the embeddings of another site."""
    folder = tmp_path_factory.mktemp("made")
    for seed, name in enumerate(("one", "two")):
        kinds = np.random.default_rng(seed).integers(0, 3, 120)
        columns: dict[str, list[Any]] = {
            "patient_id": [f"p{row // 2}" for row in range(120)],
            "kind": kinds.tolist(),
            "sick": (kinds > 0).astype(int).tolist(),
            "split": ["train"] * 60 + ["val"] * 20 + ["test"] * 40,
        }
        write_embeddings(folder / name, separable(kinds, seed=seed), columns, data_set=name)
    assert cli.run(["probe", str(folder / "one"), "--label", "sick,kind", "--out", str(folder / "probe"), *QUICK]) == 0
    return folder


def run(*words: object) -> int:
    return cli.run(["predict", *(str(word) for word in words)])


def test_scores_are_the_probe_s_predictions_again(made: Path, tmp_path: Path) -> None:
    assert run(made / "one", "--model", made / "probe", "--out", tmp_path / "pred.parquet") == 0
    found = pq.read_table(tmp_path / "pred.parquet")
    expected = pq.read_table(made / "probe" / "predictions.parquet")
    columns = ["score_sick", "score_kind=0", "score_kind=1", "score_kind=2"]
    assert found.column_names == [*ds.dataset(made / "one").schema.names[:-1], *columns, "seen"]
    assert found["image"].to_pylist()[80:] == expected["image"].to_pylist()
    for name in columns:
        np.testing.assert_allclose(found[name].to_numpy()[80:], expected[name].to_numpy(), rtol=1e-12)
    assert found["seen"].to_pylist() == ["train"] * 60 + ["validation"] * 20 + ["no"] * 40


def test_another_site_was_not_seen(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(made / "two", "--model", made / "probe", "--out", tmp_path / "pred.parquet", "--json") == 0
    assert json.loads(capsys.readouterr().out)["seen"] == 0
    found = pq.read_table(tmp_path / "pred.parquet")
    assert set(found["seen"].to_pylist()) == {"no"}
    facts = manifest.facts_of(found)
    assert (tmp_path / facts["root"]).resolve() == (made / "images").resolve()


def test_seen_rows_are_cautioned_of(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(made / "one", "--model", made / "probe", "--out", tmp_path / "pred.parquet")
    assert "caution: 80 of them, or their patients, were seen when the probe was fitted" in capsys.readouterr().out


def test_conditions_keep_rows_and_a_file_is_replaced(made: Path, tmp_path: Path) -> None:
    for condition, rows in (("split=test", 40), ("split=val", 20)):
        assert run(made / "one", "--model", made / "probe", "--where", condition, "--out", tmp_path / "p.parquet") == 0
        assert pq.read_table(tmp_path / "p.parquet").num_rows == rows


def test_labels_are_not_needed(made: Path, tmp_path: Path) -> None:
    write_embeddings(tmp_path / "bare", separable(np.arange(9) % 3), {})
    assert run(tmp_path / "bare", "--model", made / "probe", "--out", tmp_path / "pred.parquet") == 0
    assert pq.read_table(tmp_path / "pred.parquet").num_rows == 9


def refused(status: int, capsys: pytest.CaptureFixture[str], words: str) -> None:
    error = capsys.readouterr().err.splitlines()[-1]
    assert status == 2
    assert error.startswith("remedis: error: ")
    assert words in error


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoder_hash": "00" * 32}, "encoder hash 000000000000…, not abababababab…"),
        ({"profile": "remedis-cxr"}, "profile remedis-cxr, not dicom-display"),
        ({"image_size": 64}, "image size 64, not 32"),
    ],
)
def test_embeddings_made_otherwise_are_refused(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], words: str
) -> None:
    write_embeddings(tmp_path / "emb", separable(np.arange(9) % 3), {}, **change)
    refused(run(tmp_path / "emb", "--model", made / "probe", "--out", tmp_path / "p.parquet"), capsys, words)
    assert not (tmp_path / "p.parquet").exists()


def test_embeddings_of_another_width_are_refused(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_embeddings(tmp_path / "emb", separable(np.arange(9) % 3, width=5), {})
    refused(
        run(tmp_path / "emb", "--model", made / "probe", "--out", tmp_path / "p.parquet"), capsys, "width 5, not 12"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["one", "--model", "probe", "--out", "OUT/pred.csv"], "a file name that ends in .parquet was expected"),
        (["one", "--model", "probe", "--out", "OUT"], "--out is the folder"),
        (["nothing", "--model", "probe", "--out", "OUT/p.parquet"], "nothing: there is no such file or folder"),
        (["one", "--model", "nothing", "--out", "OUT/p.parquet"], "nothing: there is no such folder"),
        (["one", "--model", "one", "--out", "OUT/p.parquet"], "it has no config.json"),
        (["one", "--model", "probe", "--where", "kinds=1", "--out", "OUT/p.parquet"], "did you mean kind"),
        (
            ["pictures", "--model", "probe", "--out", "OUT/p.parquet"],
            "--encoder says where the probe's encoder lies now",
        ),
    ],
)
def test_bad_input_is_one_line_and_nothing_is_written(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(made)
    if not (made / "pictures").exists():
        make_pictures(made, 3)
    refused(run(*(word.replace("OUT", str(tmp_path)) for word in words)), capsys, message)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, an encoder, embeddings of them and a probe: the whole line in small."""
    folder = tmp_path_factory.mktemp("line")
    path = make_pictures(folder, 24)
    table = manifest.read(path).table.append_column("split", [["train"] * 16 + ["test"] * 8])
    manifest.write(table, path, {"root": "pictures", "data_set": "random"})
    encoder, embedded = str(folder / "enc"), str(folder / "emb")
    assert cli.run(["models", "init", "resnet18", "--seed", "0", "--out", encoder]) == 0
    more = ["--image-size", "32", "--batch-size", "4", "--workers", "0"]
    assert cli.run(["embed", str(path), "--encoder", encoder, "--out", embedded, *more]) == 0
    assert cli.run(["probe", embedded, "--label", "label", "--out", str(folder / "probe"), *QUICK]) == 0
    return folder


def test_images_are_embedded_as_the_probe_s_were(line: Path, tmp_path: Path) -> None:
    """The size, profile and encoder are the probe's without a word of them; scores come out as of the embeddings."""
    for name, new in (("a", line / "emb"), ("b", line / "m.parquet"), ("c", line / "pictures")):
        assert run(new, "--model", line / "probe", "--out", tmp_path / f"{name}.parquet", *workers(new)) == 0
    a, b, c = (pq.read_table(tmp_path / f"{name}.parquet") for name in "abc")
    np.testing.assert_allclose(b["score_label"].to_numpy(), a["score_label"].to_numpy(), rtol=1e-5)
    np.testing.assert_allclose(c["score_label"].to_numpy(), a["score_label"].to_numpy(), rtol=1e-5)
    assert a["seen"].to_pylist() == b["seen"].to_pylist() == c["seen"].to_pylist() == ["train"] * 16 + ["no"] * 8
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "b.parquet", "c.parquet"]


def workers(new: Path) -> list[str]:
    return [] if new.name == "emb" else ["--workers", "0"]


def test_the_encoder_is_found_from_elsewhere_and_may_have_moved(
    line: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = json.loads((line / "probe" / "config.json").read_text())
    assert config["encoder_at"] == "../enc"
    monkeypatch.chdir(tmp_path)
    single = line / "pictures" / "0020.png"
    assert run(single, "--model", line / "probe", "--out", "p.parquet", "--workers", "0") == 0
    assert pq.read_table("p.parquet")["seen"].to_pylist() == ["no"]
    (line / "enc").rename(tmp_path / "moved")
    try:
        refused(run(single, "--model", line / "probe", "--out", "q.parquet"), capsys, "--encoder says where")
        found = run(single, "--model", line / "probe", "--encoder", "moved", "--out", "q.parquet", "--workers", "0")
        assert found == 0
    finally:
        (tmp_path / "moved").rename(line / "enc")


def test_probe_and_encoder_may_move_together(line: Path, tmp_path: Path) -> None:
    """The encoder was typed with its whole path, where nothing lies any more."""
    moved = tmp_path / "moved"
    line.rename(moved)
    try:
        words = [moved / "pictures" / "0020.png", "--model", moved / "probe", "--out", tmp_path / "p.parquet"]
        assert run(*words, "--workers", "0") == 0
    finally:
        moved.rename(line)


def test_other_weights_are_refused_before_any_image_is_read(
    line: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli.run(["models", "init", "resnet18", "--seed", "1", "--out", str(tmp_path / "enc1")])
    words = [
        line / "m.parquet",
        "--model",
        line / "probe",
        "--encoder",
        tmp_path / "enc1",
        "--out",
        tmp_path / "p.parquet",
    ]
    refused(run(*words), capsys, "--encoder names the right one")
    assert [path.name for path in tmp_path.iterdir()] == ["enc1"]


def test_rejected_images_are_counted_and_decide_the_status(
    line: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "good.png").write_bytes((line / "pictures" / "0000.png").read_bytes())
    (tmp_path / "new" / "torn.png").write_bytes((line / "pictures" / "0001.png").read_bytes()[:200])
    words = [tmp_path / "new", "--model", line / "probe", "--out", tmp_path / "p.parquet", "--workers", "0"]
    assert run(*words) == 1
    assert "1 image, 1 rejected" in capsys.readouterr().out
    assert pq.read_table(tmp_path / "p.parquet")["image"].to_pylist() == ["good.png"]
    assert run(*words, "--allow-rejected", "1") == 0


def test_a_damaged_probe_is_one_line(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(tmp_path / "config.json", {"kind": "probe", "format": 1, "labels": [{"label": "x"}]})
    pq.write_table(pa.table({"x": [1]}), tmp_path / "x.parquet")
    refused(
        run(made / "one", "--model", tmp_path, "--out", tmp_path / "p.parquet"), capsys, "model.safetensors is missing"
    )
