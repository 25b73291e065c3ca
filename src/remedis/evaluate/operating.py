"""Operating points: a threshold chosen by a rule on one set of rows, and what it does on another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.stats import norm

from remedis.errors import UsageError
from remedis.evaluate.intervals import LEVEL
from remedis.evaluate.metrics import Booleans, Floats, Integers

Kind = Literal["sensitivity", "specificity", "youden"]
_EXPECTED = "sensitivity=0.9, specificity=0.95 or youden was expected"


@dataclass(frozen=True)
class Rule:
    """How a threshold is chosen.

    Attributes:
        kind: Which of the two must be reached, or `youden`, the largest sum of both (Youden, Cancer 3:32, 1950).
        least: What must be reached, above 0 and below 1; None for `youden`.
    """

    kind: Kind
    least: float | None = None

    @property
    def words(self) -> str:
        """The rule as it is typed, `sensitivity=0.9`."""
        return self.kind if self.least is None else f"{self.kind}={self.least:g}"


def rule(text: str) -> Rule:
    """Return the rule that a person typed.

    Raises:
        UsageError: It is none.
    """
    kind, equals, number = text.strip().partition("=")
    if kind == "youden" and not equals:
        return Rule("youden")
    if kind not in ("sensitivity", "specificity"):
        raise UsageError(f"--at {text}: {_EXPECTED}")
    try:
        least = float(number)
    except ValueError as error:
        raise UsageError(f"--at {text}: {number!r} is no number, {_EXPECTED}") from error
    if not 0 < least < 1:
        raise UsageError(f"--at {text}: {number} is not between 0 and 1, {_EXPECTED}")
    return Rule("sensitivity" if kind == "sensitivity" else "specificity", least)


def choose_threshold(truth: Booleans, scores: Floats, by: Rule) -> float:
    """Return the threshold that a rule chooses; a row is called positive where its score is at least the threshold.

    Candidates are the scores that occur, and one just above them all that calls no row positive. For `sensitivity` it
    is the highest that reaches the least sensitivity, for `specificity` the lowest that reaches the least
    specificity, for `youden` the highest of those with the largest sensitivity + specificity.

    Args:
        truth: (N,) True for the positive class; both classes must be there.
        scores: (N,) finite.
        by: The rule.
    """
    values = np.unique(scores)
    candidates = np.append(values, np.nextafter(values[-1], np.inf))
    hits = len(truth) and truth.sum() - np.searchsorted(np.sort(scores[truth]), candidates, side="left")
    passed = np.searchsorted(np.sort(scores[~truth]), candidates, side="left")
    sensitivity, specificity = hits / truth.sum(), passed / (~truth).sum()
    if by.kind == "sensitivity":
        return float(candidates[np.flatnonzero(sensitivity >= by.least)[-1]])
    if by.kind == "specificity":
        return float(candidates[np.flatnonzero(specificity >= by.least)[0]])
    # in whole numbers, so that equal sums compare as equal
    sums = hits * int((~truth).sum()) + passed * int(truth.sum())
    return float(candidates[np.flatnonzero(sums == sums.max())[-1]])


class Confusion:
    """The four cells of a threshold's table, and the shares that readers ask for.

    Args:
        truth: (N,) True for the positive class.
        called: (N,) True where the row is called positive.
        units: (N,) each row's unit.
        count: How many units there are.
    """

    def __init__(self, truth: Booleans, called: Booleans, units: Integers, count: int) -> None:
        cells = (truth & called, ~truth & called, truth & ~called, ~truth & ~called)
        self._cells = np.stack([np.bincount(units[cell], minlength=count) for cell in cells]).astype(np.float64)

    def __call__(self, counts: Floats) -> dict[str, Floats]:
        """Return `sensitivity, specificity, ppv, npv, prevalence` of each draw; NaN where nothing can be divided by."""
        hits, alarms, missed, passed = self._cells @ counts
        with np.errstate(invalid="ignore", divide="ignore"):
            return {
                "sensitivity": hits / (hits + missed),
                "specificity": passed / (passed + alarms),
                "ppv": hits / (hits + alarms),
                "npv": passed / (passed + missed),
                "prevalence": (hits + missed) / (hits + alarms + missed + passed),
            }

    @property
    def cells(self) -> tuple[int, int, int, int]:
        """True positives, false positives, false negatives, true negatives of the rows as they are."""
        tp, fp, fn, tn = (int(cell.sum()) for cell in self._cells)
        return tp, fp, fn, tn


def wilson(successes: int, trials: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the limits of a share of independent trials (Wilson, J Am Stat Assoc 22:209, 1927); NaN of none.

    They have a width at shares of 0 and 1 too, where a bootstrap has none.
    """
    if not trials:
        return float("nan"), float("nan")
    z = float(norm.ppf(0.5 + level / 2))
    share, shrink = successes / trials, 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / shrink
    half = z / shrink * np.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    low = 0.0 if successes == 0 else middle - half
    return float(low), float(1.0 if successes == trials else middle + half)
