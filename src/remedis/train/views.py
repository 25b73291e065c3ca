"""From a step's pairs to two batches of views: reading ahead in other processes, augmenting where the network is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from remedis.data.manifest import Manifest
from remedis.data.padded import Cache, Padded, PaddedLoader, Reading, Rows
from remedis.train.augment import augment
from remedis.train.augmentation import Augmentation
from remedis.train.keys import keys_of
from remedis.train.order import Order, Samples

PAIRS_A_READING = 64  # so few that a few readings of large images fit into memory
_SIDES = 4  # a view is cut from a twelfth of an image or more, which is 3.5 sides of it at most


@dataclass(frozen=True)
class Pairs:
    """The views of one process's share of a step.

    Attributes:
        first: (n, 3, S, S) float32 in [0, 1].
        second: (n, 3, S, S), of the same units in the same order.
        ids: (n,) int64, the unit that each pair belongs to.
        rows: (n,) int64, the row that each first view was made of.
    """

    first: Tensor
    second: Tensor
    ids: Tensor
    rows: Tensor


class Views:
    """Yields the views of one step after the other.

    Args:
        manifest: The rows that are trained on.
        order: Which of them make up a step; its seed decides the views too, with epoch, image and view.
        how: What is done to an image.
        profile: Name of the profile that makes pixels of stored values.
        share: (rank, world): which part of each step.
        device: Where views are made.
        workers: Processes that read.
        cache: Keep the decoded images in memory.
    """

    def __init__(
        self,
        manifest: Manifest,
        order: Order,
        how: Augmentation,
        *,
        profile: str,
        share: tuple[int, int] = (0, 1),
        device: str | torch.device = "cpu",
        workers: int = 0,
        cache: bool = False,
    ) -> None:
        self._manifest, self._order, self._how = manifest, order, how
        self._share, self._device, self._workers = share, torch.device(device), workers
        self._reading = Reading(profile, _SIDES * how.size)
        self._cache_asked = cache
        self._cache: Cache | None = None
        self._loader: PaddedLoader | None = None

    @property
    def seconds_waited(self) -> float:
        """Spent waiting for images since the last start."""
        return self._loader.seconds_waited if self._loader else 0.0

    @property
    def rejected(self) -> dict[int, str]:
        """Rows that could not be read, and why."""
        return self._loader.rejected if self._loader else {}

    def steps(self, start: int, stop: int) -> Iterator[Pairs]:
        """Yield the views of the steps from `start` up to `stop`, which is left out."""
        padded = self._images(rows for step in range(start, stop) for rows, _ in _readings(self._samples(step)))
        for step in range(start, stop):
            samples = self._samples(step)
            parts = [self._pairs(next(padded), part) for _, part in _readings(samples)]
            yield Pairs(
                *(torch.cat([getattr(part, name) for part in parts]) for name in ("first", "second", "ids", "rows"))
            )

    def _images(self, readings: Iterable[Rows]) -> Iterator[Padded]:
        """Yield what is asked for, read in other processes or taken from memory."""
        if not self._cache_asked:
            return iter(self._loaded(readings))
        if self._cache is None:
            every = np.arange(len(self._manifest))
            parts = np.array_split(every, -(-len(every) // PAIRS_A_READING))
            self._cache = Cache(self._loaded(parts), len(every))
        return map(self._cache.read, readings)

    def _loaded(self, readings: Iterable[Rows]) -> PaddedLoader:
        self._loader = PaddedLoader(self._manifest, readings, self._reading, workers=self._workers)
        return self._loader

    def _samples(self, step: int) -> Samples:
        return self._order.at(step).share(*self._share)

    def _pairs(self, images: Padded, samples: Samples) -> Pairs:
        n = len(samples.units)
        epochs = torch.from_numpy(samples.epochs)
        planes, heights, widths = images.images.to(self._device), images.heights, images.widths
        first, second = images.rows[:n], images.rows[-n:]
        made = [
            augment(planes[part], heights[part], widths[part], keys_of(self._order.seed, epochs, rows, view), self._how)
            for view, (part, rows) in enumerate([(slice(0, n), first), (slice(len(images.rows) - n, None), second)])
        ]
        ids = torch.from_numpy(samples.units) if self._order.pairs_patients else first
        return Pairs(made[0], made[1], ids.to(self._device), first)


def _readings(samples: Samples) -> list[tuple[Rows, Samples]]:
    """Return what is read at once, and the pairs that come of it: the rows once, or first and second ones in turn."""
    found = []
    for start in range(0, len(samples.units), PAIRS_A_READING):
        part = Samples(
            *(
                getattr(samples, name)[start : start + PAIRS_A_READING]
                for name in ("first", "second", "epochs", "units")
            )
        )
        same = part.first is part.second or bool((part.first == part.second).all())
        found.append((part.first if same else np.concatenate([part.first, part.second]), part))
    return found
