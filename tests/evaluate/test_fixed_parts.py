"""The parts of a training: a given split is kept, and what it lacks is drawn by patient, stratified, by the seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from remedis.data.manifest import Manifest, write
from remedis.data.manifest import read as read_manifest
from remedis.errors import LabelError
from remedis.evaluate.fixed_parts import FixedParts, fixed_parts
from remedis.evaluate.targets import Target, target

PATIENTS = 200


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def manifest_of(folder: Path, order: npt.NDArray[np.int64] | None = None, **columns: list[str | None]) -> Manifest:
    """Two images of each of 200 patients; a quarter of the patients is sick, and one in ten has no label."""
    patients = np.repeat(np.arange(PATIENTS), 2)
    labels = [None if p % 10 == 9 else "yes" if p % 4 == 0 else "no" for p in patients.tolist()]
    table = pa.table({
        "image": [f"{row}.png" for row in range(len(patients))],
        "patient_id": [f"p{p}" for p in patients],
        "sick": labels,
        **columns,
    })  # fmt: skip
    write(table if order is None else table.take(pa.array(order)), folder / "m.parquet", {"data_set": "small"})
    return read_manifest(folder / "m.parquet")


def parts_of(manifest: Manifest, *, seed: int = 0, **how: tuple[str, ...]) -> FixedParts:
    return fixed_parts(manifest, [sick(manifest)], seed=seed, **how)


def sick(manifest: Manifest) -> Target:
    return target(manifest.table, "sick")


def images(manifest: Manifest, rows: npt.NDArray[np.int64]) -> set[str]:
    return set(manifest.table["image"].take(pa.array(rows)).to_pylist())


def patients(manifest: Manifest, rows: npt.NDArray[np.int64]) -> set[str]:
    return set(manifest.table["patient_id"].take(pa.array(rows)).to_pylist())


def given(train: int, validation: int) -> list[str | None]:
    rows = 2 * PATIENTS
    return ["train"] * train + ["val"] * validation + ["test"] * (rows - train - validation)


def test_a_given_split_is_kept_without_its_unlabelled_rows(folder: Path) -> None:
    manifest = manifest_of(folder, split=given(240, 60))
    parts = parts_of(manifest)
    known = sick(manifest).codes != -1
    for rows, bounds in ((parts.train, (0, 240)), (parts.validation, (240, 300)), (parts.test, (300, 400))):
        assert rows.tolist() == [row for row in range(*bounds) if known[row]]
    assert parts.drawn == ()
    assert parts.elsewhere == 0


def test_words_of_other_parts_are_counted_and_in_none(folder: Path) -> None:
    split = given(240, 60)
    split[390:] = ["external"] * 5 + [None] * 5
    parts = parts_of(manifest_of(folder, split=split))
    assert parts.test.max() < 390
    assert parts.elsewhere == 8  # the last patient has no label


def test_missing_parts_are_drawn_by_patient_and_stratified(folder: Path) -> None:
    manifest = manifest_of(folder)
    parts = parts_of(manifest)
    assert parts.drawn == ("validation", "test")
    rows = (parts.train, parts.validation, parts.test)
    whose = [patients(manifest, each) for each in rows]
    assert len(set().union(*whose)) == sum(map(len, whose)) == 180
    assert sum(map(len, rows)) == 360
    codes = sick(manifest).codes
    ill = len({p for p in range(PATIENTS) if p % 4 == 0 and p % 10 != 9})
    assert abs((codes[parts.validation] == 1).sum() / 2 - 0.15 * ill) <= 1
    assert abs(len(whose[1]) - 0.15 * 180) <= 1
    assert abs(len(whose[2]) - 0.2 * 0.85 * 180) <= 1
    assert abs((codes[parts.test] == 1).sum() / 2 - 0.2 * 0.85 * ill) <= 1.5


def test_only_what_is_needed_is_drawn_and_the_rest_stays(folder: Path) -> None:
    manifest = manifest_of(folder, split=[word if word != "val" else "train" for word in given(240, 60)])
    parts = parts_of(manifest, needed=("validation",))
    known = sick(manifest).codes != -1
    assert parts.drawn == ("validation",)
    assert parts.test.tolist() == [row for row in range(300, 400) if known[row]]
    assert sorted([*parts.train, *parts.validation]) == [row for row in range(300) if known[row]]
    assert not parts_of(manifest_of(folder), needed=("validation",)).test.size


def test_the_same_validation_whether_or_not_a_test_part_is_needed(folder: Path) -> None:
    manifest = manifest_of(folder)
    one, both = parts_of(manifest, needed=("validation",)), parts_of(manifest)
    assert one.validation.tolist() == both.validation.tolist()


def test_the_seed_decides_and_the_order_of_the_rows_does_not(folder: Path) -> None:
    manifest = manifest_of(folder)
    parts, same, other = parts_of(manifest), parts_of(manifest), parts_of(manifest, seed=1)
    assert parts.validation.tolist() == same.validation.tolist() != other.validation.tolist()
    assert len(parts.validation) == len(other.validation)
    shuffled = manifest_of(folder, np.random.default_rng(0).permutation(2 * PATIENTS))
    assert images(shuffled, parts_of(shuffled).validation) == images(manifest, parts.validation)


def test_a_row_with_any_of_the_labels_counts(folder: Path) -> None:
    other = [None] * 396 + ["a", "b", "a", "b"]
    manifest = manifest_of(folder, other=other)
    targets = [sick(manifest), target(manifest.table, "other")]
    parts = fixed_parts(manifest, targets, seed=0)
    assert {398, 399} <= {*parts.train, *parts.validation, *parts.test}  # of patient 199, who has no first label


def test_nothing_to_train_on_is_said(folder: Path) -> None:
    split = ["test"] * 380 + ["train"] * 20
    manifest = manifest_of(folder, split=split)
    codes = np.where(np.arange(400) < 380, sick(manifest).codes, -1)
    with pytest.raises(LabelError, match="no row with a label is in the training part; check split and label"):
        fixed_parts(manifest, [Target("sick", ("no", "yes"), codes, {})], seed=0)
