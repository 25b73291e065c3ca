"""Label fractions: by table, seed and draw alone, patients whole, classes in proportion, small ones within large."""

from __future__ import annotations

import inspect
from typing import Any

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given

from remedis.data import fractions
from remedis.data.fractions import draw
from remedis.errors import UsageError

Integers = npt.NDArray[np.int64]
ROWS = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["s", "t"]), st.integers(-1, 1), st.integers(-1, 2)),
    min_size=1, max_size=60,
)  # fmt: skip
FRACTION = st.sampled_from([0.01, 0.05, 0.1, 0.25, 1 / 3, 0.5, 0.9, 1.0])


def table_of(rows: list[tuple[int, str, int, int]]) -> pa.Table:
    return pa.table({
        "image": [f"{number}.png" for number in range(len(rows))],
        "patient_id": [f"p{row[0]}" for row in rows],
        "site": [row[1] for row in rows],
    })  # fmt: skip


def codes_of(rows: list[tuple[int, str, int, int]]) -> list[Integers]:
    return [np.array([row[2] for row in rows]), np.array([row[3] for row in rows])]


def drawn(rows: list[Any], fraction: float, *, seed: int = 0, number: int = 0) -> set[int]:
    found = draw(table_of(rows), np.arange(len(rows)), codes_of(rows), fraction, seed=seed, number=number)
    assert found.tolist() == sorted(set(found.tolist()))
    return set(found.tolist())


def labelled(rows: list[Any]) -> set[int]:
    return {number for number, row in enumerate(rows) if row[2] >= 0 or row[3] >= 0}


@given(ROWS, FRACTION, FRACTION, st.integers(0, 3))
def test_a_smaller_share_lies_within_a_larger_one(rows: list[Any], one: float, other: float, number: int) -> None:
    small, large = sorted((one, other))
    assert drawn(rows, small, number=number) <= drawn(rows, large, number=number) <= labelled(rows)
    assert drawn(rows, 1.0, number=number) == labelled(rows)


@given(ROWS, FRACTION, st.integers(0, 3))
def test_patients_stay_whole_and_so_many_are_taken_as_were_asked_for(rows: list[Any], share: float, seed: int) -> None:
    taken, known = drawn(rows, share, seed=seed), labelled(rows)
    patients = {rows[row][:2] for row in taken}
    assert taken == {row for row in known if rows[row][:2] in patients}
    everybody = {rows[row][:2] for row in known}
    classes = {(column, rows[row][column]) for row in known for column in (2, 3) if rows[row][column] >= 0}
    wanted = int(np.ceil(np.round(share * len(everybody), 9)))
    assert wanted <= len(patients) <= min(len(everybody), wanted + len(classes))


@given(ROWS, FRACTION, st.integers(0, 3))
def test_no_class_is_without_a_label(rows: list[Any], share: float, seed: int) -> None:
    taken = drawn(rows, share, seed=seed)
    for column in (2, 3):
        assert {rows[row][column] for row in taken} - {-1} == {row[column] for row in rows} - {-1}


@given(ROWS, FRACTION, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_has_no_say(rows: list[Any], share: float, random: Any) -> None:
    table, order = table_of(rows), list(range(len(rows)))
    random.shuffle(order)
    codes = [code[order] for code in codes_of(rows)]
    again = draw(table.take(pa.array(order)), np.arange(len(rows)), codes, share, seed=0, number=0)
    assert {order[row] for row in again} == drawn(rows, share)


@given(ROWS, FRACTION, st.integers(0, 1))
def test_rows_outside_the_part_have_no_say(rows: list[Any], share: float, first: int) -> None:
    part = np.arange(first, len(rows), 2)
    table, codes = table_of(rows), codes_of(rows)
    found = draw(table, part[::-1], codes, share, seed=0, number=0)
    alone = draw(table.take(pa.array(part)), np.arange(len(part)), [code[part] for code in codes], share,
                 seed=0, number=0)  # fmt: skip
    assert found.tolist() == part[alone].tolist()


def shares_of_two_strata(positives: int, negatives: int, fraction: float, number: int) -> tuple[int, int]:
    codes = np.repeat([1, 0], [positives, negatives])
    table = pa.table({"image": [f"{n}.png" for n in range(len(codes))]})
    found = draw(table, np.arange(len(codes)), [codes], fraction, seed=0, number=number)
    return int((codes[found] == 1).sum()), int((codes[found] == 0).sum())


@given(st.integers(1, 60), st.integers(1, 200), st.integers(1, 20), st.integers(0, 9))
def test_each_stratum_is_within_one_patient_of_its_share(one: int, other: int, twentieths: int, number: int) -> None:
    """One more where the first of a class had to be added, and the share of all patients is rounded up."""
    fraction = twentieths / 20
    found = shares_of_two_strata(one, other, fraction, number)
    patients = int(np.ceil(np.round(fraction * (one + other), 9)))
    for count, size in zip(found, (one, other), strict=True):
        assert count == 1 or abs(count - patients * size / (one + other)) < 1 + 1e-9


def test_draws_differ_and_every_patient_is_as_likely() -> None:
    rows = [(number, "s", number % 2, 0) for number in range(20)]
    draws = [drawn(rows, 0.25, number=number) for number in range(400)]
    assert len(set(map(frozenset, draws))) > 350
    often = np.bincount([row for each in draws for row in each], minlength=20) / 400
    expected = np.mean([len(each) for each in draws]) / 20
    assert np.abs(often - expected).max() < 5 * np.sqrt(expected * (1 - expected) / 400)
    assert drawn(rows, 0.25, seed=1) != drawn(rows, 0.25)


def test_a_patient_of_another_site_is_another_patient() -> None:
    rows = [(number % 10, "s" if number < 10 else "t", number % 2, 0) for number in range(20)]
    sites = [{rows[row][1] for row in drawn(rows, 0.5, number=n)} for n in range(3)]
    assert sites == [{"s", "t"}] * 3
    assert len(drawn(rows, 0.5)) == 10


def test_encoder_and_method_have_no_say() -> None:
    """Nothing of either can be told to the function; the rows of a draw are therefore the same for all."""
    assert list(inspect.signature(draw).parameters) == [
        "table", "rows", "codes", "fraction", "seed", "number", "data_set",
    ]  # fmt: skip


def test_a_part_without_labels_is_empty() -> None:
    assert not drawn([(0, "s", -1, -1)], 0.5)


@pytest.mark.parametrize("fraction", [0.0, 2.0, -0.5, float("nan")], ids=str)
def test_a_fraction_that_is_none_is_refused(fraction: float) -> None:
    with pytest.raises(UsageError, match=r"a label fraction is .*, more than 0 and at most 1 was expected"):
        fractions.draw(table_of([(0, "s", 0, 0)]), np.arange(1), [np.zeros(1, np.int64)], fraction, seed=0, number=0)


@pytest.mark.parametrize("number", range(8))
def test_so_is_each_of_many_strata(number: int) -> None:
    """Strata as several labels make them: a large one, and a hundred of one patient."""
    strata = np.array([0] * 150 + [1] * 50 + list(range(2, 102)))
    codes = [strata >> bit & 1 for bit in range(7)]
    table = pa.table({"image": [f"{row}.png" for row in range(len(strata))]})
    for twentieths in range(2, 20):
        found = strata[draw(table, np.arange(len(strata)), codes, twentieths / 20, seed=0, number=number)]
        for stratum, size in ((0, 150), (1, 50)):
            assert abs((found == stratum).sum() - twentieths / 20 * size) <= 1 + 1e-9
