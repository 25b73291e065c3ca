"""Rows of files that hold several pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa


def a_row_a_frame(rows: pa.Table, frames: Sequence[int]) -> pa.Table:
    """Return the rows, each as often as its file has frames, with a column `frame` after `image` where any has several.

    Args:
        rows: The rows.
        frames: For each row how many frames its file holds; `frame` is null where it is one.
    """
    times = np.asarray(frames, np.int64)
    if (times <= 1).all():
        return rows
    numbers = [number if count > 1 else None for count in frames for number in range(count)]
    repeated = rows.take(pa.array(np.repeat(np.arange(len(times)), times)))
    return repeated.add_column(1, "frame", pa.array(numbers, pa.int64()))
