"""The scores that a cell's fits give to tested and validation rows, as stored: every figure is computed from them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from remedis.data.files import write_atomic
from remedis.errors import InputError

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
_KEYS = ("fraction", "draw", "dataset", "part", "label")


@dataclass(frozen=True)
class Scored:
    """The scores of one fit, one label and one part of a data set.

    Attributes:
        fraction: Of the fit.
        draw: Of the fit.
        dataset: Name of the data set whose rows these are.
        part: `test` or `validation`.
        label: The label.
        rows: (n,) row numbers in the data set's manifest, ascending.
        scores: (n,) probabilities of the positive class, or (n, K).
    """

    fraction: float
    draw: int
    dataset: str
    part: str
    label: str
    rows: Integers
    scores: Floats


def write(path: Path, scored: list[Scored]) -> None:
    """Write a cell's scores atomically: a row for each image, with K scores.

    Raises:
        StoppedError: The disk is full; nothing is left half-written.
    """
    tables = []
    for each in scored:
        flat = pa.array(np.ascontiguousarray(each.scores.reshape(-1), np.float64))
        counts = np.arange(len(each.rows) + 1) * (1 if each.scores.ndim == 1 else each.scores.shape[1])
        columns = {key: pa.array([getattr(each, key)] * len(each.rows)).dictionary_encode() for key in _KEYS}
        columns["row"] = pa.array(each.rows, pa.int64())
        columns["scores"] = pa.ListArray.from_arrays(pa.array(counts, pa.int32()), flat)
        tables.append(pa.table(columns))
    with write_atomic(path) as temporary:
        pq.write_table(pa.concat_tables(tables).unify_dictionaries(), temporary, compression="zstd")


def read(path: Path) -> Iterator[Scored]:
    """Yield what `write` wrote.

    Raises:
        InputError: The file is damaged.
    """
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        message = f"a cell of the study cannot be read ({error}); remove it and start again"
        raise InputError(message, where=path) from error
    codes = np.stack([np.asarray(table[key].combine_chunks().dictionary_encode().indices) for key in _KEYS], axis=1)
    starts = np.flatnonzero(np.r_[True, (codes[1:] != codes[:-1]).any(axis=1)]) if len(codes) else np.array([], int)
    for start, stop in zip(starts, [*starts[1:], len(codes)], strict=True):
        part = table.slice(start, stop - start)
        keys = {key: part[key][0].as_py() for key in _KEYS}
        column = part["scores"].combine_chunks()
        values = np.asarray(column.flatten(), np.float64).reshape(stop - start, -1)
        scores = values[:, 0] if values.shape[1] == 1 else values
        yield Scored(**keys, rows=np.asarray(part["row"], np.int64), scores=scores)
