"""CIFAR's own files as rows: binary and pickled, whole and damaged."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from references import written_cifar as written
from remedis.data import cifar
from remedis.data.indexers import cifar10
from remedis.errors import InputError, ReadError

BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
NAMES = ["n0", "n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9"]


def pictures(number: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(number).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)


def labels(number: int) -> list[int]:
    return [number, 9 - number]


def python2(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number, name in enumerate(BATCHES):
        (folder / name).write_bytes(written.python2_batch(pictures(number), labels(number)))
    (folder / "batches.meta").write_bytes(written.python2_meta(NAMES))
    return folder


def python3(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number, name in enumerate(BATCHES):
        planes = np.frombuffer(written.planes(pictures(number)), np.uint8).reshape(-1, 3072)
        (folder / name).write_bytes(pickle.dumps({b"data": planes, b"labels": labels(number)}, 5))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": NAMES}, 5))
    return folder


def binary(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for number, name in enumerate(BATCHES):
        (folder / f"{name}.bin").write_bytes(written.binary(pictures(number), labels(number)))
    (folder / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")  # as the author's file ends
    return folder


@pytest.mark.parametrize("write", [python2, python3, binary])
def test_rows_are_those_of_the_batches(write: Any, tmp_path: Path) -> None:
    found = cifar10.index(write(tmp_path / "set"))
    ending = ".bin" if write is binary else ""
    assert found.table.to_pydict() == {
        "image": [f"{name}{ending}" for name in BATCHES for _ in range(2)],
        "frame": [0, 1] * 6,
        "split": ["train"] * 10 + ["test"] * 2,
        "label": [NAMES[each] for number in range(6) for each in labels(number)],
        "label_index": [each for number in range(6) for each in labels(number)],
        "width": [32] * 12,
        "height": [32] * 12,
    }
    assert found.facts == {"root": ".", "data_set": "cifar10", "left_out": {}}
    assert found.notes == ()


def test_without_their_names_the_classes_have_the_authors(tmp_path: Path) -> None:
    folder = binary(tmp_path / "set")
    (folder / "batches.meta.txt").unlink()
    found = cifar10.index(folder)
    assert found.table["label"].to_pylist()[:2] == ["airplane", "truck"]
    assert found.notes == ("batches.meta is not there: the classes have the names that CIFAR-10's author gives them",)


def test_the_order_of_the_names_is_the_real_sets(real_data: Any) -> None:
    import csv

    with (real_data("cifar10") / "labels.csv").open() as file:
        pairs = {(int(row["label_index"]), row["label"]) for row in csv.DictReader(file)}
    assert sorted(pairs) == list(enumerate(cifar.CIFAR10))


def test_what_is_missing_or_damaged_is_left_out_and_named(tmp_path: Path) -> None:
    folder = binary(tmp_path / "set")
    (folder / "data_batch_2.bin").unlink()
    path = folder / "data_batch_3.bin"
    path.write_bytes(path.read_bytes()[:-1])
    found = cifar10.index(folder)
    assert len(found.table) == 9
    assert found.facts["left_out"] == {"batches that are not there": 1, "pictures that are cut short": 1}
    assert found.facts["damaged"] == [
        "data_batch_2: there is no such file",
        "data_batch_3.bin: 3,072 bytes of a picture that is cut short",
    ]
    assert found.notes == (f"damaged or missing: {'; '.join(found.facts['damaged'])}",)


def test_a_pickle_that_would_do_something_is_left_out_and_named(tmp_path: Path) -> None:
    folder = python2(tmp_path / "set")
    (folder / "data_batch_4").write_bytes(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.")
    found = cifar10.index(folder)
    assert len(found.table) == 10
    assert found.facts["left_out"] == {"batches that cannot be read": 1}
    reason = "the pickle names os.system, which is none of what builds an array; nothing in it was executed"
    assert found.facts["damaged"] == [f"data_batch_4: {reason}"]
    (folder / "batches.meta").write_bytes(b"\x80\x02cos\nsystem\n.")
    with pytest.raises(ReadError, match=r"batches.meta: the pickle names os.system"):
        cifar10.index(folder)


@pytest.mark.parametrize("held", [{"label_names": "abc"}, {"label_names": [1]}, {"names": []}])
def test_names_that_are_none_are_refused(held: Any, tmp_path: Path) -> None:
    folder = python2(tmp_path / "set")
    (folder / "batches.meta").write_bytes(pickle.dumps(held, 2))
    with pytest.raises(ReadError, match="'label_names' is no list of names"):
        cifar10.index(folder)


def test_a_class_without_a_name_is_null_and_said(tmp_path: Path) -> None:
    folder = python2(tmp_path / "set")
    (folder / "data_batch_1").write_bytes(written.python2_batch(pictures(0), [10, 3]))
    (folder / "data_batch_2").write_bytes(written.python2_batch(pictures(0), [70000, 2]))
    found = cifar10.index(folder)
    assert found.table["label"].to_pylist()[:4] == [None, "n3", None, "n2"]
    assert found.table["label_index"].to_pylist()[:4] == [None, 3, None, 2]
    assert found.notes == ("label is no class that has a name in 2 pictures: it counts as unknown there",)


def test_a_batch_without_labels_is_named(tmp_path: Path) -> None:
    folder = python3(tmp_path / "set")
    (folder / "test_batch").write_bytes(pickle.dumps({"data": np.zeros((1, 3072), np.uint8)}, 5))
    assert cifar10.index(folder).facts["damaged"] == ["test_batch: holds no labels for label"]


@pytest.mark.parametrize("ending", ["", ".bin"])
def test_cifar_100_has_two_labels(ending: str, tmp_path: Path) -> None:
    fine, coarse = [99, 0], [19, 4]
    for name in ("train", "test"):
        planes = np.frombuffer(written.planes(pictures(0)), np.uint8).reshape(-1, 3072)
        held = {"data": planes, "fine_labels": fine, "coarse_labels": coarse}
        data = written.binary(pictures(0), coarse, fine) if ending else pickle.dumps(held, 2)
        (tmp_path / f"{name}{ending}").write_bytes(data)
    bare = cifar10.index(cifar10.located(tmp_path))
    assert bare.table["label"].to_pylist() == ["99", "0"] * 2
    assert bare.notes[0] == "no file names the classes of label: their numbers stand for them"
    names = {"fine_label_names": [f"f{n}" for n in range(100)], "coarse_label_names": [f"c{n}" for n in range(20)]}
    (tmp_path / "meta").write_bytes(pickle.dumps(names, 2))
    for source in ("meta", "texts"):
        if source == "texts":
            (tmp_path / "meta").unlink()
            for name, lines in names.items():
                (tmp_path / f"{name}.txt").write_text("\n".join(lines) + "\n")
        found = cifar10.index(tmp_path)
        assert found.facts["data_set"] == "cifar100"
        rows = found.table.to_pydict()
        assert (rows["label"], rows["label_index"]) == (["f99", "f0"] * 2, [99, 0] * 2)
        assert (rows["coarse_label"], rows["coarse_label_index"]) == (["c19", "c4"] * 2, [19, 4] * 2)
        assert rows["split"] == ["train", "train", "test", "test"]


def test_the_batches_are_found_where_they_usually_lie(tmp_path: Path) -> None:
    assert cifar10.find(tmp_path) is None
    lying_bare = python2(tmp_path / "c")
    assert cifar10.find(lying_bare) == lying_bare
    binary_one = binary(tmp_path / "cifar-10-batches-bin")
    assert cifar10.find(tmp_path) == cifar10.located(tmp_path) == binary_one
    python_one = python2(tmp_path / "cifar-10-batches-py")
    assert cifar10.find(tmp_path) == python_one
    assert cifar10.find(tmp_path / "gone") is None


def test_other_folders_are_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    for name, words in (
        ("empty", "there is no batch of CIFAR in it"), ("gone", "there is no such folder"), ("file", "is a file"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=words):
            cifar10.located(tmp_path / name)
    folder = binary(tmp_path / "set")
    for path in folder.glob("*.bin"):
        path.write_bytes(b"short")
    with pytest.raises(InputError, match="no batch can be read, the first: data_batch_1"):
        cifar10.index(folder)
