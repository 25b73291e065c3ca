"""Tiles of CAMELYON16 and CAMELYON17 as rows: layouts, what a folder's name may mean, stages, hospitals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remedis.data.indexers import camelyon_tiles
from remedis.data.indexers.camelyon_slides import (
    PATIENT_STAGES,
    SLIDE_STAGES,
    Slide,
    Stages,
    ranges,
    read_stages,
    slide_of,
)
from remedis.data.indexers.label_table import read_labels
from remedis.errors import InputError, ManifestError, UsageError


def tiles(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((6, 8, 3), np.uint8)).save(folder / name)
    return folder


WITH_CENTRE = """patient,stage,center
patient_004.zip,pN1,0
patient_004_node_0.tif,negative,0
patient_004_node_4.tif,macro,0
patient_020.zip,pN0(i+),1
patient_020_node_2.tif,itc,1
patient_100.zip,,
patient_100_node_1.tif,,
"""
WITHOUT_CENTRE = "patient,stage\npatient_004.zip,pN1\npatient_004_node_0.tif,negative\npatient_004_node_4.tif,macro\n"


def stages(folder: Path, text: str) -> Stages:
    (folder / "stages.csv").write_text(text)
    return read_stages(folder / "stages.csv")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("tumor_001/a.png", Slide("tumor_001", "tumor", 1)),
        ("tumor/normal_033_x_1_y_2.png", Slide("normal_033", "normal", 33)),
        ("training/tumor/tumor_111.tif/7.png", Slide("tumor_111", "tumor", 111)),
        ("camelyon16_test_016_5_6.png", Slide("test_016", "test", 16)),
        ("Test_016.png", Slide("test_016", "test", 16)),
        ("normal_001/tumor_002.png", Slide("tumor_002", "tumor", 2)),
        ("tumor_01/a.png", None),
        ("tumor_0011/a.png", None),
        ("nontumor_001.png", None),
        ("patient_004_node_4/a.png", None),
    ],
    ids=[
        "folder",
        "file",
        "deep",
        "a release's name",
        "capitals",
        "two slides",
        "two digits",
        "four digits",
        "a longer word",
        "17",
    ],
)
def test_slides_of_16_are_found_in_paths(path: str, expected: Slide | None) -> None:
    assert slide_of(path, 16) == expected


def test_slides_of_17_are_found_in_paths() -> None:
    slide = slide_of("patches/patient_004_node_4/patch_patient_004_node_4_x_3328_y_21792.png", 17)
    assert slide == Slide("patient_004_node_4", "patient", 4, 4)
    assert (slide.patient, slide.is_test) == ("004", False)
    assert slide_of("patient_199_node_0.png", 17).is_test  # type: ignore[union-attr]
    assert not slide_of("patient_099_node_0.png", 17).is_test  # type: ignore[union-attr]
    assert slide_of("patient_004/a.png", 17) is None


def test_folders_of_classes_over_files_of_slides(tmp_path: Path) -> None:
    tiles(
        tmp_path, "tumor/tumor_001_x_1024_y_2048.png", "normal/tumor_001_x_0_y_256.png", "normal/normal_002_12_34.png",
        "tumor/test_003_x5_y6.png", "normal/test_003.png", "notes/other.png",
    )  # fmt: skip
    found = camelyon_tiles.index(tmp_path, 16)
    assert found.table.to_pydict() == {
        "image": [
            "normal/normal_002_12_34.png", "normal/test_003.png", "normal/tumor_001_x_0_y_256.png",
            "tumor/test_003_x5_y6.png", "tumor/tumor_001_x_1024_y_2048.png",
        ],
        "width": [8] * 5,
        "height": [6] * 5,
        "patient_id": ["normal_002", "test_003", "tumor_001", "test_003", "tumor_001"],
        "split": ["train", "test", "train", "test", "train"],
        "label": [0, 0, 0, 1, 1],
        "slide": ["normal_002", "test_003", "tumor_001", "test_003", "tumor_001"],
        "slide_label": ["normal", None, "tumor", None, "tumor"],
        "x_coord": [12, None, 0, 5, 1024],
        "y_coord": [34, None, 256, 6, 2048],
    }  # fmt: skip
    assert found.facts["left_out"] == {"tiles whose path names no slide": 1}
    assert found.said == ("CAMELYON16 names no patients: the slide counts as the patient",)
    assert found.notes == ("the hospital of 5 tiles is unknown; --site-ranges gives it",)


def test_folders_that_repeat_the_slides_names_are_no_labels_of_tiles(tmp_path: Path) -> None:
    """CAMELYON16's own folders are training/tumor and training/normal: they say what the slide is."""
    tiles(
        tmp_path, "training/tumor/tumor_001/a.png", "training/tumor/tumor_001/b.png", "training/normal/normal_001/a.png"
    )
    found = camelyon_tiles.index(tmp_path, 16)
    assert found.table["image"].to_pylist()[0] == "training/normal/normal_001/a.png"
    assert found.table["label"].to_pylist() == [0, None, None]
    assert "split" not in found.table.column_names
    assert found.notes[0].startswith("label is unknown for 2 tiles: neither a table (--labels) nor a folder tumor or")


def test_the_nearest_folder_tells_the_class(tmp_path: Path) -> None:
    tiles(tmp_path, "tumor/normal/tumor_001_a.png", "tumor/tumor/tumor_001_b.png", "tumor/1/0/tumor_001_c.png")
    table = camelyon_tiles.index(tmp_path, 16).table
    assert dict(zip(table["image"].to_pylist(), table["label"].to_pylist(), strict=True)) == {
        "tumor/1/0/tumor_001_c.png": 0, "tumor/normal/tumor_001_a.png": 0, "tumor/tumor/tumor_001_b.png": 1
    }  # fmt: skip


def test_a_tables_label_is_one_or_nought(tmp_path: Path) -> None:
    tiles(tmp_path / "tiles", "tumor_001/a.png", "normal_001/a.png")
    (tmp_path / "l.csv").write_text("image,label\ntumor_001/a.png,2\nnormal_001/a.png,0\n")
    with pytest.raises(ManifestError, match=r"label of tumor_001/a.png is 2, 0 \(none\) or 1 \(tumour\) was expected"):
        camelyon_tiles.index(tmp_path / "tiles", 16, labels=read_labels(tmp_path / "l.csv"))


def test_a_folder_a_slide_with_a_table_of_labels(tmp_path: Path) -> None:
    tiles(tmp_path / "tiles", "tumor_001/a.png", "tumor_001/b.png", "normal_001/a.png")
    (tmp_path / "l.csv").write_text("image,label,site\ntumor_001/b.png,1,utrecht\nnormal_001/a.png,0,\n")
    found = camelyon_tiles.index(
        tmp_path / "tiles", 16, labels=read_labels(tmp_path / "l.csv"), sites={("normal", 1): "radboud"}
    )
    assert found.table.select(["image", "label", "patient_id", "slide_label", "site"]).to_pylist() == [
        {"image": "tumor_001/b.png", "label": 1, "patient_id": "tumor_001", "slide_label": "tumor", "site": "utrecht"},
        {
            "image": "normal_001/a.png",
            "label": 0,
            "patient_id": "normal_001",
            "slide_label": "normal",
            "site": "radboud",
        },
    ]
    assert found.left_out == {"files that l.csv does not name": 1}


def test_stages_give_hospital_stage_and_clean_slides(tmp_path: Path) -> None:
    tiles(
        tmp_path, "patient_004_node_0/1.png", "patient_004_node_4/1.png", "patient_020_node_2/1.png",
        "patient_100_node_1/1.png", "patient_101_node_1/1.png",
    )  # fmt: skip
    found = camelyon_tiles.index(tmp_path, 17, stages=stages(tmp_path, WITH_CENTRE))
    assert found.table.drop_columns(["image", "width", "height"]).to_pydict() == {
        "patient_id": ["004", "004", "020", "100", "101"],
        "site": ["centre_0", "centre_0", "centre_1", None, None],
        "split": ["train", "train", "train", "test", "test"],
        "label": [0, None, None, None, None],
        "slide": [
            "patient_004_node_0", "patient_004_node_4", "patient_020_node_2", "patient_100_node_1", "patient_101_node_1"
        ],
        "slide_label": ["negative", "macro", "itc", None, None],
        "node": [0, 4, 2, 1, 1],
        "pn_stage": ["pN1", "pN1", "pN0(i+)", None, None],
    }  # fmt: skip
    assert found.said == ()
    assert [note.partition(":")[0].partition(";")[0] for note in found.notes] == [
        "label is unknown for 4 tiles", "the hospital of 2 tiles is unknown",
        "2 slides are not in the table of stages, the first",
    ]  # fmt: skip


def test_stages_without_a_centre_leave_the_hospital_to_ranges(tmp_path: Path) -> None:
    tiles(tmp_path, "tumor/patient_004_node_4_x_1_y_2.png", "normal/patient_004_node_0_x_1_y_2.png")
    found = camelyon_tiles.index(tmp_path, 17, stages=stages(tmp_path, WITHOUT_CENTRE))
    assert "site" not in found.table.column_names
    assert found.table["label"].to_pylist() == [0, 1]
    assert found.notes == (
        "the hospital of 2 tiles is unknown; --stages with a column center, or --site-ranges gives it",
    )
    sites = ranges(["patient_000-019=centre_0"])
    known = camelyon_tiles.index(tmp_path, 17, stages=stages(tmp_path, WITHOUT_CENTRE), sites=sites)
    assert known.table["site"].to_pylist() == ["centre_0", "centre_0"]


def test_ranges_name_hospitals() -> None:
    assert ranges(["tumor_001-002=radboud", "Normal_100-100=utrecht = east"]) == {
        ("tumor", 1): "radboud", ("tumor", 2): "radboud", ("normal", 100): "utrecht = east"
    }  # fmt: skip
    for text in ("tumor_001=radboud", "tumor_5-4=radboud", "tumor_1-2=", "tumor_1-99999=radboud", "_1-2=a"):
        with pytest.raises(UsageError, match=r"NAME_FIRST-LAST=SITE was expected, as in tumor_001-070=radboud"):
            ranges([text])
    with pytest.raises(UsageError, match="tumor_002 has two sites"):
        ranges(["tumor_001-002=radboud", "tumor_002-003=utrecht"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (WITH_CENTRE.replace("patient,stage", "name,stage"), "there is no column 'patient'"),
        (
            WITH_CENTRE.replace("macro", "pN1"),
            "patient_004_node_4.tif has the stage 'pN1', one of negative, itc, micro",
        ),
        (WITH_CENTRE.replace("pN0(i+)", "itc"), r"patient_020.zip has the stage 'itc', one of pN0, pN0\(i\+\), pN1mi"),
        (WITH_CENTRE.replace("itc,1", "itc,2"), "patient_020 has the centres 1 and 2"),
        (WITH_CENTRE.replace("patient_020.zip", "tumor_020.zip"), "'tumor_020.zip' is neither patient_000.zip nor"),
    ],
    ids=["column", "slide", "patient", "two centres", "another name"],
)
def test_other_tables_of_stages_are_refused(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=words):
        stages(tmp_path, text)


def test_the_words_of_stages_are_the_challenges() -> None:
    """CAMELYON17's own words, in its order."""
    assert SLIDE_STAGES == ("negative", "itc", "micro", "macro")
    assert PATIENT_STAGES == ("pN0", "pN0(i+)", "pN1mi", "pN1", "pN2")


def test_a_damaged_tile_is_kept_and_said(tmp_path: Path) -> None:
    tiles(tmp_path, "normal_001/a.png", "normal_001/b.png")
    (tmp_path / "normal_001/a.png").write_bytes(b"no picture")
    found = camelyon_tiles.index(tmp_path, 16)
    assert found.table["width"].to_pylist() == [None, 8]
    assert found.notes[0].startswith("1 tile is kept that remedis embed will reject, the first:")


@pytest.mark.parametrize(("year", "words"), [(16, "tumor_001, normal_001 or test_001"), (17, "patient_004_node_4")])
def test_tiles_of_no_slide_are_refused(year: int, words: str, tmp_path: Path) -> None:
    tiles(tmp_path, "a/b.png")
    with pytest.raises(InputError, match=f"no path names a slide such as {words}, the first is a/b.png"):
        camelyon_tiles.index(tmp_path, 16 if year == 16 else 17)
