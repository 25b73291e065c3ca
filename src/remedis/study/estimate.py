"""What a study will cost on this machine: a few images are timed before anything begins."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from remedis.models.encoder import Encoder
from remedis.models.load import open_or_random
from remedis.study.fits import Cell
from remedis.study.probes import training_rows
from remedis.study.question import FINETUNE, PROBE, EncoderAsked, Question
from remedis.study.tuning import Tuning, job_of
from remedis.train.heads import Classifier

_IMAGES = 16
_REGRESSIONS_A_SECOND = 250.0  # of two classes, what benchmarks/probe_grid.py took on one thread
_FIGURES = 0.05  # seconds of a thousand bootstrap draws of one fit and tested part of 300 images


@dataclass(frozen=True)
class Cost:
    """What is still to be done, in seconds of one process.

    Attributes:
        embedding: Images through the encoders.
        probes: Regressions.
        tuning: Fine-tuning.
        figures: Intervals and tables.
    """

    embedding: float
    probes: float
    tuning: float
    figures: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.embedding + self.probes + self.tuning + self.figures


def cost(
    question: Question,
    missing: Sequence[Cell],
    to_embed: Sequence[tuple[EncoderAsked, int]],
    how: Tuning,
    size: int | None,
) -> Cost:
    """Return what a study costs, estimated from a few images through each network.

    Args:
        question: The study.
        missing: Cells that are not done.
        to_embed: Encoders with the images that are still to go through them.
        how: How fine-tuning goes.
        size: Side of the squares; None for each encoder's own.
    """
    forward: dict[tuple[str, int], float] = {}
    step: dict[tuple[str, int], float] = {}
    embedding = sum(
        images * _timed(forward, encoder, question, how, size, _forward) for encoder, images in to_embed if images
    )
    tuning = 0.0
    for cell in missing:
        if cell.fits[0].method == FINETUNE:
            job = job_of(question, cell.fits[0], how)
            encoder = next(each for each in question.encoders if each.name == cell.fits[0].encoder)
            seconds = _timed(step, encoder, question, how, job.settings.image_size, _step)
            tuning += job.steps * job.settings.train_batch_size * seconds
            tuning += sum(len(each.parts[0].validation) for each in question.data_sets) * 4 * seconds
    probes = sum(_regressions(question, cell) for cell in missing if cell.fits[0].method == PROBE)
    figures = sum(len(cell.fits) for cell in missing) * len(question.data_sets) * _FIGURES
    return Cost(embedding, probes, tuning, figures)


def _regressions(question: Question, cell: Cell) -> float:
    rows = [len(training_rows(question, fit)) for fit in cell.fits]
    labels = len(question.data_sets[0].targets)
    return sum(45 * labels * (count / 500) ** 2 for count in rows) / _REGRESSIONS_A_SECOND


def _timed(
    known: dict[tuple[str, int], float],
    encoder: EncoderAsked,
    question: Question,
    how: Tuning,
    size: int | None,
    run: Callable[[Encoder, int, str], Callable[[], None]],
) -> float:
    """Return the seconds an image takes, timed once for each network and size."""
    opened = open_or_random(encoder.name, size=size or 224, seed=question.seed)
    side = size or opened.contract.size
    if (encoder.network, side) not in known:
        work = run(opened, side, how.machine.device)
        work()
        start = time.perf_counter()
        work()
        known[encoder.network, side] = (time.perf_counter() - start) / _IMAGES
    return known[encoder.network, side]


def _forward(encoder: Encoder, size: int, device: str) -> Callable[[], None]:
    network, images = encoder.backbone.to(device).eval(), torch.zeros(_IMAGES, 3, size, size, device=device)

    @torch.no_grad()
    def work() -> None:
        network(images).sum().item()

    return work


def _step(encoder: Encoder, size: int, device: str) -> Callable[[], None]:
    network = nn.Sequential(encoder.backbone, Classifier(encoder.width, 1)).to(device).train()
    images = torch.rand(_IMAGES, 3, size, size, device=device)

    def work() -> None:
        network(images).square().mean().backward()
        network.zero_grad()

    return work
