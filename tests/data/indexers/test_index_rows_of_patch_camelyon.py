"""PatchCamelyon's files as rows, beside torchvision's reader: booleans as text, nested folders, swapped parts."""

from __future__ import annotations

import gzip
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from remedis.data import manifest
from remedis.data.indexers import patch_camelyon
from remedis.data.readers import read_source
from remedis.errors import InputError

STEM = "camelyonpatch_level_2_split_"
LABELS = {"train": [1, 0, 1], "valid": [0, 1], "test": [1, 0]}
SLIDES = {
    "train": ["camelyon16_train_tumor_001", "camelyon16_train_normal_033", "camelyon16_train_tumor_001"],
    "valid": ["camelyon16_train_normal_146", "camelyon16_train_tumor_089"],
    "test": ["camelyon16_test_016", "camelyon16_test_016"],
}
ANYWHERE = {"train": ["True", "True", "True"], "valid": ["False", "True"], "test": ["True", "False"]}


def pictures(part: str) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(len(part)).integers(0, 256, (len(LABELS[part]), 96, 96, 3), dtype=np.uint8)


def table(part: str) -> str:
    lines = [",coord_y,coord_x,tumor_patch,center_tumor_patch,wsi"]
    for number, label in enumerate(LABELS[part]):
        centre = "True" if label else "False"
        lines.append(
            f"{number},{1000 + number},{2000 + number},{ANYWHERE[part][number]},{centre},{SLIDES[part][number]}"
        )
    return "\n".join(lines) + "\n"


def a_set(folder: Path, *, tables: bool = True) -> Path:
    folder.mkdir(parents=True)
    for part, labels in LABELS.items():
        with h5py.File(folder / f"{STEM}{part}_x.h5", "w") as file:
            file["x"] = pictures(part)
        with h5py.File(folder / f"{STEM}{part}_y.h5", "w") as file:
            file["y"] = np.array(labels, np.uint8).reshape(-1, 1, 1, 1)
        if tables:
            (folder / f"{STEM}{part}_meta.csv").write_text(table(part))
    return folder


def test_a_row_a_patch_with_its_slide(tmp_path: Path) -> None:
    found = patch_camelyon.index(patch_camelyon.located(a_set(tmp_path / "pcam")))
    assert found.table.to_pydict() == {
        "image": [f"{STEM}train_x.h5"] * 3 + [f"{STEM}valid_x.h5"] * 2 + [f"{STEM}test_x.h5"] * 2,
        "frame": [0, 1, 2, 0, 1, 0, 1],
        "split": ["train", "train", "train", "validation", "validation", "test", "test"],
        "label": [1, 0, 1, 0, 1, 1, 0],
        "patient_id": [*SLIDES["train"], *SLIDES["valid"], *SLIDES["test"]],
        "tumour_anywhere": [1, 1, 1, 0, 1, 1, 0],
        "x_coord": [2000, 2001, 2002, 2000, 2001, 2000, 2001],
        "y_coord": [1000, 1001, 1002, 1000, 1001, 1000, 1001],
        "width": [96] * 7,
        "height": [96] * 7,
    }
    assert found.facts == {
        "root": ".", "data_set": "patch_camelyon", "licence": "CC0-1.0", "image_key": "x", "left_out": {}
    }  # fmt: skip
    assert found.notes == ()


def test_pixels_and_labels_are_those_of_torchvision(tmp_path: Path) -> None:
    from torchvision.datasets import PCAM

    a_set(tmp_path / "pcam")
    folder = patch_camelyon.located(tmp_path)
    assert folder == tmp_path / "pcam"
    found = patch_camelyon.index(folder)
    manifest.write(found.table, folder / "m.parquet", found.facts)
    rows = manifest.read(folder / "m.parquet")
    pixels = [read_source(each).pixels for each in rows.sources(range(len(rows)))]
    others = [each for part in ("train", "val", "test") for each in PCAM(str(tmp_path), split=part)]
    np.testing.assert_array_equal(pixels, [np.asarray(image) for image, _ in others])
    assert found.table["label"].to_pylist() == [label for _, label in others]


def test_files_may_lie_in_folders_of_their_names(tmp_path: Path) -> None:
    folder = a_set(tmp_path / "pcam")
    plain = patch_camelyon.index(folder).table
    for path in list(folder.iterdir()):
        path.rename(folder / "moved")
        path.mkdir()
        (folder / "moved").rename(path / path.name)
    nested = patch_camelyon.index(patch_camelyon.located(folder)).table
    assert nested["image"].to_pylist()[0] == f"{STEM}train_x.h5/{STEM}train_x.h5"
    assert nested.drop_columns(["image"]).equals(plain.drop_columns(["image"]))


def test_without_tables_no_slide_is_known_and_that_is_said(tmp_path: Path) -> None:
    found = patch_camelyon.index(a_set(tmp_path / "pcam", tables=False))
    assert "patient_id" not in found.table.column_names
    assert found.table["label"].to_pylist() == [1, 0, 1, 0, 1, 1, 0]
    assert f"{STEM}train_meta.csv is not there: the slides of train, valid, test are unknown" in found.notes[0]
    (tmp_path / "pcam" / f"{STEM}test_meta.csv").write_text(table("test"))
    some = patch_camelyon.index(tmp_path / "pcam").table
    assert some["patient_id"].to_pylist() == [None] * 5 + ["camelyon16_test_016"] * 2


def test_packed_files_are_refused_with_the_line_that_unpacks_them(tmp_path: Path) -> None:
    folder = a_set(tmp_path / "pcam")
    for path in list(folder.glob("*.h5")):
        with gzip.open(f"{path}.gz", "wb") as file:
            file.write(path.read_bytes())
        path.unlink()
    with pytest.raises(InputError, match=rf"unpack them: gunzip {folder}/{STEM}\*.gz"):
        patch_camelyon.located(tmp_path)
    with gzip.open(folder / f"{STEM}test_x.h5.gz") as packed:
        (folder / f"{STEM}test_x.h5").write_bytes(packed.read())
    with pytest.raises(InputError, match=rf"_y.h5.gz: is packed; unpack it: gunzip .*{STEM}test_y.h5.gz|train_x.h5.gz"):
        patch_camelyon.index(patch_camelyon.located(folder))


@pytest.mark.parametrize("kind", ["y", "both"])
def test_swapped_parts_are_found_by_their_labels(kind: str, tmp_path: Path) -> None:
    folder = a_set(tmp_path / "pcam")
    for each in ("x", "y") if kind == "both" else ("y",):
        first, second = (folder / f"{STEM}{part}_{each}.h5" for part in ("valid", "test"))
        first.rename(folder / "third")
        second.rename(first)
        (folder / "third").rename(second)
    with pytest.raises(InputError, match=rf"valid_y.h5: its labels are those of {STEM}test_meta.csv: the files of two"):
        patch_camelyon.index(folder)


def test_swapped_tables_are_found_by_their_slides(tmp_path: Path) -> None:
    folder = a_set(tmp_path / "pcam")
    (folder / f"{STEM}valid_meta.csv").write_text(table("test"))
    with pytest.raises(InputError, match=r"its slides are not those of valid \(camelyon16_test_016\): valid and test"):
        patch_camelyon.index(folder)


def test_labels_of_other_files_are_refused(tmp_path: Path) -> None:
    folder = a_set(tmp_path / "pcam")
    with h5py.File(folder / f"{STEM}train_y.h5", "w") as file:
        file["y"] = np.zeros((3, 1, 1, 1), np.uint8)
    with pytest.raises(InputError, match=rf"train_y.h5: its labels are not those of {STEM}train_meta.csv"):
        patch_camelyon.index(folder)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("gone", f"{STEM}test_x.h5: there is no such file"),
        ("no key", f"{STEM}test_x.h5: holds no array 'x'; it holds image (2, 96, 96, 3) uint8"),
        ("another y", f"{STEM}test_y.h5: holds 3 labels, 2 were expected, one a patch"),
        ("other numbers", f"{STEM}test_y.h5: label 0 is 2, 0 or 1 was expected"),
        ("cut", f"{STEM}test_x.h5: cannot be read (it is no whole HDF5 file; get it anew)"),
        ("no pictures", f"{STEM}test_x.h5: the array x (2, 96, 96, 3) float32 holds no pictures"),
    ],
)
def test_a_part_that_cannot_be_read_is_said_and_the_others_are_kept(damage: str, said: str, tmp_path: Path) -> None:
    folder = a_set(tmp_path / "pcam")
    x, y = folder / f"{STEM}test_x.h5", folder / f"{STEM}test_y.h5"
    if damage == "gone":
        x.unlink()
    elif damage == "cut":
        x.write_bytes(x.read_bytes()[:-100])
    else:
        path = y if damage in ("another y", "other numbers") else x
        name, held = {
            "no key": ("image", pictures("test")),
            "another y": ("y", np.ones((3, 1, 1, 1), np.uint8)),
            "other numbers": ("y", np.full((2, 1, 1, 1), 2, np.uint8)),
            "no pictures": ("x", pictures("test").astype(np.float32)),
        }[damage]
        with h5py.File(path, "w") as file:
            file[name] = held
    found = patch_camelyon.index(folder)
    assert found.table["split"].to_pylist() == ["train"] * 3 + ["validation"] * 2
    assert found.left_out == {"parts that cannot be read": 1}
    assert found.facts["damaged"][0].startswith(said)
    assert found.notes[0].startswith(f"damaged or missing: {said}")


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    folder = a_set(tmp_path / "pcam")
    path = folder / f"{STEM}train_meta.csv"
    path.write_text(path.read_text().replace("center_tumor_patch", "centre"))
    with pytest.raises(InputError, match="there is no column 'center_tumor_patch'"):
        patch_camelyon.index(folder)


def test_kaggles_variant_has_labels_alone(tmp_path: Path) -> None:
    folder = tmp_path / "kaggle"
    for name in ("train", "test"):
        (folder / name).mkdir(parents=True)
    for name, pixels in zip(("train/ab12", "train/cd34", "test/ef56"), pictures("train"), strict=True):
        Image.fromarray(pixels).save(folder / f"{name}.tif")
    (folder / "train_labels.csv").write_text("id,label\ncd34,1\nab12,0\n")
    found = patch_camelyon.index(patch_camelyon.located(folder))
    assert found.table.to_pydict() == {
        "image": ["train/cd34.tif", "train/ab12.tif"], "label": [1, 0], "width": [96, 96], "height": [96, 96]
    }  # fmt: skip
    assert found.facts["data_set"] == "patch_camelyon_kaggle"
    assert "names neither slides nor parts" in found.notes[-1]


def test_another_folder_is_refused(tmp_path: Path) -> None:
    for place, words in ((tmp_path, "Kaggle's train_labels.csv, were expected"), (tmp_path / "a", "no such folder")):
        with pytest.raises(InputError, match=words):
            patch_camelyon.located(place)
    folder = a_set(tmp_path / "pcam")
    with pytest.raises(InputError, match="is a file, a folder was expected"):
        patch_camelyon.located(folder / f"{STEM}train_x.h5")
    for path in folder.glob("*_y.h5"):
        path.unlink()
    with pytest.raises(InputError, match=r"no part can be read, the first: .*train_y.h5: there is no such file"):
        patch_camelyon.index(folder)
