"""The AUROC in groups that images come with: sex, age, view, site. Small groups are left out, and said so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from remedis.evaluate.intervals import bootstrap, interval, plain
from remedis.evaluate.metrics import Booleans, Floats, Integers, Ranking
from remedis.evaluate.targets import UNKNOWN, values_of

COLUMNS = ("sex", "age", "view", "site")
FEWEST_IMAGES, FEWEST_OF_A_CLASS, MOST_GROUPS = 20, 5, 12
_AGES = (
    (0, 18, "under 18"),
    (18, 40, "18 to 39"),
    (40, 60, "40 to 59"),
    (60, 75, "60 to 74"),
    (75, 200, "75 and over"),
)
SEXES = {"F": "female", "M": "male"}


@dataclass(frozen=True)
class Group:
    """The AUROC of one group.

    Attributes:
        column: What the images are grouped by.
        name: The group's value.
        images: Tested images in it.
        units: Their patients or clusters.
        positives: Images of the positive class; of several classes, of the scarcest.
        value: AUROC (of several classes their mean); None where the group is too small.
        low: Lower limit.
        high: Upper limit.
        skipped: Why there is no value; empty where there is one.
    """

    column: str
    name: str
    images: int
    units: int
    positives: int
    value: float | None = None
    low: float | None = None
    high: float | None = None
    skipped: str = ""


def subgroups(
    table: pa.Table, truth: Booleans, scores: Floats, units: Integers, *, draws: int, seed: int
) -> list[Group]:
    """Return every group of the columns that are there and take more than one value.

    Args:
        table: (n) tested rows with the manifest's columns.
        truth: (n,) True for the positive class, or (n, K).
        scores: Of the same shape.
        units: (n,) what is drawn as a whole, 0 … units-1.
        draws: Bootstrap draws.
        seed: Of the draws.
    """
    truth, scores = truth.reshape(len(truth), -1), scores.reshape(len(scores), -1)
    found = []
    for column, groups in _groups(table):
        for name, rows in groups:
            group = _counted(column, name, truth[rows], units[rows])
            if not group.skipped:
                group = _measured(group, truth[rows], scores[rows], units[rows], draws=draws, seed=seed)
            found.append(group)
    return found


def _groups(table: pa.Table) -> Iterator[tuple[str, list[tuple[str, Integers]]]]:
    for column in COLUMNS:
        if column not in table.column_names:
            continue
        groups = _ages(table) if column == "age" else _values(table, column)
        if 1 < len(groups) <= MOST_GROUPS:
            yield column, groups


def _values(table: pa.Table, column: str) -> list[tuple[str, Integers]]:
    texts, codes = values_of(table, column)
    names = [SEXES.get(text, text) if column == "sex" else text for text in texts]
    groups = [(name, np.flatnonzero(codes == place)) for place, name in enumerate(names)]
    unknown = np.flatnonzero(codes == UNKNOWN)
    return groups + ([("not given", unknown)] if len(unknown) and groups else [])


def _ages(table: pa.Table) -> list[tuple[str, Integers]]:
    try:
        column = table["age"].cast(pa.float64())
    except pa.ArrowInvalid:  # words such as "adult"
        return _values(table, "age")
    ages = column.to_numpy(zero_copy_only=False)
    groups = [(name, np.flatnonzero((ages >= low) & (ages < high))) for low, high, name in _AGES]
    unknown = np.flatnonzero(np.isnan(ages))
    known = [(name, rows) for name, rows in groups if len(rows)]
    return known + ([("not given", unknown)] if len(unknown) and known else [])


def _counted(column: str, name: str, truth: Booleans, units: Integers) -> Group:
    positives = truth.sum(axis=0)
    scarcest = int(min(positives.min(), (len(truth) - positives).min()))
    skipped = ""
    if len(truth) < FEWEST_IMAGES:
        skipped = f"fewer than {FEWEST_IMAGES} images"
    elif scarcest < FEWEST_OF_A_CLASS:
        skipped = f"fewer than {FEWEST_OF_A_CLASS} images of a class"
    shown = positives[0] if len(positives) == 1 else positives.min()
    return Group(column, name, len(truth), len(np.unique(units)), int(shown), skipped=skipped)


def _measured(group: Group, truth: Booleans, scores: Floats, units: Integers, *, draws: int, seed: int) -> Group:
    _, own = np.unique(units, return_inverse=True)
    count = int(own.max()) + 1
    curves = {
        str(column): Ranking(truth[:, column], scores[:, column], own, ("auroc",)) for column in range(truth.shape[1])
    }
    value = np.mean([float(plain(curve, count)["auroc"]) for curve in curves.values()])
    drawn = np.mean([metrics["auroc"] for metrics in bootstrap(curves, count, draws=draws, seed=seed).values()], axis=0)
    found = interval(float(value), drawn)
    return Group(
        group.column, group.name, group.images, group.units, group.positives, found.value, found.low, found.high
    )
