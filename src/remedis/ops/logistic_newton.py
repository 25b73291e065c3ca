"""Newton's method for a batch of penalised logistic losses, its steps by preconditioned conjugate gradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from remedis.ops.logistic_spaces import Point, Space

TOLERANCE = 1e-8
"""A step shorter than this, relative to the coefficients' norm, is the last; what is left is smaller still."""

_SHIFT = 1e-6  # of a margin, which the last step may still make
_MOST_STEPS = 200
_MOST_INNER = 40
_ENOUGH = 0.03  # of the gradient may remain after a step's conjugate gradients
_FRESH = 2  # a factorisation that needs more inner steps than this is made anew
_OVERSHOT = 0.25  # of the first slope, upwards, ends a step too far
_MOST_HALVINGS = 40


@dataclass(frozen=True)
class Slope:
    """The loss's first and second derivatives with respect to the margins, for one row and C = 1.

    Attributes:
        pull: (L, k, n) the negative gradient: truth minus probability.
        weights: (L, k, n) the diagonal of the Hessian.
        probabilities: (L, k, n) of several classes; None for two.
    """

    pull: Tensor
    weights: Tensor
    probabilities: Tensor | None

    def curved(self, margins: Tensor) -> Tensor:
        """Return the Hessian times a change of the margins."""
        if self.probabilities is None:
            return self.weights * margins
        weighted = self.probabilities * margins
        return weighted - self.probabilities * weighted.sum(dim=1, keepdim=True)


class Loss:
    """Summed log loss: logistic for one predictor, softmax for several.

    Args:
        codes: (L, n) classes.
        present: (L, n) one for a row, zero for padding.
        classes: K.
    """

    def __init__(self, codes: Tensor, present: Tensor, classes: int) -> None:
        self.present = present[:, None]
        self._two = classes == 2
        own = codes[:, None] == torch.arange(classes, device=codes.device)[:, None]
        self._signs = (2.0 * codes - 1.0)[:, None].to(present.dtype)
        self._own = own

    def pull(self, margins: Tensor) -> Tensor:
        """Return truth minus probability, (L, k, n)."""
        return self.slope(margins).pull

    def objective(self, space: Space, strength: float, at: Point) -> Tensor:
        """Return (L,) strength · loss + |w|²/2; infinite where that is no number."""
        if self._two:
            losses = -torch.nn.functional.logsigmoid(self._signs * at.margins)
        else:
            losses = -torch.log_softmax(at.margins, dim=1) * self._own
        value = strength * (losses * self.present).sum(dim=(1, 2)) + space.penalised(at, at) / 2
        return torch.nan_to_num(value, nan=torch.inf, posinf=torch.inf)

    def slope(self, margins: Tensor) -> Slope:
        """Return both derivatives; differences from one are never formed, for they would lose the small ones."""
        if self._two:
            wrong = torch.sigmoid(-self._signs * margins) * self.present
            return Slope(self._signs * wrong, wrong * torch.sigmoid(self._signs * margins), None)
        probabilities = torch.softmax(margins, dim=1) * self.present
        others = probabilities.masked_fill(self._own, 0.0)
        wrong = others.sum(dim=1, keepdim=True)
        rest = torch.where(self._own, wrong, 1.0 - probabilities)
        return Slope(torch.where(self._own, wrong, -others), probabilities * rest, probabilities)


def minimise(space: Space, loss: Loss, strength: float, start: Point, stale: Tensor) -> tuple[Point, Tensor, Tensor]:
    """Return the minimum of strength · loss + |w|²/2 in each lane.

    Lanes do not meet: what one does depends on its own rows alone.

    Args:
        space: Where to search; a factorisation that it has already, of another strength, is used while it serves.
        loss: Of the rows.
        strength: C.
        start: Where to begin.
        stale: (L,) whether the lane's factorisation does not serve.

    Returns:
        The minimum, (L,) whether it was reached, and (L,) whether the factorisation is stale now.
    """
    at = start
    live = torch.ones_like(stale)
    for _ in range(_MOST_STEPS):
        slope = loss.slope(at.margins)
        renewed = stale & live
        if bool(renewed.any()):
            space.factorise(strength * slope.weights, renewed)
        gradient = space.gradient(at, strength * slope.pull)
        direction, inner = _direction(space, slope, strength, gradient, live)
        last = _short(space, at, direction)
        steps = torch.where(last, 1.0, _lengths(space, loss, strength, at, direction))  # so near, slopes are noise
        at = at.moved(direction, steps * live)
        stale = torch.where(live, (inner > _FRESH) | (steps < 1.0), stale)
        live = live & ~last
        if not bool(live.any()):
            break
    return at, ~live, stale


def _short(space: Space, at: Point, step: Point) -> Tensor:
    """Return (L,) whether a step is the last, by its coefficients and by its margins."""
    length, norm = space.penalised(step, step), space.penalised(at, at)
    return (length <= TOLERANCE**2 * norm) & (step.margins.abs().amax(dim=(1, 2)) <= _SHIFT)


def _direction(space: Space, slope: Slope, strength: float, gradient: Tensor, live: Tensor) -> tuple[Point, Tensor]:
    """Return Newton's direction, roughly, and (L,) how many steps of conjugate gradients it took."""
    left = -gradient
    enough = _ENOUGH**2 * left.square().sum(dim=(1, 2))
    ahead = space.precondition(left)
    heights = space.pair(left, ahead)
    found = ahead.moved(ahead, -torch.ones_like(heights))
    live = live & (heights > 0)
    taken = torch.zeros_like(heights)
    for _ in range(_MOST_INNER):
        product = space.gradient(ahead, -strength * slope.curved(ahead.margins))
        curvature = space.pair(product, ahead)
        steps = torch.where(live & (curvature > 0), heights / curvature, 0.0)
        found = found.moved(ahead, steps)
        left = left - steps[:, None, None] * product
        taken = taken + live
        live = live & (left.square().sum(dim=(1, 2)) > enough)
        if not bool(live.any()):
            break
        better = space.precondition(left)
        before, heights = heights, space.pair(left, better)
        ahead = better.moved(ahead, torch.where(live, heights / before, 0.0))
    return found, taken


def _lengths(space: Space, loss: Loss, strength: float, at: Point, direction: Point) -> Tensor:
    """Return (L,) the longest of 1, 1/2, 1/4 … after which the way does not lead up again steeply."""
    constant, linear = space.penalised(at, direction), space.penalised(direction, direction)

    def slopes(steps: Tensor) -> Tensor:
        pull = loss.pull(torch.addcmul(at.margins, direction.margins, steps[:, None, None]))
        return constant + steps * linear - strength * (pull * direction.margins).sum(dim=(1, 2))

    steps = torch.ones_like(constant)
    first = slopes(torch.zeros_like(steps)).abs()
    for _ in range(_MOST_HALVINGS):
        over = slopes(steps) > _OVERSHOT * first
        if not bool(over.any()):
            break
        steps = torch.where(over, steps / 2, steps)
    return steps
