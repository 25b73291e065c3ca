"""One label's curves as rows of tables: ROC with precision, and observed shares over probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from remedis.evaluate.bands import fewer, reliability_band, roc
from remedis.evaluate.calibration import BINS, reliability
from remedis.evaluate.label_tables import Frozen, about_rows, known, scored
from remedis.evaluate.tested_rows import Rows

Plain = dict[str, Any]


def roc_table(test: Rows, *, draws: int, seed: int) -> list[Plain]:
    """Return the ROC curve of each class, a row for each threshold, from no row called positive to all.

    Of very many thresholds some are left out, evenly.

    The limits are pointwise, of the sensitivity at that false-positive rate. The precision of the same rows makes the
    precision-recall curve; where no row is called positive there is none.

    Args:
        test: The tested rows.
        draws: Bootstrap draws.
        seed: Of the draws.
    """
    found = []
    for name, truth, scores in test.columns:
        if not 0 < truth.sum() < len(truth):
            continue
        curve = fewer(roc(truth, scores, test.units, draws=draws, seed=seed))
        hits, alarms = curve.y * truth.sum(), curve.x * (~truth).sum()
        with np.errstate(invalid="ignore"):
            precision = hits / (hits + alarms)
        limits = [np.interp(curve.x, curve.grid, side) for side in (curve.low, curve.high)]
        for columns in zip(curve.threshold, curve.x, curve.y, *limits, precision, strict=True):
            threshold, x, y, low, high, right = (float(value) for value in columns)
            found.append(about_rows(test, name) | {
                "threshold": threshold if np.isfinite(threshold) else None, "false_positive_rate": x, "sensitivity": y,
                "low": known(low), "high": known(high), "precision": known(right),
            })  # fmt: skip
    return found


def reliability_table(test: Rows, frozen: Frozen, *, draws: int, seed: int) -> list[Plain]:
    """Return the observed share in each bin of probability that has rows, raw and scaled by the frozen temperature.

    Args:
        test: The tested rows.
        frozen: Its temperature.
        draws: Bootstrap draws.
        seed: Of the draws.
    """
    found = []
    for kind, values in scored(test, frozen).items():
        for name, truth, scores in test.of(values):
            bins = reliability(truth, scores)
            low, high = reliability_band(truth, scores, test.units, bins=BINS, draws=draws, seed=seed)
            found += [
                about_rows(test, name) | {
                    "scores": kind, "from": number / BINS, "to": (number + 1) / BINS, "mean": float(bins.mean[number]),
                    "share": float(bins.share[number]), "low": known(low[number]), "high": known(high[number]),
                    "count": int(bins.count[number]),
                }
                for number in np.flatnonzero(bins.count)
            ]  # fmt: skip
    return found
