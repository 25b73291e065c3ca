"""All scores of a study, read back from its cells and brought to the same rows for every encoder and method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from remedis.evaluate.targets import UNKNOWN, Target
from remedis.study import cell_scores
from remedis.study.cell_scores import Scored
from remedis.study.fits import Cell, Fit, tested_on
from remedis.study.question import DataSet, Question
from remedis.study.work import path_of

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Answer:
    """What a fit says of one label on one part of a data set.

    Attributes:
        fit: The fit.
        scenario: The question it answers; empty for its validation part.
        data_set: Whose rows these are.
        label: The label in this data set.
        rows: (n,) those with a label that every fit could score.
        scores: (n,) or (n, K).
        truth: (n,) True for the positive class, or (n, K).
        units: (n,) patients, numbered 0 … P-1.
        patients: P.
    """

    fit: Fit
    scenario: str
    data_set: DataSet
    label: Target
    rows: Integers
    scores: Floats
    truth: Booleans
    units: Integers
    patients: int


Read = dict[Cell, list[Scored]]


def read_all(cells: Sequence[Cell], folder: Path) -> Read:
    """Return the cells' scores of the rows that all cells scored, so that comparisons are of the same images.

    Raises:
        InputError: A cell is damaged.
    """
    read = [(cell, scored) for cell in cells for scored in cell_scores.read(path_of(folder, cell))]
    common = _common_rows(read)
    found: Read = {cell: [] for cell in cells}
    for cell, scored in read:
        rows = common[_key(cell, scored)]
        kept = scored.scores[np.searchsorted(scored.rows, rows)]
        found[cell].append(replace(scored, rows=rows, scores=kept))
    return found


def gather(question: Question, read: Read) -> list[Answer]:
    """Return every answer, in the order of the cells."""
    found = []
    for cell, scored in ((cell, scored) for cell, several in read.items() for scored in several):
        fit = next(each for each in cell.fits if (each.fraction, each.draw) == (scored.fraction, scored.draw))
        scenarios = [(name, each) for name, each in tested_on(question, fit) if each.name == scored.dataset]
        if scored.part != "test":
            scenarios = [("", question.data_set(scored.dataset))]
        found += [_answer(fit, scenario, data_set, scored) for scenario, data_set in scenarios]
    return found


def _key(cell: Cell, scored: Scored) -> tuple[object, ...]:
    return (cell.fits[0].repeat, scored.dataset, scored.part)


def _common_rows(read: Sequence[tuple[Cell, Scored]]) -> dict[tuple[object, ...], Integers]:
    """Return the rows of each part that all cells scored."""
    found: dict[tuple[object, ...], Integers] = {}
    for cell, scored in read:
        key = _key(cell, scored)
        found[key] = np.intersect1d(found[key], scored.rows) if key in found else np.unique(scored.rows)
    return found


def _answer(fit: Fit, scenario: str, data_set: DataSet, scored: Scored) -> Answer:
    label = next(each for each in data_set.targets if each.label == scored.label)
    labelled = label.codes[scored.rows] != UNKNOWN
    rows = scored.rows[labelled]
    units, patients = data_set.units.among(rows)
    return Answer(fit, scenario, data_set, label, rows, scored.scores[labelled], label.truth(rows), units, patients)
