"""Who is in a study adds up: rows are those left out and those of the parts, whatever labels and parts lack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from remedis.data.manifest import Manifest
from remedis.study.flow import flow_of
from remedis.study.question import DataSet, data_sets

COUNT = 120


def site(*, labels: tuple[str, ...] = ("sick",), **given: Any) -> DataSet:
    """Open a data set of patients with two images each; `given` are its columns, and what `data_sets` takes."""
    options = {name: given.pop(name) for name in ("exclude", "repeats") if name in given}
    columns: dict[str, Any] = {
        "image": [f"{row}.png" for row in range(COUNT)], "patient_id": [f"P{row // 2}" for row in range(COUNT)],
        "sick": (np.arange(COUNT) // 2 % 2).tolist(),
    }  # fmt: skip
    columns |= given
    made = Manifest(pa.table({name: each for name, each in columns.items() if each is not None}), Path(), {}, None)
    asked = {"exclude": (), "repeats": 1, "seed": 0, **options}
    return data_sets([("here", made)], [], labels, positive=None, **asked)[0]


def summed(flow: dict[str, Any]) -> int:
    return sum(flow["left_out"].values()) + sum(each["images"] for each in flow["parts"].values())


def emptied(rows: slice) -> list[int | None]:
    """The label with nothing in some rows."""
    found: list[int | None] = (np.arange(COUNT) // 2 % 2).tolist()
    for row in range(*rows.indices(COUNT)):
        found[row] = None
    return found


def test_rows_of_two_labels_are_left_out_where_they_have_neither() -> None:
    """20 rows lack the first label, 30 the second, 10 of them both: 10 are left out, not 20, 30 or 50."""
    flow = flow_of(site(labels=("sick", "other"), sick=emptied(slice(0, 20)), other=emptied(slice(10, 40))), 0, None)
    assert flow["left_out"] == {"used for no label (label is empty)": 10}
    assert summed(flow) == flow["rows"] == COUNT
    assert {label: (each["lacking"], each["why"]) for label, each in flow["labels"].items()} == {
        "sick": (10, ["label is empty"]), "other": (20, ["label is empty"]),
    }  # fmt: skip
    for label, count in (("sick", 100), ("other", 90)):
        parts = flow["labels"][label]["parts"]
        assert sum(each["images"] for each in parts.values()) == count
        assert [sum(flow["by_class"][label][part].values()) for part in parts] == [p["images"] for p in parts.values()]
        assert all(part["patients"] * 2 >= part["images"] > part["patients"] for part in parts.values())


def test_every_reason_of_one_label_is_counted_and_so_are_other_words_of_split() -> None:
    words = np.array(["no", "yes", "unclear"])[np.arange(COUNT) // 2 % 3].tolist()
    words[:8] = [None] * 8
    split = ["train"] * 60 + ["val"] * 20 + ["test"] * 28 + ["fold9"] * 12
    flow = flow_of(site(sick=words, split=split, exclude=("unclear",)), 0, None)
    assert list(flow["left_out"]) == [
        "label is empty", "class unclear is excluded", "split is none of train, validation, test",
    ]  # fmt: skip
    assert list(flow["left_out"].values()) == [8, 38, 8]
    assert summed(flow) == flow["rows"] == COUNT
    assert (flow["given"], flow["drawn"]) == (["train", "validation", "test"], [])


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, ([], ["validation", "test"], {})),
        ({"split": ["a"] * 50 + ["b"] * 70}, ([], ["validation", "test"], {"a": 50, "b": 70})),
        ({"split": ["train"] * 80 + ["test"] * 40}, (["train", "test"], ["validation"], {})),
        ({"split": ["train"] * 80 + ["test"] * 40, "repeats": 2}, ([], ["validation", "test"], {})),
    ],
    ids=["no-column", "other-words", "one-missing", "repeated"],
)
def test_only_parts_that_a_column_gives_are_given(given: dict[str, Any], wanted: tuple[Any, ...]) -> None:
    flow = flow_of(site(**given), 0, None)
    assert (flow["given"], flow["drawn"], flow["split_unused"]) == wanted
    assert summed(flow) == COUNT


def test_a_repeated_study_has_no_patient_in_two_of_its_own_parts() -> None:
    """A split that would tear patients apart is not used there."""
    flow = flow_of(site(split=["train", "test"] * (COUNT // 2), repeats=2), 0, None)
    assert flow["leaking_patients"] == 0


def test_without_patients_the_units_are_images() -> None:
    flow = flow_of(site(patient_id=None), 0, None)
    assert flow["units"] == "images"
    assert all(each["images"] == each["patients"] for each in flow["parts"].values())
    assert flow_of(site(), 0, None)["units"] == "patients"


def test_what_could_not_be_scored_stands_in_the_part_and_is_not_used() -> None:
    data_set = site(labels=("sick", "other"), other=emptied(slice(0, 120, 3)))
    test = data_set.parts[0].test
    flow = flow_of(data_set, 5, test[3:])
    assert (flow["unreadable"], flow["tested"], flow["parts"]["test"]["images"]) == (5, len(test) - 3, len(test))
    used = {label: each["parts"]["test"]["images"] for label, each in flow["labels"].items()}
    assert used == {"sick": len(test) - 3, "other": int((data_set.targets[1].codes[test[3:]] >= 0).sum())}
    assert used["other"] < used["sick"]
    assert summed(flow) == COUNT
    assert flow_of(data_set, 0, None)["tested"] is None
