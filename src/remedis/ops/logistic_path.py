"""Problems of similar size side by side, from the strongest penalty to the weakest, each fit starting near its end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from remedis.ops.logistic_newton import Loss, minimise
from remedis.ops.logistic_rows import Products, fits_rows
from remedis.ops.logistic_spaces import FeatureSpace, Point, RowSpace, Space

_REMEMBERED = 3
"""Fits that the next start is extrapolated from; more of them swing too far."""


@dataclass(frozen=True)
class Lanes:
    """Problems that are solved together; all have few rows for their features, or none has.

    Attributes:
        rows: (n,) of each problem.
        codes: (n,) their classes.
        classes: K of all problems.
    """

    rows: Sequence[Tensor]
    codes: Sequence[Tensor]
    classes: int

    @property
    def predictors(self) -> int:
        """Linear predictors: one for two classes."""
        return 1 if self.classes == 2 else self.classes


def path(products: Products, lanes: Lanes, strengths: Sequence[float]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return (S, k, D) coefficients, (S, k) intercepts and (S,) whether they converged, for each problem."""
    features = products.features
    space, loss = _written(products, lanes)
    at = _start(space, loss, lanes, features)
    shape = len(lanes.rows), len(strengths)
    converged = torch.zeros(shape, dtype=torch.bool, device=features.device)
    stale = torch.ones(shape[0], dtype=torch.bool, device=features.device)
    found: dict[int, Point] = {}
    before: list[tuple[float, Point]] = []
    for number in sorted(range(len(strengths)), key=lambda each: strengths[each]):
        strength, place = strengths[number], math.log(strengths[number])
        if len(before) > 1:
            guess = _extrapolated(space, before, place)
            nearer = loss.objective(space, strength, guess) < loss.objective(space, strength, at)
            at = guess.where(nearer, at)
        at, converged[:, number], stale = minimise(space, loss, strength, at, stale)
        found[number] = at
        before = [*(each for each in before if each[0] < place), (place, at)][-_REMEMBERED:]
    points = [found[number] for number in range(len(strengths))]
    return [
        (*space.coefficients(points, lane, features[rows]), converged[lane]) for lane, rows in enumerate(lanes.rows)
    ]


def _written(products: Products, lanes: Lanes) -> tuple[Space, Loss]:
    """Return the batch's space and loss, shorter problems padded with rows of zeros that count for nothing."""
    features = products.features
    most, width = max(len(rows) for rows in lanes.rows), features.shape[1]
    few = fits_rows(lanes.rows[0], width)
    matrices = features.new_zeros(len(lanes.rows), most, most if few else width)
    present = features.new_zeros(len(lanes.rows), most)
    codes = torch.zeros(present.shape, dtype=torch.int64, device=features.device)
    for lane, (rows, own) in enumerate(zip(lanes.rows, lanes.codes, strict=True)):
        count = len(rows)
        present[lane, :count] = 1.0
        codes[lane, :count] = own
        if few:
            matrices[lane, :count, :count] = products.gram(rows)
        else:
            matrices[lane, :count] = products.centred(rows)[0]
    space = RowSpace(matrices, lanes.predictors) if few else FeatureSpace(matrices, present, lanes.predictors)
    return space, Loss(codes, present, lanes.classes)


def _start(space: Space, loss: Loss, lanes: Lanes, features: Tensor) -> Point:
    """Return no coefficients and the intercepts of the classes' shares: the limit of C to zero."""
    logs = torch.stack([torch.bincount(codes, minlength=lanes.classes) for codes in lanes.codes]).to(features).log()
    return space.constant(logs[:, 1:] - logs[:, :1] if lanes.classes == 2 else logs - logs.mean(dim=1, keepdim=True))


def _extrapolated(space: Space, before: Sequence[tuple[float, Point]], place: float) -> Point:
    """Return the polynomial in log C through the points before, at `place`."""
    shares = [math.prod((place - other) / (own - other) for other, _ in before if other != own) for own, _ in before]
    return space.point(
        sum((share * point.inner for share, (_, point) in zip(shares, before, strict=True)), torch.tensor(0.0)),
        sum((share * point.offsets for share, (_, point) in zip(shares, before, strict=True)), torch.tensor(0.0)),
    )
