"""A probe comes back from its folder as it was, and a folder that is none is refused in words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from remedis.errors import CheckpointError, FolderError, InputError, StoppedError
from remedis.evaluate import saved
from remedis.evaluate.logistic import Logistic, fit
from synthetic_embeddings import separable


def models() -> tuple[np.ndarray, dict[str, Logistic]]:
    features = separable(np.arange(60) % 3, width=5).astype(np.float32)
    return features, {"two": fit(features, np.arange(60) % 2, 0.1), "three": fit(features, np.arange(60) % 3, 1.0)}


def entry(label: str, columns: list[str]) -> dict[str, object]:
    return {"label": label, "score_columns": columns, "strength": 0.1, "converged": True}


ENTRIES = [entry("two", ["score_two"]), entry("three", ["score_three=0", "score_three=1", "score_three=2"])]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    saved.save_models(models()[1], tmp_path / saved.MODEL_NAME)
    config = {"kind": "probe", "format": saved.FORMAT, "labels": ENTRIES, "job": {"seed": 0}}
    (tmp_path / saved.CONFIG_NAME).write_text(json.dumps(config))
    return tmp_path


def test_scores_come_back_bit_by_bit(folder: Path) -> None:
    features, fitted = models()
    probe = saved.load(folder)
    assert probe.width == 5
    scores = probe.scores(features)
    np.testing.assert_array_equal(scores["score_two"], fitted["two"].scores(features))
    for column in range(3):
        np.testing.assert_array_equal(scores[f"score_three={column}"], fitted["three"].scores(features)[:, column])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: (path / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda path: (path / "model.safetensors").write_bytes(b"\x08"), "model.safetensors is damaged"),
        (lambda path: rewrite(path, format=99), "format 99"),
        (lambda path: rewrite(path, format=None), "format None"),
        (lambda path: rewrite(path, labels=[*ENTRIES, entry("more", ["score_more"])]), "do not agree"),
        (lambda path: rewrite(path, labels=[{"label": "two"}]), "do not agree"),
    ],
)
def test_damage_is_one_line(folder: Path, change: object, words: str) -> None:
    change(folder)  # type: ignore[operator]
    with pytest.raises(CheckpointError) as caught:
        saved.load(folder)
    assert words in str(caught.value)


def rewrite(folder: Path, **changes: object) -> None:
    path = folder / saved.CONFIG_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_what_is_no_probe_is_refused(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder"):
        saved.load(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"it has no config\.json"):
        saved.load(tmp_path / "empty")
    rewrite(folder, kind="checkpoint")
    with pytest.raises(InputError, match="of something else"):
        saved.load(folder)


def test_a_folder_is_the_job_s_own_free_or_another_s(folder: Path, tmp_path: Path) -> None:
    assert saved.holds(folder, {"seed": 0})
    with pytest.raises(FolderError, match="seed is 0 there, 1 here"):
        saved.holds(folder, {"seed": 1})
    assert not saved.holds(tmp_path / "free", {"seed": 0})
    (tmp_path / "used").mkdir()
    assert not saved.holds(tmp_path / "used", {"seed": 0})
    (tmp_path / "used" / "notes.txt").write_text("mine")
    with pytest.raises(FolderError, match="was not made by this command"):
        saved.holds(tmp_path / "used", {"seed": 0})
    with pytest.raises(FolderError, match="was not made by this command"):
        saved.holds(tmp_path / "used" / "notes.txt", {"seed": 0})


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with saved.written(tmp_path / "done") as scratch:
        (scratch / "a").write_text("a")
        assert not (tmp_path / "done").exists()
    assert (tmp_path / "done" / "a").read_text() == "a"
    with pytest.raises(ZeroDivisionError), saved.written(tmp_path / "failed") as scratch:
        (scratch / "a").write_text(str(1 / 0))
    with pytest.raises(StoppedError, match="no space"), saved.written(tmp_path / "full"):
        raise OSError(28, "No space left on device")
    assert [path.name for path in tmp_path.iterdir()] == ["done"]


def test_predictions_are_the_manifest_s_columns_then_scores_then_seen() -> None:
    table = pa.table({"image": ["a", "b"], "seen": [1, 2], "score_x": ["old", "old"]})
    found = saved.predictions(table, {"score_x": np.array([0.25, np.nan])}, ["no", "train"])
    assert found.column_names == ["image", "score_x", "seen"]
    assert found["score_x"].to_pylist() == [0.25, None]
    assert found["score_x"].type == pa.float64()
    assert found["seen"].to_pylist() == ["no", "train"]
