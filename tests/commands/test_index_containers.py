"""`remedis index tfds` and `index cifar10`: what is written and said, and that the other verbs take what they make."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from PIL import Image

from references import written_cifar, written_tfrecord
from remedis import cli
from remedis.data import manifest

Run = Callable[..., tuple[int, str, str]]
COUNT = 24


@pytest.fixture
def remedis(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line; return its exit status, what it wrote to stdout, and to stderr."""

    def run(*words: object) -> tuple[int, str, str]:
        capsys.readouterr()
        status = cli.run([str(word) for word in words])
        return (status, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def real(real_data: Callable[[str], Path]) -> tuple[list[bytes], list[int]]:
    """Real pictures of 32 px as PNG files, and the numbers of their classes."""
    folder = real_data("cifar10")
    with (folder / "labels.csv").open() as file:
        rows = [row for row, _ in zip(csv.DictReader(file), range(COUNT), strict=False)]
    return [(folder / row["image"]).read_bytes() for row in rows], [int(row["label_index"]) for row in rows]


def pixels(files: list[bytes]) -> npt.NDArray[np.uint8]:
    return np.stack([np.asarray(Image.open(io.BytesIO(each))) for each in files])


def as_tfds(folder: Path, files: list[bytes], numbers: list[int], names: list[str]) -> Path:
    records = [{"image": [file], "label": [number]} for file, number in zip(files, numbers, strict=True)]
    features = {"image": written_tfrecord.IMAGE, "label": written_tfrecord.class_label(10)}
    splits = {"train": [records[:10], records[10:16]], "test": [records[16:]]}
    return written_tfrecord.data_set(folder / "cells/1.0.0", splits, features, labels={"label": names})


def as_cifar10(folder: Path, files: list[bytes], numbers: list[int]) -> Path:
    place = folder / "cifar-10-batches-py"
    place.mkdir(parents=True)
    for number in range(6):
        name = f"data_batch_{number + 1}" if number < 5 else "test_batch"
        part = slice(4 * number, 4 * number + 4)
        (place / name).write_bytes(written_cifar.python2_batch(pixels(files[part]), numbers[part]))
    (place / "batches.meta").write_bytes(written_cifar.python2_meta(NAMES))
    return place


NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


def embedding(folder: Path) -> npt.NDArray[np.float32]:
    return np.stack(ds.dataset(folder).to_table()["embedding"].to_numpy())


def test_embeddings_are_those_of_the_files_alone(
    remedis: Run, real: tuple[list[bytes], list[int]], small_encoder: Path, tmp_path: Path
) -> None:
    files, numbers = real
    (tmp_path / "files").mkdir()
    for number, file in enumerate(files):
        (tmp_path / f"files/{number:02}.png").write_bytes(file)
    as_tfds(tmp_path, files, numbers, NAMES)
    as_cifar10(tmp_path, files, numbers)
    assert remedis("index", "folder", tmp_path / "files", "--out", tmp_path / "files.parquet")[0] == 0
    assert remedis("index", "tfds", tmp_path / "cells", "--out", tmp_path / "tfds.parquet")[0] == 0
    assert remedis("index", "cifar10", tmp_path, "--out", tmp_path / "cifar.parquet")[0] == 0
    for name in ("tfds", "cifar"):
        packing = remedis("index", "pack", tmp_path / f"{name}.parquet", "--out", tmp_path / f"{name}.arrow")
        assert packing[0] == 0
        assert remedis("index", "check", tmp_path / f"{name}.parquet")[:2] == (0, "no findings\n")
    found = {}
    for name in ("files.parquet", "tfds.parquet", "cifar.parquet", "tfds.arrow", "cifar.arrow"):
        out = tmp_path / f"emb-{name}"
        words = (
            "embed",
            tmp_path / name,
            "--encoder",
            small_encoder,
            "--out",
            out,
            "--workers",
            "0",
            "--random-weights",
        )
        status, _, err = remedis(*words)
        assert status == 0, err
        found[name] = embedding(out)
    expected = found.pop("files.parquet")
    assert expected.shape[0] == COUNT
    for name, values in found.items():
        np.testing.assert_array_equal(values, expected, err_msg=name)
    table = pq.read_table(tmp_path / "tfds.parquet")
    assert table["label"].to_pylist() == [NAMES[number] for number in numbers]
    assert table["label"].to_pylist() == pq.read_table(tmp_path / "cifar.parquet")["label"].to_pylist()


def small_tfds(folder: Path) -> Path:
    files = []
    for number in range(COUNT):
        file = io.BytesIO()
        Image.fromarray(np.full((4, 5, 3), number, np.uint8)).save(file, "PNG")
        files.append(file.getvalue())
    return as_tfds(folder, files, [number % 10 for number in range(COUNT)], NAMES)


def test_index_tfds_says_what_it_found(remedis: Run, tmp_path: Path) -> None:
    folder, out = small_tfds(tmp_path), tmp_path / "tables/m.parquet"
    status, text, err = remedis("index", "tfds", folder, "--out", out, "--site", "bench", "--licence", "CC0-1.0")
    assert (status, err.splitlines()[-1]) == (0, "the picture is the feature image")
    assert text.splitlines() == [
        "24 images, no patient_id, split train 16 · test 8",
        "labels: label 10 classes          left out: nothing",
        f"wrote {out}      next: remedis index check {out}",
    ]
    found = manifest.read(out)
    assert found.facts == {
        "root": "../cells/1.0.0", "data_set": "cells", "left_out": {}, "image_key": "image", "licence": "CC0-1.0",
        "format_version": 1,
    }  # fmt: skip
    assert set(found.table["site"].to_pylist()) == {"bench"}
    assert all(source.path.is_file() for source in found.sources(range(COUNT)))


def test_options_of_the_split_and_the_features(remedis: Run, tmp_path: Path) -> None:
    folder, out = small_tfds(tmp_path), tmp_path / "m.parquet"
    words = ("index", "tfds", folder, "--out", out, "--json")
    found = json.loads(remedis(*words, "--splits", "train", "--label-key", "label", "--image-key", "image")[1])
    assert (found["images"], found["left_out"]) == (16, {"shards of the split test": 1})
    found = json.loads(remedis(*words, "--where", "label=cat", "--split", "patient:0.5,0.2,0.3")[1])
    assert found["images"] == 3
    assert remedis(*words, "--splits", "trian")[0] == 2


def test_damage_ends_with_exit_status_1_and_what_is_whole_is_kept(remedis: Run, tmp_path: Path) -> None:
    folder, out = small_tfds(tmp_path), tmp_path / "m.parquet"
    shard = folder / "cells-train.tfrecord-00000-of-00002"
    data = bytearray(shard.read_bytes())
    data[60] ^= 1
    shard.write_bytes(data)
    status, text, err = remedis("index", "tfds", folder, "--out", out)
    assert status == 1
    assert "23 images" in text
    assert "left out: records that cannot be read 1" in text
    assert f"warning: damaged or missing: {shard.name}: the bytes of record 0 do not fit their check sum" in err
    assert manifest.read(out).facts["left_out"] == {"records that cannot be read": 1}


def test_index_cifar10_says_what_it_found(remedis: Run, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    place, out = tmp_path / "cifar-10-batches-bin", tmp_path / "m.parquet"
    place.mkdir()
    for name in ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"):
        batch = random.integers(0, 256, (10, 32, 32, 3), dtype=np.uint8)
        (place / f"{name}.bin").write_bytes(written_cifar.binary(batch, range(10)))
    status, text, err = remedis("index", "cifar10", tmp_path, "--out", out)
    assert status == 0
    assert "warning: batches.meta is not there" in err
    assert text.splitlines()[:2] == [
        "60 images, no patient_id, split train 50 · test 10",
        "labels: label 10 classes          left out: nothing",
    ]
    assert manifest.read(out).facts["root"] == "cifar-10-batches-bin"
    (place / "data_batch_5.bin").unlink()
    assert remedis("index", "cifar10", tmp_path, "--out", out)[0] == 1


@pytest.mark.parametrize("verb", ["tfds", "cifar10"])
def test_what_cannot_be_used_is_refused_in_one_line(verb: str, remedis: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for words in ((tmp_path / "gone",), (tmp_path / "empty",), (tmp_path / "empty", "--out", tmp_path / "m.csv")):
        given: tuple[Any, ...] = words if "--out" in words else (*words, "--out", tmp_path / "m.parquet")
        status, out, err = remedis("index", verb, *given)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("remedis: error: ")
    assert not (tmp_path / "m.parquet").exists()


def test_inspect_shows_a_record(remedis: Run, tmp_path: Path) -> None:
    shard = small_tfds(tmp_path) / "cells-train.tfrecord-00000-of-00002"
    status, out, _ = remedis("inspect", shard, "--frame", "7", "--json")
    found = json.loads(out)
    assert (status, found["source"]) == (0, f"{shard}, record 7")
    assert (found["facts"]["width"], found["facts"]["height"]) == (5, 4)
    assert found["profiles"]["dicom-display"]["steps"][0]["low"] == 7
    status, _, err = remedis("inspect", shard)
    assert (status, "holds 10 records; frame= or --frame says which is wanted (0 … 9)" in err) == (2, True)


@pytest.mark.parametrize("verb", ["tfds", "cifar10"])
def test_neither_tensorflow_nor_pickle_nor_torch_is_imported(verb: str, tmp_path: Path) -> None:
    if verb == "tfds":
        folder = small_tfds(tmp_path)
    else:
        file = io.BytesIO()
        Image.fromarray(np.zeros((32, 32, 3), np.uint8)).save(file, "PNG")
        folder = as_cifar10(tmp_path, [file.getvalue()] * COUNT, [1] * COUNT)
    program = (
        "import sys; from remedis import cli\n"
        "import pickle, marshal; pickle.load = pickle.loads = pickle.Unpickler = None\n"
        "status = cli.run(sys.argv[1:])\n"
        "sys.exit(status or bool({'tensorflow', 'torch', 'tensorflow_datasets', 'tensorboard'} & set(sys.modules)))"
    )
    words = [sys.executable, "-c", program, "index", verb, folder, "--out", tmp_path / "m.parquet"]
    ran = subprocess.run([str(word) for word in words], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
