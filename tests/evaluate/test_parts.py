"""Who is learnt from, who decides, who is tested, and what is kept whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from remedis.errors import LabelError, ManifestError
from remedis.evaluate.parts import (
    Units,
    learnable,
    outer_folds,
    refuse_untestable,
    split_parts,
    split_words,
    units_of,
    whole,
)  # fmt: skip
from remedis.evaluate.targets import UNKNOWN, Target, target


def table(**columns: list[Any]) -> pa.Table:
    return pa.table(columns)


def labelled(values: list[Any]) -> Target:
    return target(table(label=values), "label")


def same(codes: np.ndarray) -> list[list[int]]:
    """Return the groups of equal codes, each as its rows."""
    return sorted(np.flatnonzero(codes == code).tolist() for code in np.unique(codes))


def test_a_patient_is_a_site_and_a_number() -> None:
    units = units_of(table(patient_id=["1", "1", "2", "1"], site=["a", "b", "a", "a"]), None)
    assert units.name == "patients"
    assert same(units.codes) == [[0, 3], [1], [2]]


def test_an_image_without_patient_is_a_patient_of_its_own() -> None:
    units = units_of(table(patient_id=["p", None, "p", None]), None)
    assert same(units.codes) == [[0, 2], [1], [3]]


@pytest.mark.parametrize("columns", [{"other": [1, 2, 3]}, {"patient_id": [None, None, None]}])
def test_without_patients_each_image_is_a_unit(columns: dict[str, list[Any]]) -> None:
    units = units_of(table(**columns), None)
    assert units.name == "images"
    assert same(units.codes) == [[0], [1], [2]]


def test_a_cluster_stands_in_for_patients() -> None:
    units = units_of(table(patient_id=["a", "b", "c", "d"], field=[7, None, 7, None]), "field")
    assert units.name == "field"
    assert same(units.codes) == [[0, 2], [1], [3]]
    with pytest.raises(ManifestError, match="--cluster feild: there is no such column, did you mean field"):
        units_of(table(field=[1]), "feild")


def test_units_of_some_rows_are_numbered_from_0() -> None:
    units = Units(np.array([5, 9, 5, 7]), "patients")
    codes, count = units.among(np.array([1, 2, 3, 0]))
    assert codes.tolist() == [0, 1, 2, 1]  # as they first appear, whatever the codes are
    assert count == units.count(np.array([1, 2, 3])) == 3
    assert units.count(np.array([0, 2])) == 1


@pytest.mark.parametrize("word", ["val", "valid", "validate", "validation", "dev", "Val"])
def test_the_words_of_validation(word: str) -> None:
    assert split_words(table(split=["train", word, "test", "holdout", None])) == [
        "train",
        "validation",
        "test",
        None,
        None,
    ]


@pytest.mark.parametrize("columns", [{"label": [1]}, {"split": ["test"]}, {"split": ["a"]}, {"split": [None]}])
def test_where_no_row_says_train_there_is_no_split(columns: dict[str, list[Any]]) -> None:
    assert split_words(table(**columns)) is None


def test_a_split_parts_the_rows_with_a_label_and_counts_the_rest() -> None:
    parts = split_parts(labelled([0, 1, 0, 1, None, 1]), ["train", "train", "validation", "test", "train", None])
    assert (parts.train.tolist(), parts.validation.tolist(), parts.test.tolist()) == ([0, 1], [2], [3])
    assert parts.left_out == {"split is none of train, validation, test": 1}


def test_without_a_split_all_rows_are_learnt_from_and_tested_in_folds() -> None:
    parts = whole(labelled([0, None, 1]))
    assert parts.train.tolist() == parts.test.tolist() == [0, 2]
    assert not len(parts.validation)
    assert parts.folded


def test_a_class_without_training_rows_is_left_out_and_counted() -> None:
    found = labelled(["a", "b", "c", "c"])
    parts = split_parts(found, ["train", "train", "test", "test"])
    learnt = learnable(found, parts)
    assert learnt.classes == ("a", "b")
    assert learnt.codes.tolist() == [0, 1, UNKNOWN, UNKNOWN]
    assert learnt.left_out == {"class c has no training row": 2}


@pytest.mark.parametrize(
    ("words", "message"),
    [(["train", "test", "train"], "has one class (a)"), (["test", "test", "test"], "has no row in the training part")],
)
def test_a_training_part_of_one_class_is_refused(words: list[str | None], message: str) -> None:
    found = labelled(["a", "b", "a"])
    with pytest.raises(LabelError) as caught:
        learnable(found, split_parts(found, words), where="emb")
    assert message.removeprefix("has no row") in str(caught.value)


@pytest.mark.parametrize(
    ("words", "message"),
    [(["train", "train", "validation"], "no row in the test part"), (["train", "train", "test"], "one class (a)")],
)
def test_a_tested_part_of_one_class_is_refused(words: list[str | None], message: str) -> None:
    found = labelled(["a", "b", "a"])
    with pytest.raises(LabelError) as caught:
        refuse_untestable(found, split_parts(found, words), where="emb")
    assert message in str(caught.value)


def test_folds_that_cannot_be_made_name_the_scarce_class() -> None:
    found = labelled(["a"] * 8 + ["b", "b"])
    units = Units(np.array([0, 1, 2, 3, 4, 5, 6, 7, 8, 8]), "patients")
    with pytest.raises(LabelError, match="class b of label 'label' stands in 1 of the patients"):
        outer_folds(found, whole(found), units, count=5, seed=0)
