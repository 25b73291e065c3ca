"""The largest sensitivity with a false-positive rate of at most 0.05, read from scikit-learn's own ROC."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import roc_curve


def sensitivity_at_95_specificity(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return the highest true-positive rate among the ROC's points at or left of 0.05."""
    false, true, _ = roc_curve(truth, scores, drop_intermediate=False)
    return float(true[false <= 0.05].max())
