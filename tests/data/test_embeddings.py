"""Folders of embeddings: what any Arrow program sees, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa
import pytest

from remedis.data import embeddings
from remedis.data.files import write_json
from remedis.errors import InputError, ManifestError


def write(folder: Path, *, facts: dict[str, object] | None = None) -> npt.NDArray[np.float32]:
    vectors = np.random.default_rng(0).standard_normal((5, 3), dtype=np.float32)
    table = pa.table({"image": list("abcde"), "label": [0, 1, None, 1, 0]})
    folder.mkdir()
    embeddings.write_part(embeddings.part_path(folder, 0), table.slice(0, 2), vectors[:2], [("x", "bad, very")])
    embeddings.write_part(embeddings.part_path(folder, 10), table.slice(2), vectors[2:], [("y", 'worse "still"')])
    write_json(folder / embeddings.FACTS_NAME, {"complete": True, **(facts or {})})
    return vectors


def test_rows_come_back_in_order_and_other_programs_see_them(tmp_path: Path) -> None:
    vectors = write(tmp_path / "emb")
    found = embeddings.read(tmp_path / "emb")
    np.testing.assert_array_equal(found.matrix, vectors)
    assert found.table.column_names == ["image", "label"]
    assert found.table["label"].to_pylist() == [0, 1, None, 1, 0]
    frame = pl.read_parquet(tmp_path / "emb" / "part-*.parquet")
    assert frame["image"].to_list() == list("abcde")
    np.testing.assert_array_equal(np.stack(frame["embedding"].to_list()), vectors)


def test_conditions_keep_rows_and_vectors_together(tmp_path: Path) -> None:
    vectors = write(tmp_path / "emb")
    found = embeddings.read(tmp_path / "emb", where=("label=1",))
    assert found.table["image"].to_pylist() == ["b", "d"]
    np.testing.assert_array_equal(found.matrix, vectors[[1, 3]])
    with pytest.raises(ManifestError, match="did you mean label"):
        embeddings.read(tmp_path / "emb", where=("lable=1",))


def test_the_rejected_are_kept_with_their_part(tmp_path: Path) -> None:
    write(tmp_path / "emb")
    rejected = embeddings.rejected_in(tmp_path / "emb")
    assert rejected == [("x", "bad, very"), ("y", 'worse "still"')]
    embeddings.write_rejected(tmp_path / "emb", rejected)
    frame = pl.read_csv(tmp_path / "emb" / embeddings.REJECTED_NAME)
    assert frame.rows() == rejected


def test_half_precision_is_widened(tmp_path: Path) -> None:
    folder = tmp_path / "emb"
    folder.mkdir()
    vectors = np.array([[0.5, 1.25]], np.float16)
    embeddings.write_part(embeddings.part_path(folder, 0), pa.table({"image": ["a"]}), vectors, [])
    write_json(folder / embeddings.FACTS_NAME, {"complete": True})
    found = embeddings.read(folder).matrix
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, vectors.astype(np.float32))


def test_what_is_no_finished_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no such folder"):
        embeddings.read(tmp_path / "none")
    with pytest.raises(InputError, match="run remedis embed"):
        embeddings.read(tmp_path)
    write(tmp_path / "emb", facts={"complete": False})
    with pytest.raises(InputError, match="not finished"):
        embeddings.read(tmp_path / "emb")
    write(tmp_path / "damaged")
    path = embeddings.part_path(tmp_path / "damaged", 10)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="cannot be read"):
        embeddings.read(tmp_path / "damaged")
