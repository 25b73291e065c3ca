"""A tree of DICOM studies: a row a frame, keys for people, and no name, date or identifier anywhere in the result."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pydicom
import pytest
from pydicom.data import get_testdata_file

from references.written_dicom import dicom_bytes
from remedis.data import manifest
from remedis.data.indexers import dicom
from remedis.data.indexers.label_table import read_labels
from remedis.data.indexers.secret import keyed
from remedis.errors import InputError

SECRET = b"s" * 32
PLANTED = {
    "PatientName": "DOE^JANE", "PatientID": "12345", "PatientBirthDate": "19310203", "StudyDate": "20200401",
    "StudyInstanceUID": "1.2.826.0.1.3680043.8.498.77", "SeriesInstanceUID": "1.2.826.0.1.3680043.8.498.78",
    "ReferringPhysicianName": "HOUSE^GREGORY", "InstitutionName": "Planted Hospital", "AccessionNumber": "ACC98765",
    "PatientAddress": "1 Planted Street", "StudyDescription": "planted study", "PatientComments": "planted comment",
    "OtherPatientIDs": "OTHER4711", "StationName": "PLANTEDSTATION", "StudyTime": "112233.445566",
}  # fmt: skip


def shipped(name: str) -> Path:
    return Path(str(get_testdata_file(name)))


def planted(path: Path, name: str = "CT_small.dcm", **elements: Any) -> None:
    """Write one of pydicom's own files with a person in it."""
    dataset = pydicom.dcmread(shipped(name))
    for keyword, value in {**PLANTED, **elements}.items():
        setattr(dataset, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path)


def made(path: Path, **elements: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(dicom_bytes(np.zeros((5, 7), np.uint8), 8, **elements))


def test_nothing_that_names_a_person_reaches_the_manifest(tmp_path: Path) -> None:
    planted(tmp_path / "a/1.dcm")
    planted(tmp_path / "a/2.dcm", "MR_small.dcm")
    found = dicom.index(tmp_path / "a", SECRET)
    manifest.write(found.table, tmp_path / "m.parquet", found.facts)
    pq.write_table(found.table, tmp_path / "plain.parquet", compression="none", use_dictionary=False)
    written = (tmp_path / "m.parquet").read_bytes() + (tmp_path / "plain.parquet").read_bytes()
    shown = written + repr((found.table.to_pylist(), found.facts, found.notes)).encode()
    originals = [str(element.value) for name in ("CT_small.dcm", "MR_small.dcm")
                 for element in pydicom.dcmread(shipped(name)) if element.VR in ("UI", "DA", "TM", "PN")]  # fmt: skip
    for text in [*PLANTED.values(), "DOE", "JANE", "HOUSE", *originals]:
        if len(text) > 2 and not text.startswith("1.2.840.10008"):
            assert text.encode() not in shown, text


def test_what_is_kept_says_what_the_files_say(tmp_path: Path) -> None:
    planted(tmp_path / "1.dcm", PatientSex="F", PatientAge="045Y", ViewPosition="PA", BodyPartExamined="CHEST")
    (row,) = dicom.index(tmp_path, SECRET).table.to_pylist()
    dataset = pydicom.dcmread(tmp_path / "1.dcm")
    assert row == {
        "image": "1.dcm",
        "patient_id": keyed(SECRET, "patient", "", "12345"),
        "study_id": keyed(SECRET, "study", PLANTED["StudyInstanceUID"]),
        "series_id": keyed(SECRET, "series", PLANTED["SeriesInstanceUID"]),
        "modality": "CT", "view": "PA", "body_part": "CHEST", "laterality": None, "manufacturer": dataset.Manufacturer,
        "photometric": "MONOCHROME2", "transfer_syntax": "Explicit VR Little Endian",
        "pixel_spacing_row_mm": float(dataset.PixelSpacing[0]),
        "pixel_spacing_column_mm": float(dataset.PixelSpacing[1]),
        "sex": "F", "age": 45.0, "width": 128, "height": 128,
    }  # fmt: skip


def test_a_patient_keeps_one_key_and_issuers_tell_patients_apart(tmp_path: Path) -> None:
    made(tmp_path / "1.dcm", PatientID="7")
    made(tmp_path / "2.dcm", PatientID=" 7 ")
    made(tmp_path / "3.dcm", PatientID="7", IssuerOfPatientID="OTHER")
    made(tmp_path / "4.dcm", PatientID="")
    made(tmp_path / "5.dcm")
    one, same, other, *none = dicom.index(tmp_path, SECRET).table["patient_id"].to_pylist()
    assert one == same != other
    assert none == [None, None]
    assert dicom.index(tmp_path, b"t" * 32).table["patient_id"][0].as_py() != one


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"PatientAge": "089Y"}, 89.0), ({"PatientAge": "090Y"}, 90.0), ({"PatientAge": "093Y"}, 90.0),
        ({"PatientAge": "006M"}, 0.5), ({"PatientAge": ""}, None), ({}, None),
        ({"PatientBirthDate": "19310203", "StudyDate": "20210202"}, 89.0),
        ({"PatientBirthDate": "19310203", "StudyDate": "20210204"}, 90.0),
        ({"PatientBirthDate": "19010203", "StudyDate": "20200401"}, 90.0),
        ({"PatientBirthDate": "20200101", "StudyDate": "20200401"}, 0.2),
        ({"PatientBirthDate": "20210101", "StudyDate": "20200401"}, None),
        ({"PatientBirthDate": "19310203"}, None),
        ({"PatientAge": "050Y", "PatientBirthDate": "19310203", "StudyDate": "20210204"}, 50.0),
    ],
)  # fmt: skip
def test_ages_over_89_become_90(tmp_path: Path, elements: dict[str, str], expected: float | None) -> None:
    made(tmp_path / "1.dcm", **elements)
    assert dicom.index(tmp_path, SECRET).table["age"].to_pylist() == [expected]


@pytest.mark.parametrize(("word", "expected"), [("F", "F"), ("M", "M"), ("O", None), ("", None)])
def test_sex(tmp_path: Path, word: str, expected: str | None) -> None:
    made(tmp_path / "1.dcm", PatientSex=word)
    assert dicom.index(tmp_path, SECRET).table["sex"].to_pylist() == [expected]


def test_files_without_pixels_and_files_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    made(tmp_path / "study/series/IM0001.dcm")
    shutil.copy(tmp_path / "study/series/IM0001.dcm", tmp_path / "study/series/1.2.3.4")
    for name in ("rtplan.dcm", "rtstruct.dcm", "reportsi.dcm", "test-SR.dcm"):
        shutil.copy(shipped(name), tmp_path / name)
    shutil.copy(shipped("DICOMDIR"), tmp_path / "DICOMDIR")
    (tmp_path / "text.dcm").write_text("no DICOM at all")
    (tmp_path / "empty.dcm").touch()
    (tmp_path / "picture.png").touch()
    (tmp_path / "readme.txt").touch()
    found = dicom.index(tmp_path, SECRET)
    assert found.table["image"].to_pylist() == ["study/series/1.2.3.4", "study/series/IM0001.dcm"]
    assert found.left_out == {
        "images that are no DICOM": 1, "files that cannot be read": 2, "files without pixels": 5,
    }  # fmt: skip


def test_films_have_a_row_a_frame_and_damaged_pixels_keep_their_row(tmp_path: Path) -> None:
    shutil.copy(shipped("SC_rgb_rle_2frame.dcm"), tmp_path / "a.dcm")
    made(tmp_path / "b.dcm")
    made(tmp_path / "c.dcm", NumberOfFrames="9999")
    found = dicom.index(tmp_path, SECRET)
    assert found.table.select(["image", "frame"]).to_pydict() == {
        "image": ["a.dcm", "a.dcm", "b.dcm", "c.dcm"], "frame": [0, 1, None, None],
    }  # fmt: skip
    assert any(note.startswith("1 file is kept that remedis embed will reject") for note in found.notes)


def test_a_tree_without_images_is_refused(tmp_path: Path) -> None:
    shutil.copy(shipped("rtplan.dcm"), tmp_path / "a.dcm")
    with pytest.raises(InputError, match="no DICOM image among 1 file"):
        dicom.index(tmp_path, SECRET)


@pytest.mark.parametrize("path", ["12345/1.dcm", "Doe_J/1.dcm", "x/19310203.dcm"])
def test_paths_that_hold_the_person_are_warned_of_more_loudly(tmp_path: Path, path: str) -> None:
    planted(tmp_path / path)
    planted(tmp_path / "fine.dcm")
    notes = dicom.index(tmp_path, SECRET).notes
    assert notes[0].startswith("the paths of 1 file hold the patient's identifier, name or date of birth")


def test_ordinary_paths_are_flagged(tmp_path: Path) -> None:
    planted(tmp_path / "1.dcm")
    found = dicom.index(tmp_path, SECRET)
    assert found.facts["paths_may_identify"] is True
    assert found.notes[0].startswith("the manifest holds paths, which can identify people")


def test_burnt_in_text_is_warned_of(tmp_path: Path) -> None:
    made(tmp_path / "1.dcm", BurnedInAnnotation="YES")
    assert any("burnt into their pixels" in note for note in dicom.index(tmp_path, SECRET).notes)


def test_a_table_adds_its_columns_but_no_clear_patient(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        planted(tmp_path / f"{number}.dcm")
    (tmp_path / "t.csv").write_text("image,finding,patient_id\n2,1,12345\n1.dcm,0,12345\n")
    found = dicom.index(tmp_path, SECRET, labels=read_labels(tmp_path / "t.csv"))
    assert found.table.select(["image", "finding"]).to_pydict() == {"image": ["1.dcm", "2.dcm"], "finding": [0, 1]}
    assert found.table["patient_id"].to_pylist() == [keyed(SECRET, "patient", "", "12345")] * 2
    assert found.left_out == {"files that t.csv does not name": 1}
    (tmp_path / "t.csv").write_text("image,finding\n2,1\n2,0\n")
    with pytest.raises(InputError, match="two rows name one image"):
        dicom.index(tmp_path, SECRET, labels=read_labels(tmp_path / "t.csv"))
