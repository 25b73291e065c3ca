"""A folder of TensorFlow Datasets as rows: every trap of its two JSON files and of its shards."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from references import written_tfrecord as written
from remedis.data.indexers import tfds, tfds_layout
from remedis.data.indexers.tfds_layout import read_layout
from remedis.errors import InputError
from tfds_sets import TEST, TRAIN, a_set, change, change_splits, record


def test_a_row_a_record_in_the_order_of_the_shards(tmp_path: Path) -> None:
    found = tfds.index(a_set(tmp_path))
    assert found.table.to_pydict() == {
        "image": [TRAIN[0], TRAIN[0], TRAIN[1], TEST],
        "frame": [0, 1, 0, 0],
        "split": ["train", "train", "train", "test"],
        "width": [6, 7, 8, 9],
        "height": [4, 4, 4, 4],
        "label": ["benign", "malignant", "benign", "malignant"],
        "label_index": [0, 1, 0, 1],
    }
    assert found.facts == {"root": ".", "data_set": "cells", "left_out": {}, "image_key": "image"}
    assert (found.notes, found.said) == ((), ("the picture is the feature image",))


@pytest.mark.parametrize(
    "template",
    [
        None,
        "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_INDEX}",
        "{SPLIT}/part-{SHARD_INDEX}-{NUM_SHARDS}.{FILEFORMAT}",
        "{SPLIT}.{SHARD_X_OF_Y}",
    ],
    ids=["absent", "index", "folders", "no format"],
)
def test_templates_name_the_shards(template: str | None, tmp_path: Path) -> None:
    folder = a_set(tmp_path, template=template)
    found = tfds.index(folder).table
    assert found["label"].to_pylist() == ["benign", "malignant", "benign", "malignant"]
    names = [
        written.shard_name(template, "cells", *place) for place in (("train", 0, 2), ("train", 1, 2), ("test", 0, 1))
    ]
    assert list(dict.fromkeys(found["image"].to_pylist())) == names


def test_more_than_99999_shards_have_longer_numbers(tmp_path: Path) -> None:
    folder = a_set(tmp_path)
    change_splits(folder, shardLengths=["1"] * 100_000)
    assert read_layout(folder).splits["test"][7].name == "cells-test.tfrecord-000007-of-100000"


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("../{SPLIT}", "leads out of the folder"),
        ("{SPLIT}/../../x", "leads out of the folder"),
        ("/etc/passwd", "leads out of the folder"),
        ("{SPLIT}\0", "leads out of the folder"),
        ("{DATASET.__class__}", r"has \{DATASET.__class__\}"),
        ("{SPLIT!r}", r"has \{SPLIT!r\}"),
        ("{SPLITS}", "did you mean SPLIT"),
    ],
    ids=["above", "above later", "absolute", "a zero", "an attribute", "a conversion", "a wrong word"],
)
def test_templates_that_lead_astray_are_refused(template: str, words: str, tmp_path: Path) -> None:
    folder = a_set(tmp_path)
    change_splits(folder, filepathTemplate=template)
    with pytest.raises(InputError, match=words):
        tfds.index(folder)


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = a_set(tmp_path)
    change(folder / "dataset_info.json", name="../../x")
    with pytest.raises(InputError, match="leads out of the folder"):
        tfds.index(folder)


def test_shards_of_writers_that_counted_none_are_found_on_disk(tmp_path: Path) -> None:
    folder = a_set(tmp_path)
    info = json.loads((folder / "dataset_info.json").read_text())
    for each in info["splits"]:
        del each["shardLengths"], each["filepathTemplate"]
    change(folder / "dataset_info.json", splits=info["splits"])
    (folder / "cells-train.tfrecord-00000-of-00002.incomplete").write_bytes(b"x")
    assert tfds.index(folder).table["image"].to_pylist() == [TRAIN[0], TRAIN[0], TRAIN[1], TEST]


def damage(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


def test_a_record_with_a_wrong_sum_is_left_out_and_named(tmp_path: Path) -> None:
    folder = a_set(tmp_path)
    damage(folder / TRAIN[0], 40)
    found = tfds.index(folder)
    assert found.table["image"].to_pylist() == [TRAIN[0], TRAIN[1], TEST]
    assert found.table["frame"].to_pylist() == [1, 0, 0]
    assert found.facts["left_out"] == {"records that cannot be read": 1}
    reason = f"{TRAIN[0]}: the bytes of record 0 do not fit their check sum; get the file anew"
    assert found.facts["damaged"] == [reason]
    assert found.notes == (f"damaged or missing: {reason}",)


def test_a_wrong_length_ends_its_shard_alone(tmp_path: Path) -> None:
    folder = a_set(tmp_path)
    second = len(written.framed(written.example(record(0))))
    damage(folder / TRAIN[0], second)
    found = tfds.index(folder)
    assert found.table["image"].to_pylist() == [TRAIN[0], TRAIN[1], TEST]
    assert found.facts["left_out"] == {"shards with an end that cannot be read": 1}
    assert found.facts["damaged"] == [f"{TRAIN[0]}: the length of record 1 does not fit its check sum"]


def test_a_shard_that_is_cut_short(tmp_path: Path) -> None:
    folder = a_set(tmp_path)
    (folder / TRAIN[0]).write_bytes((folder / TRAIN[0]).read_bytes()[:-1])
    found = tfds.index(folder)
    assert len(found.table) == 3
    assert "record 1 promises" in found.facts["damaged"][0]


def test_a_shard_that_is_not_there(tmp_path: Path) -> None:
    folder = a_set(tmp_path)
    (folder / TRAIN[1]).unlink()
    found = tfds.index(folder)
    assert len(found.table) == 3
    assert found.facts["left_out"] == {"shards that are not there": 1}
    assert found.facts["damaged"] == [f"{TRAIN[1]}: there is no such file"]


@pytest.mark.parametrize("length", ["18446744073709551615", "3", 1], ids=["2^64-1", "one more", "a number"])
def test_lengths_are_held_against_the_records_and_nothing_is_allocated_for_them(length: Any, tmp_path: Path) -> None:
    folder = a_set(tmp_path)
    info = json.loads((folder / "dataset_info.json").read_text())
    info["splits"][0]["shardLengths"][0] = length
    change(folder / "dataset_info.json", splits=info["splits"])
    found = tfds.index(folder)
    assert len(found.table) == 4
    assert found.facts["damaged"] == [f"{TRAIN[0]}: dataset_info.json says {int(length):,} records, it holds 2"]


@pytest.mark.parametrize("length", ["-1", "1e9", "", None, "9" * 30, ["1"]])
def test_lengths_that_are_no_numbers_are_refused(length: Any, tmp_path: Path) -> None:
    folder = a_set(tmp_path)
    change_splits(folder, shardLengths=[length])
    with pytest.raises(InputError, match=r"shardLengths has .*, a whole number was expected"):
        tfds.index(folder)


def test_a_length_in_a_shard_can_be_absurd_too(tmp_path: Path) -> None:
    folder = a_set(tmp_path)
    head = struct.pack("<Q", (1 << 64) - 1)
    (folder / TEST).write_bytes(head + written.masked(head))
    assert "promises 18,446,744,073,709,551,615 bytes" in tfds.index(folder).facts["damaged"][0]


def test_no_module_that_a_file_names_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "evil_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    features = {
        "image": written.IMAGE | {"pythonClassName": "evil_module.Image"},
        "label": written.class_label(2) | {"pythonClassName": "evil_module.sub.ClassLabel"},
        "other": {"pythonClassName": "evil_module.Other", "evil": {}},
    }
    folder = a_set(tmp_path, features=features)
    change(folder / "dataset_info.json", moduleName="evil_module")
    found = tfds.index(folder)
    assert found.table["label"].to_pylist() == ["benign", "malignant", "benign", "malignant"]
    assert "other" in found.said[1]
    assert "evil_module" not in sys.modules


def test_a_record_without_its_picture_and_one_that_cannot_be_decoded(tmp_path: Path) -> None:
    splits = {"train": [[{"label": [1]}, record(1, image=[b"no picture"]), record(2)]]}
    found = tfds.index(a_set(tmp_path, splits=splits))
    assert found.table["frame"].to_pylist() == [1, 2]
    assert found.table["width"].to_pylist() == [None, 8]
    assert found.facts["damaged"][0].startswith(
        "cells-train.tfrecord-00000-of-00001, record 0: the feature 'image' is not"
    )
    assert found.notes[0] == (
        "1 record is kept that remedis embed will reject, the first: cells-train.tfrecord-00000-of-00001, record 1"
    )


def test_a_licence_is_kept(tmp_path: Path) -> None:
    folder = a_set(tmp_path)
    change(folder / "dataset_info.json", redistributionInfo={"license": "CC BY 4.0"})
    assert tfds.index(folder).facts["licence"] == "CC BY 4.0"


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("dataset_info.json", "{", "JSON was expected"),
        ("dataset_info.json", "[]", "a JSON object was expected"),
        ("dataset_info.json", "[" * 100_000, "JSON was expected"),
        ("dataset_info.json", '{"name": "x", "fileFormat": "riegeli", "splits": []}', "fileFormat is 'riegeli'"),
        ("dataset_info.json", '{"name": "x"}', "names no splits"),
        ("dataset_info.json", '{"name": "x", "splits": [{"shardLengths": ["1"]}]}', "names no split, or one twice"),
        ("dataset_info.json", '{"name": 7, "splits": []}', "tfrecord was expected"),
        ("dataset_info.json", '{"name": "x", "splits": [{"name": "a", "shardLengths": 9}]}', "shards of a are no list"),
        ("features.json", '{"pythonClassName": "x.Image", "image": {}}', "a FeaturesDict was expected"),
        ("features.json", '{"featuresDict": {"features": {}}}', "names no features"),
        ("features.json", "{}", "a FeaturesDict was expected"),
        (
            "features.json",
            '{"featuresDict": {"features": {"label": {"pythonClassName": "x.ClassLabel"}}}}',
            "names no Image",
        ),
    ],
    ids=[
        "cut", "a list", "deep", "another format", "no splits", "no name", "a number as name", "no list", "one image",
        "no features", "nothing", "no picture",
    ],
)  # fmt: skip
def test_files_that_cannot_be_used_are_refused_in_words(file: str, content: str, words: str, tmp_path: Path) -> None:
    folder = a_set(tmp_path)
    (folder / file).write_text(content)
    with pytest.raises(InputError, match=words):
        tfds.index(folder)


def test_files_that_are_too_large_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = a_set(tmp_path)
    monkeypatch.setattr(tfds_layout, "LARGEST", 10)
    with pytest.raises(InputError, match=r"dataset_info.json: is larger than 10 bytes"):
        tfds.index(folder)


def test_nothing_left_is_refused(tmp_path: Path) -> None:
    folder = a_set(tmp_path)
    for name in (*TRAIN, TEST):
        (folder / name).unlink()
    with pytest.raises(InputError, match=r"no record can be read, the first: cells-train.tfrecord-00000-of-00002"):
        tfds.index(folder)


def test_data_sets_are_found_by_name_in_their_newest_version(tmp_path: Path) -> None:
    for place in ("pets/2.0.0", "pets/10.0.1", "pets/9.9.9", "derm/small/1.0.0", "two/a/1.0.0", "two/b/1.0.0"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "dataset_info.json").write_text("{}")
    (tmp_path / "pets/11.0.0").mkdir()  # begun, not finished
    (tmp_path / "pets/11.0.0.incomplete1").mkdir()
    assert tfds.find(tmp_path, "pets") == tmp_path / "pets/10.0.1"
    assert tfds.find(tmp_path, "pets:2.0.0") == tmp_path / "pets/2.0.0"
    assert tfds.find(tmp_path, "derm/small") == tfds.find(tmp_path, "derm") == tmp_path / "derm/small/1.0.0"
    assert tfds.find(tmp_path, "two/b") == tmp_path / "two/b/1.0.0"
    for name in ("two", "gone", "pets:11.0.0", "pets:../2.0.0", "../pets", "..", "", "pets/x", "/pets", "a/b/c", "."):
        assert tfds.find(tmp_path / "derm", f"../{name}") is None
        assert tfds.find(tmp_path, name) is None, name
    assert tfds.located(tmp_path / "pets") == tmp_path / "pets/10.0.1"
    assert tfds.located(tmp_path / "pets/2.0.0") == tmp_path / "pets/2.0.0"
    for place, words in (("two", "there is no dataset_info.json in it"), ("gone", "there is no such folder")):
        with pytest.raises(InputError, match=words):
            tfds.located(tmp_path / place)
