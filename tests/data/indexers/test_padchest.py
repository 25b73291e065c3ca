"""PadChest as rows: a tiny copy of the release with its oddities, against what its paper and page describe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import remedis
from references import written_chest_sets as written
from remedis.data.indexers import padchest
from remedis.errors import InputError, ManifestError, UsageError

TABLE = "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv"


def edited(folder: Path, old: str, new: str) -> Path:
    path = folder / TABLE
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


def test_rows_are_those_of_the_table(tmp_path: Path) -> None:
    found = padchest.index(written.padchest(tmp_path / "set"), least=1)
    assert found.table.to_pydict() == {
        "image": [
            "0/20536686640136348236148679891455886468_k6ga29.png",
            "54/135803415504923515076821959678074435083_fzis7b.png",
            "0/113855343774216031107737439268243531979_3k951l.png",
        ],
        "patient_id": [
            "839860488694292331637988235681460987",
            "313572750430997347502932654319389875966",
            "50783093527901818115970441183967159682",
        ],
        "study_id": ["2053", "1358", "1138"],
        "view": ["PA", "AP_horizontal", "L"],
        "sex": ["F", "M", "F"],
        "age": [84.0, 86.0, 53.0],
        "atypical_pneumonia": [0, 1, None],
        "fibrotic_band": [0, 1, None],
        "pneumonia": [1, 0, None],
        "pulmonary_fibrosis": [1, 0, None],
        "label_method": ["Physician", "RNN_model", "Physician"],
        "finding_labels": ["pulmonary fibrosis|pneumonia", "atypical pneumonia|fibrotic band", None],
        "width": [8, 8, 8],
        "height": [6, 6, 6],
    }
    assert found.facts["damaged"] == ["0/short.png: is cut short"]
    assert found.left_out == {"images that are cut short": 1}
    assert found.notes == (
        "age is impossible in 1 row and unknown now",
        "1 image is cut short and left out: 0/short.png",
        "Labels is empty in 1 row: all findings are unknown there",
    )


def test_findings_are_named_or_common_enough(tmp_path: Path) -> None:
    folder = written.padchest(tmp_path / "set")
    found = padchest.index(folder)
    assert found.table.column_names[6:8] == ["label_method", "finding_labels"]
    assert found.notes[-1] == (
        "4 labels of fewer than 50 images have no column; --findings names some, --least 1 takes all"
    )
    rows = padchest.index(folder, findings=["Pulmonary Fibrosis", "fibrotic band"]).table
    assert rows.column_names[6:9] == ["pulmonary_fibrosis", "fibrotic_band", "label_method"]
    with pytest.raises(UsageError, match="--findings pneumonias: no image has it, did you mean pneumonia"):
        padchest.index(folder, findings=["pneumonias"])
    with pytest.raises(UsageError, match="--findings normal: no image has it"):  # but the one that is cut short
        padchest.index(folder, findings=["normal"])


def test_the_commonest_finding_comes_first_and_none_takes_a_columns_name(tmp_path: Path) -> None:
    folder = edited(written.padchest(tmp_path / "set"), "['atypical pneumonia'", "['pneumonia', 'View', 'size'")
    found = padchest.index(folder, least=1).table
    assert found.column_names[6:9] == ["pneumonia", "fibrotic_band", "finding_size"]
    assert found["view"].to_pylist() == ["PA", "AP_horizontal", "L"]
    assert padchest.index(folder, findings=["view"]).table["finding_view"].to_pylist() == [0, 1, None]


@pytest.mark.parametrize(
    "cell",
    [
        "['a' +", "{'a': 1}", "[1, 2]", "['a', ['b']]", "__import__('os').getcwd()", "normal", "[" * 500,
        "['" + "a" * 20_000 + "']",
    ],
    ids=["broken", "dict", "numbers", "nested", "call", "word", "deep", "long"],
)  # fmt: skip
def test_a_cell_that_is_no_list_is_refused_and_never_executed(cell: str, tmp_path: Path) -> None:
    folder = edited(written.padchest(tmp_path / "set"), "['normal']", f'"{cell}"')
    with pytest.raises(
        ManifestError, match=r"line 5: Labels is .*, a list such as \['cardiomegaly', 'pleural effusion'\]"
    ):
        padchest.index(folder)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("short.png,0,", "short.png,../0,", "line 5: ImageDir is '../0', a plain name was expected"),
        ("short.png,0,", "short.png,..,", "line 5: ImageDir is '..', a plain name was expected"),
        ("3,short.png", "3,/short.png", "line 5: ImageID is '/short.png', a plain name was expected"),
        ("MethodLabel", "Method", r"no column 'MethodLabel': the header is .*ImageID.* did you mean Method"),
        ("3,short.png", "3,113855343774216031107737439268243531979_3k951l.png", "line 5: 1138.* is here again, with"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_line(old: str, new: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=words):
        padchest.index(edited(written.padchest(tmp_path / "set"), old, new))


def test_a_row_that_is_there_twice_under_another_number_counts_once(tmp_path: Path) -> None:
    folder = written.padchest(tmp_path / "set")
    path = folder / TABLE
    path.write_text(path.read_text() + "4" + written.PADCHEST_ROWS[2][1:] + "\n")
    assert padchest.index(folder).left_out == {"rows that are there twice": 1, "images that are cut short": 1}


@pytest.mark.parametrize("place", ["", "images/", "images/0/"])
def test_images_are_found_in_other_places_too(place: str, tmp_path: Path) -> None:
    folder = written.padchest(tmp_path / "set")
    name = "20536686640136348236148679891455886468_k6ga29.png"
    (folder / place).mkdir(parents=True, exist_ok=True)
    (folder / "0" / name).rename(folder / place / name)
    assert padchest.index(folder).table["image"][0].as_py() == f"{place}{name}"


def test_sixteen_bits_are_kept_apart_from_eight(tmp_path: Path) -> None:
    from PIL import Image

    folder = written.padchest(tmp_path / "set")
    name = padchest.index(folder).table["image"][0].as_py()
    ramp = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1300
    Image.fromarray(ramp).save(folder / name)
    pixels = np.asarray(remedis.read(folder / name).pixels)
    assert len(np.unique(pixels)) == 48  # clipped to 8 bits it would be all white but one
    assert padchest.index(folder).table["width"][0].as_py() == 8


def test_images_that_are_missing_or_all_cut_short(tmp_path: Path) -> None:
    folder = written.padchest(tmp_path / "set")
    (folder / "54").rename(tmp_path / "54")
    assert padchest.index(folder).left_out == {"images that are not there": 1, "images that are cut short": 1}
    for path in folder.rglob("*.png"):
        path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match=r"all images are cut short, the first is 0/2053"):
        padchest.index(folder)
    assert padchest.located(tmp_path) == folder
    (folder / "0").rename(tmp_path / "0")
    with pytest.raises(InputError, match="none of the 4 images is there"):
        padchest.index(folder)
