"""Which rows each part of a label's evaluation holds: learnt from, chosen on, tested."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from remedis.evaluate.metrics import Integers
from remedis.evaluate.parts import split_words
from remedis.evaluate.targets import UNKNOWN, values_of
from remedis.report.flow import PARTS
from remedis.report.probe_folder import ProbeFolder
from remedis.report.tested import Tested


@dataclass(frozen=True)
class Part:
    """Some rows of a table and their classes.

    Attributes:
        name: In words.
        table: The table.
        rows: (n,) row numbers.
        codes: (n,) classes.
    """

    name: str
    table: pa.Table
    rows: Integers
    codes: Integers


def class_codes(table: pa.Table, label: str, classes: tuple[str, ...]) -> Integers:
    """Return (N,) each row's place in `classes`, `UNKNOWN` where it has none of them."""
    texts, codes = values_of(table, label)
    place = np.array([classes.index(text) if text in classes else UNKNOWN for text in texts] + [UNKNOWN])
    return np.asarray(place[codes])


def train_codes(probe: ProbeFolder, tested: Tested) -> Integers:
    """Return the class of each row of the training table that was learnt from, `UNKNOWN` for the others."""
    assert probe.train is not None
    codes = class_codes(probe.train.table, tested.label, tested.classes)
    words = split_words(probe.train.table)
    if words is None:
        return codes
    return np.where(np.array([word == "train" for word in words]), codes, UNKNOWN)


def parts(probe: ProbeFolder, tested: Tested) -> list[Part]:
    """Return the parts of a label that have rows; the tested one alone where the embeddings are gone."""
    if probe.entry(tested.label)["evaluation"] == "nested-cv":
        return [Part(PARTS["folds"], tested.table, np.arange(len(tested.rows)), tested.codes)]
    found = []
    if probe.train is not None:
        table = probe.train.table
        codes = class_codes(table, tested.label, tested.classes)
        words = split_words(table)
        column = np.array(["train"] * table.num_rows if words is None else [word or "" for word in words])
        for name in ("train", "validation"):
            rows = np.flatnonzero((codes != UNKNOWN) & (column == name))
            found.append(Part(PARTS[name], table, rows, codes[rows]))
    found.append(Part(PARTS["test"], tested.table, np.arange(len(tested.rows)), tested.codes))
    return [part for part in found if len(part.rows)]
