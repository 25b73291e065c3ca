"""Splits: words are read as the field writes them, patients stay whole, shares are kept in every stratum."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given

from remedis.data import splits
from remedis.errors import ManifestError, UsageError

ROWS = st.lists(st.tuples(st.integers(0, 40), st.sampled_from(["s", "t"]), st.integers(0, 2)), min_size=1, max_size=80)
SHARES = st.sampled_from(
    [(0.7, 0.1, 0.2), (0.5, 0.25, 0.25), (0.8, 0.0, 0.2), (1.0, 0.0, 0.0), (1 / 3, 1 / 3, 1 / 3), (0.05, 0.9, 0.05)]
)


def table_of(rows: list[tuple[int, str, int]]) -> pa.Table:
    return pa.table(
        {
            "image": [f"{number}.png" for number in range(len(rows))],
            "patient_id": [f"p{row[0]}" for row in rows],
            "site": [row[1] for row in rows],
        }
    )


def drawn(rows: list[tuple[int, str, int]], shares: tuple[float, ...], seed: int = 0) -> list[str]:
    strata = np.array([row[2] for row in rows])
    rule = "patient:" + ",".join(map(repr, shares))
    found: list[str] = splits.by_patient(table_of(rows), rule, strata=strata, seed=seed).to_pylist()
    return found


@given(ROWS, SHARES, st.integers(0, 5))
def test_patients_stay_whole_and_each_stratum_has_its_shares(
    rows: list[tuple[int, str, int]], shares: tuple[float, ...], seed: int
) -> None:
    parts = drawn(rows, shares, seed)
    of_patient: dict[tuple[int, str], set[str]] = {}
    stratum: dict[tuple[int, str], int] = {}
    for (patient, site, label), part in zip(rows, parts, strict=True):
        of_patient.setdefault((patient, site), set()).add(part)
        stratum[patient, site] = max(label, stratum.get((patient, site), label))
    assert all(len(each) == 1 for each in of_patient.values())
    for label in set(stratum.values()):
        patients = [key for key, each in stratum.items() if each == label]
        for part, share in zip(splits.SPLITS, shares, strict=True):
            count = sum(of_patient[key] == {part} for key in patients)
            assert abs(count - share * len(patients)) < 1 + 1e-6
    for part, share in zip(splits.SPLITS, shares, strict=True):
        count = sum(each == {part} for each in of_patient.values())
        assert abs(count - share * len(of_patient)) < 1 + 1e-6


@given(ROWS, SHARES, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_has_no_say(
    rows: list[tuple[int, str, int]], shares: tuple[float, ...], random: object
) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)  # type: ignore[attr-defined]
    parts, again = drawn(rows, shares), drawn([rows[i] for i in order], shares)
    assert again == [parts[i] for i in order]


def test_another_seed_is_another_draw_of_the_same_sizes() -> None:
    rows = [(number, "s", number % 2) for number in range(60)]
    one, same, other = drawn(rows, (0.7, 0.1, 0.2)), drawn(rows, (0.7, 0.1, 0.2)), drawn(rows, (0.7, 0.1, 0.2), seed=1)
    assert one == same != other
    assert [one.count(part) for part in splits.SPLITS] == [other.count(part) for part in splits.SPLITS] == [42, 6, 12]


def test_every_patient_is_as_likely_in_every_part() -> None:
    rows = [(number, "s", 0) for number in range(20)]
    share = np.mean([[part == "test" for part in drawn(rows, (0.5, 0.0, 0.5), seed)] for seed in range(400)], axis=0)
    assert np.abs(share - 0.5).max() < 5 * np.sqrt(0.25 / 400)


def test_patients_without_a_number_are_drawn_by_their_image() -> None:
    table = pa.table({"image": [f"{i}.png" for i in range(40)], "patient_id": pa.array([None] * 40, pa.string())})
    parts = splits.by_patient(table, "patient:0.5,0,0.5", strata=None).to_pylist()
    turned = splits.by_patient(table.take(list(range(39, -1, -1))), "patient:0.5,0,0.5", strata=None).to_pylist()
    assert parts.count("train") == 20
    assert turned[::-1] == parts


@pytest.mark.parametrize(
    "rule",
    ["0.7,0.1,0.2", "image:0.7,0.1,0.2", "patient:0.7,0.3", "patient:0.7,0.1,0.1", "patient:a,b,c", "patient:",
     "patient:0,0.5,0.5", "patient:1.2,-0.1,-0.1", "patient:nan,0.5,0.5"],
)  # fmt: skip
def test_shares_in_another_form_are_refused(rule: str) -> None:
    with pytest.raises(UsageError, match=r"patient:0\.7,0\.1,0\.2 \(train, validation, test\) was expected"):
        splits.by_patient(table_of([(0, "s", 0)]), rule, strata=None)


@pytest.mark.parametrize(
    ("word", "part"),
    [("train", "train"), ("Training", "train"), ("val", "validation"), ("VALID", "validation"), ("dev", "validation"),
     ("validate", "validation"), ("validation", "validation"), ("test", "test"), (" Test ", "test"),
     ("testing", "test"), ("holdout", None), ("", None), (None, None), ("0", None), (1, None)],
)  # fmt: skip
def test_words_of_the_field(word: object, part: str | None) -> None:
    assert splits.part_of(word) == part


def test_a_column_is_read_word_by_word_and_others_are_counted() -> None:
    words = ["train", "val", None, "extra", "test", "extra", "Train"]
    found = splits.split_column(pa.table({"split": words}))
    assert found.words is not None
    assert found.words.to_pylist() == ["train", "validation", None, None, "test", None, "train"]
    assert found.other == {"extra": 2, "(empty)": 1}


def test_a_categorical_column_reads_the_same() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([2, 0, None, 1]), ["val", "test", "train"])
    found = splits.split_column(pa.table({"split": column}))
    assert found.words is not None
    assert found.words.to_pylist() == ["train", "validation", None, "test"]


def test_a_column_without_train_counts_as_absent() -> None:
    found = splits.split_column(pa.table({"split": ["test", "val", "test"]}))
    assert found.words is None
    assert found.other == {"test": 2, "val": 1}
    assert splits.split_column(pa.table({"image": ["a"]})) == splits.SplitColumn(None)


@given(st.lists(st.tuples(st.none() | st.integers(0, 4), st.sampled_from(["train", "val", "x", None])), max_size=15))
def test_leaking_patients_are_those_in_two_parts(rows: list[tuple[int | None, str | None]]) -> None:
    table = pa.table(
        {
            "patient_id": pa.array([None if row[0] is None else f"p{row[0]}" for row in rows], pa.string()),
            "split": pa.array([row[1] for row in rows], pa.string()),
        }
    )
    parts: dict[int, set[str]] = {}
    first: dict[int, int] = {}
    usable = any(word == "train" for _, word in rows)
    for number, (patient, word) in enumerate(rows):
        if usable and patient is not None and word in ("train", "val"):
            parts.setdefault(patient, set()).add(word)
            first.setdefault(patient, number)
    expected = sorted(first[patient] for patient, found in parts.items() if len(found) > 1)
    assert splits.leaking_patients(table).tolist() == expected


def test_the_same_number_at_two_sites_is_no_leak() -> None:
    table = pa.table({"patient_id": ["1", "1"], "site": ["a", "b"], "split": ["train", "test"]})
    assert not len(splits.leaking_patients(table))
    assert splits.leaking_patients(table.drop_columns(["site"])).tolist() == [0]


def test_a_split_made_from_a_column() -> None:
    table = pa.table({"block": ["s1", "s2", None, "s3", "s1"]})
    assert splits.from_column(table, "block=s1:test,s3:val").to_pylist() == [
        "test", "train", "train", "validation", "test",
    ]  # fmt: skip
    assert splits.from_column(table, "block=s1:test,s2:train").to_pylist() == ["test", "train", None, None, "test"]


def test_numbers_and_values_with_colons_in_the_rule() -> None:
    assert splits.from_column(pa.table({"centre": [1.0, 2.0]}), "centre=2:test").to_pylist() == ["train", "test"]
    assert splits.from_column(pa.table({"t": ["a:b", "c"]}), "t=a:b:test").to_pylist() == ["test", "train"]


@pytest.mark.parametrize(
    ("rule", "kind", "complaint"),
    [
        ("block", UsageError, "COLUMN=VALUE:PART"),
        ("block=s1", UsageError, "'s1' is not VALUE:PART"),
        ("block=s1:holdout", UsageError, "train, validation or test"),
        ("block=s9:test", UsageError, "no row has block=s9, did you mean s"),
        ("blok=s1:test", ManifestError, "no column 'blok', did you mean block"),
    ],
)
def test_rules_that_cannot_be_followed_are_refused(rule: str, kind: type[Exception], complaint: str) -> None:
    with pytest.raises(kind, match=complaint):
        splits.from_column(pa.table({"block": ["s1", "s2"]}), rule)
