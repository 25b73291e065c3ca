"""Tables are read in the dialects that hospitals and data sets write, and refused in one line."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import hypothesis.strategies as st
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings

from remedis.data.indexers.text_table import read_text_table
from remedis.errors import ManifestError, UsageError


def read(folder: Path, text: str | bytes, name: str = "t.csv") -> dict[str, list[str | None]]:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found: dict[str, list[str | None]] = read_text_table(path).to_pydict()
    return found


EXPECTED = {"image": ["a.png", "b,c.png"], "site": ["Köln", None]}


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t.csv", 'image,site\na.png,Köln\n"b,c.png",\n'.encode()),
        ("t.csv", 'image,site\r\na.png,Köln\r\n"b,c.png",\r\n'.encode("utf-8-sig")),
        ("t.csv", "image;site\na.png;Köln\nb,c.png;NA\n".encode("latin-1")),
        ("t.csv", "image\tsite\na.png\tKöln\nb,c.png\t\n".encode("utf-16")),
        ("t.tsv", "image\tsite\na.png\tKöln\nb,c.png\tnull\n".encode()),
        ("t.txt", "image\tsite\na.png\tKöln\nb,c.png\tNaN\n\n\n".encode()),
        ("t.csv.gz", gzip.compress(' image , site\n a.png,Köln\n"b,c.png",\n'.encode(), mtime=0)),
    ],
)
def test_dialects(tmp_path: Path, name: str, data: bytes) -> None:
    assert read(tmp_path, data, name) == EXPECTED


def test_a_parquet_file_reads_as_its_csv_would(tmp_path: Path) -> None:
    columns = {
        "image": ["a", "b"],
        "n": [1, None],
        "x": [0.5, float("nan")],
        "flag": [True, False],
        "whole": [1.0, 2.0],
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    assert read_text_table(tmp_path / "t.parquet").to_pydict() == {
        "image": ["a", "b"], "n": ["1", None], "x": ["0.5", None], "flag": ["True", "False"], "whole": ["1.0", "2.0"],
    }  # fmt: skip


@pytest.mark.parametrize("word", ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "  "])
def test_words_for_unknown(tmp_path: Path, word: str) -> None:
    assert read(tmp_path, f"image,c\na.png,{word}\nb.png,none\n")["c"] == [None, "none"]


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs", "Zl", "Zp", "Cc"]))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=5), st.sampled_from(",;\t"))
def test_what_pythons_writer_writes_is_read(tmp_path: Path, rows: list[tuple[str, str]], delimiter: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("image", "c"), *(("i", cell + other) for cell, other in rows)])
    found = read(tmp_path, text.getvalue())
    unknown = {"", "NA", "N/A", "#N/A", "n/a", "na", "NaN", "nan", "NAN", "null", "NULL", "Null", "<NA>"}
    cells = ["".join(row).strip() for row in rows]
    assert found["c"] == [None if cell in unknown else cell for cell in cells]


def test_nih_headers_with_brackets_and_a_trailing_comma(tmp_path: Path) -> None:
    text = (
        "Image Index,Finding Labels,Patient ID,OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],\n"
        "00000001_000.png,Cardiomegaly|Effusion,1,2682,2749,0.143,0.143,\n"
    )
    assert list(read(tmp_path, text)) == [
        "Image Index", "Finding Labels", "Patient ID", "OriginalImage[Width", "Height]",
        "OriginalImagePixelSpacing[x", "y]",
    ]  # fmt: skip


def test_an_index_column_without_a_name_gets_one(tmp_path: Path) -> None:
    assert list(read(tmp_path, ",image\n0,a.png\n1,b.png\n")) == ["column_1", "image"]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "nothing is in it"),
        (b"image,label\n", "only a header"),
        (b"image,label\na.png\n", "line 2 has 1 cells, the header has 2"),
        (b"image,label\n\na.png,1\nb.png,1,2\n", "line 4 has 3 cells, the header has 2"),
        (b"image,label,label\na.png,1,2\n", "the column 'label' is there twice"),
        (b'image,label\n"a.png,1\n', "cannot be read as CSV"),
        (b"image\0,label\na.png,1\n", "bytes that are no text"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path: Path, data: bytes, complaint: str) -> None:
    with pytest.raises(ManifestError, match=complaint) as caught:
        read(tmp_path, data)
    assert str(caught.value).startswith(str(tmp_path / "t.csv"))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no such table"):
        read_text_table(tmp_path / "none.csv")
    with pytest.raises(UsageError, match=r"a \.csv, \.tsv or \.parquet file was expected"):
        read(tmp_path, "x", "t.xlsx")
    with pytest.raises(ManifestError, match="cannot be unpacked"):
        read(tmp_path, "image\na.png\n", "t.csv.gz")
    with pytest.raises(ManifestError, match="Parquet file was expected"):
        read(tmp_path, "image\na.png\n", "t.parquet")
    pq.write_table(pa.table({"image": ["a"], "boxes": [[1, 2]]}), tmp_path / "lists.parquet")
    with pytest.raises(ManifestError, match="'boxes' is list"):
        read_text_table(tmp_path / "lists.parquet")


def test_a_table_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remedis.data.indexers.text_table.MAX_BYTES", 1 << 12)
    with pytest.raises(ManifestError, match="is larger than"):
        read(tmp_path, gzip.compress(b"image\n" + b"a" * (1 << 14)), "t.csv.gz")
