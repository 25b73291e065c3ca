"""The RSNA challenge as rows: a tiny copy of stage 2, against what its pages describe."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from references import written_chest_sets as written
from remedis.data.indexers import rsna_pneumonia as rsna
from remedis.errors import InputError, ManifestError

HEALTHY, BOXED, OTHER, NORMAL = written.RSNA_KEYS
LEAK = "these are images of NIH ChestX-ray14: never learn from nih-cxr14 and test here, or the other way round"
UNLABELLED = {"files of stage_2_test_images, which have no labels": 1}


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_row_a_box_becomes_a_row_an_image(tmp_path: Path) -> None:
    found = rsna.index(written.rsna(tmp_path / "set"))
    assert found.table.to_pydict() == {
        "image": [f"stage_2_train_images/{key}.dcm" for key in (HEALTHY, BOXED, OTHER, NORMAL)],
        "patient_id": [None] * 4,
        "target": [0, 1, 0, 0],
        "class": ["No Lung Opacity / Not Normal", "Lung Opacity", "Normal", "Normal"],
        "boxes": [0, 2, 0, 0],
        "view": ["AP", "PA", "AP", "PA"],
        "sex": ["M"] * 4,
        "age": [51.0] * 4,
        "width": [5] * 4,
        "height": [4] * 4,
        "photometric": ["MONOCHROME2"] * 4,
    }
    assert found.facts == {"root": ".", "data_set": "rsna-pneumonia", "left_out": UNLABELLED}
    assert found.notes == (LEAK,)


def test_the_mapping_tells_nihs_patients(tmp_path: Path) -> None:
    folder = written.rsna(tmp_path / "set")
    path = tmp_path / "pneumonia-challenge-dataset-mappings_2018.json"
    names = ["00000002_003.png", "00000002_004.png", "00030805_000.png"]
    held = [
        {"img_id": name, "subset_img_id": key, "SOPInstanceUID": f"1.2.{number}", "orig_labels": ["No Finding"]}
        for number, (key, name) in enumerate(zip(written.RSNA_KEYS, names, strict=False))
    ]
    path.write_text(json.dumps(held))
    found = rsna.index(folder, nih_mapping=path)
    rows = found.table.to_pydict()
    assert rows["patient_id"] == ["00000002", "00000002", "00030805", None]
    assert rows["site"] == ["nih-cxr14"] * 3 + [None]
    assert rows["nih_image"] == [*names, None]
    assert found.notes == (f"{path.name} does not name 1 image: the patient is unknown there", LEAK)


@pytest.mark.parametrize(
    "text",
    ["{}", "[1]", "[{}]", '[{"subset_img_id": "a", "img_id": "../x.png"}]', '[{"subset_img_id": 1, "img_id": "b"}]',
     "no json", "[" * 100_000],
    ids=["dict", "numbers", "empty", "name", "number", "text", "deep"],
)  # fmt: skip
def test_a_mapping_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    folder = written.rsna(tmp_path / "set")
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(ManifestError, match=r"m.json: .*subset_img_id and img_id .* was expected"):
        rsna.index(folder, nih_mapping=tmp_path / "m.json")
    with pytest.raises(ManifestError, match="there is no such file"):
        rsna.index(folder, nih_mapping=tmp_path / "gone.json")


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("train_labels", "453.0,1", "453.0,2", "line 4: Target is '2', 0 or 1 was expected"),
        ("train_labels", "453.0,1", "453.0,0", "line 4: Target is 0 and there is a box"),
        ("train_labels", ",,,,,0", ",,,,,1", "line 2: Target is 1 and the box is empty"),
        ("train_labels", BOXED + ",562.0,152.0,256.0,453.0,1", BOXED + ",,,,,0", "Target of 00436515-870c is 0 here"),
        ("train_labels", OTHER, "../x", "line 5: patientId is '../x', a plain name was expected"),
        (
            "train_labels",
            "Target",
            "target",
            "no column 'Target': the header is patientId, x, y, width, height, target",
        ),
        (
            "detailed_class_info",
            "Normal",
            "Abnormal",
            "line 2: class is 'No Lung Opacity / Not Abnormal', Lung Opacity,",
        ),
        ("detailed_class_info", f"{NORMAL},Normal", f"{NORMAL},Lung Opacity", "line 6: class of 00313ee0-9eaa is"),
        (
            "detailed_class_info",
            f"{NORMAL},",
            f"{OTHER},No Lung Opacity / Not ",
            "is 'No Lung Opacity / Not Normal' here",
        ),
    ],
)
def test_what_contradicts_itself_is_refused_with_its_line(
    name: str, old: str, new: str, words: str, tmp_path: Path
) -> None:
    folder = written.rsna(tmp_path / "set")
    edited(folder / f"stage_2_{name}.csv", old, new)
    with pytest.raises(ManifestError, match=words):
        rsna.index(folder)


def test_a_box_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    folder = written.rsna(tmp_path / "set")
    path = folder / "stage_2_train_labels.csv"
    path.write_text(path.read_text() + f"{BOXED},264.0,152.0,213.0,379.0,1\n")
    assert rsna.index(folder).table["boxes"].to_pylist() == [0, 2, 0, 0]


def test_without_classes_and_with_images_missing(tmp_path: Path) -> None:
    folder = written.rsna(tmp_path / "set")
    (folder / "stage_2_detailed_class_info.csv").unlink()
    (folder / f"stage_2_train_images/{OTHER}.dcm").unlink()
    found = rsna.index(folder)
    assert "class" not in found.table.column_names
    assert found.table["target"].to_pylist() == [0, 1, 0]
    assert found.left_out == UNLABELLED | {"images that are not there": 1}
    assert found.notes[0] == "stage_2_detailed_class_info.csv is not there: no column class"
    assert rsna.located(tmp_path) == folder
    (folder / "stage_2_train_images").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="none of the 4 images is there"):
        rsna.index(folder)


def test_a_class_that_is_missing_is_unknown(tmp_path: Path) -> None:
    folder = written.rsna(tmp_path / "set")
    edited(folder / "stage_2_detailed_class_info.csv", f"{NORMAL},Normal\n", "")
    assert rsna.index(folder).table["class"].to_pylist()[-1] is None
