"""Rows put together by study or patient keep what their images share, and units follow the patients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from remedis.errors import InputError, LabelError, ManifestError
from remedis.evaluate.predictions import Predictions
from remedis.evaluate.targets import Target
from remedis.evaluate.tested_rows import Rows, refuse_one_class, rows_of

COLUMNS: dict[str, Any] = {
    "image": ["0", "1", "2", "3", "4", "5"],
    "patient_id": ["a", "a", "b", "a", None, "b"],
    "site": ["x", "x", "x", "y", "x", "x"],
    "study_id": ["1", "2", "1", "1", "1", "1"],
    "view": ["PA", "AP", "PA", "PA", None, "LL"],
    "sex": ["F", "F", "M", "F", "F", "M"],
}


def taken(codes: list[int], scores: Any, rows: list[int] | None = None, **options: Any) -> Rows:
    target = Target("ill", tuple("012"[: max(2, np.array(scores).ndim + 1)]), np.array(codes), {})
    columns = dict(zip(target.score_columns, np.array(scores, float).reshape(6, -1).T, strict=True))
    found = Predictions(pa.table(COLUMNS | columns), Path("p.parquet"), {}, (target,))
    return rows_of(found, target, np.arange(6) if rows is None else np.array(rows), **options)


SCORES = [0.1, 0.3, 0.5, 0.7, 0.9, 0.8]


def test_single_images_are_drawn_by_patient() -> None:
    found = taken([0, 1, 0, 1, 0, 1], SCORES)
    assert found.units.tolist() == [0, 0, 1, 2, 3, 1]  # a of site y is another patient, the unknown one its own
    assert (found.count, found.patients, found.independent, found.unit_name) == (4, 4, False, "patients")
    assert found.scores.tolist() == SCORES


def test_a_patient_s_images_become_one_row() -> None:
    found = taken([0, 1, 0, 1, 0, 0], SCORES, per="patient", how="mean")
    assert found.scores.tolist() == pytest.approx([0.2, 0.65, 0.7, 0.9])
    assert found.truth.tolist() == [True, False, True, False]
    assert found.independent
    assert found.notes == ("ill: patients with images of several classes count as positive: 1",)
    assert found.table["sex"].to_pylist() == ["F", "M", "F", "F"]
    assert found.table["view"].to_pylist() == [None, None, "PA", None]  # several views, several, one, unknown


def test_a_study_is_one_of_a_patient() -> None:
    """Study numbers that two patients share are two studies."""
    found = taken([0, 1, 0, 1, 0, 1], SCORES, per="study", how="max")
    assert found.scores.tolist() == [0.1, 0.3, 0.8, 0.7, 0.9]
    assert found.units.tolist() == [0, 0, 1, 2, 3]


def test_only_the_rows_asked_for_are_put_together() -> None:
    found = taken([0, 1, 0, 1, 0, 1], SCORES, [1, 2, 5], per="patient", how="max")
    assert found.scores.tolist() == [0.3, 0.8]
    assert found.patients == 2


def test_of_several_classes_a_mixed_patient_is_left_out() -> None:
    scores = np.full((6, 3), 1 / 3)
    found = taken([0, 0, 1, 2, 0, 2], scores, per="patient")
    assert found.target.codes.tolist() == [0, 2, 0]
    assert found.table.num_rows == len(found.units) == len(found.keys) == 3
    assert found.notes == ("ill: patients with images of several classes are left out: 1",)
    with pytest.raises(InputError, match="images of several classes"):
        taken([0, 0, 1, 2, 0, 2], scores, [2, 5], per="patient")


def test_a_cluster_stands_for_the_patient() -> None:
    found = taken([0, 1, 0, 1, 0, 1], SCORES, cluster="sex")
    assert found.units.tolist() == [0, 0, 1, 0, 0, 1]
    assert (found.unit_name, found.patients) == ("sex", 4)


def test_what_is_not_there_is_named() -> None:
    target = Target("ill", ("0", "1"), np.array([0, 1]), {})
    table = pa.table({"image": ["0", "1"], "score_ill": [0.1, 0.2]})
    found = Predictions(table, Path("p.parquet"), {}, (target,))
    with pytest.raises(ManifestError, match="study_id"):
        rows_of(found, target, np.arange(2), per="study")
    with pytest.raises(LabelError, match=r"one class \(1\)"):
        refuse_one_class(taken([0, 1, 0, 1, 0, 1], SCORES, [1, 3]), "p.parquet")
