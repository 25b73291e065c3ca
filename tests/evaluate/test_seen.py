"""A row is recognised by its file or its patient, wherever the file lies now, and neither is written in clear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from remedis.errors import CheckpointError
from remedis.evaluate import seen

ROOT = Path("/data/one")


def table(images: list[str], **columns: list[Any]) -> pa.Table:
    return pa.table({"image": images, **columns})


def remembered(rows: pa.Table, dataset: str = "one", root: Path | None = ROOT, **parts: list[int]) -> pa.Table:
    return seen.remember(rows, {name: np.array(found) for name, found in parts.items()}, dataset=dataset, root=root)


LEARNT = table(["a.png", "b.png", "c.png", "d.png"], patient_id=["1", "2", "3", None])
KEYS = remembered(LEARNT, train=[0, 3], validation=[1])


def recognised(rows: pa.Table, dataset: str = "one", root: Path | None = ROOT) -> list[str]:
    return seen.recognise(rows, KEYS, dataset=dataset, root=root)


def test_the_same_rows_are_recognised_part_by_part() -> None:
    assert recognised(LEARNT) == ["train", "validation", "no", "train"]


def test_a_patient_s_other_images_are_recognised() -> None:
    others = table(["x.png", "y.png", "z.png"], patient_id=["2", "1", "9"])
    assert recognised(others, root=Path("/elsewhere")) == ["validation", "train", "no"]


def test_patients_of_another_data_set_or_site_are_others() -> None:
    others = table(["x.png"], patient_id=["1"])
    assert recognised(others, dataset="two", root=Path("/two")) == ["no"]
    elsewhere = table(["x.png", "y.png"], patient_id=["1", "1"], site=["other", None])
    assert recognised(elsewhere, root=Path("/two")) == ["no", "train"]


def test_a_file_is_recognised_by_its_path_under_another_data_set_s_name() -> None:
    moved = table(["one/a.png", "one/c.png"])
    assert recognised(moved, dataset="two", root=Path("/data")) == ["train", "no"]


def test_a_data_set_that_was_moved_is_recognised_by_name() -> None:
    assert recognised(table(["d.png", "c.png"]), root=Path("/moved")) == ["train", "no"]
    assert recognised(table(["d.png", "c.png"]), root=None) == ["train", "no"]


def test_a_file_of_the_same_name_in_another_data_set_is_another_picture() -> None:
    assert recognised(table(["a.png"]), dataset="two", root=Path("/two")) == ["no"]
    assert recognised(table(["a.png"]), dataset="two", root=None) == ["no"]


def test_another_frame_of_a_file_is_another_picture() -> None:
    keys = remembered(table(["f.dcm", "f.dcm"], frame=[0, 1]), train=[0])
    others = table(["f.dcm", "f.dcm"], frame=[1, 0])
    assert seen.recognise(others, keys, dataset="one", root=ROOT) == ["no", "train"]


def test_learning_outweighs_choosing() -> None:
    keys = remembered(table(["a.png", "b.png"], patient_id=["1", "1"]), train=[0], validation=[1])
    assert seen.recognise(table(["c.png"], patient_id=["1"]), keys, dataset="one", root=ROOT) == ["train"]


def test_neither_file_nor_patient_is_written_in_clear(tmp_path: Path) -> None:
    secret = remembered(table(["miller_john.png"], patient_id=["miller-1970"]), train=[0])
    seen.save(secret, tmp_path)
    content = (tmp_path / seen.FILE_NAME).read_bytes()
    assert b"miller" not in content
    assert seen.load(tmp_path).equals(secret)


def test_a_missing_or_damaged_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is missing"):
        seen.load(tmp_path)
    (tmp_path / seen.FILE_NAME).write_bytes(b"PAR1 no")
    with pytest.raises(CheckpointError, match="is damaged"):
        seen.load(tmp_path)
