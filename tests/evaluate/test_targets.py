"""What a label column means: its classes, their order, what is unknown, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from remedis.errors import LabelError, ManifestError, UsageError
from remedis.evaluate.targets import UNKNOWN, align, check_excluded, class_counts, natural, one_hot, target, values_of


def column(values: list[Any], kind: pa.DataType | None = None) -> pa.Table:
    return pa.table({"label": pa.array(values, kind)})


@pytest.mark.parametrize(
    "values",
    [
        [1, 0, None, 1],
        [1.0, 0.0, None, 1.0],
        [1.0, 0.0, float("nan"), 1.0],
        ["1", "0", None, "1"],
        ["1 ", " 0", "", "1"],
    ],
)
def test_integers_floats_and_text_are_the_same_classes(values: list[Any]) -> None:
    found = target(column(values), "label")
    assert found.classes == ("0", "1")
    assert found.codes.tolist() == [1, 0, UNKNOWN, 1]
    assert found.left_out == {"label is empty": 1}
    assert found.known.tolist() == [0, 1, 3]


def test_a_dictionary_in_several_chunks_is_read_whole() -> None:
    chunks = [pa.array(part, pa.string()).dictionary_encode() for part in (["b", None, "a"], ["c", "a"], [None])]
    texts, codes = values_of(pa.table({"label": pa.chunked_array(chunks)}), "label")
    assert texts == ["a", "b", "c"]
    assert codes.tolist() == [1, UNKNOWN, 0, 2, 0, UNKNOWN]


def test_the_class_that_sorts_last_is_positive_numbers_by_size() -> None:
    assert target(column([9, 10, 9]), "label").classes == ("9", "10")
    assert target(column(["9", "10"]), "label").classes == ("9", "10")
    assert target(column(["normal", "abnormal"]), "label").classes == ("abnormal", "normal")
    assert target(column([True, False]), "label").classes == ("False", "True")
    assert sorted(["b", "10", "nan", "9", "-1"], key=natural) == ["-1", "9", "10", "b", "nan"]


def test_positive_names_the_class_whose_probability_is_the_score() -> None:
    found = target(column(["sick", "well", "sick"]), "label", positive="sick")
    assert found.classes == ("well", "sick")
    assert found.truth(np.arange(3)).tolist() == [True, False, True]
    assert found.score_columns == ("score_label",)


def test_several_classes_have_a_score_each() -> None:
    found = target(column(["b", "a", "c", None]), "label")
    assert (found.kind, found.score_columns) == ("multiclass", ("score_label=a", "score_label=b", "score_label=c"))
    assert found.truth(found.known).tolist() == [[False, True, False], [True, False, False], [False, False, True]]


def test_excluded_classes_are_unknown_and_counted() -> None:
    found = target(column(["a", "b", "c", "c", None]), "label", exclude=["c", "elsewhere"])
    assert (found.kind, found.classes) == ("binary", ("a", "b"))
    assert found.codes.tolist() == [0, 1, UNKNOWN, UNKNOWN, UNKNOWN]
    assert found.left_out == {"label is empty": 1, "class c is excluded": 2}


def test_positive_is_looked_for_after_the_exclusion() -> None:
    assert target(column(["a", "b", "c"]), "label", exclude=["c"], positive="a").classes == ("b", "a")


@pytest.mark.parametrize(
    ("values", "options", "error", "words"),
    [
        ([None, None], {}, LabelError, "is empty in all 2 rows"),
        ([float("nan"), None], {}, LabelError, "is empty in all 2 rows"),
        ([1, 1, None], {}, LabelError, "has one class (1)"),
        (["a", "b"], {"exclude": ["b"]}, LabelError, "has one class (a)"),
        (["a", "b"], {"positive": "A"}, UsageError, "no such class"),
        (["a", "b", "c"], {"positive": "a"}, UsageError, "has 3 classes"),
    ],
)
def test_what_cannot_be_learnt_is_refused_in_words(values: list[Any], options: Any, error: type, words: str) -> None:
    with pytest.raises(error) as caught:
        target(column(values), "label", where="emb", **options)
    assert words in str(caught.value)


def test_an_unknown_column_names_the_nearest() -> None:
    with pytest.raises(ManifestError, match="did you mean label"):
        target(column([0, 1]), "labl", where="emb")


@pytest.mark.parametrize(
    "values",
    [np.arange(300) / 7, [f"name {row}" for row in range(300)], list(np.repeat(np.arange(60) + 0.5, 5))],
)
def test_a_measurement_or_a_name_is_no_label(values: Any) -> None:
    with pytest.raises(LabelError, match="looks like a measurement or a name"):
        target(column(list(values)), "label")


@pytest.mark.parametrize("values", [list(range(10)), list(np.repeat(np.arange(40), 5)), ["a", "b"] * 200])
def test_few_values_or_values_that_repeat_are_classes(values: list[Any]) -> None:
    assert len(target(column(values), "label").classes) == len(set(values))


def test_another_table_is_read_with_the_classes_that_were_learnt() -> None:
    learnt = target(column(["a", "b", "c"]), "label", exclude=["c"])
    found = align(learnt, column(["b", "a", "d", "c", None, "b"]), exclude=["c"])
    assert found.classes == ("a", "b")
    assert found.codes.tolist() == [1, 0, UNKNOWN, UNKNOWN, UNKNOWN, 1]
    assert found.left_out == {"label is empty": 1, "class d was not learnt": 1, "class c is excluded": 1}


def test_integers_there_and_floats_here_are_the_same_classes() -> None:
    learnt = target(column([0, 1], pa.int64()), "label")
    assert align(learnt, column([1.0, 0.0], pa.float64())).codes.tolist() == [1, 0]
    assert align(learnt, column(["1", "0"])).codes.tolist() == [1, 0]


@pytest.mark.parametrize(("values", "words"), [(["a", "a"], "only class a of a, b"), (["x", None], "none of a, b")])
def test_another_table_needs_two_of_the_classes(values: list[Any], words: str) -> None:
    with pytest.raises(LabelError) as caught:
        align(target(column(["a", "b"]), "label"), column(values), where="emb2")
    assert words in str(caught.value)


def test_an_excluded_class_must_be_a_class_of_some_label() -> None:
    table = pa.table({"one": ["a", "b"], "two": ["c", "d"]})
    check_excluded(table, ["one", "two"], ["d"])
    with pytest.raises(UsageError, match="no label has this class"):
        check_excluded(table, ["one"], ["d"])


def test_counts_and_indicators() -> None:
    codes = np.array([0, 2, 2, UNKNOWN])
    assert class_counts(codes, ["a", "b", "c"]) == {"a": 1, "b": 0, "c": 2}
    assert one_hot(np.array([1, 0]), 3).tolist() == [[0, 1, 0], [1, 0, 0]]
