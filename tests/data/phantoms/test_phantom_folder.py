"""A folder of phantoms: files that other readers take, tables that agree, and that all of it says simulated."""

from __future__ import annotations

import csv
import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom import config
from pydicom.pixels import apply_windowing

from remedis import cli
from remedis.commands.phantoms import run
from remedis.data import manifest
from remedis.data.phantoms import FINDINGS, Exam, Population, render, write
from remedis.data.readers import read
from remedis.errors import FolderError, StoppedError, UsageError
from remedis.options.phantoms import Phantoms

SIZE = 64


def made(folder: Path, **options: Any) -> Path:
    run(Phantoms(**{"out": folder, "number": 6, "size": SIZE, **options}))
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def lines(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("form", ["png", "dicom"])
def test_the_tables_agree_with_the_population_and_the_files(tmp_path: Path, form: str) -> None:
    folder = made(tmp_path / "out", format=form, seed=5, prevalence=0.8)
    exams = list(Population(seed=5, prevalence=0.8).exams(6))
    assert any(0 < severity < 0.3 for exam in exams for severity in exam.patient.severities.values())
    opened = manifest.read(folder / "manifest.parquet")
    assert opened.facts["simulated"] is True
    assert opened.root == folder
    rows = opened.table.to_pylist()
    assert len(rows) == 6
    for row, line, exam in zip(rows, lines(folder), exams, strict=True):
        patient = exam.patient
        assert (row["patient_id"], row["study_id"]) == (patient.patient_id, exam.study_id)
        assert (row["site"], row["split"], row["view"]) == (patient.site, patient.split, exam.projection)
        assert (row["sex"], row["age"], row["width"], row["height"]) == (patient.sex, patient.age, SIZE, SIZE)
        assert row["simulated"] == 1
        for name in FINDINGS:
            assert row[name] == (patient.severities[name] > 0)
            assert row[f"{name}_severity"] == patient.severities[name] == float(line[f"{name}_severity"])
        assert {key: str(value) for key, value in row.items()} == line
        assert read(folder / row["image"]).pixels.shape == (SIZE, SIZE, 3)


def test_png_files_hold_the_pixels_and_say_simulated(tmp_path: Path) -> None:
    folder = made(tmp_path / "out")
    for exam in Population().exams(6):
        path = folder / write.image_name(exam, "png")
        np.testing.assert_array_equal(read(path).pixels[..., 0], render(exam, SIZE).pixels)
        with Image.open(path) as picture:
            assert "simulated" in picture.info["Description"]


@pytest.mark.parametrize("site", ["site-a", "site-b"])
def test_dicom_shows_what_the_png_shows(tmp_path: Path, site: str) -> None:
    patient = replace(Population(seed=1).patient(0), site=site)
    exam = Exam(patient, 0)
    (tmp_path / "images").mkdir()
    for form in ("png", "dicom"):
        write.write_image(exam, tmp_path, SIZE, form)
    shown = read(tmp_path / write.image_name(exam, "png")).pixels[..., 0].astype(float)
    path = tmp_path / write.image_name(exam, "dicom")
    ours = read(path, "dicom-display").pixels
    assert ours.dtype == np.uint16
    assert np.abs(ours[..., 0] / 257 - shown).max() <= 0.51
    theirs = pydicom.dcmread(path)
    window = apply_windowing(theirs.pixel_array, theirs) / 4095 * 255
    if theirs.PhotometricInterpretation == "MONOCHROME1":
        window = 255 - window
    assert np.abs(window - shown).max() <= 0.51


def test_dicom_files_are_valid_and_say_simulated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.RAISE)
    folder = made(tmp_path / "out", format="dicom")
    sets = [pydicom.dcmread(path) for path in sorted((folder / "images").iterdir())]
    assert {each.PhotometricInterpretation for each in sets} == {"MONOCHROME1", "MONOCHROME2"}
    for each, exam in zip(sets, Population().exams(6), strict=True):
        for element in each.iterall():
            assert element.value is not None or element.VM == 0
        assert each.SOPClassUID == "1.2.840.10008.5.1.4.1.1.1"  # Computed Radiography Image Storage
        assert each.SOPClassUID == each.file_meta.MediaStorageSOPClassUID
        assert each.SOPInstanceUID == each.file_meta.MediaStorageSOPInstanceUID
        assert list(each.ImageType) == ["DERIVED", "SECONDARY"]
        assert str(each.PatientName).startswith("SIMULATED^")
        assert each.BurnedInAnnotation == each.QualityControlImage == "YES"
        assert (each.Modality, each.ViewPosition) == ("CR", exam.projection)
        assert (each.PatientSex, each.PatientAge) == (exam.patient.sex, f"{exam.patient.age:03}Y")
        assert (each.BitsAllocated, each.BitsStored, each.HighBit) == (16, 12, 11)
        assert [float(value) for value in each.PixelSpacing] == pytest.approx([385 / SIZE] * 2, rel=1e-5)
        assert "InstitutionName" not in each
        for keyword in ("StudyDescription", "SeriesDescription", "ImageComments", "PatientComments"):
            assert each[keyword].value.startswith("SIMULATED")
        for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
            assert each[keyword].value.is_valid
    assert len({each.SOPInstanceUID for each in sets}) == len(sets)
    assert len({each.StudyInstanceUID for each in sets}) == len(sets)


def test_monochrome1_files_are_stored_the_other_way_round(tmp_path: Path) -> None:
    exam = Exam(replace(Population().patient(1), site="site-b"), 0)
    (tmp_path / "images").mkdir()
    write.write_image(exam, tmp_path, SIZE, "dicom")
    stored = pydicom.dcmread(tmp_path / write.image_name(exam, "dicom")).pixel_array
    np.testing.assert_array_equal(4095 - stored.astype(int), render(exam, SIZE).stored)


def test_readme_says_that_all_is_simulated(tmp_path: Path) -> None:
    folder = made(tmp_path / "out", findings=("effusion", "nodule"), prevalence=0.5)
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert "Every picture in this folder is simulated" in text
    assert "say nothing about patients" in text
    assert "remedis phantoms --out out --number 6 --size 64 --findings effusion,nodule --prevalence 0.5" in text
    assert list(lines(folder)[0])[-4:] == ["effusion", "effusion_severity", "nodule", "nodule_severity"]


def test_the_same_command_gives_the_same_bytes_and_a_larger_set_begins_with_them(tmp_path: Path) -> None:
    one, two, more = made(tmp_path / "a" / "x"), made(tmp_path / "b" / "x"), made(tmp_path / "x", number=8)
    assert files(one) == files(two)
    longer = files(more)
    for name, data in files(one).items():
        if name.startswith("images"):
            assert longer[name] == data


def test_a_folder_goes_on_where_it_was(tmp_path: Path) -> None:
    folder = made(tmp_path / "out")
    whole = files(folder)
    images = sorted((folder / "images").iterdir())
    for path in (*images[2:4], folder / "labels.csv"):
        path.unlink()
    kept = images[0].stat().st_mtime_ns
    made(folder)
    assert files(folder) == whole
    assert images[0].stat().st_mtime_ns == kept
    result = run(Phantoms(out=folder, number=6, size=SIZE))
    assert "is there already" in result.text
    assert result.data["images"] == 6


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    folder = made(tmp_path / "out")
    before = files(folder)
    with pytest.raises(FolderError, match="seed is 0 there, 1 here"):
        made(folder, seed=1)
    assert files(folder) == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("mine")
    with pytest.raises(FolderError, match="was not made by this command"):
        made(tmp_path / "other")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"number": 0}, "--number is 0"),
        ({"size": 8}, "--size is 8"),
        ({"format": "jpeg"}, "--format is jpeg"),
        ({"findings": ("fracture",)}, "there is no finding 'fracture'"),
        ({"prevalence": -1.0}, "--prevalence is -1"),
        ({"severity": 1.5}, "--severity is 1.5"),
        ({"views_per_patient": 0}, "--views-per-patient is 0"),
        ({"sites": 9}, "--sites is 9"),
        ({"seed": -3}, "--seed is -3"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(tmp_path: Path, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        made(tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


def test_a_full_disk_keeps_what_was_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save, count = Image.Image.save, [0]

    def full(self: Image.Image, target: Path, *rest: Any, **options: Any) -> None:
        count[0] += 1
        if count[0] == 4:
            target.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(self, target, *rest, **options)

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(StoppedError, match="no space is left"):
        made(tmp_path / "out")
    assert len(list((tmp_path / "out" / "images").iterdir())) == 3
    assert not (tmp_path / "out" / "manifest.parquet").exists()
    monkeypatch.undo()
    assert files(made(tmp_path / "out")) == files(made(tmp_path / "b" / "out"))


def test_the_command_line_ends_with_its_statuses(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "phantoms",
        "--out",
        str(tmp_path / "out"),
        "--number",
        "2",
        "--size",
        "32",
        "--findings",
        "effusion,nodule",
    ]
    assert cli.run([*words, "--json"]) == 0
    captured = capsys.readouterr()
    assert '"simulated": true' in captured.out
    assert "2/2 images" in captured.err
    assert cli.run([*words, "--seed", "1"]) == 2
    assert "holds another job" in capsys.readouterr().err
    assert cli.run(["phantoms", "--out", str(tmp_path / "no"), "--findings", "flu"]) == 2
    assert "there is no finding 'flu'" in capsys.readouterr().err
