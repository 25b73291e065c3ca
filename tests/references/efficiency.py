"""Label-efficiency statistics by plain loops: every draw's rows written out, every pair of rows compared."""

from __future__ import annotations

import math

import numpy as np

from references.bootstrap import repeated_rows


def auroc(truth: np.ndarray, scores: np.ndarray) -> float:
    """Return the share of pairs in the right order, ties as one half; NaN without a pair."""
    pairs = [
        1.0 if positive > negative else 0.5 if positive == negative else 0.0
        for positive in scores[truth]
        for negative in scores[~truth]
    ]
    return sum(pairs) / len(pairs) if pairs else math.nan


def two_level(
    scores: list[np.ndarray], truth: np.ndarray, units: np.ndarray, counts: np.ndarray, chosen: np.ndarray
) -> np.ndarray:
    """Return (B,) the mean AUROC over the draws `chosen` (B, d) on the rows that `counts` (units, B) repeat."""
    found = []
    for column, draws in zip(counts.T, chosen, strict=True):
        rows = repeated_rows(units, column)
        found.append(sum(auroc(truth[rows], scores[draw][rows]) for draw in draws) / len(draws))
    return np.array(found)


def crossing(fractions: list[float], values: list[float], line: float) -> float:
    """Return where the rising curve through pooled violators reaches the line, linear in the share's logarithm."""
    blocks: list[list[float]] = []
    for value in values:
        blocks.append([value])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    rising = [float(np.mean(block)) for block in blocks for _ in block]
    if rising[0] >= line:
        return fractions[0]
    for place in range(1, len(rising)):
        if rising[place] >= line:
            way = (line - rising[place - 1]) / (rising[place] - rising[place - 1])
            return math.exp((1 - way) * math.log(fractions[place - 1]) + way * math.log(fractions[place]))
    return math.inf
