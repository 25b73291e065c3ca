"""The images of one step after the other: read ahead in other processes, or decoded once and kept in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from remedis.data.manifest import Manifest
from remedis.data.padded import Cache, Padded, PaddedLoader, Reading, Rows
from remedis.train.order import Order, Samples

IMAGES_A_READING = 64  # so few that a few readings of large images fit into memory
_SIDES = 4  # a view is cut from a twelfth of an image or more, which is 3.5 sides of it at most


class StepImages:
    """Yields what one process needs of each step.

    Args:
        manifest: The rows that are trained on.
        order: Which of them make up a step.
        size: S, side of the views that are made of them.
        profile: Name of the profile that makes pixels of stored values.
        share: (rank, world): which part of each step.
        workers: Processes that read.
        cache: Keep the decoded images in memory.
    """

    def __init__(
        self,
        manifest: Manifest,
        order: Order,
        size: int,
        *,
        profile: str,
        share: tuple[int, int] = (0, 1),
        workers: int = 0,
        cache: bool = False,
    ) -> None:
        self._manifest, self._order = manifest, order
        self._share, self._workers = share, workers
        self._reading = Reading(profile, _SIDES * size)
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

    def steps(self, start: int, stop: int) -> Iterator[list[tuple[Padded, Samples]]]:
        """Yield each step's readings, from `start` up to `stop`, which is left out: images, and what they are for.

        A reading holds the rows of its samples once; where first and second rows differ, the first and then the second.
        """
        padded = self._images(rows for step in range(start, stop) for rows, _ in _readings(self._samples(step)))
        for step in range(start, stop):
            yield [(next(padded), part) for _, part in _readings(self._samples(step))]

    def _images(self, readings: Iterable[Rows]) -> Iterator[Padded]:
        if not self._cache_asked:
            return iter(self._loaded(readings))
        if self._cache is None:
            every = np.arange(len(self._manifest))
            parts = np.array_split(every, -(-len(every) // IMAGES_A_READING))
            self._cache = Cache(self._loaded(parts), len(every))
        return map(self._cache.read, readings)

    def _loaded(self, readings: Iterable[Rows]) -> PaddedLoader:
        self._loader = PaddedLoader(self._manifest, readings, self._reading, workers=self._workers)
        return self._loader

    def _samples(self, step: int) -> Samples:
        return self._order.at(step).share(*self._share)


def _readings(samples: Samples) -> list[tuple[Rows, Samples]]:
    """Return what is read at once, and the samples that it is for."""
    found = []
    for start in range(0, len(samples.units), IMAGES_A_READING):
        part = Samples(
            *(
                getattr(samples, name)[start : start + IMAGES_A_READING]
                for name in ("first", "second", "epochs", "units")
            )
        )
        same = part.first is part.second or bool((part.first == part.second).all())
        found.append((part.first if same else np.concatenate([part.first, part.second]), part))
    return found
