"""Classes that are rare or mixed otherwise elsewhere are found; the same mixture, and chance, are not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from remedis.data.audit_labels import of_balance
from remedis.data.finding import Finding
from remedis.data.manifest import Manifest


def found_in(labels: list[Any], **columns: Any) -> list[Finding]:
    table = pa.table({"image": [f"{number}.png" for number in range(len(labels))], "label": labels, **columns})
    return list(of_balance(Manifest(table, Path(), {}, None), ["label"]))


def mixed(shares: list[float], rows: int = 200) -> list[int]:
    return [int(number < share * rows) for share in shares for number in range(rows)]


PARTS = [part for part in ("train", "validation", "test") for _ in range(200)]


def test_a_share_that_differs_between_parts_is_found() -> None:
    (found,) = found_in(mixed([0.3, 0.3, 0.6]), split=PARTS)
    assert (found.kind, found.severity) == ("balance", "warning")
    assert found.line == (
        "balance: label is not the same mixture in the parts of the split: 1 is 60% of test and 30% of train (warning)"
    )


@pytest.mark.parametrize(("share", "count"), [(0.3, 0), (0.38, 0), (0.5, 1)])
def test_small_differences_are_none(share: float, count: int) -> None:
    assert len(found_in(mixed([0.3, 0.3, share]), split=PARTS)) == count


def test_images_of_one_patient_count_once() -> None:
    labels = mixed([0.3, 0.3, 0.5])
    people = [f"p{number // 20}" for number in range(600)]  # ten patients a part
    assert not found_in(labels, split=PARTS, patient_id=people)
    assert found_in(labels, split=PARTS, patient_id=[f"p{number}" for number in range(600)])


def test_a_part_of_one_class_is_told_elsewhere() -> None:
    assert not found_in(mixed([0.3, 0.3, 1.0]), split=PARTS)


def test_every_class_of_several_is_compared() -> None:
    labels = [("a", "b", "c")[number % 3] for number in range(400)] + [("a", "b")[number % 2] for number in range(200)]
    (found,) = found_in(labels, split=PARTS)
    assert [each.split()[0] for each in found.examples] == ["a", "b", "c"]
    assert found.examples[2].endswith("and 0% of test")


def test_sites_are_compared_and_few_rows_are_not() -> None:
    sites = ["north"] * 200 + ["south"] * 200
    (found,) = found_in(mixed([0.0, 1.0]), site=sites)
    assert "label is not the same mixture in sites: 1 is 100% of south and 0% of north" in found.line
    assert not found_in(mixed([0.2], 200) + [1] * 5, site=["north"] * 200 + ["south"] * 5)


def test_a_rare_class_is_named() -> None:
    (found,) = found_in(["common"] * 2000 + ["rare"] * 15)
    assert found.line == "balance: label has classes rarer than 1 in 100: rare in 15 of 2,015 (warning)"
    assert not found_in(["common"] * 500 + ["rare"] * 15)
    assert not found_in(["common"] * 2000 + ["rare"] * 5)  # `label` says that it has fewer than 10 rows


def test_empty_cells_are_in_no_group() -> None:
    labels: list[Any] = [str(each) for each in mixed([0.3, 0.3, 0.6])]
    labels[400:] = [None] * 200
    assert not found_in(labels, split=PARTS)


def test_the_same_mixture_seldom_differs_by_chance() -> None:
    random = np.random.default_rng(0)
    alarms = sum(bool(found_in((random.random(600) < 0.3).astype(int).tolist(), split=PARTS)) for _ in range(40))
    assert alarms <= 1
