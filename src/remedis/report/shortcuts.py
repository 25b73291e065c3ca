"""What the size and shape of the files alone say about the label, without a look at any picture."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from remedis.evaluate.folds import grouped_folds
from remedis.evaluate.intervals import plain
from remedis.evaluate.logistic import fit
from remedis.evaluate.metrics import Booleans, Floats, Integers, Ranking

TELLING = 0.65
"""From this AUROC on, size and shape alone are worth a caution."""

_STRENGTH = 1.0
_FOLDS = 5


def size_features(table: pa.Table) -> NDArray[np.float32] | None:
    """Return (N, 3) logarithms of width, height and aspect; None where sizes are unknown or all the same."""
    if not {"width", "height"} <= set(table.column_names):
        return None
    sides = [np.asarray(table[name].to_numpy(zero_copy_only=False), dtype=np.float64) for name in ("width", "height")]
    if not all(np.isfinite(side).all() and (side > 0).all() for side in sides):
        return None
    width, height = (np.log(side) for side in sides)
    features = np.stack([width, height, width - height], axis=1).astype(np.float32)
    return features if np.ptp(features, axis=0).max() > 0 else None


def auroc_of_size(
    train: tuple[NDArray[np.float32], Integers],
    test: tuple[NDArray[np.float32], Booleans],
) -> float | None:
    """Return the AUROC (of several classes the mean) of a logistic regression on size features, None if undefined.

    Args:
        train: Features and classes to fit on.
        test: Features and truth, (n,) or (n, K), to be scored.
    """
    features, codes = train
    if len(np.unique(codes)) < 2:
        return None
    return _mean_auroc(fit(features, codes, _STRENGTH).scores(test[0]), test[1])


def auroc_of_size_in_folds(
    features: NDArray[np.float32], codes: Integers, truth: Booleans, units: Integers, *, seed: int
) -> float | None:
    """Return the same from pooled out-of-fold scores, for labels that are evaluated without a split."""
    scores = np.full(truth.shape, np.nan)
    for fold in grouped_folds(codes, units, count=_FOLDS, seed=seed):
        scores[fold.test] = fit(features[fold.train], codes[fold.train], _STRENGTH).scores(features[fold.test])
    return None if np.isnan(scores).any() else _mean_auroc(scores, truth)


def _mean_auroc(scores: Floats, truth: Booleans) -> float | None:
    truth, scores = truth.reshape(len(truth), -1), scores.reshape(len(scores), -1)
    rows = np.arange(len(truth))
    present = [column for column in range(truth.shape[1]) if 0 < truth[:, column].sum() < len(truth)]
    if not present:
        return None
    values = [
        plain(Ranking(truth[:, column], scores[:, column], rows, ("auroc",)), len(rows))["auroc"] for column in present
    ]
    return float(np.mean(values))
