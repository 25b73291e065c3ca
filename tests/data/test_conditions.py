"""`--where` keeps the rows that polars' filters keep."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given

from remedis.data.conditions import as_text, keep
from remedis.errors import ManifestError, UsageError

WORDS = st.none() | st.sampled_from(["a", "b", "a=b", "c,d"])
NUMBERS = st.none() | st.sampled_from([0.0, 1.0, 1.5, -2.0])


def kept(columns: dict[str, Any], *conditions: str) -> list[int]:
    return keep(pa.table(columns), conditions, where="m").tolist()  # type: ignore[no-any-return]


@given(st.lists(st.tuples(WORDS, NUMBERS), min_size=1, max_size=12), st.booleans(), st.booleans())
def test_conditions_agree_with_polars(rows: list[tuple[Any, Any]], equal: bool, both: bool) -> None:
    words, numbers = [row[0] for row in rows], [row[1] for row in rows]
    table = pa.table({"w": pa.array(words, pa.string()), "n": pa.array(numbers, pa.float64())})
    frame = pl.DataFrame(table).with_row_index()
    sign = "=" if equal else "!="
    conditions = [f"w{sign}a=b", "n!=1"] if both else [f"w{sign}a=b"]
    is_word = pl.col("w").eq_missing("a=b")
    wanted = (is_word if equal else ~is_word) & (~pl.col("n").eq_missing(1.0) if both else pl.lit(True))
    expected = frame.filter(wanted)["index"].to_list()
    if expected:
        assert keep(table, conditions, where="m").tolist() == expected
    else:
        with pytest.raises(ManifestError, match="no row of"):
            keep(table, conditions, where="m")


@pytest.mark.parametrize(
    ("column", "condition", "expected"),
    [
        ([1, 2, None], "c=1.0", [0]),
        ([1.0, 2.5, None], "c=1", [0]),
        ([1.0, 2.5, None], "c=2.50", [1]),
        ([1.0, 2.5, None], "c!=1", [1, 2]),
        ([2**60 + 1, 2**60], f"c={2**60 + 1}", [0]),
        (["1", "01", "1.0"], "c=1", [0]),
        (["x ", " x", "y"], "c= x", [0, 1]),
        ([True, False, None], "c=true", [0]),
        ([True, False, None], "c!=True", [1, 2]),
        (["a", None, ""], "c=", [1, 2]),
        (["a", None, ""], "c!=", [0]),
        ([float("nan"), 1.0], "c=", [0]),
    ],
)
def test_values_are_compared_as_people_write_them(column: list[Any], condition: str, expected: list[int]) -> None:
    assert kept({"c": column}, condition) == expected


def test_categories_and_chunks_are_compared_by_value() -> None:
    one = pa.DictionaryArray.from_arrays(pa.array([1, 0, None]), ["a", "b"])
    two = pa.DictionaryArray.from_arrays(pa.array([0, 1]), ["b", "c"])
    table = pa.table({"c": pa.chunked_array([one, two])})
    assert keep(table, ["c=b"], where="m").tolist() == [0, 3]


@pytest.mark.parametrize("condition", ["c", "=1", "!=1", " =1", ""])
def test_another_form_is_refused(condition: str) -> None:
    with pytest.raises(UsageError, match="COLUMN=VALUE or COLUMN!=VALUE was expected"):
        kept({"c": [1]}, condition)


def test_an_unknown_column_and_a_value_that_leaves_nothing_name_the_nearest() -> None:
    with pytest.raises(ManifestError, match="m: --where sit=a: there is no column 'sit', did you mean site"):
        kept({"site": ["a"]}, "sit=a")
    with pytest.raises(ManifestError, match="no row of 2 is left, did you mean hannover"):
        kept({"site": ["hannover", "nih"]}, "site=hanover")
    with pytest.raises(ManifestError, match="the column 'site' is empty"):
        kept({"site": pa.array([None, None], pa.string())}, "site=x")


def test_a_cell_as_text() -> None:
    assert [as_text(value) for value in (1, 1.0, "1", True, None, float("nan"), 1.5, " a ")] == [
        "1", "1", "1", "True", "", "", "1.5", "a",
    ]  # fmt: skip
