"""One view of each image of a step: what a fine-tuning learns from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from remedis.data.padded import Padded
from remedis.recipes.finetuning import FineTuning
from remedis.train.augment import augment
from remedis.train.augmentation import Augmentation
from remedis.train.keys import keys_of
from remedis.train.order import Samples
from remedis.train.step_images import StepImages


@dataclass(frozen=True)
class Shown:
    """The views of one process's share of a step.

    Attributes:
        views: (n, 3, S, S) float32 in [0, 1].
        rows: (n,) int64, the training rows that they were made of.
    """

    views: Tensor
    rows: Tensor


class Batches:
    """Yields the views of one step after the other, decided by (seed, epoch, image) alone.

    Args:
        images: The decoded images of each step.
        how: What is done to an image.
        seed: Decides the views.
        device: Where views are made.
    """

    def __init__(self, images: StepImages, how: Augmentation, *, seed: int, device: str | torch.device) -> None:
        self._images, self._how, self._seed, self._device = images, how, seed, torch.device(device)

    @property
    def seconds_waited(self) -> float:
        """Spent waiting for images since the last start."""
        return self._images.seconds_waited

    @property
    def rejected(self) -> dict[int, str]:
        """Rows that could not be read, and why."""
        return self._images.rejected

    def steps(self, start: int, stop: int) -> Iterator[Shown]:
        """Yield the views of the steps from `start` up to `stop`, which is left out."""
        for readings in self._images.steps(start, stop):
            views = torch.cat([self._views(images, samples) for images, samples in readings])
            yield Shown(views, torch.cat([images.rows for images, _ in readings]))

    def _views(self, images: Padded, samples: Samples) -> Tensor:
        keys = keys_of(self._seed, torch.from_numpy(samples.epochs), images.rows, 0)
        return augment(images.images.to(self._device), images.heights, images.widths, keys, self._how)


def augmentation(size: int, settings: FineTuning) -> Augmentation:
    """Return what the official fine-tuning does to an image: crop, flip, rotation, X-rays' bending; no colours.

    Args:
        size: S.
        settings: Which of them, and how far.

    Source: google-research/medical-ai-research-foundations data_util.py `preprocess_for_train` with
    `color_distort=False`; its rotation is a TypeError.
    """
    return Augmentation(
        size=size,
        area=(settings.crop_area, 1.0),
        flip=settings.flip,
        rotation_range=settings.rotation_range,
        use_elastic_deform=settings.use_elastic_deform,
        equalize_histogram=settings.equalize_histogram,
        color_distort=False,
        use_blur=False,
    )
