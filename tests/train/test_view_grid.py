"""The picture of pairs of views holds each pair once, side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from remedis.train.view_grid import grid


def plain(levels: list[int], side: int) -> torch.Tensor:
    """Return (n, 3, side, side): image i of one level, its channels 0, 1 and 2 above it."""
    colour = (torch.tensor(levels)[:, None] + torch.arange(3)) / 255
    return colour[:, :, None, None].expand(-1, -1, side, side)


@pytest.mark.parametrize(("pairs", "shown"), [(1, 1), (6, 6), (7, 7), (30, 24)])
def test_each_pair_stands_side_by_side(tmp_path: Path, pairs: int, shown: int) -> None:
    side = 8
    firsts = list(range(pairs))
    grid(plain(firsts, side), plain([100 + level for level in firsts], side), tmp_path / "views.png")
    with Image.open(tmp_path / "views.png") as picture:
        pixels = np.asarray(picture)
    for level in range(shown):
        rows, columns = np.nonzero((pixels == [level, level + 1, level + 2]).all(2))
        assert len(rows) == side * side
        assert np.ptp(rows) == np.ptp(columns) == side - 1
        other_rows, other_columns = np.nonzero((pixels == [level + 100, level + 101, level + 102]).all(2))
        assert len(other_rows) == side * side
        assert other_rows.min() == rows.min()
        assert side < other_columns.min() - columns.min() < 2 * side
    views = 2 * shown * side * side
    assert (pixels.min(2) < 255).sum() == views
    assert [path.name for path in tmp_path.iterdir()] == ["views.png"]


def test_fewer_pairs_may_be_asked_for(tmp_path: Path) -> None:
    grid(plain([10, 20, 30], 4), plain([60, 70, 80], 4), tmp_path / "views.png", most=2)
    with Image.open(tmp_path / "views.png") as picture:
        found = {tuple(colour) for _, colour in picture.getcolors() or []}
    assert found == {(level, level + 1, level + 2) for level in (10, 20, 60, 70)} | {(255, 255, 255)}
