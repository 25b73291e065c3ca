"""The expected calibration error bin by bin: Guo et al., arXiv:1706.04599, equation 3, bins ((b-1)/15, b/15]."""

from __future__ import annotations

from collections.abc import Sequence


def expected_calibration_error(truth: Sequence[bool], scores: Sequence[float], bins: int = 15) -> float:
    """Return the mean over all rows of |share of positives - mean probability| of the row's bin."""
    total = 0.0
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        inside = [row for row, score in enumerate(scores) if low < score <= high or (number == 0 and score == 0)]
        if inside:
            share = sum(bool(truth[row]) for row in inside) / len(inside)
            mean = sum(scores[row] for row in inside) / len(inside)
            total += len(inside) * abs(share - mean)
    return total / len(scores)
