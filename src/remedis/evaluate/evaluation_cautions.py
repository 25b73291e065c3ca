"""What the figures of an evaluation alone do not say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from remedis.evaluate.intervals import FEW_UNITS, Interval
from remedis.evaluate.results import MACRO, Figure
from remedis.evaluate.tested_rows import Rows

CHANCE = 0.5


def cautions_of(test: Rows, found: Sequence[Figure], validation: Rows | None = None, *, at: str = "") -> list[str]:
    """Return what a reader must know of one label's tested rows.

    Args:
        test: The rows.
        found: Their figures.
        validation: The rows that chose thresholds.
        at: Where the rows are from, with a blank before it; empty for the predictions themselves.
    """
    label = f"{test.target.label}{at}"
    cautions = list(test.notes)
    if test.unit_name == "images":
        cautions.append(
            f"{label}: no patient is known, each image counts as its own; intervals are too narrow where one patient "
            "has several"
        )
    if test.count < FEW_UNITS:
        cautions.append(
            f"{label}: the intervals rest on {test.count} {test.unit_name}; under {FEW_UNITS} they are too narrow to "
            "be believed"
        )
    for figure in found:
        if figure.metric == "auroc":
            name = f"{test.target.label} {figure.name}".strip() + at
            cautions += [f"{name}: {words}" for words in _of_auroc(figure)]
    shared = 0 if validation is None else len(np.intersect1d(validation.keys, test.keys))
    if shared and test.unit_name == "patients":
        cautions.append(f"{label}: {shared:,} patients stand in the validation rows and in the tested ones")
    return cautions


def _of_auroc(figure: Figure) -> list[str]:
    limits = figure.interval
    if np.isnan(limits.value):
        return ["no tested row has this class, or all have it; it has no figures"]
    found = []
    if limits.undefined:
        found.append(f"bootstrap draws that lacked a class and were left out: {limits.undefined:,}")
    found += _beside_chance(limits)
    if limits.value in (0.0, 1.0) and figure.name != MACRO:
        found.append(f"the AUROC is {limits.value:g}; an interval without width is no certainty")
    return found


def _beside_chance(limits: Interval) -> list[str]:
    if limits.high < CHANCE:
        return [f"the whole interval of the AUROC lies below {CHANCE}: the ranking is the wrong way round here"]
    return [f"the interval of the AUROC holds {CHANCE}, which is chance"] if limits.low <= CHANCE <= limits.high else []
