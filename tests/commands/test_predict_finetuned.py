"""`remedis predict` with a fine-tuned model: the network's own scores, what was seen, and what cannot be scored."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from finetune_runs import SMALL, bright_images, finetune, predict
from safetensors.numpy import load_file

import remedis
from remedis.data import manifest as manifests
from synthetic_embeddings import separable, write_embeddings

COLUMNS = ["score_bright", "score_kind=a", "score_kind=b", "score_kind=c"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, their manifest and a finished run."""
    folder = tmp_path_factory.mktemp("made")
    manifest = bright_images(folder / "images")
    words = [manifest, "--label", "bright,kind", "--out", folder / "run", *SMALL, "--learning-rate", "0.05"]
    assert finetune(*words) == 0
    return folder


@pytest.fixture(scope="module")
def scored(made: Path) -> Path:
    assert predict(made / "images" / "m.parquet", "--model", made / "run", "--out", made / "pred.parquet") == 0
    return made / "pred.parquet"


def test_scores_are_what_the_network_gives_on_the_same_squares(made: Path, scored: Path) -> None:
    """Through `remedis.load` and the head's own numbers, with numpy's logistic function and softmax."""
    encoder = remedis.load(made / "run" / "best")
    head = load_file(made / "run" / "best" / "head.safetensors")
    images = [remedis.read(made / "images" / f"{row:02}.png") for row in range(24)]
    with torch.no_grad():
        h = encoder(images).double().numpy()
    logits = h @ head["weight"].T.astype(np.float64) + head["bias"]
    several = np.exp(logits[:, 1:]) / np.exp(logits[:, 1:]).sum(axis=1, keepdims=True)
    expected = np.column_stack([1 / (1 + np.exp(-logits[:, 0])), several])
    found = pq.read_table(scored)
    assert found.column_names == [*pq.read_table(made / "images" / "m.parquet").column_names, *COLUMNS, "seen"]
    values = np.column_stack([found[name].to_numpy() for name in COLUMNS])
    np.testing.assert_allclose(values, expected, rtol=1e-5)
    assert np.ptp(values[:, 0]) > 1e-4


def test_what_was_seen_is_told_by_file_and_by_patient(made: Path, scored: Path) -> None:
    assert pq.read_table(scored)["seen"].to_pylist() == ["train"] * 12 + ["validation"] * 6 + ["no"] * 6
    facts = manifests.facts_of(pq.read_table(scored))
    assert facts["model"]["method"] == "finetune"
    assert facts["model"]["classes"] == {"bright": ["0", "1"], "kind": ["a", "b", "c"]}
    assert (scored.parent / facts["root"]).resolve() == (made / "images").resolve()


def test_labels_are_not_needed_and_another_site_was_not_seen(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(made / "images", tmp_path / "elsewhere", ignore=shutil.ignore_patterns("*.parquet"))
    words = [tmp_path / "elsewhere", "--model", made / "run", "--out", tmp_path / "p.parquet"]
    assert predict(*words, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["images"], data["seen"], data["scores"]) == (24, 0, COLUMNS)


@pytest.mark.parametrize("place", ["best", "last", "step-000002"])
def test_a_checkpoint_of_the_run_may_be_given_itself(made: Path, tmp_path: Path, scored: Path, place: str) -> None:
    words = [made / "images" / "m.parquet", "--model", made / "run" / place, "--out", tmp_path / "p.parquet"]
    assert predict(*words, "--where", "split=test") == 0
    found = pq.read_table(tmp_path / "p.parquet")
    assert found["seen"].to_pylist() == ["no"] * 6
    if place == "best":
        np.testing.assert_allclose(
            found[COLUMNS[0]].to_numpy(), pq.read_table(scored)[COLUMNS[0]].to_numpy()[18:], rtol=1e-6
        )


def test_a_grid_is_the_cell_that_was_chosen(made: Path, tmp_path: Path, scored: Path) -> None:
    """The run stands as one of two cells."""
    cell = tmp_path / "out" / "grid" / "lr-0.05"
    shutil.copytree(made / "run", cell)
    (tmp_path / "out" / "grid.json").write_text('{"chosen": "lr-0.05"}')
    words = [made / "images" / "m.parquet", "--model", tmp_path / "out", "--out", tmp_path / "p.parquet"]
    assert predict(*words) == 0
    assert pq.read_table(tmp_path / "p.parquet").equals(pq.read_table(scored))


def test_unreadable_images_are_rejected_and_named(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(made / "images", tmp_path / "images")
    (tmp_path / "images" / "20.png").write_bytes(b"no image")
    words = [tmp_path / "images" / "m.parquet", "--model", made / "run", "--out", tmp_path / "p.parquet"]
    assert predict(*words) == 1
    spoken = capsys.readouterr().out
    assert "23 images, 1 rejected" in spoken
    assert "first rejected: 20.png: " in spoken
    assert "20.png" not in pq.read_table(tmp_path / "p.parquet")["image"].to_pylist()
    assert predict(*words, "--allow-rejected", "1") == 0
    for path in (tmp_path / "images").glob("*.png"):
        path.write_bytes(b"no image")
    assert predict(words[0], *words[1:4], tmp_path / "q.parquet") == 2
    assert "no image could be read" in capsys.readouterr().err
    assert not (tmp_path / "q.parquet").exists()


def _refused(words: list[object], out: Path, capsys: pytest.CaptureFixture[str], message: str) -> None:
    assert predict(*words, "--out", out) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("remedis: error: ")
    assert message in error
    assert not out.exists()


def test_embeddings_are_refused(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_embeddings(tmp_path / "emb", separable(np.arange(9) % 3), {})
    words: list[object] = [tmp_path / "emb", "--model", made / "run"]
    _refused(words, tmp_path / "p.parquet", capsys, "holds embeddings, a fine-tuned model takes images")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("head.json", "{", "JSON was expected"),
        ("head.json", '{"format": 9}', "head.json is of another version than 1; update remedis"),
        ("head.safetensors", "torn", "do not agree"),
        ("head.safetensors", None, "head.safetensors is missing; run remedis finetune again"),
        ("head.json", None, "a fine-tuned model was expected; remedis finetune makes one"),
    ],
    ids=["json", "version", "head", "no head", "no json"],
)
def test_a_damaged_model_is_one_line(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str | None, message: str
) -> None:
    run = tmp_path / "run"
    (run / "best").mkdir(parents=True)
    shutil.copy(made / "run" / "run.json", run)
    for file in (made / "run" / "best").iterdir():
        (run / "best" / file.name).symlink_to(file)
    (run / "best" / name).unlink()
    if content is not None:
        (run / "best" / name).write_text(content)
    words: list[object] = [made / "images" / "m.parquet", "--model", run]
    _refused(words, tmp_path / "p.parquet", capsys, message)
