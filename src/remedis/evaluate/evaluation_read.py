"""What `remedis evaluate` left in a folder, opened: every choice and count, and the tables."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remedis.data.files import read_json
from remedis.errors import InputError
from remedis.evaluate.evaluation_folder import COLUMNS, FACTS_NAME, RESULTS_NAME

KIND = "evaluation"
_TEXTS = frozenset(
    {
        "encoder", "method", "dataset", "label", "class", "metric", "rule", "chosen_on", "of", "scores", "column",
        "kind", "group", "against", "skipped",
    }
)  # fmt: skip
_AGAIN = "run remedis evaluate again, with another --out"

Row = dict[str, Any]


@dataclass(frozen=True)
class EvaluationFolder:
    """An opened evaluation.

    Attributes:
        path: The folder.
        facts: What `evaluation.json` says.
        tables: Name without `.csv` to rows, of every table that is there.
    """

    path: Path
    facts: Mapping[str, Any]
    tables: Mapping[str, list[Row]]


def is_evaluation(folder: Path) -> bool:
    """Return whether a folder is one that `remedis evaluate` wrote."""
    try:
        facts = read_json(folder / FACTS_NAME) if (folder / FACTS_NAME).is_file() else None
    except InputError:
        return False
    return isinstance(facts, dict) and facts.get("kind") == KIND


def open_evaluation(folder: Path) -> EvaluationFolder:
    """Return the evaluation of a folder.

    Raises:
        InputError: A file of it is damaged.
    """
    facts = read_json(folder / FACTS_NAME)
    if not isinstance(facts, dict) or facts.get("kind") != KIND or not isinstance(facts.get("labels"), list):
        raise InputError(f"what remedis evaluate notes was expected; {_AGAIN}", where=folder / FACTS_NAME)
    names = [RESULTS_NAME, *COLUMNS]
    return EvaluationFolder(
        folder, facts, {name.removesuffix(".csv"): _rows(folder / name) for name in names if (folder / name).is_file()}
    )


def _rows(path: Path) -> list[Row]:
    """Return the rows of a table, numbers as numbers, None where a cell is empty."""
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        needed = COLUMNS.get(path.name, ("dataset", "label", "class", "metric", "value", "low", "high"))
        lacking = [name for name in needed if name not in (reader.fieldnames or ())]
        if lacking:
            raise InputError(f"there is no column {lacking[0]!r}; {_AGAIN}", where=path)
        try:
            return [{name: (cell or "") if name in _TEXTS else _number(cell) for name, cell in row.items()}
                    for row in reader]  # fmt: skip
        except ValueError as error:
            raise InputError(f"a number was expected ({error}); {_AGAIN}", where=path) from error


def _number(cell: str | None) -> int | float | None:
    if not cell:
        return None
    return int(cell) if cell.lstrip("-").isdigit() else float(cell)
