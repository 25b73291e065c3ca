"""A folder as rows: sizes and frames by header, labels and splits from folders or from a table, what is left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from references.written_dicom import dicom_bytes
from remedis.data import readers
from remedis.data.indexers import folder
from remedis.data.indexers.label_table import Columns, read_labels
from remedis.errors import ManifestError, ReadError, UsageError


def picture(path: Path, size: tuple[int, int] = (8, 6)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", size).save(path)


def table(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def index_with(root: Path, text: str, **columns: str) -> folder.Indexed:
    return folder.index(root, labels=read_labels(table(root / "labels.csv", text), Columns(**columns)))


def test_sizes_are_those_that_reading_gives(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", (8, 6))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (10, 4)).save(tmp_path / "turned.jpg", exif=exif)
    Image.new("L", (12, 3)).save(tmp_path / "turned.png", exif=exif)
    data = (tmp_path / "turned.png").read_bytes()
    start = data.index(b"eXIf") - 4
    size = 12 + int.from_bytes(data[start : start + 4], "big")
    end = data.index(b"IEND") - 4
    late = data[:start] + data[start + size : end] + data[start : start + size] + data[end:]
    (tmp_path / "turned_late.png").write_bytes(late)
    (tmp_path / "x.dcm").write_bytes(dicom_bytes(np.zeros((5, 7), np.uint8), 8))
    rows = folder.index(tmp_path).table.to_pylist()
    for row in rows:
        height, width = readers.read(tmp_path / row["image"]).pixels.shape[:2]
        assert (row["width"], row["height"]) == (width, height)
    assert [row["width"] for row in rows] == [8, 4, 3, 3, 7]


def test_no_pixels_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 48), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "a.png").read_bytes()[:-500])
    monkeypatch.setattr(readers, "_decode", lambda *_: pytest.fail("pixels were decoded"))
    found = folder.index(tmp_path)
    assert found.table["width"].to_pylist() == [48, 48]
    assert not found.notes


def test_files_with_several_pictures_have_a_row_a_frame(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    pages = [Image.new("L", (8, 6), shade) for shade in range(3)]
    pages[0].save(tmp_path / "b.tif", save_all=True, append_images=pages[1:])
    (tmp_path / "c.dcm").write_bytes(dicom_bytes(np.zeros((2, 5, 7), np.uint8), 8, frames=2))
    rows = folder.index(tmp_path).table
    assert rows["image"].to_pylist() == ["a.png", *["b.tif"] * 3, *["c.dcm"] * 2]
    assert rows["frame"].to_pylist() == [None, 0, 1, 2, 0, 1]
    found = index_with(tmp_path, "image,grade\nc.dcm,1\na.png,2\n").table
    assert list(zip(*found.select(["image", "frame", "grade"]).to_pydict().values(), strict=True)) == [
        ("c.dcm", 0, 1), ("c.dcm", 1, 1), ("a.png", None, 2),
    ]  # fmt: skip


def test_a_table_with_frames_is_taken_at_its_word(tmp_path: Path) -> None:
    (tmp_path / "c.dcm").write_bytes(dicom_bytes(np.zeros((3, 5, 7), np.uint8), 8, frames=3))
    found = index_with(tmp_path, "image,frame,grade\nc.dcm,2,1\nc.dcm,0,2\n").table
    assert found["frame"].to_pylist() == [2, 0]


def test_a_header_that_cannot_be_read_keeps_its_row_and_is_warned_of(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    for name in ("b.png", "c.dcm", "d.tif"):
        (tmp_path / name).write_text("no image at all")
    (tmp_path / "e.jpg").touch()
    found = folder.index(tmp_path)
    assert found.table["image"].to_pylist() == ["a.png", "b.png", "c.dcm", "d.tif", "e.jpg"]
    assert found.table["width"].to_pylist() == [8, None, None, None, None]
    assert found.notes[0].startswith("4 files have a header that cannot be read")


def test_a_lone_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "b.tif").write_text("no image at all")
    with pytest.raises(ReadError, match=r"b\.tif"):
        folder.index(tmp_path)


def test_class_and_split_folders_become_columns(tmp_path: Path) -> None:
    for name in ("train/cat/1", "train/dog/2", "val/cat/3", "test/dog/4"):
        picture(tmp_path / f"{name}.png")
    found = folder.index(tmp_path).table
    rows = {row["image"]: (row["label"], row["split"]) for row in found.to_pylist()}
    assert rows == {
        "train/cat/1.png": ("cat", "train"), "train/dog/2.png": ("dog", "train"),
        "val/cat/3.png": ("cat", "validation"), "test/dog/4.png": ("dog", "test"),
    }  # fmt: skip


def test_the_table_decides_and_folders_give_the_split_it_lacks(tmp_path: Path) -> None:
    for name in ("train/cat/1", "test/dog/2", "test/dog/3"):
        picture(tmp_path / f"{name}.png")
    found = index_with(tmp_path, "image,label\n2,c\n1,d\n")
    assert found.table.select(["image", "label", "split"]).to_pylist() == [
        {"image": "test/dog/2.png", "label": "c", "split": "test"},
        {"image": "train/cat/1.png", "label": "d", "split": "train"},
    ]
    assert found.left_out == {"files that labels.csv does not name": 1}
    own = index_with(tmp_path, "image,split\n2,train\n1,test\n3,\n")
    assert own.table["split"].to_pylist() == ["train", "test", None]


def test_named_columns_get_the_manifests_names(tmp_path: Path) -> None:
    picture(tmp_path / "a.png")
    header = "File,Patient ID,Hospital,Study,Fold,Projection,Gender,Years,patient_id,case_id"
    text = f"{header}\na,7,A,9,val,PA,female,045Y,x,03\n"
    found = index_with(
        tmp_path, text, image="File", patient="Patient ID", site="Hospital", study="Study", split="Fold",
        view="Projection", sex="Gender", age="Years",
    )  # fmt: skip
    (row,) = found.table.drop_columns(["width", "height"]).to_pylist()
    assert row == {
        "image": "a.png", "patient_id": "7", "site": "A", "study_id": "9", "split": "val", "view": "PA", "sex": "F",
        "age": 45.0, "case_id": "03",
    }  # fmt: skip
    assert "the table's own column 'patient_id' is left out" in found.notes[0]


def test_sizes_of_the_table_are_kept_and_holes_are_filled(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", (8, 6))
    picture(tmp_path / "b.png", (9, 5))
    assert index_with(tmp_path, "image,width,height\na,80,60\nb,90,50\n").table["width"].to_pylist() == [80, 90]
    found = index_with(tmp_path, "image,width,height\na,80,60\nb,,\n").table
    assert (found["width"].to_pylist(), found["height"].to_pylist()) == ([80, 9], [60, 5])


@pytest.mark.parametrize(
    ("text", "columns", "kind", "complaint"),
    [
        ("file,label\na.png,1\n", {}, ManifestError, "probably --image-column file"),
        ("Image Index,label\na.png,1\n", {}, ManifestError, "probably --image-column 'Image Index'"),
        ("what,label\na,1\n", {}, ManifestError, "known: label, what"),
        ("image,label\na.png,1\n", {"image": "imag"}, ManifestError, "--image-column: .* did you mean image"),
        (
            "image,pid\na.png,1\n",
            {"patient": "patient"},
            ManifestError,
            "--patient-column: there is no column 'patient'",
        ),
        ("image,pid\na.png,1\n", {"patient": "pid", "study": "pid"}, UsageError, "'pid' is given two meanings"),
        ("image,embedding\na.png,1\n", {}, UsageError, "'embedding' is reserved"),
        ("image,label\na.png,1\nb.png,2\n", {}, ManifestError, r"1 of 2 rows .* row 2 with image 'b\.png'"),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    tmp_path: Path, text: str, columns: dict[str, str], kind: type[Exception], complaint: str
) -> None:
    picture(tmp_path / "a.png")
    with pytest.raises(kind, match=complaint):
        index_with(tmp_path, text, **columns)


def test_a_release_like_chexpert(tmp_path: Path) -> None:
    """Blank, 0, 1 and -1 stay apart; ages 0 and 90, sex Unknown, both release prefixes, laterals without AP/PA."""
    names = ["train/patient00001/study1/view1_frontal.jpg", "train/patient00001/study1/view2_lateral.jpg",
             "train/patient00002/study1/view1_frontal.jpg", "valid/patient00003/study1/view1_frontal.jpg"]  # fmt: skip
    for name in names:
        picture(tmp_path / name)
    header = "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Edema\n"
    for prefix in ("CheXpert-v1.0", "CheXpert-v1.0-small"):
        cells = [
            "Female,90,Frontal,AP,1.0,",
            "Female,90,Lateral,,,-1.0",
            "Unknown,0,Frontal,LL,,0.0",
            "Male,41,Frontal,PA,,1.0",
        ]
        text = header + "".join(f"{prefix}/{name},{each}\n" for name, each in zip(names, cells, strict=True))
        found = index_with(tmp_path, text, image="Path", sex="Sex", age="Age", view="AP/PA")
        columns = found.table.to_pydict()
        assert columns["image"] == names
        assert columns["split"] == ["train", "train", "train", "validation"]
        assert columns["Edema"] == [None, -1.0, 0.0, 1.0]
        assert columns["No Finding"] == [1.0, None, None, None]
        assert columns["sex"] == ["F", "F", None, "M"]
        assert columns["age"] == [90.0, 90.0, 0.0, 41.0]
        assert columns["view"] == ["AP", None, "LL", "PA"]
        assert found.notes == ("sex: 1 cell is neither F nor M ('Unknown') and unknown now",)


def test_a_release_like_nih(tmp_path: Path) -> None:
    picture(tmp_path / "images_001/images/00000001_000.png")
    picture(tmp_path / "images_002/images/00000002_000.png")
    text = (
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,OriginalImage[Width,Height],\n"
        "00000002_000.png,No Finding,0,00000002,412,2500,2048,\n"
        "00000001_000.png,Mass|Nodule,1,00000001,058Y,2500,2048,\n"
    )
    found = index_with(tmp_path, text, image="Image Index", patient="Patient ID", age="Patient Age")
    columns = found.table.to_pydict()
    assert columns["image"] == ["images_002/images/00000002_000.png", "images_001/images/00000001_000.png"]
    assert columns["patient_id"] == ["00000002", "00000001"]
    assert columns["age"] == [None, 58.0]
    assert "label" not in columns


@pytest.mark.parametrize("name", ["cxr-pneumonia", "cxr-hannover", "fundus-dr"])
def test_real_tables_come_through_cell_by_cell(real_data: Callable[[str], Path], name: str) -> None:
    import polars as pl

    root = real_data(name)
    found = pl.DataFrame(folder.index(root, labels=read_labels(root / "labels.csv")).table)
    expected = pl.read_csv(root / "labels.csv", infer_schema=False)
    for column in expected.columns:
        wanted, have = expected[column], found[column]
        if have.dtype.is_numeric():
            assert have.cast(pl.Float64).equals(wanted.cast(pl.Float64).rename(column))
        else:
            assert have.equals(wanted)


def test_rows_are_a_table_with_facts(tmp_path: Path) -> None:
    picture(tmp_path / "set/a.png")
    found = folder.index(tmp_path / "set")
    assert found.facts == {"root": ".", "data_set": "set", "left_out": {}}
    assert found.table.schema.field("image").type == pa.string()
    assert b"remedis" in found.table.schema.metadata
