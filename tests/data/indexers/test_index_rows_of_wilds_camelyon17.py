"""CAMELYON17-WILDS as rows: hospitals, the official split, patients as text, patches that are not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remedis.data import splits
from remedis.data.indexers import wilds_camelyon17
from remedis.errors import InputError, ManifestError

TABLE = """,patient,node,x_coord,y_coord,tumor,slide,center,split
0,004,4,3328,21792,1,0,0,0
1,004,4,3200,22272,0,0,0,1
2,020,2,3168,22272,1,10,1,0
3,040,1,96,0,0,20,2,0
4,061,0,5,7,1,30,3,1
5,099,4,8,9,0,49,4,0
"""
NAMES = [
    "patches/patient_004_node_4/patch_patient_004_node_4_x_3328_y_21792.png",
    "patches/patient_004_node_4/patch_patient_004_node_4_x_3200_y_22272.png",
    "patches/patient_020_node_2/patch_patient_020_node_2_x_3168_y_22272.png",
    "patches/patient_040_node_1/patch_patient_040_node_1_x_96_y_0.png",
    "patches/patient_061_node_0/patch_patient_061_node_0_x_5_y_7.png",
    "patches/patient_099_node_4/patch_patient_099_node_4_x_8_y_9.png",
]


def a_set(folder: Path, text: str = TABLE) -> Path:
    for number, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((96, 96, 4), number, np.uint8)).save(folder / name)
    (folder / "metadata.csv").write_text(text)
    return folder


def test_the_hospital_decides_the_part(tmp_path: Path) -> None:
    folder = a_set(tmp_path / "camelyon17_v1.0")
    assert wilds_camelyon17.located(tmp_path) == wilds_camelyon17.located(folder) == folder
    found = wilds_camelyon17.index(folder)
    assert found.table.to_pydict() == {
        "image": NAMES,
        "patient_id": ["004", "004", "020", "040", "061", "099"],
        "site": ["centre_0", "centre_0", "centre_1", "centre_2", "centre_3", "centre_4"],
        "split": ["train", "id_val", "validation", "test", "id_val", "train"],
        "label": [1, 0, 1, 0, 1, 0],
        "wilds_split": ["train", "id_val", "val", "test", "id_val", "train"],
        "slide": ["0", "0", "10", "20", "30", "49"],
        "node": [4, 4, 2, 1, 0, 4],
        "x_coord": [3328, 3200, 3168, 96, 5, 8],
        "y_coord": [21792, 22272, 22272, 0, 7, 9],
        "width": [96] * 6,
        "height": [96] * 6,
    }
    assert found.facts == {"root": ".", "data_set": "camelyon17-wilds", "licence": "CC0-1.0", "left_out": {}}
    assert found.notes == ()


def test_a_patient_of_train_and_id_val_does_not_count_as_a_leak(tmp_path: Path) -> None:
    table = wilds_camelyon17.index(a_set(tmp_path)).table
    assert len(splits.leaking_patients(table, data_set="wilds")) == 0
    assert splits.split_column(table).other == {"id_val": 2}


def test_patches_that_are_not_there_are_left_out_and_named(tmp_path: Path) -> None:
    folder = a_set(tmp_path)
    for name in (NAMES[1], NAMES[3]):
        (folder / name).unlink()
    (folder / NAMES[3]).parent.rmdir()
    found = wilds_camelyon17.index(folder)
    assert found.table["image"].to_pylist() == [NAMES[0], NAMES[2], NAMES[4], NAMES[5]]
    assert found.left_out == {"patches that are not there": 2}
    assert found.facts["damaged"] == [NAMES[1], NAMES[3]]
    assert found.notes == (f"2 patches are not there, the first: {NAMES[1]}",)


def test_a_damaged_patch_is_kept_and_said(tmp_path: Path) -> None:
    folder = a_set(tmp_path)
    (folder / NAMES[2]).write_bytes(b"no picture")
    found = wilds_camelyon17.index(folder)
    assert found.table["width"].to_pylist() == [96, 96, None, 96, 96, 96]
    assert found.notes[0].startswith("1 patch is kept that remedis embed will reject, the first:")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("center,split", "hospital,split", "there is no column 'center'"),
        (",004,", ",4,", "the column 'patient' says '4', three digits such as 004 were expected"),
        ("49,4,0", "49,5,0", "the column 'center' says '5', one of 0, 1, 2, 3, 4 was expected"),
        ("49,4,0", "49,4,2", "the column 'split' says '2', one of 0, 1 was expected"),
        ("8,9,0,49", "8,9,True,49", "the column 'tumor' says 'True', one of 0, 1 was expected"),
        ("8,9,0,49", "8.0,9,0,49", "the column 'x_coord' says '8.0', a whole number was expected"),
        ("8,9,0,49,4", "8,9,0,49,", "the column 'center' has empty cells"),
    ],
    ids=["column", "patients as numbers", "centre", "split", "words", "decimals", "empty"],
)
def test_other_tables_are_refused(old: str, new: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=words):
        wilds_camelyon17.index(a_set(tmp_path, TABLE.replace(old, new)))


def test_other_folders_are_refused(tmp_path: Path) -> None:
    for place, words in (
        (tmp_path, "metadata.csv and patches/ were expected in it, as in camelyon17_v1.0"),
        (tmp_path / "gone", "there is no such folder"),
    ):
        with pytest.raises(InputError, match=words):
            wilds_camelyon17.located(place)
    (tmp_path / "metadata.csv").write_text(TABLE)
    with pytest.raises(InputError, match=f"no patch is there, the first would be {NAMES[0]}"):
        wilds_camelyon17.index(tmp_path)
