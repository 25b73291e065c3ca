"""What `remedis probe` left in a folder, opened: figures, predictions, settings, and the embeddings behind them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from remedis.data import embeddings
from remedis.data.embeddings import Embeddings
from remedis.data.files import read_json
from remedis.errors import InputError, RemedisError
from remedis.evaluate.metrics import Integers
from remedis.evaluate.saved import FORMAT
from remedis.report.tested import Tested, tested_rows

CONFIG, RESULTS = "config.json", "results.csv"
PREDICTIONS = {"logistic": "predictions.parquet", "knn": "predictions_knn.parquet"}
_NUMBERS = ("label_fraction", "value", "low", "high", "low_delong", "high_delong")
_WORDS = ("label", "method", "class", "metric")
_COUNTS = ("seed", "n", "n_patients")
_SETTINGS = ("embeddings", "draws", "seed", "encoder")
_OF_A_LABEL = ("label", "classes", "score_columns", "evaluation", "counts", "left_out", "strength", "class_counts")
PLACE = ("image", "frame", "x", "y", "size")
"""The columns that tell a row of predictions or embeddings."""


@dataclass(frozen=True)
class ProbeFolder:
    """An opened probe.

    Attributes:
        path: The folder.
        config: What `config.json` says.
        results: The rows of `results.csv`, numbers as numbers, None where a cell is empty.
        tested: Each label's tested rows.
        predictions: Method to its whole table.
        train: The embeddings that were learnt from, or None where they are gone.
        test: The embeddings that were tested, the same object where they are the same.
        places: Each prediction's row in `test`.
        gone: Why there are no embeddings, in words; empty where there are.
        card: What the encoder's folder says of its weights, where it still lies there with the same hash.
    """

    path: Path
    config: Mapping[str, Any]
    results: list[dict[str, Any]]
    tested: list[Tested]
    predictions: Mapping[str, pa.Table]
    train: Embeddings | None
    test: Embeddings | None
    places: Integers | None
    gone: str
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the embeddings that were learnt from say of themselves; empty where they are gone."""
        return self.train.facts if self.train else {}

    def entry(self, label: str) -> Mapping[str, Any]:
        """Return what the settings say of one label."""
        return next(entry for entry in self.config["labels"] if entry["label"] == label)

    @property
    def external(self) -> bool:
        """Whether other embeddings were tested than were learnt from."""
        return bool(self.config.get("test"))


def is_probe(folder: Path) -> bool:
    """Return whether a folder looks like a probe's."""
    return (folder / CONFIG).is_file() and (folder / RESULTS).is_file()


def open_probe(folder: Path) -> ProbeFolder:
    """Return the probe that a folder holds.

    Raises:
        InputError: A file is missing or is not what `remedis probe` writes.
    """
    config = _config(folder)
    predictions = _predictions(folder)
    tested = [
        tested_rows(
            entry["label"], tuple(entry["classes"]), list(entry["score_columns"]), predictions,
            cluster=config.get("cluster"), where=str(folder),
        )
        for entry in config["labels"]
    ]  # fmt: skip
    train, test, places, gone = _embeddings(folder, config, predictions["logistic"])
    card = _card(folder, config)
    return ProbeFolder(folder, config, _results(folder), tested, predictions, train, test, places, gone, card)


def _config(folder: Path) -> dict[str, Any]:
    config = read_json(folder / CONFIG)
    if not isinstance(config, dict) or config.get("kind") != "probe" or not config.get("labels"):
        raise InputError(f"a probe was expected, {CONFIG} is of something else; run remedis probe", where=folder)
    if not isinstance(config.get("format"), int) or config["format"] > FORMAT:
        raise InputError(
            f"the probe has format {config.get('format')}, this version reads {FORMAT}; update remedis", where=folder
        )
    lacking = [key for key in _SETTINGS if key not in config]
    lacking += [key for entry in config["labels"] for key in _OF_A_LABEL if key not in entry]
    if lacking:
        raise InputError(f"{CONFIG} lacks {lacking[0]!r}; run remedis probe again", where=folder)
    return config


def _card(folder: Path, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a checkpoint says of its weights, nothing where it is gone or holds others by now."""
    path = folder / str(config.get("encoder_at") or "") / CONFIG
    try:
        card = read_json(path).get("remedis") if config.get("encoder_at") and path.is_file() else None
    except (RemedisError, OSError, AttributeError):
        return {}
    same = isinstance(card, dict) and card.get("weights_sha256") == config.get("encoder_hash")
    return card if isinstance(card, dict) and same else {}


def _predictions(folder: Path) -> dict[str, pa.Table]:
    found = {}
    for method, name in PREDICTIONS.items():
        if method == "logistic" or (folder / name).is_file():
            try:
                found[method] = pq.read_table(folder / name)
            except FileNotFoundError as error:
                raise InputError(f"{name} is missing; run remedis probe again", where=folder) from error
            except (pa.ArrowInvalid, OSError) as error:
                raise InputError(f"{name} cannot be read ({error}); run remedis probe again", where=folder) from error
    return found


def _results(folder: Path) -> list[dict[str, Any]]:
    try:
        with (folder / RESULTS).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{RESULTS} is no CSV file ({error}); run remedis probe again", where=folder) from error
    lacking = [name for name in (*_WORDS, *_NUMBERS, *_COUNTS) if not rows or name not in rows[0]]
    if lacking:
        raise InputError(f"{RESULTS} has no column {lacking[0]!r}; run remedis probe again", where=folder)
    try:
        return [{name: _value(name, cell) for name, cell in row.items()} for row in rows]
    except (TypeError, ValueError) as error:
        message = f"a number was expected in {RESULTS} ({error}); run remedis probe again"
        raise InputError(message, where=folder) from error


def _value(name: str, cell: str) -> str | float | int | None:
    if name in _NUMBERS:
        return float(cell) if cell else None
    if name in _COUNTS:
        return int(cell) if cell else None
    return cell


def _embeddings(
    folder: Path, config: Mapping[str, Any], predictions: pa.Table
) -> tuple[Embeddings | None, Embeddings | None, Integers | None, str]:
    """Open the embeddings again where they still are, and find the predictions' rows in them."""
    try:
        train = _read(folder, config["embeddings"], config.get("where", ()))
        test = _read(folder, config["test"], config.get("where", ())) if config.get("test") else train
    except (RemedisError, OSError):  # whose words would name a path
        moved = not all((folder / config[key]).is_dir() for key in ("embeddings", "test") if config.get(key))
        return None, None, None, f"the embeddings {'are not where they were' if moved else 'cannot be read any more'}"
    known = {found.facts.get("encoder_hash") for found in (train, test)} == {config.get("encoder_hash")}
    places = match(predictions, test.table) if known else None
    if places is None:
        return None, None, None, "the embeddings are no longer those that were probed"
    return train, test, places, ""


def _read(folder: Path, where: str, conditions: Any) -> Embeddings:
    """Read embeddings from the place that was noted, which is absolute or starts from the probe's folder."""
    return embeddings.read((folder / where).resolve(), where=tuple(conditions))


def match(some: pa.Table, everything: pa.Table) -> Integers | None:
    """Return the rows of `everything` that `some` are, in order; None where one cannot be found.

    Rows are told by image, frame and region; one that stands twice is found twice.
    """
    columns = [name for name in PLACE if name in some.column_names and name in everything.column_names]
    wanted, there = (
        list(zip(*(table[name].to_pylist() for name in columns), strict=True)) for table in (some, everything)
    )
    places, at = [], 0
    for key in wanted:
        while at < len(there) and there[at] != key:
            at += 1
        if at == len(there):
            return None
        places.append(at)
        at += 1
    return np.array(places, dtype=np.int64)
