"""The two ways to write a linear model's coefficients: as a sum of its rows, or feature by feature.

Fewer rows than features: L2-penalised coefficients are a sum of the rows, w = Σ a_i x_i, and all that is needed is
the rows' Gram matrix. Else the coefficients themselves are the unknowns. Newton's method looks the same in both.

A problem is a lane of a batch. Letters: L lanes, k linear predictors, n rows (padded with rows of zeros), m unknowns
a predictor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

_FAINT = 1e-12
"""Added to what is divided by or factorised, where all rows are so sure that nothing holds the intercept."""


@dataclass(frozen=True)
class Point:
    """Linear predictors, or a change of them.

    Attributes:
        inner: (L, k, m) a factor for each row, or the coefficients and last the intercept.
        offsets: (L, k) the intercepts, where they are not in `inner`.
        margins: (L, k, n) their values at the rows.
    """

    inner: Tensor
    offsets: Tensor
    margins: Tensor

    def moved(self, by: Point, steps: Tensor) -> Point:
        """Return this point plus `steps` (L,) times another."""
        return Point(
            torch.addcmul(self.inner, by.inner, steps[:, None, None]),
            torch.addcmul(self.offsets, by.offsets, steps[:, None]),
            torch.addcmul(self.margins, by.margins, steps[:, None, None]),
        )

    def where(self, chosen: Tensor, other: Point) -> Point:
        """Return this point in the chosen lanes (L,) and another in the rest."""
        return Point(
            torch.where(chosen[:, None, None], self.inner, other.inner),
            torch.where(chosen[:, None], self.offsets, other.offsets),
            torch.where(chosen[:, None, None], self.margins, other.margins),
        )


class Space(Protocol):
    """Where a batch of problems is solved; a gradient is whatever `pair` turns into a slope along a direction."""

    def point(self, inner: Tensor, offsets: Tensor) -> Point:
        """Return the unknowns with their margins."""

    def constant(self, intercepts: Tensor) -> Point:
        """Return the point with intercepts (L, k) and no coefficients."""

    def gradient(self, at: Point, pull: Tensor) -> Tensor:
        """Return the gradient of the penalty, less what `pull` (L, k, n), the rows' wish, gives."""

    def pair(self, gradient: Tensor, direction: Point) -> Tensor:
        """Return (L,) the slope along a direction."""

    def penalised(self, one: Point, other: Point) -> Tensor:
        """Return (L,) the inner product of two points' coefficients."""

    def factorise(self, weights: Tensor, lanes: Tensor) -> None:
        """Prepare `precondition` in the lanes (L,) bool for row weights (L, k, n), each predictor for itself."""

    def precondition(self, gradient: Tensor) -> Point:
        """Return the direction whose gradient, with the prepared weights, this is."""

    def coefficients(self, points: Sequence[Point], lane: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return (S, k, D) coefficients and (S, k) intercepts of a lane, given its problem's rows (n, D)."""


class RowSpace:
    """Coefficients as sums of the rows; the factors of each predictor sum to zero, as its intercept demands.

    The factorisation is that of Gaussian processes: Rasmussen and Williams, Gaussian Processes for Machine Learning
    (2006), equations 3.26 to 3.28, with an intercept beside it.

    Args:
        gram: (L, n, n) the products of the centred rows.
        classes: Linear predictors, k.
    """

    def __init__(self, gram: Tensor, classes: int) -> None:
        lanes, size, _ = gram.shape
        self._gram = gram
        self._factors = gram.new_zeros(lanes, classes, size, size)
        self._roots = gram.new_zeros(lanes, classes, size)
        self._steady = gram.new_zeros(lanes, classes, size)  # the answer to a shift of the intercept

    def point(self, inner: Tensor, offsets: Tensor) -> Point:
        """See `Space`."""
        return Point(inner, offsets, inner @ self._gram + offsets[..., None])

    def constant(self, intercepts: Tensor) -> Point:
        """See `Space`."""
        return self.point(torch.zeros_like(self._steady), intercepts)

    def gradient(self, at: Point, pull: Tensor) -> Tensor:
        """See `Space`."""
        return at.inner - pull

    def pair(self, gradient: Tensor, direction: Point) -> Tensor:
        """See `Space`."""
        return (gradient * direction.margins).sum(dim=(1, 2))

    def penalised(self, one: Point, other: Point) -> Tensor:
        """See `Space`."""
        return (one.inner * (other.margins - other.offsets[..., None])).sum(dim=(1, 2))

    def factorise(self, weights: Tensor, lanes: Tensor) -> None:
        """See `Space`."""
        roots = weights[lanes].sqrt()
        gram = self._gram if bool(lanes.all()) else self._gram[lanes]
        matrices = (gram[:, None] * roots[..., None]).mul_(roots[..., None, :])
        matrices.diagonal(dim1=-2, dim2=-1).add_(1.0)
        self._factors[lanes] = torch.linalg.cholesky(matrices)
        self._roots[lanes] = roots
        self._steady = self._solved(self._roots)

    def precondition(self, gradient: Tensor) -> Point:
        """See `Space`."""
        free = gradient - self._solved(self._roots * (gradient @ self._gram))
        offsets = free.sum(dim=2) / (self._steady.sum(dim=2) + torch.finfo(free.dtype).tiny)
        inner = free - self._steady * offsets[..., None]
        return self.point(*_balanced(inner, offsets))

    def coefficients(self, points: Sequence[Point], lane: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """See `Space`."""
        found = torch.stack([at.inner[lane, :, : len(rows)] for at in points]) @ rows
        return found, torch.stack([at.offsets[lane] for at in points]) - found @ rows.mean(dim=0)

    def _solved(self, right: Tensor) -> Tensor:
        return self._roots * _both_triangles(self._factors, right)


class FeatureSpace:
    """The coefficients themselves, and last the intercept, which is not penalised.

    Args:
        rows: (L, n, D) the rows.
        present: (L, n) one for a row, zero for padding.
        classes: Linear predictors, k.
    """

    def __init__(self, rows: Tensor, present: Tensor, classes: int) -> None:
        self._rows = torch.cat([rows, present[..., None]], dim=2)
        width = self._rows.shape[2]
        self._penalty = rows.new_ones(width)
        self._penalty[-1] = 0.0
        self._none = rows.new_zeros(len(rows), classes)
        self._factors = rows.new_zeros(len(rows), classes, width, width)

    def point(self, inner: Tensor, offsets: Tensor) -> Point:
        """See `Space`."""
        return Point(inner, offsets, inner @ self._rows.mT)

    def constant(self, intercepts: Tensor) -> Point:
        """See `Space`."""
        inner = self._rows.new_zeros(*intercepts.shape, self._rows.shape[2])
        inner[..., -1] = intercepts
        return self.point(inner, self._none)

    def gradient(self, at: Point, pull: Tensor) -> Tensor:
        """See `Space`."""
        return at.inner * self._penalty - pull @ self._rows

    def pair(self, gradient: Tensor, direction: Point) -> Tensor:
        """See `Space`."""
        return (gradient * direction.inner).sum(dim=(1, 2))

    def penalised(self, one: Point, other: Point) -> Tensor:
        """See `Space`."""
        return (one.inner * other.inner * self._penalty).sum(dim=(1, 2))

    def factorise(self, weights: Tensor, lanes: Tensor) -> None:
        """See `Space`."""
        rows = self._rows[lanes]
        for predictor in range(weights.shape[1]):
            matrices = (rows * weights[lanes, predictor, :, None]).mT @ rows
            matrices.diagonal(dim1=-2, dim2=-1).add_(self._penalty.clamp_min(_FAINT))
            self._factors[lanes, predictor] = torch.linalg.cholesky(matrices)

    def precondition(self, gradient: Tensor) -> Point:
        """See `Space`."""
        inner = _both_triangles(self._factors, gradient)
        return self.point(*_balanced(inner, self._none))

    def coefficients(self, points: Sequence[Point], lane: int, rows: Tensor) -> tuple[Tensor, Tensor]:
        """See `Space`."""
        found = torch.stack([at.inner[lane] for at in points])
        return found[..., :-1], found[..., -1] - found[..., :-1] @ rows.mean(dim=0)


def _both_triangles(factors: Tensor, right: Tensor) -> Tensor:
    """Solve with a Cholesky factor; `torch.cholesky_solve` copies the factors and is many times slower on batches."""
    half = torch.linalg.solve_triangular(factors, right[..., None], upper=False)
    whole: Tensor = torch.linalg.solve_triangular(factors.mT, half, upper=True)
    return whole[..., 0]


def _balanced(inner: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
    """Take out what all predictors share where there are several, for the softmax does not see it."""
    if inner.shape[1] == 1:
        return inner, offsets
    return inner - inner.mean(dim=1, keepdim=True), offsets - offsets.mean(dim=1, keepdim=True)
