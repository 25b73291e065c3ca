"""Who was left out: each step of the diagram is the one before it less what it says was left out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from remedis.report.flow import flow, source_facts

Found = Callable[[str], Any]


@pytest.mark.parametrize("kind", ["binary", "clustered", "several", "external"])
def test_the_counts_add_up(page: Found, kind: str) -> None:
    found = page(kind)
    for label in found.data["labels"]:
        assert len(label["flow"]) == (2 if kind == "external" else 1)
        for diagram in label["flow"]:
            check(diagram)
        assert label["flow"][-1]["parts"][-1]["images"] == label["n"]


def check(diagram: dict[str, Any]) -> None:
    left = None
    for step in diagram["steps"]:
        if left is not None:
            assert step["images"] == left
        left = step["images"] - sum(reason["count"] for reason in step["out"])
    assert left == diagram["used"] == sum(part["images"] for part in diagram["parts"])


def test_conditions_unknown_labels_and_other_classes_are_named(page: Found) -> None:
    (diagram,) = page("several").data["labels"][1]["flow"]
    reasons = {reason["why"]: reason["count"] for step in diagram["steps"] for reason in step["out"]}
    assert reasons["rows other than batch!=3"] == 30
    assert reasons["label is empty"] == sum(row % 10 == 0 and row % 4 != 3 for row in range(120))
    for diagram in page("external").data["labels"][0]["flow"]:
        assert [reason["why"] for step in diagram["steps"] for reason in step["out"]] == ["class basophil is excluded"]


def test_unreadable_images_and_what_the_index_left_out_stand_in_it() -> None:
    facts = {"job": {"rows": 100}, "rejected": 7}
    source = source_facts("m.parquet", facts, None, (), names=False, before={"not in labels": 5, "nothing": 0})
    entry = {
        "evaluation": "split", "left_out": {"label is empty": 3},
        "counts": {name: {"images": 30, "units": 20} for name in ("train", "validation", "test")},
    }  # fmt: skip
    (diagram,) = flow({"unit_name": "patients"}, entry, source, None)
    check(diagram)
    assert [(step["images"], step["name"]) for step in diagram["steps"]] == [
        (100, "images taken from m.parquet"), (93, "images looked at for this label"),
    ]  # fmt: skip
    assert diagram["steps"][0]["out"] == [{"why": "could not be read", "count": 7}]
    assert diagram["before"] == [{"why": "not in labels", "count": 5}]
    assert [part["units_words"] for part in diagram["parts"]] == ["20 patients"] * 3


def test_rows_that_conditions_left_out_are_counted_after_the_unreadable_ones() -> None:
    source = source_facts("m.parquet", {"job": {"rows": 100}, "rejected": 7}, 60, ("site=a",), names=False)
    entry = {
        "evaluation": "nested-cv", "left_out": {}, "counts": {"test": {"images": 60, "units": 60}},
    }  # fmt: skip
    (diagram,) = flow({"unit_name": "images"}, entry, source, None)
    check(diagram)
    assert [step["out"] for step in diagram["steps"]] == [
        [{"why": "could not be read", "count": 7}], [{"why": "rows other than site=a", "count": 33}],
    ]  # fmt: skip


def test_an_identifying_condition_hides_its_value() -> None:
    shown = [
        source_facts("m", {}, 1, ("patient_id=SMITH",), names=names)["conditions"] for names in (False, True)
    ]  # fmt: skip
    assert shown == ["patient_id=…", "patient_id=SMITH"]


def test_what_embed_was_told_to_take_stands_in_the_first_step() -> None:
    facts = {"job": {"rows": 10, "where": ["site=a", "patient_id!=P7"]}, "rejected": 1}
    entry = {"counts": {"train": {"images": 9, "units": 9}, "test": {"images": 9, "units": 9}}, "left_out": {}}
    data = {"unit_name": "images"}
    source = source_facts("m.parquet", facts, None, (), names=False)
    (diagram,) = flow(data, {**entry, "evaluation": "nested-cv"}, source, None)
    assert "images taken from m.parquet, those with site=a and patient_id!=…" in diagram["steps"][0].values()
