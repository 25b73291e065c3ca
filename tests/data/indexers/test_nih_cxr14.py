"""NIH ChestX-ray14 as rows: a tiny copy of the release with its oddities, against what its paper and tables say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import remedis
from references import written_chest_sets as written
from remedis.data.indexers import nih_cxr14 as nih
from remedis.errors import InputError, ManifestError, UsageError


def edited(folder: Path, old: str, new: str, name: str = "Data_Entry_2017_v2020.csv") -> Path:
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


@pytest.mark.parametrize("old", [False, True])
def test_rows_are_those_of_the_table(old: bool, tmp_path: Path) -> None:
    found = nih.index(written.nih(tmp_path / "set", old=old), validation=0)
    rows = found.table.to_pydict()
    assert rows["image"] == [
        "images_001/images/00000001_000.png", "images_001/images/00000001_001.png",
        "images_001/images/00000002_000.png", "images_001/images/00000003_000.png",
        "images_002/images/00000003_002.png", "images/00000004_000.png",
    ]  # fmt: skip
    assert rows["patient_id"] == ["00000001", "00000001", "00000002", "00000003", "00000003", "00000004"]
    assert rows["split"] == ["train", "train", "train", "test", "test", "train"]
    assert rows["view"] == ["PA", "PA", "PA", "AP", "PA", "AP"]
    assert rows["sex"] == [*"MMMFFF"]
    assert rows["age"] == [57, 58, None if old else 80, 74, 75, 82]
    assert rows["finding_labels"] == [
        "Cardiomegaly", "Cardiomegaly|Emphysema", "No Finding", "Infiltration", "Pleural_Thickening|Infiltration",
        "Hernia",
    ]  # fmt: skip
    positive = {name: [row for row in range(6) if rows[name][row]] for name in map(str.lower, nih.FINDINGS)}
    assert {name: places for name, places in positive.items() if places} == {
        "cardiomegaly": [0, 1], "emphysema": [1], "infiltration": [3, 4], "pleural_thickening": [4], "hernia": [5],
    }  # fmt: skip
    assert len(positive) == 14
    assert rows["no_finding"] == [0, 0, 1, 0, 0, 0]
    assert rows["follow_up"] == [0, 1, 0, 0, 2, 0]
    assert rows["original_width"] == [2682, 2894, 2500, 2500, 2048, 2500]
    assert rows["original_height"] == [2749, 2729, 2048, 2048, 2500, 2048]
    assert rows["original_pixel_spacing_x_mm"] == [0.143, 0.143, 0.171, 0.168, 0.168, 0.168]
    assert rows["original_pixel_spacing_y_mm"] == [0.143, 0.143, 0.171, 0.168, 0.168, 0.168]
    assert (rows["width"], rows["height"]) == ([8] * 6, [6] * 6)
    assert found.facts["data_set"] == "nih-cxr14"
    assert found.left_out == {}
    assert found.notes == (("age is impossible in 1 row (412) and unknown now",) if old else ())


def test_every_picture_can_be_read_the_one_with_an_alpha_channel_too(tmp_path: Path) -> None:
    folder = written.nih(tmp_path / "set")
    for name in nih.index(folder).table["image"].to_pylist():
        assert np.asarray(remedis.read(folder / name).pixels).shape == (6, 8, 3)


def test_the_newer_table_is_taken_where_both_are_there(tmp_path: Path) -> None:
    folder = written.nih(written.nih(tmp_path / "set", old=True))
    assert nih.index(folder).table["age"].to_pylist() == [57, 58, 80, 74, 75, 82]


def test_validation_is_drawn_by_patient_from_the_official_training_list(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    rows, names = [], []
    for patient in range(1, 81):
        for visit in range(3):
            names.append(f"{patient:08d}_{visit:03d}.png")
            rows.append(f"{names[-1]},No Finding,{visit},{patient},50,F,PA,10,10,0.1,0.1")
            written.picture(folder / "images" / names[-1])
    written.lines(folder / "Data_Entry_2017_v2020.csv", written.NIH_HEADER, *rows)
    written.lines(folder / "train_val_list.txt", *names[:192])
    written.lines(folder / "test_list.txt", *names[192:])
    found = nih.index(folder, seed=1)
    parts = found.table.select(["patient_id", "split"]).to_pydict()
    of = {who: set() for who in parts["patient_id"]}
    for who, part in zip(parts["patient_id"], parts["split"], strict=True):
        of[who].add(part)
    assert all(len(each) == 1 for each in of.values())
    assert [parts["split"].count(part) for part in ("train", "validation", "test")] == [168, 24, 48]
    assert parts["split"][192:] == ["test"] * 48
    assert found.facts["split"] == {
        "rule": "test is test_list.txt; validation is 12.5% of the patients of train_val_list.txt", "seed": 1,
    }  # fmt: skip
    assert nih.index(folder, seed=1).table.equals(found.table)
    assert not nih.index(folder, seed=2).table.equals(found.table)
    fewer = nih.index(folder, validation=0.25).table["split"].to_pylist()
    assert [fewer.count(part) for part in ("train", "validation", "test")] == [144, 48, 48]


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")], ids=["negative", "all", "none"])
def test_a_share_that_is_none_is_refused(share: float, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--validation is"):
        nih.index(tmp_path, validation=share)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Emphysema", "Emphysem", "line 3: Finding Labels holds 'Emphysem'; did you mean Emphysema"),
        ("Cardiomegaly|Emphysema", "No Finding|Emphysema", "line 3: Finding Labels is 'No Finding|Emphysema'"),
        (
            "00000001_001.png,Cardiomegaly|Emphysema,1,1,",
            "00000001_001.png,Hernia,1,2,",
            "line 3: Patient ID is '2' and",
        ),
        ("00000001_001.png", "../00000001_001.png", "Image Index is '../00000001_001.png', a plain name was expected"),
        (",2894,", ",wide,", r"line 3: OriginalImage\[Width is 'wide', a number was expected"),
        ("OriginalImage[Width,Height]", "Width,Height", r"no column 'OriginalImage\[Width': the header is Image Index"),
        ("00000001_001.png,Cardiomegaly|Emphysema", "00000001_000.png,Cardiomegaly", "00000001_000.png is here again"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_line(old: str, new: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=words.replace("|", r"\|")):
        nih.index(edited(written.nih(tmp_path / "set"), old, new))


def test_without_the_lists_there_is_no_split(tmp_path: Path) -> None:
    folder = written.nih(tmp_path / "set")
    (folder / "test_list.txt").unlink()
    found = nih.index(folder)
    assert "split" not in found.table.column_names
    assert found.notes == ("test_list.txt is not there: no official split",)
    (folder / "train_val_list.txt").unlink()
    assert nih.index(folder).notes == ("train_val_list.txt and test_list.txt are not there: no official split",)


def test_lists_that_contradict_each_other_are_refused_and_gaps_are_said(tmp_path: Path) -> None:
    folder = edited(written.nih(tmp_path / "set"), "00000004_000.png", "", "train_val_list.txt")
    found = nih.index(folder, validation=0)
    assert found.table["split"].to_pylist()[-1] is None
    assert found.notes == ("1 image is in neither list",)
    edited(folder, "00000003_002.png", "00000001_000.png", "test_list.txt")
    with pytest.raises(ManifestError, match=r"test_list.txt: 00000001_000.png is in train_val_list.txt too"):
        nih.index(folder)


def test_of_two_copies_the_one_in_images_is_taken(tmp_path: Path) -> None:
    folder = written.nih(tmp_path / "set")
    written.picture(folder / "images/00000001_000.png")
    assert nih.index(folder).table["image"].to_pylist()[:2] == [
        "images/00000001_000.png", "images_001/images/00000001_001.png",
    ]  # fmt: skip


def test_archives_that_are_not_unpacked_are_counted(tmp_path: Path) -> None:
    folder = written.nih(tmp_path / "set")
    (folder / "images_001").rename(tmp_path / "elsewhere")
    found = nih.index(folder)
    assert (len(found.table), found.left_out) == (2, {"images that are not there": 4})
    assert nih.located(tmp_path) == folder
    (folder / "images_002").rename(folder / "pictures")
    (folder / "images").rename(folder / "others")
    with pytest.raises(InputError, match=r"none of the 6 images is there, the first is images/00000001_000.png"):
        nih.index(folder)
