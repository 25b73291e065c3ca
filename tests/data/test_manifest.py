"""A manifest keeps what was written, finds its files where it is moved to, and refuses what it cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from remedis.data import manifest
from remedis.errors import ManifestError

TEXTS = st.lists(st.none() | st.sampled_from(["a", "b", "", "a ", "ä"]), min_size=1, max_size=12)


def made(folder: Path, columns: dict[str, Any], **facts: Any) -> Path:
    path = folder / "m.parquet"
    manifest.write(pa.table(columns), path, {"root": ".", "data_set": "set", **facts})
    return path


def test_rows_and_facts_come_back(tmp_path: Path) -> None:
    columns = {"image": ["a.png", "b.png"], "age": [1.5, None], "label": [None, "x"], "site": ["s", None]}
    path = made(tmp_path, columns, licence="CC0-1.0", left_out={"files": 3})
    found = manifest.read(path)
    assert found.table.to_pydict() == columns
    assert found.facts == {
        "format_version": 1, "root": ".", "data_set": "set", "licence": "CC0-1.0", "left_out": {"files": 3},
    }  # fmt: skip
    assert json.loads(pq.read_schema(path).metadata[b"remedis"])["format_version"] == 1


def test_a_manifest_moved_together_with_its_images_finds_them(tmp_path: Path) -> None:
    (tmp_path / "one/images").mkdir(parents=True)
    (tmp_path / "one/images/a.png").touch()
    path = tmp_path / "one/tables/m.parquet"
    root = manifest.relative_root(tmp_path / "one/images", path)
    assert root == "../images"
    manifest.write(pa.table({"image": ["a.png"]}), path, {"root": root})
    (tmp_path / "one").rename(tmp_path / "two")
    source = manifest.read(tmp_path / "two/tables/m.parquet").sources(range(1))[0]
    assert source.path.resolve() == (tmp_path / "two/images/a.png").resolve()
    assert source.path.exists()


def test_another_root_beats_the_stored_one(tmp_path: Path) -> None:
    path = made(tmp_path, {"image": ["a.png"]}, root="gone")
    with pytest.raises(ManifestError, match="--root"):
        manifest.read(path)
    (tmp_path / "here").mkdir()
    found = manifest.read(path, root=tmp_path / "here")
    assert found.sources(range(1))[0].path == tmp_path / "here/a.png"


def test_absolute_paths_need_no_root(tmp_path: Path) -> None:
    path = made(tmp_path, {"image": ["/elsewhere/a.png"]}, root="gone")
    assert manifest.read(path).sources(range(1))[0].path == Path("/elsewhere/a.png")


def test_a_plain_parquet_file_with_an_image_column_is_a_manifest(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": ["a.png"]}), tmp_path / "plain.parquet")
    found = manifest.read(tmp_path / "plain.parquet")
    assert (found.root, found.data_set) == (tmp_path, "plain")


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"imge": ["a.png"]}, "did you mean imge"),
        ({"image": ["a.png", None]}, "1 empty cells"),
        ({"image": [1, 2]}, "int64"),
        ({"image": ["a"], "frame": ["first"]}, "'frame' is string"),
        ({"image": ["a"], "x": [0.5], "y": [0], "size": [4]}, "'x' is double"),
    ],
)
def test_what_is_no_manifest_is_refused_before_it_is_written(
    tmp_path: Path, columns: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ManifestError, match=complaint):
        made(tmp_path, columns)
    assert not list(tmp_path.iterdir())
    pq.write_table(pa.table(columns), tmp_path / "m.parquet")
    with pytest.raises(ManifestError, match=complaint):
        manifest.read(tmp_path / "m.parquet")


def with_metadata(folder: Path, value: bytes) -> Path:
    path = folder / "m.parquet"
    table = pa.table({"image": ["a.png"]}).replace_schema_metadata({b"remedis": value})
    pq.write_table(table, path)
    return path


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = with_metadata(tmp_path, b'{"format_version": 2}')
    with pytest.raises(ManifestError, match="format version 2, this remedis reads up to 1; update remedis"):
        manifest.read(path)


@pytest.mark.parametrize("value", [b"{", b"[1]", b"\xff\xfe"])
def test_damaged_metadata_is_refused(tmp_path: Path, value: bytes) -> None:
    with pytest.raises(ManifestError, match="metadata is damaged"):
        manifest.read(with_metadata(tmp_path, value))


def test_files_that_are_missing_empty_or_no_parquet_are_refused(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("image\na.png\n")
    pq.write_table(pa.table({"image": pa.array([], pa.string())}), tmp_path / "empty.parquet")
    for name, complaint in (("no", "no such file"), ("text", "Parquet file was expected"), ("empty", "no row in it")):
        with pytest.raises(ManifestError, match=complaint):
            manifest.read(tmp_path / f"{name}.parquet")


def test_frames_and_regions_say_which_part_of_a_file_a_row_is(tmp_path: Path) -> None:
    columns = {
        "image": ["a.dcm", "a.dcm", "b.png"],
        "frame": [0, 1, None],
        "x": [1, None, 3],
        "y": [4, 5, 6],
        "size": [7, 8, 9],
    }
    sources = manifest.read(made(tmp_path, columns)).sources(range(3))
    assert [(each.frame, each.region) for each in sources] == [(0, (1, 4, 7)), (1, None), (None, (3, 6, 9))]


def test_x_and_y_without_size_are_ordinary_columns(tmp_path: Path) -> None:
    path = made(tmp_path, {"image": ["a.png"], "x": [0.5], "y": ["left"]})
    assert manifest.read(path).sources(range(1))[0].region is None


def test_sources_of_a_range_are_those_rows(tmp_path: Path) -> None:
    path = made(tmp_path, {"image": [f"{i}.png" for i in range(9)]})
    assert [each.name for each in manifest.read(path).sources(range(3, 6))] == ["3.png", "4.png", "5.png"]


def hash_of(table: pa.Table) -> str:
    return manifest.Manifest(table, Path(), {}, None).hash()


@given(TEXTS, st.data())
def test_the_hash_does_not_know_of_chunks(texts: list[str | None], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(texts)))
    numbers = [None if text is None else len(text) / 3 for text in texts]
    flags = [None if text is None else text == "a" for text in texts]
    whole = pa.table({"t": pa.array(texts, pa.string()), "n": pa.array(numbers, pa.float64()), "f": flags})
    parts = pa.concat_tables([whole.slice(0, cut), whole.slice(cut)])
    padded = pa.concat_tables([whole, whole, whole]).combine_chunks().slice(len(texts), len(texts))
    assert hash_of(parts) == hash_of(padded) == hash_of(whole)


@given(TEXTS, st.data())
def test_the_hash_sees_every_cell(texts: list[str | None], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(texts) - 1))
    other = data.draw((st.none() | st.text(max_size=3)).filter(lambda text: text != texts[place]))
    changed = [*texts[:place], other, *texts[place + 1 :]]
    one, two = (pa.table({"t": pa.array(each, pa.string())}) for each in (texts, changed))
    assert hash_of(one) != hash_of(two)


def test_the_hash_sees_where_values_begin_and_where_nulls_are() -> None:
    columns = (["ab", "c"], ["a", "bc"], ["abc", ""], ["abc", None], [None, "abc"])
    assert len({hash_of(pa.table({"t": pa.array(each, pa.string())})) for each in columns}) == len(columns)


def test_the_hash_sees_names_types_and_categories() -> None:
    tables = [
        pa.table({"a": [1, 2]}), pa.table({"b": [1, 2]}), pa.table({"a": [1.0, 2.0]}), pa.table({"a": ["1", "2"]}),
        pa.table({"a": pa.array(["x", "y"]).dictionary_encode()}), pa.table({"a": [1, None]}), pa.table({"a": [1]}),
    ]  # fmt: skip
    assert len({hash_of(table) for table in tables}) == len(tables)
    assert hash_of(tables[4]) == hash_of(pa.table({"a": ["x", "y"]}))


@given(
    st.lists(
        st.tuples(st.none() | st.sampled_from(["1", "2", "3"]), st.none() | st.sampled_from(["s", "t"])), max_size=14
    )
)
def test_patients_are_pairs_of_site_and_number(rows: list[tuple[str | None, str | None]]) -> None:
    table = pa.table(
        {
            "patient_id": pa.array([patient for patient, _ in rows], pa.string()),
            "site": pa.array([site for _, site in rows], pa.string()),
        }
    )
    keys = manifest.patient_keys(table, data_set="s")
    expected: dict[object, int] = {}
    for number, (patient, site) in enumerate(rows):
        expected.setdefault(number if patient is None else (patient, site or "s"), len(expected))
    naive = [
        expected[number if patient is None else (patient, site or "s")] for number, (patient, site) in enumerate(rows)
    ]
    assert keys.shape == (len(rows),)
    assert len(set(zip(naive, keys.tolist(), strict=True))) == len(expected) == len(set(keys.tolist()))
    assert sorted(set(keys.tolist())) == list(range(len(expected)))


def test_without_a_column_each_image_is_a_patient_of_its_own() -> None:
    assert manifest.patient_keys(pa.table({"image": ["a", "b"]})).tolist() == [0, 1]


def test_the_metadata_names_the_site_of_rows_without_one() -> None:
    table = pa.table({"patient_id": ["1", "1", "1"], "site": [None, "here", "there"]})
    keys = manifest.patient_keys(manifest.with_facts(table, {"data_set": "here"}))
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize("kind", [pa.string(), pa.int64(), pa.dictionary(pa.int32(), pa.string())])
def test_codes_count_values_in_the_order_of_unique(kind: pa.DataType) -> None:
    values = ["3", "1", None, "3", "2"]
    plain = pa.array(values, pa.string())
    if pa.types.is_dictionary(kind):
        column = pa.DictionaryArray.from_arrays(pa.array([2, 0, None, 2, 1], pa.int32()), ["1", "2", "3"])
    else:
        column = plain.cast(kind)
    chunked = pa.chunked_array([column.slice(0, 2), column.slice(2)])
    codes = manifest.codes_of(chunked)
    distinct = [value for value in chunked.unique().to_pylist() if value is not None]
    assert [None if code < 0 else str(distinct[code]) for code in codes] == values
    assert codes.dtype == np.int64


def test_conditions_choose_rows_and_keep_facts(tmp_path: Path) -> None:
    path = made(tmp_path, {"image": ["a", "b", "c"], "site": ["s", "t", "s"]})
    found = manifest.read(path).where(["site=s", "image!=a"])
    assert [each.name for each in found.sources(range(len(found)))] == ["c"]
    assert found.data_set == "set"
