"""What the tests of `remedis evaluate` share: a folder with evaluated predictions, and what stands in its tables."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from remedis import cli
from synthetic_predictions import predictions

DRAWS = ("--draws", "40")


def evaluated(made: Path) -> Path:
    """Write predictions, those of another model, of another site, and a full evaluation into a folder; return it."""
    pq.write_table(predictions(), made / "p.parquet")
    pq.write_table(predictions(noise=3.0), made / "other.parquet")
    elsewhere = predictions(site="there", seed=3).drop_columns(["seen", "split"])
    pq.write_table(elsewhere.append_column("seen", pa.array(["no"] * elsewhere.num_rows)), made / "ood.parquet")
    run = ["evaluate", str(made / "p.parquet"), "--out", str(made / "full"), *DRAWS, "--at", "sensitivity=0.9,youden"]
    assert cli.run([*run, "--ood", str(made / "ood.parquet"), "--compare", str(made / "other.parquet")]) == 0
    return made


def rows(path: Path, **wanted: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file that have these values."""
    with path.open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if all(row[name] == value for name, value in wanted.items())]


def part(folder: Path, word: str, name: str = "p.parquet") -> pa.Table:
    """Return the rows of a Parquet file of `folder` that are in this part of the split."""
    table = pq.read_table(folder / name)
    return table.filter(pc.equal(table["split"], word))


def binary(table: pa.Table, label: str = "effusion") -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return whether each row has the label, and its score."""
    return table[label].to_numpy() == 1, table[f"score_{label}"].to_numpy()
