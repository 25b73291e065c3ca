"""A folder of TensorFlow Datasets as columns: classes, scalars, pictures and splits, in each way they are written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from references import written_tfrecord as written
from remedis.data.indexers import tfds
from remedis.errors import UsageError
from tfds_sets import FEATURES, a_set, png, record


def test_classes_without_names_are_their_numbers(tmp_path: Path) -> None:
    found = tfds.index(a_set(tmp_path, labels={}))
    assert found.table["label"].to_pylist() == ["0", "1", "0", "1"]
    assert found.table["label_index"].to_pylist() == [0, 1, 0, 1]
    assert found.notes == ("label has no names, label.labels.txt is not there: its numbers stand for them",)


def test_a_class_that_is_not_known_is_null_and_one_without_a_name_is_said(tmp_path: Path) -> None:
    splits = {"train": [[record(0, label=[-1]), record(1, label=[2]), record(2, label=[]), record(3, label=[1])]]}
    found = tfds.index(a_set(tmp_path, splits=splits))
    assert found.table["label"].to_pylist() == [None, None, None, "malignant"]
    assert found.table["label_index"].to_pylist() == [None, None, None, 1]
    assert found.notes == ("label is no class that has a name in 1 record: it counts as unknown there",)


MORE: dict[str, Any] = {
    **FEATURES,
    "age": written.scalar("float32"),
    "patient_id": written.scalar("int64"),
    "smoker": written.scalar("bool"),
    "site": {"pythonClassName": f"{written.CLASS}text_feature.Text", "text": {}},
    "split": written.scalar("string"),
    "grade": {"pythonClassName": f"{written.CLASS}tensor_feature.Tensor", "tensor": {"shape": {}, "dtype": "uint8"}},
    "box": {
        "pythonClassName": f"{written.CLASS}tensor_feature.Tensor",
        "tensor": {"shape": {"dimensions": ["4"]}, "dtype": "float32"},
    },
    "labels": {"pythonClassName": f"{written.CLASS}sequence_feature.Sequence", "sequence": {"feature": {}}},
    "sex": written.class_label(3),
    "scan": written.features_dict({"organ": written.class_label(3), "kv": written.scalar("float64")}),
}


def test_scalars_and_texts_become_columns_and_others_are_said(tmp_path: Path) -> None:
    values: Mapping[str, Any] = {
        "age": [0.1], "patient_id": [7], "smoker": [1], "site": ["Köln".encode()], "split": [b"fold 3"], "grade": [2],
        "box": [0.0, 1.0, 2.0, 3.0], "labels": [1, 2], "scan/organ": [2], "scan/kv": [120.0],
        "sex": [1],
    }  # fmt: skip
    odd = {
        "sex": [2],
        "age": [],
        "site": [b"\xff"],
        "grade": [1, 2],
        "smoker": [0],
        "patient_id": [8.0],
        "scan/kv": [7],
    }
    splits = {"train": [[record(0, **values)], [record(1, **odd)], [record(2, age=[float("nan")])]]}
    folder = a_set(tmp_path, splits=splits, features=MORE)
    (folder / "scan-organ.labels.txt").write_text("lung\nheart\nliver\n")
    (folder / "sex.labels.txt").write_text("male\nfemale\nother\n")
    found = tfds.index(folder)
    rows = {name: found.table[name].to_pylist()[:2] for name in found.table.column_names[7:]}
    assert rows == {
        "sex": ["F", None], "sex_index": [1, 2], "scan/organ": ["liver", None], "scan/organ_index": [2, None],
        "age": [0.1, None], "patient_id": ["7", None], "smoker": [True, False], "site": ["Köln", None],
        "tfds_split": ["fold 3", None], "grade": [2, None], "scan/kv": [120.0, None],
    }  # fmt: skip
    assert found.table["split"].to_pylist() == ["train"] * 3
    assert {name: found.table[name][2].as_py() for name in rows} == dict.fromkeys(rows)
    assert found.said[1] == "features left out, they are neither one number nor one text: box, labels"
    assert sorted(note.partition(": it counts as unknown there")[0] for note in found.notes) == [
        "age is no value of its kind in 1 record",
        "grade is no value of its kind in 1 record",
        "patient_id is no value of its kind in 1 record",
        "scan/kv is no value of its kind in 1 record",
        "sex is no class that has a name in 1 record",
        "site is no value of its kind in 1 record",
    ]


def old(tail: str, content: Any) -> dict[str, Any]:
    return {"type": f"{written.CLASS}x.{tail}", "content": content}


@pytest.mark.parametrize("as_text", [False, True])
def test_older_writings_of_the_features_are_read(as_text: bool, tmp_path: Path) -> None:
    if as_text:  # `content` is text that holds the newer writing, under `features`
        content = {"features": FEATURES}
        features = {**old("FeaturesDict", json.dumps(content)), "proto_cls": "tensorflow_datasets.FeaturesDict"}
    else:
        features = old(
            "FeaturesDict",
            {
                "image": old("Image", {"shape": [None, None, 3], "dtype": "uint8", "encoding_format": "png"}),
                "label": old("ClassLabel", {"num_classes": 2}),
            },
        )
    folder = a_set(tmp_path)
    (folder / "features.json").write_text(json.dumps(features))
    assert tfds.index(folder).table["label"].to_pylist() == ["benign", "malignant", "benign", "malignant"]


def test_the_picture_and_the_label_can_be_chosen(tmp_path: Path) -> None:
    features = FEATURES | {
        "mask": written.IMAGE,
        "tumour": written.class_label(2),
        "label_index": written.scalar("int64"),
    }
    values = {"mask": [png(30, 20)], "tumour": [1], "label_index": [5]}
    folder = a_set(tmp_path, splits={"train": [[record(0, **values)]]}, features=features)
    found = tfds.index(folder)
    assert (found.facts["image_key"], found.table["width"].to_pylist()) == ("image", [6])
    assert "mask" in found.said[1]
    assert found.table["tumour"].to_pylist() == ["1"]
    assert found.table["tfds_label_index"].to_pylist() == [5]
    chosen = tfds.index(folder, image_key="mask", label_key="tumour")
    assert (chosen.facts["image_key"], chosen.table["width"].to_pylist()) == ("mask", [30])
    assert chosen.table["label"].to_pylist() == ["1"]
    assert chosen.table["tfds_label"].to_pylist() == ["benign"]
    assert chosen.table["label_index"].to_pylist() == [1]
    with pytest.raises(UsageError, match="--image-key masks: there is no such Image feature; did you mean mask"):
        tfds.index(folder, image_key="masks")
    with pytest.raises(UsageError, match=r"--label-key tumor: there is no such feature .* did you mean tumour"):
        tfds.index(folder, label_key="tumor")


def test_several_pictures_without_one_named_image_must_be_chosen_from(tmp_path: Path) -> None:
    features = {"left": written.IMAGE, "right": written.IMAGE}
    splits = {"train": [[{"left": [png(3)], "right": [png(5)]}]]}
    folder = a_set(tmp_path, splits=splits, features=features)
    with pytest.raises(UsageError, match=r"several Image features \(left, right\); choose one with --image-key"):
        tfds.index(folder)
    assert tfds.index(folder, image_key="right").table["width"].to_pylist() == [5]


def test_splits_can_be_chosen_and_others_are_counted(tmp_path: Path) -> None:
    found = tfds.index(a_set(tmp_path), splits=["test"])
    assert found.table["split"].to_pylist() == ["test"]
    assert found.left_out == {"shards of the split train": 2}
    with pytest.raises(UsageError, match="--splits tests: there is no such split; did you mean test"):
        tfds.index(tmp_path / "cells/1.0.0", splits=["tests"])


def test_features_nested_without_end_are_left_out(tmp_path: Path) -> None:
    entry: dict[str, Any] = written.scalar("int64")
    for _ in range(300):
        entry = written.features_dict({"a": entry})
    found = tfds.index(a_set(tmp_path, features=FEATURES | {"deep": entry}))
    assert "deep/a/a" in found.said[1]
