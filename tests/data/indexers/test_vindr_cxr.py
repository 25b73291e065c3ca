"""VinDr-CXR as rows: tiny copies of PhysioNet's and Kaggle's layouts; votes counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from references import written_chest_sets as written
from remedis.data.indexers import vindr_cxr as vindr
from remedis.errors import InputError, ManifestError

TRAIN = "annotations/image_labels_train.csv"


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_rows_are_the_images_with_their_readers_votes(tmp_path: Path) -> None:
    found = vindr.index(written.vindr(tmp_path / "set"))
    rows = found.table.to_pydict()
    assert rows["image"] == ["train/aaa.dicom", "train/bbb.dicom", "test/ccc.dicom"]
    assert rows["split"] == ["train", "train", "test"]
    assert rows["readers"] == [3, 3, None]
    assert (rows["cardiomegaly"], rows["cardiomegaly_votes"]) == ([1, 0, 1], [2, 0, None])
    assert (rows["aortic_enlargement"], rows["aortic_enlargement_votes"]) == ([0, 0, 0], [1, 0, None])
    assert (rows["nodule_mass"], rows["nodule_mass_votes"]) == ([0, 0, 0], [0, 1, None])
    assert (rows["no_finding"], rows["no_finding_votes"]) == ([0, 1, 0], [1, 2, None])
    assert (rows["other_diseases"], rows["other_diseases_votes"]) == ([0, 0, 1], [0, 1, None])
    assert "other_disease" not in rows
    votes = [name for name in rows if name.endswith("_votes")]
    assert len(votes) == 28
    assert all(name.removesuffix("_votes") in rows for name in votes)
    assert (rows["sex"], rows["age"]) == (["F"] * 3, [45.0] * 3)
    assert (rows["width"], rows["height"]) == ([5] * 3, [4] * 3)
    assert "patient_id" not in rows
    assert found.facts == {"root": ".", "data_set": "vindr-cxr", "left_out": {}, "vote": "majority"}
    assert found.notes == ()


@pytest.mark.parametrize(
    ("vote", "cardiomegaly", "aorta", "nothing"),
    [("majority", [1, 0, 1], [0, 0, 0], [0, 1, 0]), ("any", [1, 0, 1], [1, 0, 0], [0, 0, 0]),
     ("all", [0, 0, 1], [0, 0, 0], [1, 1, 0])],
)  # fmt: skip
def test_votes(vote: str, cardiomegaly: list[int], aorta: list[int], nothing: list[int], tmp_path: Path) -> None:
    """Where one reader's word is enough for a finding, nothing is found only where all say so."""
    rows = vindr.index(written.vindr(tmp_path / "set"), vote=vote).table.to_pydict()
    assert (rows["cardiomegaly"], rows["aortic_enlargement"], rows["no_finding"]) == (cardiomegaly, aorta, nothing)


def test_tables_of_unlike_findings_are_refused(tmp_path: Path) -> None:
    folder = written.vindr(tmp_path / "set")
    for part in ("train", "test"):
        path = folder / f"annotations/image_labels_{part}.csv"
        whole = path.read_text()
        header, *lines = whole.splitlines()
        place = header.split(",").index("Pneumonia")
        cut = [",".join(cell for at, cell in enumerate(line.split(",")) if at != place) for line in (header, *lines)]
        path.write_text("\n".join(cut) + "\n")
        with pytest.raises(ManifestError, match=f"pneumonia is missing in {'train' if part == 'train' else 'it'}"):
            vindr.index(folder)
        path.write_text(whole)


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_table_that_is_not_there_is_said(part: str, tmp_path: Path) -> None:
    folder = written.vindr(tmp_path / "set")
    (folder / f"annotations/image_labels_{part}.csv").unlink()
    assert f"image_labels_{part}.csv is not there, its images are left out" in vindr.index(folder).notes


def test_an_even_vote_is_unknown_and_said_and_an_empty_cell_is_no_vote(tmp_path: Path) -> None:
    folder = written.vindr(tmp_path / "set")
    path = folder / TRAIN
    rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join(row for row in rows if not row.startswith("aaa,R10")))
    found = vindr.index(folder).table.to_pydict()
    assert (found["readers"], found["cardiomegaly"]) == ([2, 3, None], [1, 0, 1])
    assert (found["aortic_enlargement"], found["aortic_enlargement_votes"]) == ([None, 0, 0], [1, 0, None])
    assert "1 label is unknown: as many readers said yes as no" in vindr.index(folder).notes
    edited(path, "aaa,R8,1,", "aaa,R8,,")
    found = vindr.index(folder).table.to_pydict()
    assert (found["aortic_enlargement"], found["aortic_enlargement_votes"]) == ([0, 0, 0], [0, 0, None])
    path.write_text(path.read_text().replace("aaa,R9,0,", "aaa,R9,,"))
    found = vindr.index(folder).table.to_pydict()
    assert (found["aortic_enlargement"], found["aortic_enlargement_votes"]) == ([None, 0, 0], [None, 0, None])


def test_kaggles_boxes_give_the_same_votes_for_their_findings(tmp_path: Path) -> None:
    found = vindr.index(written.vindr_kaggle(tmp_path / "kaggle"))
    rows = found.table.to_pydict()
    both = vindr.index(written.vindr(tmp_path / "physionet")).table.to_pydict()
    names = [name for name in rows if name.removesuffix("_votes") in {
        "aortic_enlargement", "atelectasis", "calcification", "cardiomegaly", "consolidation", "ild", "infiltration",
        "lung_opacity", "nodule_mass", "other_lesion", "pleural_effusion", "pleural_thickening", "pneumothorax",
        "pulmonary_fibrosis", "no_finding",
    }]  # fmt: skip
    assert len(names) == 30
    assert {name: rows[name] for name in names} == {name: both[name][:2] for name in names}
    assert (rows["image"], rows["split"], rows["readers"]) == (
        ["train/aaa.dicom", "train/bbb.dicom"], ["train"] * 2, [3, 3],
    )  # fmt: skip
    assert found.notes == ("train.csv is Kaggle's: 14 findings, and no labels for the images of test",)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("aaa,R9,0", "aaa,R9,2", "line 3: Aortic enlargement is '2', 0 or 1 was expected"),
        ("aaa,R9", "../aaa,R9", "line 3: image_id is '../aaa', a plain name was expected"),
        ("rad_id", "reader", "there is no column 'rad_id', the reader of a row was expected"),
        ("No finding", "Normal", "there is no column 'No finding': the header is image_id, rad_id"),
        ("aaa,R9", "aaa,R8", "line 3: aaa R8 is here again, with Aortic enlargement '0' and '1' on line 2"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_line(old: str, new: str, words: str, tmp_path: Path) -> None:
    folder = written.vindr(tmp_path / "set")
    edited(folder / TRAIN, old, new)
    with pytest.raises(ManifestError, match=words):
        vindr.index(folder)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("bbb,Nodule/Mass", "bbb,Nodule", "train.csv: line 9: class_name is 'Nodule'; did you mean Nodule/Mass"),
        ("class_name", "label", "there is no column 'class_name'"),
        (",R7,", ",,", "line 8: rad_id is None, a plain name was expected"),
    ],
)
def test_kaggles_table_is_checked_too(old: str, new: str, words: str, tmp_path: Path) -> None:
    folder = written.vindr_kaggle(tmp_path / "set")
    edited(folder / "train.csv", old, new)
    with pytest.raises(ManifestError, match=words):
        vindr.index(folder)


def test_readers_who_are_listed_twice_count_once(tmp_path: Path) -> None:
    folder = written.vindr(tmp_path / "set")
    path = folder / TRAIN
    rows = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*rows, rows[1]]))
    found = vindr.index(folder)
    assert found.table["cardiomegaly_votes"].to_pylist() == [2, 0, None]
    assert found.left_out == {"rows that are there twice": 1}


def test_folders_and_images_that_are_missing_are_named(tmp_path: Path) -> None:
    folder = written.vindr(tmp_path / "set")
    (folder / "test").rename(tmp_path / "elsewhere")
    found = vindr.index(folder)
    assert len(found.table) == 2
    assert found.left_out == {"images that are not there": 1}
    assert found.notes == ("the folder test is not there", "1 image is not there, the first is test/ccc.dicom")
    (folder / "train").rename(tmp_path / "too")
    with pytest.raises(InputError, match=r"none of the 3 images is there, the first is train/aaa.dicom"):
        vindr.index(folder)


def test_pictures_made_of_the_dicom_files_are_found(tmp_path: Path) -> None:
    folder = written.vindr(tmp_path / "set")
    for path in list(folder.rglob("*.dicom")):
        written.picture(path.with_suffix(".png"))
        path.unlink()
    rows = vindr.index(folder).table.to_pydict()
    assert rows["image"] == ["train/aaa.png", "train/bbb.png", "test/ccc.png"]
    assert (rows["width"], rows["height"]) == ([8] * 3, [6] * 3)
    assert "sex" not in rows


def test_a_header_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    folder = written.vindr(tmp_path / "set")
    (folder / "train/bbb.dicom").write_bytes(b"no DICOM")
    found = vindr.index(folder)
    assert found.table["width"].to_pylist() == [5, None, 5]
    assert "1 file has a header that cannot be read; the rows are kept" in found.notes[0]


def test_the_release_is_found(tmp_path: Path) -> None:
    folder = written.vindr(tmp_path / "here/1.0.0")
    assert vindr.located(tmp_path / "here") == vindr.located(folder) == folder
    with pytest.raises(InputError, match="of VinDr-CXR in it"):
        vindr.located(tmp_path)
    with pytest.raises(InputError, match=r"no image_labels_train.csv, image_labels_test.csv or train.csv"):
        vindr.index(tmp_path)
    (folder / TRAIN).unlink()
    assert vindr.index(folder).table["split"].to_pylist() == ["test"]
