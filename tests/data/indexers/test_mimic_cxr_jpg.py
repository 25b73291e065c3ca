"""MIMIC-CXR-JPG as rows: a tiny copy of the release with its oddities, against what PhysioNet's page describes."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from references import written_chest_sets as written
from remedis.data.indexers import mimic_cxr_jpg as mimic
from remedis.data.indexers.uncertain import policies
from remedis.errors import InputError, ManifestError, UsageError

MISSING = "1 study is not in mimic-cxr-2.0.0-chexpert{}: their labels are unknown"


def edited(folder: Path, name: str, old: str, new: str) -> Path:
    path = folder / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


@pytest.mark.parametrize("ending", [".csv.gz", ".csv"])
def test_rows_are_those_of_the_tables(ending: str, tmp_path: Path) -> None:
    found = mimic.index(written.mimic(tmp_path / "set", ending))
    rows = found.table.to_pydict()
    assert rows["image"] == [
        "files/p10/p10000032/s50414267/a-1.jpg", "files/p10/p10000032/s50414267/a-2.jpg",
        "files/p10/p10000032/s50414267/a-3.jpg", "files/p10/p10000032/s53189527/b-1.jpg",
        "files/p11/p11000011/s51029426/c-1.jpg", "files/p11/p11000566/s52401526/d-1.jpg",
    ]  # fmt: skip
    assert rows["patient_id"] == ["10000032"] * 4 + ["11000011", "11000566"]
    assert rows["study_id"] == ["50414267"] * 3 + ["53189527", "51029426", "52401526"]
    assert rows["split"] == ["train"] * 4 + ["validation", "test"]
    assert rows["view"] == ["PA", "LATERAL", "LL", "AP", None, "AP"]
    assert rows["width"] == [2544, 2544, 2544, 2539, 1736, 2048]
    assert rows["height"] == [3056, 3056, 3056, 2705, 2022, 1024]
    assert rows["study_date"] == ["2180-05-06"] * 3 + ["2180-06-26", "2151-01-04", "2132-06-01"]
    assert rows["study_time"] == ["21:30:14"] * 3 + ["09:30:12", "00:07:12", None]
    assert rows["lung_opacity"] == [1, 1, 1, None, 0, 0]
    assert rows["cardiomegaly"] == [None, None, None, None, 0, 0]
    assert rows["atelectasis"] == [0, 0, 0, None, 0, 1]
    assert rows["no_finding"] == [None, None, None, None, 1, None]
    assert rows["support_devices"] == [0, 0, 0, None, 1, 0]
    assert "label_source" not in rows
    assert found.facts == {
        "root": ".", "data_set": "mimic-cxr-jpg", "left_out": {}, "labeller": "chexpert",
        "uncertain": dict.fromkeys(written.CHEXPERT_COLUMNS, "ignore"),
        "blank": dict.fromkeys(written.CHEXPERT_COLUMNS, "negative") | {"no_finding": "ignore"},
    }  # fmt: skip
    assert found.notes == (MISSING.format(ending),)


def test_uncertain_and_blank_labels_follow_their_policies(tmp_path: Path) -> None:
    folder = written.mimic(tmp_path / "set")
    rows = mimic.index(folder, chosen=policies(["pneumonia=multiclass", "ones"], ["ignore"])).table.to_pydict()
    assert rows["cardiomegaly"] == [1, 1, 1, None, None, None]
    assert rows["consolidation"] == [0, 0, 0, None, None, None]
    assert rows["pneumonia"] == ["uncertain"] * 3 + [None] * 3


def test_the_other_labeller(tmp_path: Path) -> None:
    found = mimic.index(written.mimic(tmp_path / "set"), labeller="negbio")
    assert found.table["atelectasis"].to_pylist() == [1, 1, 1, None, None, None]
    assert found.notes == ("3 studies are not in mimic-cxr-2.0.0-negbio.csv.gz: their labels are unknown",)


def test_a_study_of_blanks_alone_is_unknown(tmp_path: Path) -> None:
    folder = edited(
        written.mimic(tmp_path / "set", ".csv"), "mimic-cxr-2.0.0-chexpert.csv", "52401526,1.0", "52401526,"
    )
    found = mimic.index(folder)
    assert found.table["edema"].to_pylist() == [0, 0, 0, None, 0, None]
    assert found.notes[-1].endswith("1 study says nothing of any finding: all labels are unknown")


def test_labels_read_by_hand_take_the_test_part_over(tmp_path: Path) -> None:
    folder = written.mimic(tmp_path / "set")
    with pytest.raises(InputError, match=r"--radiologists: there is no mimic-cxr-\*-test-set-labeled.csv in it"):
        mimic.index(folder, radiologists=True)
    written.mimic_test_labels(folder)
    found = mimic.index(folder, radiologists=True)
    rows = found.table.to_pydict()
    assert rows["label_source"] == ["report"] * 5 + ["radiologists"]
    assert rows["lung_opacity"] == [1, 1, 1, None, 0, 1]
    assert rows["cardiomegaly"] == [None, None, None, None, 0, None]
    assert rows["atelectasis"] == [0, 0, 0, None, 0, 0]
    assert found.notes == (MISSING.format(".csv.gz"),)
    without = mimic.index(folder).table.to_pydict()
    assert (without["lung_opacity"][-1], without["atelectasis"][-1]) == (0, 1)


def test_a_study_that_nobody_read_by_hand_is_unknown_in_the_test_part(tmp_path: Path) -> None:
    folder = written.mimic(tmp_path / "set")
    path = written.mimic_test_labels(folder)
    text = path.read_text().replace("52401526", "59999999").replace("Pneumothorax", "Air")
    path.write_text(text)
    found = mimic.index(folder, radiologists=True)
    assert found.table["atelectasis"].to_pylist() == [0, 0, 0, None, 0, None]
    assert found.table["pneumothorax"].to_pylist() == [0, 0, 0, None, 0, None]
    assert found.table["label_source"].to_pylist() == ["report"] * 5 + [None]
    assert found.notes[1:] == (
        "1 image of the test part is of studies that mimic-cxr-2.1.0-test-set-labeled.csv does not hold: "
        "their labels are unknown",
        "mimic-cxr-2.1.0-test-set-labeled.csv has no column for pneumothorax: unknown in the test part",
    )
    path.write_text("study_id,Oedema\n52401526,1\n")
    with pytest.raises(UsageError, match="there is no column of a finding in it, No Finding"):
        mimic.index(folder, radiologists=True)


@pytest.mark.parametrize(
    ("table", "old", "new", "words"),
    [
        ("metadata", "b-1,10000032", "b-1,p10000032", "line 5: subject_id is 'p10000032', a number such as 10000032"),
        ("metadata", "b-1,", "../b-1,", "line 5: dicom_id is '../b-1', a plain name was expected"),
        ("metadata", "b-1,", ",", "line 5: dicom_id is None, a plain name was expected"),
        ("metadata", "ViewPosition", "View", "no column 'ViewPosition': the header is dicom_id, subject_id"),
        ("split", ",validate", ",valid", "line 6: split is 'valid', train, validate or test was expected"),
        ("chexpert", "-1.0", "3", "line 2: Cardiomegaly is '3'; 1, 0, -1"),
        ("chexpert", "Lung Opacity", "Airspace Opacity", "no column 'Lung Opacity'"),
        ("chexpert", "11000011,51029426", "11000011,50414267", "line 3: 50414267 is here again, with subject_id"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_line(
    table: str, old: str, new: str, words: str, tmp_path: Path
) -> None:
    folder = edited(written.mimic(tmp_path / "set", ".csv"), f"mimic-cxr-2.0.0-{table}.csv", old, new)
    with pytest.raises(ManifestError, match=words):
        mimic.index(folder)


def test_numbers_that_became_floats_are_the_same(tmp_path: Path) -> None:
    plain = mimic.index(written.mimic(tmp_path / "a", ".csv"))
    folder = written.mimic(tmp_path / "b", ".csv")
    for name in ("metadata", "chexpert"):
        path = folder / f"mimic-cxr-2.0.0-{name}.csv"
        text = path.read_text()
        for number in ("10000032", "11000011", "50414267", "53189527", "51029426", "3056", "21800506"):
            text = text.replace(f"{number},", f"{number}.0,")
        path.write_text(text)
    assert mimic.index(folder).table.equals(plain.table)


@pytest.mark.parametrize("clock", ["253012.0", "96012.0", "93060.0", "noon"])
def test_what_the_split_or_the_clock_does_not_know_is_null_and_said(clock: str, tmp_path: Path) -> None:
    folder = written.mimic(tmp_path / "set", ".csv")
    edited(folder, "mimic-cxr-2.0.0-split.csv", "a-2,50414267,10000032,train\n", "")
    edited(folder, "mimic-cxr-2.0.0-metadata.csv", "93012.0", clock)
    found = mimic.index(folder)
    assert found.table["split"].to_pylist() == ["train", None, "train", "train", "validation", "test"]
    assert found.table["study_time"].to_pylist()[3] is None
    assert found.notes[0] == "1 image is in no part of mimic-cxr-2.0.0-split.csv"
    assert found.notes[-1] == "StudyTime: 1 cell is no time and unknown now"


def test_one_group_of_patients_is_enough(tmp_path: Path) -> None:
    folder = written.mimic(tmp_path / "set")
    (folder / "files/p11").rename(tmp_path / "p11")
    found = mimic.index(folder)
    assert (len(found.table), found.left_out) == (4, {"images that are not there": 2})
    (folder / "files").rename(tmp_path / "files")
    with pytest.raises(InputError, match="none of the 6 images is there, the first is files/p10/p10000032"):
        mimic.index(folder)


def test_the_newest_version_of_a_table_is_taken(tmp_path: Path) -> None:
    folder = written.mimic(tmp_path / "set")
    newer = [*written.MIMIC_SPLIT[:-1], "d-1,52401526,11000566,train"]
    written.lines(folder / "mimic-cxr-2.1.0-split.csv.gz", "dicom_id,study_id,subject_id,split", *newer)
    assert mimic.index(folder).table["split"].to_pylist()[-1] == "train"


def test_tables_that_are_missing_or_damaged_are_named(tmp_path: Path) -> None:
    folder = written.mimic(tmp_path / "set")
    assert mimic.located(tmp_path) == mimic.located(folder) == folder
    path = folder / "mimic-cxr-2.0.0-chexpert.csv.gz"
    path.write_bytes(gzip.compress(b"subject_id")[:-9])
    with pytest.raises(ManifestError, match=r"chexpert.csv.gz: cannot be unpacked"):
        mimic.index(folder)
    path.unlink()
    with pytest.raises(
        InputError, match=r"no mimic-cxr-\*-chexpert.csv .* the table of chexpert's labels was expected"
    ):
        mimic.index(folder)
    (folder / "mimic-cxr-2.0.0-metadata.csv.gz").unlink()
    with pytest.raises(InputError, match="of MIMIC-CXR-JPG in it"):
        mimic.located(folder)


def test_an_image_that_is_listed_twice_counts_once(tmp_path: Path) -> None:
    folder = written.mimic(tmp_path / "set", ".csv")
    path = folder / "mimic-cxr-2.0.0-metadata.csv"
    path.write_text(path.read_text() + written.MIMIC_METADATA[0] + "\n")
    found = mimic.index(folder)
    assert (len(found.table), found.left_out) == (6, {"rows that are there twice": 1})
