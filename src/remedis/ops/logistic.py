"""L2-penalised logistic regressions for a whole grid at once: many subsets of the same rows, many strengths."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from remedis.ops.logistic_path import Lanes, path
from remedis.ops.logistic_rows import Products, fits_rows

_SIMILAR = 1.1  # sizes within this ratio share a batch; the smaller ones are padded
_CELLS = {"cpu": 2**22, "cuda": 2**28}  # numbers in a batch's matrices: 32 MiB, to stay in the cache, and 2 GiB

Key = tuple[int, bytes, bytes]
"""Classes, rows and codes: what makes two problems equal."""


@dataclass(frozen=True)
class Problem:
    """One subset of the rows with one label.

    Attributes:
        rows: (n,) int64, rows of the features.
        codes: (n,) int64, classes 0 … K-1 of these rows, each class there at least once.
        classes: K.
    """

    rows: Tensor
    codes: Tensor
    classes: int


@dataclass(frozen=True)
class Solution:
    """One problem's regressions, one for each strength.

    Attributes:
        coefficients: (S, k, D) float64; k = 1 for two classes, else K.
        intercepts: (S, k) float64.
        converged: (S,) bool.
    """

    coefficients: Tensor
    intercepts: Tensor
    converged: Tensor

    def logits(self, features: Tensor) -> Tensor:
        """Return (S, n, k) of the rows of features (n, D)."""
        return features.to(self.coefficients) @ self.coefficients.mT + self.intercepts[:, None]


def _quiet(_: int) -> None:
    pass


def solve(
    features: Tensor,
    problems: Sequence[Problem],
    strengths: Sequence[float],
    *,
    done: Callable[[int], None] = _quiet,
) -> list[Solution]:
    """Return each problem's logistic regressions at each strength C.

    They minimise C · Σ log loss + |w|²/2, the intercept not penalised, with the softmax for more than two classes:
    what scikit-learn's `LogisticRegression` minimises. The work is in float64. A problem's answer does not depend on
    which others are solved with it, nor on the order of its rows, up to rounding.

    Args:
        features: (N, D) on the device to work on, standardised.
        problems: What to fit; equal ones are solved once and share their solution.
        strengths: Values of C > 0, in any order.
        done: Called with how many regressions, of problems × strengths, were finished since the last call.
    """
    _check(features, problems, strengths)
    ordered = [_sorted(problem, features.device) for problem in problems]
    keys = [_key(problem) for problem in ordered]
    distinct = dict(zip(keys, ordered, strict=True))
    products = Products(features, [problem.rows for problem in distinct.values()])
    solved: dict[Key, Solution] = {}
    for batch in _batches(distinct, features):
        chosen = [distinct[key] for key in batch]
        lanes = Lanes([each.rows for each in chosen], [each.codes for each in chosen], chosen[0].classes)
        for key, parts in zip(batch, path(products, lanes, strengths), strict=True):
            solved[key] = Solution(*parts)
            done(keys.count(key) * len(strengths))
    return [solved[key] for key in keys]


def _check(features: Tensor, problems: Sequence[Problem], strengths: Sequence[float]) -> None:
    if not bool(torch.isfinite(features).all()):
        raise ValueError("features are not all finite")
    if len(strengths) == 0 or not all(0 < strength < float("inf") for strength in strengths):
        raise ValueError(f"strengths must be positive and finite, not {list(strengths)}")
    for number, problem in enumerate(problems):
        present = torch.unique(problem.codes).tolist()
        if problem.classes < 2 or present != list(range(problem.classes)):
            raise ValueError(f"problem {number} has the classes {present}, not each of 0 … {problem.classes - 1}")


def _sorted(problem: Problem, device: torch.device) -> Problem:
    """Return the problem with its rows in order, so that equal problems look equal."""
    codes, by_code = problem.codes.to(device, torch.int64).sort(stable=True)
    rows, by_row = problem.rows.to(device, torch.int64)[by_code].sort(stable=True)
    return Problem(rows, codes[by_row], problem.classes)


def _key(problem: Problem) -> Key:
    return problem.classes, problem.rows.numpy(force=True).tobytes(), problem.codes.numpy(force=True).tobytes()


def _batches(problems: Mapping[Key, Problem], features: Tensor) -> list[list[Key]]:
    """Return the problems' keys, those of similar size and the same kind together."""
    most = _CELLS.get(features.device.type, _CELLS["cpu"])
    width = features.shape[1]

    def kind(key: Key) -> tuple[bool, int]:
        return fits_rows(problems[key].rows, width), problems[key].classes

    def size(key: Key) -> int:
        return len(problems[key].rows)

    batches: list[list[Key]] = []
    for key in sorted(problems, key=lambda key: (kind(key), size(key)), reverse=True):
        first = batches[-1][0] if batches else key
        cells = size(first) * min(size(first), width) * first[0] * (len(batches[-1]) + 1 if batches else 1)
        if batches and kind(first) == kind(key) and size(first) <= _SIMILAR * size(key) and cells <= most:
            batches[-1].append(key)
        else:
            batches.append([key])
    return batches
