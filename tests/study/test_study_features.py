"""Embeddings of a study: made once, unreadable images left out and named, rows found again; and what they will cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from remedis.data import manifest
from remedis.models.load import open_encoder
from remedis.recipes.finetuning import FineTuning
from remedis.study import estimate, features
from remedis.study.features import Embedding, Known
from remedis.study.fits import cells_of
from remedis.study.question import IN, DataSet, EncoderAsked, Question, data_sets
from remedis.study.tuning import Tuning, job_of
from remedis.train.finetune_job import Machine

COUNT = 40


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[DataSet, ...]:
    """Forty pictures of two classes; the fourth is no picture."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for row in range(COUNT):
        Image.fromarray(random.integers(0, 256, (9, 9), dtype=np.uint8)).save(folder / f"{row}.png")
    (folder / "3.png").write_bytes(b"no picture")
    table = pa.table({"image": [f"{row}.png" for row in range(COUNT)], "sick": [row % 2 for row in range(COUNT)]})
    manifest.write(table, folder / "m.parquet", {"root": ".", "data_set": "m"})
    rows = manifest.read(folder / "m.parquet")
    return data_sets([("m", rows)], [], ["sick"], positive=None, exclude=(), repeats=1, seed=0)


def ours(path: Path, *, trained: bool = True) -> EncoderAsked:
    opened = open_encoder(path)
    return EncoderAsked(str(path), "", opened.hash, opened.network, trained)


def how(folder: Path) -> Embedding:
    return Embedding(folder, None, "cpu", 0, 0)


def question_of(made: tuple[DataSet, ...], encoder: EncoderAsked, **changes: Any) -> Question:
    given = {
        "encoders": (encoder,), "baseline": encoder.name, "methods": ("probe", "finetune"),
        "label_fractions": (0.5, 1.0), "target_fractions": (1.0,), "draws": 2, "scenarios": (IN,), "repeats": 1,
        "seed": 7,
    }  # fmt: skip
    return Question(made, **{**given, **changes})


def test_embeddings_are_made_once_and_unreadable_images_are_named(
    pictures: tuple[DataSet, ...], small_encoder: Path, tmp_path: Path
) -> None:
    encoder = ours(small_encoder)
    features.make(pictures[0], encoder, how(tmp_path))
    known = features.known(pictures[0], encoder, how(tmp_path))
    assert known.rows.tolist() == [row for row in range(COUNT) if row != 3]
    assert known.matrix.shape == (COUNT - 1, 512)
    ((image, reason),) = known.rejected
    assert image == "3.png"
    assert reason
    rows, vectors = known.of(np.array([2, 3, 4]))
    assert rows.tolist() == [2, 4]
    np.testing.assert_array_equal(vectors, known.matrix[[2, 3]])
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("part-*")}
    features.make(pictures[0], encoder, how(tmp_path))
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("part-*")} == before


def test_rows_that_have_no_embedding_are_passed_over() -> None:
    known = Known(np.array([2, 5, 7]), np.arange(6, dtype=np.float32).reshape(3, 2), [])
    for asked, found, first in (([0, 2, 3, 7, 9], [2, 7], [0, 4]), ([8], [], []), ([], [], [])):
        rows, matrix = known.of(np.array(asked, dtype=np.int64))
        assert rows.tolist() == found
        assert matrix[:, 0].tolist() == first


def test_images_that_a_file_from_elsewhere_lacks_are_named(pictures: tuple[DataSet, ...], tmp_path: Path) -> None:
    path = tmp_path / "e.npz"
    np.savez(path, image=np.array(["7.png", "1.png"]), embedding=np.array([[7.0], [1.0]], np.float32))
    encoder = EncoderAsked("e", str(path), "0" * 64, "elsewhere", trained=True)
    features.make(pictures[0], encoder, how(tmp_path))
    known = features.known(pictures[0], encoder, how(tmp_path))
    assert known.rows.tolist() == [1, 7]
    assert known.matrix[:, 0].tolist() == [1.0, 7.0]
    assert known.rejected == []  # nobody tried to read them
    assert features.lacking(pictures[0], encoder).tolist() == [row for row in range(COUNT) if row not in (1, 7)]
    assert list(tmp_path.iterdir()) == [path]


def test_folders_of_embeddings_are_unlike(pictures: tuple[DataSet, ...], tmp_path: Path) -> None:
    names = [("a/b", "c"), ("a", "b/c"), ("a-b", "c")]
    encoder = EncoderAsked("", "", "0" * 64, "net", trained=True)
    places = [
        features.folder_of(replace(pictures[0], name=name), replace(encoder, name=other), how(tmp_path))
        for other, name in names
    ]
    places.append(features.folder_of(pictures[0], replace(encoder, name="a", hash="1" * 64), how(tmp_path)))
    assert len(set(places)) == 4


def test_the_cost_is_of_what_is_still_to_be_done(
    pictures: tuple[DataSet, ...], small_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a network that takes a tenth of a second an image, forward or in training."""
    monkeypatch.setattr(estimate, "_timed", lambda *_: 0.1)
    question = question_of(pictures, ours(small_encoder))
    settings = FineTuning(train_steps=5, train_batch_size=8)
    tuning = Tuning(settings, Machine("cpu", "fp32", 0), tmp_path, keep=False)
    cells = cells_of(question)
    whole = estimate.cost(question, cells, [(question.encoders[0], COUNT)], tuning, None)
    assert whole.embedding == pytest.approx(0.1 * COUNT)
    validation = len(pictures[0].parts[0].validation)
    assert whole.tuning == pytest.approx(3 * (5 * 8 * 0.1 + validation * 4 * 0.1))  # two draws of a half, and all
    assert whole.probes > 0
    assert whole.total == whole.embedding + whole.tuning + whole.probes + whole.figures
    rest = estimate.cost(question, cells[2:], [], tuning, None)
    assert (rest.embedding, rest.probes) == (0, 0)
    assert rest.tuning == pytest.approx(whole.tuning * 2 / 3)
    nothing = estimate.cost(question, [], [], tuning, None)
    assert nothing.total == 0


def test_an_image_is_timed_through_the_network(
    pictures: tuple[DataSet, ...], small_encoder: Path, tmp_path: Path
) -> None:
    question = question_of(pictures, ours(small_encoder), methods=("probe",))
    tuning = Tuning(FineTuning(), Machine("cpu", "fp32", 0), tmp_path, keep=False)
    one, many = (
        estimate.cost(question, [], [(question.encoders[0], images)], tuning, 32).embedding for images in (1, 1000)
    )
    assert 0 < one < many


def test_a_fine_tuning_learns_from_its_draw_and_the_draw_decides_the_head(
    pictures: tuple[DataSet, ...], small_encoder: Path, tmp_path: Path
) -> None:
    question = question_of(pictures, ours(small_encoder))
    tuning = Tuning(FineTuning(), Machine("cpu", "fp32", 0), tmp_path, keep=False)
    jobs = [job_of(question, cell.fits[0], tuning) for cell in cells_of(question)[1:]]
    parts = pictures[0].parts[0]
    halves, whole = jobs[:2], jobs[2]
    assert len(whole.train) == len(parts.train)
    for job in jobs:
        assert set(job.train.tolist()) <= set(parts.train.tolist())
        assert job.validation.tolist() == parts.validation.tolist()
        assert job.settings.image_size == 32  # the encoder's own
    assert halves[0].train.tolist() != halves[1].train.tolist()
    assert [job.seed for job in jobs] == [7, 8, 7]
