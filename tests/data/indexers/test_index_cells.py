"""Cells become numbers only where nothing is lost, sex F or M, age years."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pyarrow as pa
import pytest
from hypothesis import given

from remedis.data.indexers.cells import ages, sexes, typed, years


def column(*texts: str | None) -> pa.Array:
    return pa.array(texts, pa.string())


@given(st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=1).filter(lambda each: set(each) != {None}))
def test_whole_numbers_become_int64(numbers: list[int | None]) -> None:
    found = typed("n", column(*(None if number is None else str(number) for number in numbers)))
    assert (found.type, found.to_pylist()) == (pa.int64(), numbers)


@given(st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_numbers_become_float64_unchanged(numbers: list[float | None]) -> None:
    found = typed("n", column("0.5", *(None if number is None else repr(number) for number in numbers)))
    assert (found.type, found.to_pylist()) == (pa.float64(), [0.5, *numbers])


@pytest.mark.parametrize(
    "texts",
    [
        ("007", "1"), ("1", "x"), ("+1",), ("1,5", "2"), ("1.", "2"), (".5",), ("inf", "1"), ("1e999", "0.5"),
        ("9223372036854775808",), ("12345678901234567890", "0.5"), ("0x10",), ("1_000",), ("True", "False"), ("１",),
        ("1１",),
    ],
)  # fmt: skip
def test_anything_else_stays_text(texts: tuple[str, ...]) -> None:
    found = typed("n", column(*texts))
    assert (found.type, found.to_pylist()) == (pa.string(), list(texts))


@pytest.mark.parametrize("name", ["patient_id", "study_id", "site", "image", "split", "view", "lesion_id", "ID"])
def test_names_stay_text_though_they_are_numbers(name: str) -> None:
    assert typed(name, column("1", "2")).type == pa.string()


def test_an_empty_column_stays_text() -> None:
    assert typed("n", column(None, None)).type == pa.string()


def test_sexes() -> None:
    found, lost = sexes(column("F", "female", "WEIBLICH", "w", "m", "Male", "O", "unknown", None, "1", "F "))
    assert found.to_pylist() == ["F", "F", "F", "F", "M", "M", None, None, None, None, None]
    assert lost == {"O": 1, "unknown": 1, "1": 1, "F ": 1}


def test_m_is_mujer_where_the_others_are_hombre() -> None:
    found, lost = sexes(column("H", "M", "mujer", "hombre"))
    assert found.to_pylist() == [None, None, "F", "M"]
    assert lost == {"H": 1, "M": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("45", 45.0), ("45.5", 45.5), ("045Y", 45.0), ("006M", 0.5), ("026W", 26 * 7 / 365.25), ("073D", 73 / 365.25),
        ("0", 0.0), ("90", 90.0), ("130", 130.0), ("412", None), ("-1", None), ("young", None), ("", None),
        ("45 years", None),
    ],
)  # fmt: skip
def test_ages(text: str, expected: float | None) -> None:
    found = years(text)
    assert found == expected if expected is None else math.isclose(found or 0.0, expected)


def test_cells_that_are_no_age_are_counted() -> None:
    found, lost = ages(column("412", "5", None, ">89", "412"))
    assert found.to_pylist() == [None, 5.0, None, None, None]
    assert lost == {"412": 2, ">89": 1}
