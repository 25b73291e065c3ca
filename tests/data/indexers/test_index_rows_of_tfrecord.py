"""TFRecord files whose features the caller names, as rows: files and folders, keys that are missing, flipped bits."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from references import written_tfrecord as written
from remedis.data import manifest
from remedis.data.indexers import tfrecord
from remedis.data.indexers.tfrecord import keys, located
from remedis.data.readers import read_source
from remedis.errors import InputError, ReadError, UsageError


def png(number: int, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((4, 5 + number, 3), number, np.uint8)).save(file, kind)
    return file.getvalue()


def shard(path: Path, numbers: Sequence[int], **more: Any) -> Path:
    """A record for each number; further features are given as functions of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    records = [
        {"image/encoded": [png(number)], "image/label": [number % 2], "who": [f"{number:03d}".encode()]}
        | {name: value(number) for name, value in more.items()}
        for number in numbers
    ]
    path.write_bytes(b"".join(written.framed(written.example(record)) for record in records))
    return path


def index(place: Path, **wanted: Any) -> Any:
    return tfrecord.index(*located(place), keys(**wanted))


def test_a_row_a_record_with_the_named_features(tmp_path: Path) -> None:
    shard(tmp_path / "set/train-00000-of-00002", [1, 2])
    shard(tmp_path / "set/train-00001-of-00002", [3])
    shard(tmp_path / "set/deep/val.tfrecords", [4])
    (tmp_path / "set/readme.txt").write_text("no records")
    found = index(tmp_path / "set", image="image/encoded", labels=["edema=image/label"], patient="who")
    assert found.table.to_pydict() == {
        "image": ["deep/val.tfrecords", "train-00000-of-00002", "train-00000-of-00002", "train-00001-of-00002"],
        "frame": [0, 0, 1, 0],
        "split": ["validation", "train", "train", "train"],
        "patient_id": ["004", "001", "002", "003"],
        "width": [9, 6, 7, 8],
        "height": [4, 4, 4, 4],
        "edema": [0, 1, 0, 1],
    }
    assert found.facts == {"root": ".", "data_set": "set", "left_out": {}, "image_key": "image/encoded"}
    assert (found.notes, found.said) == ((), ("the files' names tell the split",))


def test_one_file_and_a_pattern(tmp_path: Path) -> None:
    one = shard(tmp_path / "cells.tfrecord", [1, 2])
    shard(tmp_path / "cells.other", [3])
    assert index(one).table["frame"].to_pylist() == [0, 1]
    assert index(one).facts["data_set"] == "cells"
    assert index(tmp_path / "cells.*").table["image"].to_pylist() == ["cells.other", *["cells.tfrecord"] * 2]
    assert located(tmp_path / "cells.o*") == (tmp_path, (tmp_path / "cells.other",))


def test_the_rows_are_the_pictures(tmp_path: Path) -> None:
    shard(tmp_path / "a.tfrecord", [1, 2], mask=lambda number: [png(number + 100)])
    for key, first in (("mask", 101), ("image/encoded", 1), (None, 1)):
        found = index(tmp_path / "a.tfrecord", image=key)
        manifest.write(found.table, tmp_path / "m.parquet", found.facts)
        rows = manifest.read(tmp_path / "m.parquet")
        assert [read_source(each).pixels[0, 0, 0] for each in rows.sources(range(2))] == [first, first + 1]


def test_values_become_columns_of_their_kind(tmp_path: Path) -> None:
    more = {
        "score": lambda number: [0.1 * number],
        "name": lambda number: [b"x" if number == 1 else "ä".encode()],
        "study_id": lambda number: [number],
        "mixed": lambda number: [number] if number == 1 else [0.5],
        "words": lambda number: [number] if number == 1 else [b"two"],
    }
    shard(tmp_path / "a.tfrecord", [1, 2], **more)
    labels = ["score", "name", "study_id", "a=mixed", "b=words", "image/label"]
    table = index(tmp_path / "a.tfrecord", labels=labels).table
    assert {name: table[name].to_pylist() for name in ("score", "name", "study_id", "a", "b", "label")} == {
        "score": [0.1, 0.2], "name": ["x", "ä"], "study_id": ["1", "2"], "a": [1.0, 0.5], "b": ["1", "two"],
        "label": [1, 0],
    }  # fmt: skip


def test_a_value_that_is_none_is_unknown_and_counted(tmp_path: Path) -> None:
    several = lambda number: [[], [1, 2], [b"\xff"], [float("nan")], [7]][number]  # noqa: E731
    shard(tmp_path / "a.tfrecord", range(5), grade=several)
    found = index(tmp_path / "a.tfrecord", labels=["grade"])
    assert found.table["grade"].to_pylist() == [None, None, None, None, 7]
    assert found.notes == ("grade is no single value in 4 records: it counts as unknown there",)


def test_the_split_is_a_features_or_the_names(tmp_path: Path) -> None:
    part = lambda number: [b"dev" if number else b"train"]  # noqa: E731
    shard(tmp_path / "a/one.tfrecord", [0, 1], part=part)
    assert index(tmp_path / "a", split="part").table["split"].to_pylist() == ["train", "dev"]
    assert "split" not in index(tmp_path / "a").table.column_names
    shard(tmp_path / "b/train.tfrecord", [0])
    shard(tmp_path / "b/train-2.tfrecord", [0])
    assert "split" not in index(tmp_path / "b").table.column_names
    shard(tmp_path / "c/train.tfrecord", [0])
    shard(tmp_path / "c/val.tfrecord", [0])
    shard(tmp_path / "c/train/test.tfrecord", [0])
    assert "split" not in index(tmp_path / "c").table.column_names
    shard(tmp_path / "b/rest.tfrecord", [0])
    shard(tmp_path / "b/test.tfrecord", [0])
    assert "split" not in index(tmp_path / "b").table.column_names


def test_a_flipped_bit_is_named_and_the_others_are_kept(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.tfrecord", [1, 2, 3])
    data = bytearray(path.read_bytes())
    second = len(written.framed(written.example({"image/encoded": [png(1)], "image/label": [1], "who": [b"001"]})))
    data[second + 40] ^= 1
    path.write_bytes(data)
    found = index(path, labels=["label=image/label"])
    assert found.table["frame"].to_pylist() == [0, 2]
    assert found.table["label"].to_pylist() == [1, 1]
    said = "a.tfrecord: the bytes of record 1 do not fit their check sum; get the file anew"
    assert found.facts["damaged"] == [said]
    assert found.left_out == {"records that cannot be read": 1}
    assert found.notes == (f"damaged or missing: {said}",)


def test_a_damaged_length_hides_what_follows(tmp_path: Path) -> None:
    path = shard(tmp_path / "a.tfrecord", [1, 2])
    data = bytearray(path.read_bytes())
    second = len(written.framed(written.example({"image/encoded": [png(1)], "image/label": [1], "who": [b"001"]})))
    data[second + 1] ^= 1
    path.write_bytes(data)
    found = index(path)
    assert found.table["frame"].to_pylist() == [0]
    assert found.facts["damaged"] == ["a.tfrecord: the length of record 1 does not fit its check sum"]
    assert found.left_out == {"files with an end that cannot be read": 1}


def test_a_record_that_is_no_example_or_holds_no_picture(tmp_path: Path) -> None:
    records = [b"\xff\xff no example", written.example({"label": [1]}), written.example({"image": [png(1)]})]
    path = tmp_path / "a.tfrecord"
    path.write_bytes(b"".join(written.framed(each) for each in [*records, written.example({"image": [b"text"]})]))
    found = index(path)
    assert found.table["frame"].to_pylist() == [2, 3]
    assert found.table["width"].to_pylist() == [6, None]
    assert found.facts["damaged"] == [
        "a.tfrecord, record 0: is no tf.train.Example, which was expected",
        "a.tfrecord, record 1: nothing tells which feature is the picture; it holds label",
    ]
    assert found.notes[0] == "1 record is kept that remedis embed will reject, the first: a.tfrecord, record 3"


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"image": "image/encodd"}, "no feature 'image/encodd' in any record; did you mean image/encoded"),
        ({"labels": ["edema=image/labl"]}, "no feature 'image/labl' in any record; did you mean image/label"),
        ({"patient": "whom"}, "no feature 'whom' in any record; did you mean who"),
    ],
    ids=["image", "label", "patient"],
)
def test_a_key_that_no_record_has_is_refused(wanted: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        index(shard(tmp_path / "a.tfrecord", [1, 2]), **wanted)


@pytest.mark.parametrize("text", ["=x", "a=", "frame=x", "embedding=x", ""])
def test_other_forms_of_a_label_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match=f"--label-key {text}: "):
        keys(labels=[text])


def test_two_features_cannot_be_one_column() -> None:
    with pytest.raises(UsageError, match="the column 'label' is taken, give another as COLUMN=FEATURE"):
        keys(labels=["a/label", "b/label"])


def test_other_places_are_refused(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("no records")
    for place, words in (
        (tmp_path / "gone", "there is no such file or folder"),
        (tmp_path, "there is no TFRecord file in it"),
        (tmp_path / "x*", "there is no TFRecord file in it"),
        (tmp_path / "gone/x*", "there is no such file or folder"),
    ):
        with pytest.raises(InputError, match=words):
            located(place)
    with pytest.raises(InputError, match=r"no record can be read, the first: readme.txt: the file is cut short"):
        index(tmp_path / "readme.txt")
    packed = tmp_path / "a.tfrecord"
    packed.write_bytes(b"\x1f\x8b" + b"\0" * 40)
    with pytest.raises(InputError, match="the file is compressed with gzip, unpack it"):
        index(packed)
    assert issubclass(ReadError, InputError)
