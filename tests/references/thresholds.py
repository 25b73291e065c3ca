"""Operating points and decision curves the plain way: every threshold tried, every row counted by itself."""

from __future__ import annotations

from collections.abc import Sequence


def cells(truth: Sequence[bool], scores: Sequence[float], threshold: float) -> tuple[int, int, int, int]:
    """Return true positives, false positives, false negatives, true negatives."""
    tp = fp = fn = tn = 0
    for true, score in zip(truth, scores, strict=True):
        if score >= threshold:
            tp, fp = tp + bool(true), fp + (not true)
        else:
            fn, tn = fn + bool(true), tn + (not true)
    return tp, fp, fn, tn


def chosen(truth: Sequence[bool], scores: Sequence[float], kind: str, least: float | None = None) -> float | None:
    """Return the threshold among the scores that a rule chooses; None where only calling no row positive is left."""
    found: float | None = None
    best = -1.0
    positives = sum(map(bool, truth))
    negatives = len(truth) - positives
    for threshold in sorted(set(scores), reverse=True):
        tp, _, _, tn = cells(truth, scores, threshold)
        sensitivity, specificity = tp / positives, tn / negatives
        if kind == "sensitivity" and least is not None and sensitivity >= least:
            return threshold
        if kind == "specificity" and least is not None and specificity >= least:
            found = threshold
        if kind == "youden" and sensitivity + specificity - 1 > max(best, 0.0) + 1e-12:
            found, best = threshold, sensitivity + specificity - 1
    return found


def net_benefit(truth: Sequence[bool], scores: Sequence[float], threshold: float) -> float:
    """Return TP/N - FP/N * t/(1-t)."""
    tp, fp, _, _ = cells(truth, scores, threshold)
    return tp / len(truth) - fp / len(truth) * threshold / (1 - threshold)
