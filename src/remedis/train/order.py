"""Which images make up a step, decided by (seed, step) alone: nothing of it has to be stored to go on after a kill.

The run goes through the units (images, or patients where two images of one make a pair) in an order drawn anew each
epoch; batches go on across the border of two epochs, as the official input pipeline's do (`shuffle.repeat.batch`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch

from remedis.train.keys import keys_of, uniforms

Rows = npt.NDArray[np.int64]
_PAIR = 101  # the stream of random numbers that chooses two images of a patient


@dataclass(frozen=True)
class Samples:
    """The pairs of one step, or of one process's share of it.

    Attributes:
        first: (n,) row of the image that the first view is made of.
        second: (n,) row of the second view's image; the same unless patients are paired.
        epochs: (n,) epoch that each pair belongs to.
        units: (n,) image or patient; pairs of one unit are no negatives of each other.
    """

    first: Rows
    second: Rows
    epochs: Rows
    units: Rows

    def share(self, rank: int, world: int) -> Samples:
        """Return the pairs of process `rank` of `world`, which divides their number."""
        n = len(self.first) // world
        part = slice(rank * n, (rank + 1) * n)
        return Samples(self.first[part], self.second[part], self.epochs[part], self.units[part])


class Order:
    """The pairs of every step.

    Args:
        units: U, how many images or patients there are.
        batch: Pairs a step.
        seed: Decides the order.
        patients: (N,) each row's patient, 0 … U-1, to pair images of one patient; None pairs each image with itself.
    """

    def __init__(self, units: int, batch: int, seed: int, *, patients: Rows | None = None) -> None:
        self.units, self.batch, self.seed = units, batch, seed
        self.pairs_patients = patients is not None
        self._bags = None if patients is None else _Bags(patients, units)
        self._permutation = lru_cache(maxsize=2)(self._permuted)

    def at(self, step: int) -> Samples:
        """Return the pairs of a step, counted from 0."""
        places = np.arange(step * self.batch, (step + 1) * self.batch)
        epochs, within = np.divmod(places, self.units)
        units = np.empty(self.batch, np.int64)
        for epoch in np.unique(epochs):
            here = epochs == epoch
            units[here] = self._permutation(int(epoch))[within[here]]
        if self._bags is None:
            return Samples(units, units, epochs, units)
        keys = keys_of(self.seed, torch.from_numpy(epochs), torch.from_numpy(units), 0)
        first, second = self._bags.pairs(units, uniforms(keys, _PAIR, 2).numpy())
        return Samples(first, second, epochs, units)

    def _permuted(self, epoch: int) -> Rows:
        return np.random.default_rng([self.seed, epoch]).permutation(self.units)


class _Bags:
    """The images of each patient, in two arrays."""

    def __init__(self, patients: Rows, units: int) -> None:
        self._rows = np.argsort(patients, kind="stable")
        self._starts = np.searchsorted(patients[self._rows], np.arange(units + 1))

    def pairs(self, units: Rows, u: npt.NDArray[np.float64]) -> tuple[Rows, Rows]:
        """Return two different images of each patient, the same one twice where there is one only.

        Args:
            units: (n,) patients.
            u: (n, 2) uniform numbers in [0, 1).
        """
        starts = self._starts[units]
        sizes = self._starts[units + 1] - starts
        first = (u[:, 0] * sizes).astype(np.int64)
        further = 1 + (u[:, 1] * np.maximum(sizes - 1, 1)).astype(np.int64)
        second = np.where(sizes > 1, (first + further) % np.maximum(sizes, 1), first)
        return self._rows[starts + first], self._rows[starts + second]
