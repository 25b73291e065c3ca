"""The table that holds another model against this one: labels by metrics, with p values as they are and adjusted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from remedis.errors import InputError, LeakError
from remedis.evaluate.compare import METRICS, delong_paired, holm, paired_bootstrap, permutation
from remedis.evaluate.label_tables import known
from remedis.evaluate.metrics import Integers
from remedis.evaluate.predictions import Predictions, keys_of, with_rows
from remedis.evaluate.results import MACRO
from remedis.evaluate.tested_rows import Rows

Plain = dict[str, Any]
P_VALUES = ("p_delong", "p_permutation")


def matched(first: Predictions, other: Predictions, tested: Integers) -> Predictions:
    """Return another model's predictions in the order of the first's rows; only the tested ones must be there.

    Args:
        first: The predictions that are evaluated.
        other: The other model's.
        tested: Row numbers of the first that any label is tested on.

    Returns:
        The other's rows for `tested`, in that order.

    Raises:
        InputError: A tested row is missing, stands there twice, or has another class.
        LeakError: The other model has seen a tested row.
    """
    places: dict[tuple[object, ...], int] = {}
    for place, key in enumerate(keys_of(other.table)):
        if key in places:
            raise InputError(f"{key[0]} stands in it twice, rows that each stand once were expected", where=other.path)
        places[key] = place
    wanted = keys_of(first.table)
    missing = [wanted[row] for row in tested if wanted[row] not in places]
    if missing:
        raise InputError(
            f"{len(missing):,} of the {len(tested):,} tested rows are not in it (the first: {missing[0][0]}), "
            f"predictions of the same rows as {first.path} were expected; predict the same images with both models",
            where=other.path,
        )
    found = with_rows(other, np.array([places[wanted[row]] for row in tested], dtype=np.int64))
    _refuse_seen(found)
    return found


def _refuse_seen(other: Predictions) -> None:
    if "seen" not in other.table.column_names:
        return
    count = sum(word != "no" for word in other.table["seen"].to_pylist())
    if count:
        raise LeakError(
            f"its model has seen {count:,} of the {other.table.num_rows:,} rows to compare on, rows that neither model "
            "has seen were expected",
            where=other.path,
        )


def refuse_other_classes(one: Rows, other: Rows, path: Path) -> None:
    """Refuse another model's rows whose labels are not those of the first.

    Raises:
        InputError: Says how many differ.
    """
    if len(one.target.codes) != len(other.target.codes) or (one.target.codes != other.target.codes).any():
        raise InputError(
            f"label {one.target.label!r} has other classes in it for the tested rows, or no scores for some; the same "
            "labels were expected",
            where=path,
        )


def comparison_table(pairs: Sequence[tuple[Rows, Rows]], *, draws: int, seed: int) -> list[Plain]:
    """Return the rows of `comparison.csv`; p values are adjusted over the labels, for each metric by itself.

    Args:
        pairs: For each label the rows of this model and of the other, in the same order.
        draws: Bootstrap draws, and rounds of the permutation test.
        seed: Of both.
    """
    found = [row for one, other in pairs for row in _of_label(one, other, draws=draws, seed=seed)]
    for metric in METRICS:
        for name in P_VALUES:
            own = [row for row in found if row["metric"] == metric]
            adjusted = holm([np.nan if row[name] is None else row[name] for row in own])
            for row, value in zip(own, adjusted, strict=True):
                row[f"{name}_holm"] = known(value)
    return found


def _of_label(one: Rows, other: Rows, *, draws: int, seed: int) -> list[Plain]:
    several = one.truth.ndim == 2
    differences = paired_bootstrap(one.truth, one.scores, other.scores, one.units, draws=draws, seed=seed)
    found = []
    for metric, pair in differences.items():
        p = permutation(
            one.truth, one.scores, other.scores, one.units, metric=metric, rounds=draws, seed=seed
        )  # fmt: skip
        row: dict[str, Any] = {
            "label": one.target.label, "class": MACRO if several else "", "metric": metric, "value": known(pair.one),
            "other": known(pair.other), "difference": known(pair.difference.value), "low": known(pair.difference.low),
            "high": known(pair.difference.high),
        }  # fmt: skip
        row |= _delong(one, other) if metric == "auroc" and not several and one.independent else {"p_delong": None}
        row |= {"p_permutation": known(p), "n": len(one.units), "n_patients": one.patients}
        found.append(row)
    return found


def _delong(one: Rows, other: Rows) -> Mapping[str, Any]:
    test = delong_paired(one.truth, one.scores, other.scores)
    return {"low_delong": known(test.low), "high_delong": known(test.high), "p_delong": known(test.p)}
