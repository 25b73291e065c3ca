"""MedMNIST's files as rows: grey, colour, several labels, ordinal; each with what goes wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from remedis.data import manifest
from remedis.data.indexers import medmnist
from remedis.data.indexers.medmnist_facts import SETS, facts_of
from remedis.data.readers import read_source
from remedis.errors import InputError

COUNTS = {"train": 3, "val": 2, "test": 2}
LABELS = {"train": [[0], [1], [1]], "val": [[1], [0]], "test": [[0], [1]]}
NO_PATIENTS = "MedMNIST names no patients: every picture counts as one of its own, so intervals come out too narrow"


def pictures(part: str, *shape: int) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(len(part)).integers(0, 256, (COUNTS[part], *shape), dtype=np.uint8)


def arrays(labels: Mapping[str, Any], *shape: int, dtype: Any = np.uint8) -> dict[str, npt.NDArray[Any]]:
    """The arrays of a file as MedMNIST writes it: images first, then labels."""
    images = {f"{part}_images": pictures(part, *shape) for part in COUNTS}
    return images | {f"{part}_labels": np.array(labels[part], dtype) for part in COUNTS}


def written(path: Path, held: Mapping[str, npt.NDArray[Any]]) -> Path:
    np.savez_compressed(path, **held)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
@pytest.mark.parametrize(("name", "side"), [("pneumoniamnist", 28), ("pneumoniamnist_64", 64)])
def test_grey_pictures_of_two_classes(name: str, side: int, dtype: Any, tmp_path: Path) -> None:
    found = medmnist.index(written(tmp_path / f"{name}.npz", arrays(LABELS, side, side, dtype=dtype)))
    assert found.table.to_pydict() == {
        "image": [f"{name}.npz"] * 7,
        "frame": [0, 1, 2, 3, 4, 5, 6],
        "split": ["train", "train", "train", "validation", "validation", "test", "test"],
        "label": [0, 1, 1, 1, 0, 0, 1],
        "label_name": ["normal", "pneumonia", "pneumonia", "pneumonia", "normal", "normal", "pneumonia"],
        "pneumonia": [0, 1, 1, 1, 0, 0, 1],
        "width": [side] * 7,
        "height": [side] * 7,
    }
    assert found.facts == {"root": ".", "data_set": name, "left_out": {}, "licence": "CC BY 4.0"}
    assert found.notes == (NO_PATIENTS,)


@pytest.mark.parametrize("shape", [(28, 28), (28, 28, 3), (224, 224, 3)], ids=["grey", "colour", "large"])
def test_rows_are_the_pictures_that_numpy_loads(shape: tuple[int, ...], tmp_path: Path) -> None:
    path = written(tmp_path / "bloodmnist_224.npz", arrays(LABELS, *shape))
    found = medmnist.index(path)
    manifest.write(found.table, tmp_path / "m.parquet", found.facts)
    rows = manifest.read(tmp_path / "m.parquet")
    with np.load(path) as loaded:
        expected = np.concatenate([loaded[f"{part}_images"] for part in ("train", "val", "test")])
    pixels = np.stack([read_source(each).pixels for each in rows.sources(range(7))])
    np.testing.assert_array_equal(pixels, np.broadcast_to(expected.reshape(7, *shape[:2], -1), pixels.shape))
    order = np.array([6, 0, 3, 3])
    np.testing.assert_array_equal([read_source(each).pixels for each in rows.sources_of(order)], pixels[order])


def test_the_order_of_the_arrays_does_not_matter(tmp_path: Path) -> None:
    held = arrays(LABELS, 28, 28)
    order = ["test_labels", "test_images", "val_labels", "train_images", "val_images", "train_labels"]
    found = medmnist.index(written(tmp_path / "octmnist.npz", {name: held[name] for name in order}))
    assert found.table["split"].to_pylist() == ["train"] * 3 + ["validation"] * 2 + ["test"] * 2
    assert found.table["frame"].to_pylist() == [2, 3, 4, 5, 6, 0, 1]


def test_breast_ultrasound_has_its_ill_under_0(tmp_path: Path) -> None:
    found = medmnist.index(written(tmp_path / "breastmnist.npz", arrays(LABELS, 28, 28)))
    assert found.table["label"].to_pylist() == [0, 1, 1, 1, 0, 0, 1]
    assert found.table["malignant"].to_pylist() == [1, 0, 0, 0, 1, 1, 0]
    assert found.table["label_name"].to_pylist()[:2] == ["malignant", "normal or benign"]
    warning = "breastmnist's label is 1 for normal or benign, the healthy: the column malignant is 1 for the ill"
    assert found.notes == (NO_PATIENTS, warning)


def test_several_labels_are_a_column_each(tmp_path: Path) -> None:
    labels = {part: np.eye(14, dtype=np.uint8)[:count] for part, count in COUNTS.items()}
    found = medmnist.index(written(tmp_path / "chestmnist.npz", arrays(labels, 28, 28)))
    assert found.table.column_names == [
        "image", "frame", "split", "atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule",
        "pneumonia", "pneumothorax", "consolidation", "edema", "emphysema", "fibrosis", "pleural", "hernia", "width",
        "height",
    ]  # fmt: skip
    assert found.table["cardiomegaly"].to_pylist() == [0, 1, 0, 0, 1, 0, 1]
    assert found.notes[1].startswith("chestmnist's test part has 22,433 images and is not that of NIH ChestX-ray14")


def test_grades_keep_their_order(tmp_path: Path) -> None:
    labels = {"train": [[4], [0], [2]], "val": [[1], [3]], "test": [[0], [4]]}
    found = medmnist.index(written(tmp_path / "retinamnist.npz", arrays(labels, 28, 28, 3)))
    assert found.table["label"].to_pylist() == [4, 0, 2, 1, 3, 0, 4]
    assert found.table["label_name"].to_pylist()[0] == "grade 4"


def test_skin_lesions_leak_between_the_parts_and_that_is_said(tmp_path: Path) -> None:
    found = medmnist.index(written(tmp_path / "dermamnist.npz", arrays(LABELS, 28, 28, 3)))
    assert found.facts["licence"] == "CC BY-NC 4.0"
    assert found.notes[1].startswith("dermamnist has pictures of the same lesions in train and test")
    corrected = medmnist.index(written(tmp_path / "dermamnist_corrected_28.npz", arrays(LABELS, 28, 28, 3)))
    assert corrected.notes == (NO_PATIENTS,)
    assert corrected.table["label_name"].to_pylist()[0] == "actinic keratoses and intraepithelial carcinoma"


def test_another_name_has_numbers_alone(tmp_path: Path) -> None:
    labels = {part: np.ones((count, 2), np.int64) for part, count in COUNTS.items()}
    found = medmnist.index(written(tmp_path / "ours.npz", arrays(labels, 28, 28)))
    assert found.table.column_names == ["image", "frame", "split", "label_0", "label_1", "width", "height"]
    assert found.notes[1] == "ours.npz is no name of MedMNIST's: the numbers of the classes stand without names"
    flat = {part: [0] * count for part, count in COUNTS.items()}
    assert medmnist.index(written(tmp_path / "flat.npz", arrays(flat, 28, 28))).table["label"].to_pylist() == [0] * 7


def test_a_label_without_a_class_is_unknown(tmp_path: Path) -> None:
    labels = LABELS | {"val": [[2], [-1]]}
    found = medmnist.index(written(tmp_path / "pneumoniamnist.npz", arrays(labels, 28, 28, dtype=np.int64)))
    for name in ("label", "label_name", "pneumonia"):
        assert [value is None for value in found.table[name].to_pylist()] == [False] * 3 + [True] * 2 + [False] * 2
    assert found.notes[1] == "label is no class that has a name in 2 pictures: it counts as unknown there"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"val_images": None}, "there is no array val_images"),
        ({"val_labels": None}, "there is no array val_labels"),
        ({"val_labels": np.zeros((3, 1), np.uint8)}, "val_labels (3, 1) uint8 was found, whole numbers (2, L) were"),
        ({"val_labels": np.zeros((2, 1))}, "val_labels (2, 1) float64 was found"),
    ],
    ids=["no images", "no labels", "too many labels", "labels that are no numbers of classes"],
)
def test_a_part_that_is_missing_is_said_and_the_others_are_kept(
    change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    held = {name: each for name, each in (arrays(LABELS, 28, 28) | change).items() if each is not None}
    found = medmnist.index(written(tmp_path / "pneumoniamnist.npz", held))
    assert found.table["split"].to_pylist() == ["train"] * 3 + ["test"] * 2
    assert found.table["frame"].to_pylist() == [0, 1, 2] + ([3, 4] if "val_images" not in held else [5, 6])
    assert found.left_out == {"parts that cannot be read": 1}
    assert found.facts["damaged"][0].startswith(said)
    assert found.notes[-1].startswith(f"damaged or missing: {said}")


def test_a_flipped_bit_leaves_its_part_out(tmp_path: Path) -> None:
    path = tmp_path / "pneumoniamnist.npz"
    np.savez(path, **arrays(LABELS, 28, 28))
    data = bytearray(path.read_bytes())
    data[1500] ^= 1
    path.write_bytes(data)
    found = medmnist.index(path)
    assert found.facts["damaged"] == ["the bytes of train_images do not fit their check sum; get the file anew"]
    assert found.table["frame"].to_pylist() == [3, 4, 5, 6]


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (arrays(LABELS, 28, 28, 28), "holds volumes of 28 × 28 × 28 voxels, pictures were expected"),
        (arrays(LABELS, 28, 28, 28, 1), "holds volumes of 28 × 28 × 28 voxels"),
        ({"x": np.zeros((2, 4, 4))}, "train_images, val_images and test_images were expected, it holds x"),
        ({"train_images": pictures("train", 28, 28)}, "no part can be read, the first: there is no array train_labels"),
    ],
    ids=["3-D", "3-D with a channel", "another file", "no labels at all"],
)
def test_other_files_are_refused(held: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=words):
        medmnist.index(written(tmp_path / "organmnist3d.npz", held))


def test_the_file_is_found(tmp_path: Path) -> None:
    path = written(tmp_path / "bloodmnist.npz", arrays(LABELS, 28, 28))
    assert medmnist.located(path) == medmnist.located(tmp_path) == path
    written(tmp_path / "octmnist.npz", arrays(LABELS, 28, 28))
    for place, words in (
        (tmp_path, r"one .npz file was expected, it holds 2 files \(bloodmnist.npz, octmnist.npz …\)"),
        (tmp_path / "gone", "there is no such file"),
        (Path(__file__), "a file such as pneumoniamnist.npz was expected"),
    ):
        with pytest.raises(InputError, match=words):
            medmnist.located(place)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="it holds none"):
        medmnist.located(tmp_path / "empty")


def test_every_set_has_as_many_classes_as_the_paper_says() -> None:
    """Numbers of classes or labels: MedMNIST v2, table 2."""
    paper = {
        "pathmnist": 9, "chestmnist": 14, "dermamnist": 7, "octmnist": 4, "pneumoniamnist": 2, "retinamnist": 5,
        "breastmnist": 2, "bloodmnist": 8, "tissuemnist": 8, "organamnist": 11, "organcmnist": 11, "organsmnist": 11,
    }  # fmt: skip
    assert {name: len(facts.classes) for name, facts in SETS.items()} == paper
    assert facts_of(Path("PathMNIST_128.npz")) == SETS["pathmnist"]
    assert facts_of(Path("organmnist3d.npz")) is None
