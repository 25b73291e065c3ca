"""A grid of learning rates and weight decays: every cell is a run of its own, and validation chooses one."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from remedis.data.files import read_json, write_json, write_text
from remedis.errors import FolderError
from remedis.train.finetune_job import best_of, standing, verdicts
from remedis.train.finetuned import CELLS, GRID

Cell = Mapping[str, float]
TABLE = "grid.csv"
COLUMNS = ("cell", "chosen", "diverged", "step", "validation_auroc", "validation_loss", "n")


def cells_of(rates: Sequence[float], decays: Sequence[float]) -> list[Cell]:
    """Return the cells; what was not given leaves the recipe its say."""
    axes = {"learning_rate": rates, "weight_decay": decays}
    given = {name: list(dict.fromkeys(values)) for name, values in axes.items() if values}
    return [dict(zip(given, values, strict=True)) for values in itertools.product(*given.values())]


def name_of(cell: Cell) -> str:
    """Return a cell's name, which is its folder's too."""
    short = {"learning_rate": "lr", "weight_decay": "wd"}
    return "-".join(f"{short[name]}-{value:g}" for name, value in cell.items()) or "run"


def choose(out: Path, names: Sequence[str]) -> str:
    """Return the cell with the best AUROC on validation; where it ties, the smallest loss, then the first."""
    return max(names, key=lambda name: standing(_best(out, name)))


def record(out: Path, names: Sequence[str], chosen: str, *, diverged: Sequence[str] = ()) -> None:
    """Write every cell's best evaluation to grid.csv, and which one was chosen to grid.json."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for name in names:
        line = _best(out, name)
        writer.writerow(
            {"cell": name, "chosen": int(name == chosen), "diverged": int(name in diverged)}
            | {key: line.get(key, "") for key in COLUMNS[3:]}
        )
    write_text(out / TABLE, text.getvalue())
    write_json(out / GRID, {"chosen": chosen, "cells": list(names)})


def refuse_other(out: Path, names: Sequence[str]) -> None:
    """Refuse a folder that holds something else than this grid.

    Args:
        out: The folder.
        names: The cells of the grid.

    Raises:
        FolderError: It does; names the cells that differ.
    """
    ours = {CELLS, GRID, TABLE}
    if out.exists() and (
        not out.is_dir() or any(path.name not in ours and path.suffix != ".tmp" for path in out.iterdir())
    ):
        raise FolderError("exists and holds no grid; choose another --out", where=out)
    there = [path.name for path in sorted((out / CELLS).glob("*"))]
    if (out / GRID).is_file():
        there = list(read_json(out / GRID).get("cells", there))
        lacking = [name for name in names if name not in there]
    else:  # a grid that was killed has some of its cells
        lacking = []
    other = [*(name for name in there if name not in names), *lacking]
    if other:
        raise FolderError(
            f"the folder holds another grid, they differ in {', '.join(other)}; choose another --out or remove it",
            where=out,
        )


def _best(out: Path, name: str) -> Mapping[str, Any]:
    return best_of(verdicts(out / CELLS / name))
