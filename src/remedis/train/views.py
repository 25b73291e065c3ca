"""From a step's pairs to two batches of views, made where the network is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from remedis.data.manifest import Manifest
from remedis.data.padded import Padded
from remedis.train.augment import augment
from remedis.train.augmentation import Augmentation
from remedis.train.keys import keys_of
from remedis.train.order import Order, Samples
from remedis.train.step_images import StepImages


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
        self._order, self._how, self._device = order, how, torch.device(device)
        self._images = StepImages(manifest, order, how.size, profile=profile, share=share, workers=workers, cache=cache)

    @property
    def seconds_waited(self) -> float:
        """Spent waiting for images since the last start."""
        return self._images.seconds_waited

    @property
    def rejected(self) -> dict[int, str]:
        """Rows that could not be read, and why."""
        return self._images.rejected

    def steps(self, start: int, stop: int) -> Iterator[Pairs]:
        """Yield the views of the steps from `start` up to `stop`, which is left out."""
        for readings in self._images.steps(start, stop):
            parts = [self._pairs(*reading) for reading in readings]
            yield Pairs(
                *(torch.cat([getattr(part, name) for part in parts]) for name in ("first", "second", "ids", "rows"))
            )

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
