"""Embeddings as a probe opens them: leaks are refused, embeddings of another encoder too, doubts are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from remedis.errors import InputError, LeakError
from remedis.evaluate.parts import Units
from remedis.evaluate.sources import Source, open_source, refuse_other_encoder, settings_of
from synthetic_embeddings import job_facts, write_embeddings

FEATURES = np.arange(24, dtype=float).reshape(6, 4)


def opened(tmp_path: Path, columns: dict[str, list[Any]], **options: Any) -> Source:
    return open_source(write_embeddings(tmp_path / "emb", FEATURES, columns), **options)


def test_rows_features_and_facts_are_those_of_the_folder(tmp_path: Path) -> None:
    found = opened(tmp_path, {"patient_id": list("aabbcc"), "x": [0, 1, 0, 1, 0, 1]}, where=("x=1",))
    np.testing.assert_array_equal(found.features, FEATURES[1::2])
    assert found.table["image"].to_pylist() == ["some/00001.png", "some/00003.png", "some/00005.png"]
    assert (found.units.name, found.split, found.data_set) == ("patients", None, "some")
    assert found.root == tmp_path / "images"
    assert found.job["encoder"] == "enc"
    assert found.notes == ()


def test_a_patient_in_two_parts_is_refused_and_named(tmp_path: Path) -> None:
    columns = {"patient_id": list("aabbcc"), "split": ["train", "train", "train", "val", "test", "test"]}
    with pytest.raises(LeakError) as caught:
        opened(tmp_path, columns)
    assert "1 patient stands in two parts of the split (the first: b)" in str(caught.value)


def test_the_same_number_at_two_sites_is_two_patients(tmp_path: Path) -> None:
    columns = {"patient_id": list("aabbaa"), "split": ["train"] * 4 + ["test"] * 2, "site": list("xxxxyy")}
    assert opened(tmp_path, columns).split == ["train"] * 4 + ["test"] * 2


def test_words_of_no_part_do_not_leak(tmp_path: Path) -> None:
    columns = {"patient_id": list("aabbcc"), "split": ["train", "holdout", "train", "train", "test", "test"]}
    found = opened(tmp_path, columns)
    assert found.notes == ("rows whose split is none of train, validation, test are left out: holdout 1",)


def test_a_tested_folder_s_split_has_no_say(tmp_path: Path) -> None:
    columns = {"patient_id": list("aabbcc"), "split": ["train", "test"] * 3}
    assert opened(tmp_path, columns, tested_whole=True).split is None


def test_what_is_not_known_is_told(tmp_path: Path) -> None:
    no_train = opened(tmp_path, {"patient_id": ["a", None, None, "b", "c", "d"], "split": ["test"] * 5 + [None]})
    assert no_train.split is None
    assert any("2 images have no patient_id" in note for note in no_train.notes)
    assert any("no row's split says train (test 5)" in note for note in no_train.notes)
    alone = open_source(write_embeddings(tmp_path / "other", FEATURES, {"x": [1] * 6}))
    assert any("no patient is known" in note for note in alone.notes)
    grouped = open_source(tmp_path / "other", cluster="x")
    assert (grouped.units.name, grouped.notes) == ("x", ())


def test_unfinished_or_missing_embeddings_are_refused(tmp_path: Path) -> None:
    write_embeddings(tmp_path / "half", FEATURES, {}, complete=False)
    with pytest.raises(InputError, match="not finished"):
        open_source(tmp_path / "half")
    with pytest.raises(InputError, match="there is no such folder"):
        open_source(tmp_path / "nothing")


def facts(width: int = 4, **changes: Any) -> dict[str, Any]:
    return {"job": job_facts(6, **changes), "width": width, "contract": {"pool": "mean"}}


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (facts(encoder_hash="00" * 32), "encoder hash 000000000000…, not abababababab…"),
        (facts(width=8), "width 8, not 4"),
        (facts(profile="remedis-cxr"), "profile remedis-cxr, not dicom-display"),
        (facts(image_size=64), "image size 64, not 32"),
        (facts() | {"contract": {"pool": "timm"}}, "contract (pool timm), not (pool mean)"),
    ],
)
def test_embeddings_made_otherwise_are_refused_with_what_differs(other: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        refuse_other_encoder(settings_of(other), settings_of(facts()), where="emb2")
    assert words in str(caught.value)
    assert str(caught.value).startswith("emb2: ")


def test_another_precision_is_told_and_another_batch_size_is_nothing() -> None:
    assert refuse_other_encoder(settings_of(facts(batch_size=1)), settings_of(facts()), where="emb2") == []
    told = refuse_other_encoder(settings_of(facts(precision="bf16")), settings_of(facts()), where="emb2")
    assert told == ["precision is bf16 in emb2 and was fp32 in the embeddings learnt from"]


def test_a_folder_without_the_data_set_s_name_has_the_manifest_s() -> None:
    table = pa.table({"image": ["a"]})
    units = Units(np.array([0]), "images")
    source = Source(table, FEATURES[:1].astype(np.float32), units, None, "emb", {"job": {"manifest": "x/cxr.parquet"}})
    assert (source.data_set, source.root) == ("cxr", None)
