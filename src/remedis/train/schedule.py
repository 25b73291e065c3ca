"""The learning rate and the numbers of steps of a training.

Source: google-research/simclr model_util.py `learning_rate_schedule` and `get_train_steps`, run.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Schedule:
    """A linear warm-up from 0, then a cosine to 0.

    Attributes:
        base: The learning rate of a batch of 256 images (`linear`), or of one image (`sqrt`).
        batch: M, images of a step in all processes; one image counts once, whatever its number of views.
        warmup_steps: W. The first of them has the learning rate 0: it changes nothing but norms' statistics.
        total_steps: T, the warm-up included.
        scaling: The peak is `base · M / 256` (`linear`) or `base · √M` (`sqrt`).
    """

    base: float
    batch: int
    warmup_steps: int
    total_steps: int
    scaling: Literal["linear", "sqrt"] = "linear"

    @property
    def peak(self) -> float:
        """The learning rate at the end of the warm-up."""
        return self.base * (self.batch / 256 if self.scaling == "linear" else math.sqrt(self.batch))

    def at(self, step: int) -> float:
        """Return the learning rate of the update that is made after `step` others; 0 from T on."""
        if step < self.warmup_steps:
            return self.peak * step / self.warmup_steps
        length = max(self.total_steps - self.warmup_steps, 1)
        progress = min((step - self.warmup_steps) / length, 1.0)
        return self.peak * 0.5 * (1 + math.cos(math.pi * progress))


def total_steps(images: int, batch: int, epochs: float, train_steps: int = 0) -> int:
    """Return T: `train_steps` where it is not 0, else one step more than whole batches fit into the epochs."""
    return train_steps or int(images * epochs // batch) + 1


def warmup_steps(images: int, batch: int, warmup_epochs: float) -> int:
    """Return W: as many whole batches as fit into the warm-up's epochs."""
    return round(warmup_epochs * images // batch)


def steps_in(epochs: float, images: int, batch: int) -> int:
    """Return after how many steps something happens that happens every `epochs` epochs, at least 1.

    The official program rounds an epoch that is shorter than half a batch to 0 steps; here it has one.
    """
    return max(1, round(epochs * max(1, round(images / batch))))
