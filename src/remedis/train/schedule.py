"""The learning rate and the numbers of steps of a training.

Source: google-research/simclr model_util.py `learning_rate_schedule` and `get_train_steps`, run.py;
google-research/big_transfer bit_hyperrule.py `get_lr`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Schedule:
    """A linear warm-up from 0, then a cosine to 0, or falls to a tenth.

    Attributes:
        base: The learning rate of a batch of 256 images (`linear`), or of one image (`sqrt`).
        batch: M, images of a step in all processes; one image counts once, whatever its number of views.
        warmup_steps: W. The first of them has the learning rate 0: it changes nothing but norms' statistics.
        total_steps: T, the warm-up included.
        scaling: The peak is `base · M / 256` (`linear`), `base · √M` (`sqrt`) or `base` (`none`).
        decay_at: Shares of T at which the rate falls to a tenth, instead of the cosine (BiT-HyperRule).
    """

    base: float
    batch: int
    warmup_steps: int
    total_steps: int
    scaling: Literal["linear", "sqrt", "none"] = "linear"
    decay_at: tuple[float, ...] | None = None

    @property
    def peak(self) -> float:
        """The learning rate at the end of the warm-up."""
        factors = {"linear": self.batch / 256, "sqrt": math.sqrt(self.batch), "none": 1.0}
        return self.base * factors[self.scaling]

    def at(self, step: int) -> float:
        """Return the learning rate of the update that is made after `step` others; 0 from T on."""
        if step < self.warmup_steps:
            return self.peak * step / self.warmup_steps
        if self.decay_at is not None:
            falls = sum(step > round(share * self.total_steps) for share in self.decay_at)  # big_transfer's `s < step`
            return self.peak * 0.1**falls if step < self.total_steps else 0.0
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
