"""Groups of trivial features: what the table and the pixels say, and nothing where nothing differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from remedis.data.decoded import decode_all
from remedis.data.manifest import Manifest
from remedis.data.trivial import MOST_VALUES, trivial_features


def rows_of(folder: Path, **columns: Any) -> Manifest:
    count = len(next(iter(columns.values())))
    table = pa.table({"image": [f"{number}.png" for number in range(count)], **columns})
    return Manifest(table, folder, {"data_set": "here"}, None)


def groups_of(rows: Manifest) -> dict[str, np.ndarray]:
    return {group.name: group.features for group in trivial_features(rows)}


def test_sizes_are_logarithms_of_the_sides_and_of_their_ratio(tmp_path: Path) -> None:
    rows = rows_of(
        tmp_path, width=[100, 200, 50], height=[100, 50, 0], original_width=[9, 8, None], original_height=[3] * 3
    )
    found = groups_of(rows)
    assert list(found) == ["size", "original size"]
    assert found["size"][:2] == pytest.approx(np.log([[100, 100, 1], [200, 50, 4]]), abs=1e-6)
    assert np.isnan(found["size"][2]).all()
    assert found["original size"][:2, 2] == pytest.approx(np.log([3, 8 / 3]), abs=1e-6)
    assert np.isnan(found["original size"][2]).all()


def test_columns_of_words_become_a_feature_a_value(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, site=["a", "b", None, "b"], view=["PA", None, "AP", "PA"])
    found = groups_of(rows)
    assert found["site"].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 0, 0]]  # without a site: the data set's
    assert found["view"].tolist() == [[1, 0], [0, 0], [0, 1], [1, 0]]


def test_only_frequent_values_become_features(tmp_path: Path) -> None:
    sites = [f"s{number}" for number in range(MOST_VALUES + 5)] + ["s3"]
    features = groups_of(rows_of(tmp_path, site=sites))["site"]
    assert features.shape == (MOST_VALUES + 6, MOST_VALUES)
    assert features[3, 0] == features[-1, 0] == 1
    assert features.sum() == MOST_VALUES + 1


def test_people_are_told_of_and_are_no_shortcut(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, sex=["F", "M", "F"], age=pa.array([30, None, 70], pa.int64()))
    found = trivial_features(rows)
    assert [(group.name, group.shortcut) for group in found] == [("sex", False), ("age", False)]
    assert found[1].features[[0, 2], 0].tolist() == [30, 70]
    assert np.isnan(found[1].features[1, 0])


def test_what_does_not_differ_is_left_out(tmp_path: Path) -> None:
    same = rows_of(tmp_path, width=[5] * 3, height=[5] * 3, site=["a"] * 3, view=[None] * 3, age=["x"] * 3)
    assert trivial_features(same) == []
    assert trivial_features(rows_of(tmp_path, width=[5, 6, 7])) == []


def test_brightness_and_sizes_come_from_the_pixels(tmp_path: Path) -> None:
    pictures = [np.full((8, 10), 51, np.uint8), np.tile(np.uint8([0, 255]), (4, 3))]
    for number, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_bytes(b"no picture")
    rows = Manifest(pa.table({"image": ["0.png", "1.png", "2.png"]}), tmp_path, {}, None)
    found = {group.name: group.features for group in trivial_features(rows, decode_all(rows))}
    assert found["brightness"][:2] == pytest.approx(np.array([[0.2, 0, 0, 0], [0.5, 0.5, 0.5, 0.5]]))
    assert found["size"][:2] == pytest.approx(np.log([[10, 8, 1.25], [6, 4, 1.5]]), abs=1e-6)
    for features in found.values():
        assert np.isnan(features[2]).all()
    named = Manifest(rows.table.append_column("width", pa.array([1, 2, 3])), tmp_path, {}, None)
    named = Manifest(named.table.append_column("height", pa.array([1, 1, 1])), tmp_path, {}, None)
    by_table = {group.name: group.features for group in trivial_features(named, decode_all(named))}
    assert by_table["size"][:, 0] == pytest.approx(np.log([1, 2, 3]), abs=1e-6)
