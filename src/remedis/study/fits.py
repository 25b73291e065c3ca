"""The fits of a study and the cells of work that make them, listed from the question alone: any process knows all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from remedis.study.question import ADAPTED, FINETUNE, IN, OUT, PROBE, DataSet, Question


@dataclass(frozen=True)
class Fit:
    """One model that is fitted.

    Attributes:
        train: Name of the data set that it learns from.
        encoder: Name of the encoder.
        method: `probe` or `finetune`.
        fraction: Share of the labels of that data set's training part.
        draw: Which choice of them.
        repeat: Which parts.
    """

    train: str
    encoder: str
    method: str
    fraction: float
    draw: int
    repeat: int


@dataclass(frozen=True)
class Cell:
    """Fits that are made and stored together: all probes of an encoder on a data set, or one fine-tuning.

    Attributes:
        fits: At least one, of one data set, encoder, method and repetition.
    """

    fits: tuple[Fit, ...]

    @property
    def name(self) -> str:
        """What its files are called: readable, and unlike any other's."""
        first = self.fits[0]
        parts = [first.method, first.train, first.encoder, f"repeat{first.repeat}"]
        if first.method == FINETUNE:
            parts += [f"fraction{first.fraction:g}", f"draw{first.draw}"]
        return unlike(*parts)


def unlike(*words: str) -> str:
    """Return a name for a file: readable, and for other words another one, whatever signs they have."""
    digest = hashlib.sha256("\0".join(words).encode()).hexdigest()[:8]
    return re.sub(r"[^0-9A-Za-z.]+", "-", "-".join(words)).strip("-.") + f"-{digest}"


def draws_of(fraction: float, draws: int) -> range:
    """Return the draws of a fraction: one of the whole."""
    return range(1 if fraction == 1 else draws)


def cells_of(question: Question) -> list[Cell]:
    """Return all cells, probes first, in an order that depends on the question alone."""
    cells = []
    for method in (PROBE, FINETUNE):
        if method not in question.methods:
            continue
        for repeat in range(question.repeats):
            for data_set in question.data_sets:
                for encoder in question.encoders:
                    if method == FINETUNE and encoder.external:
                        continue
                    fits = tuple(_fits(question, data_set, encoder.name, method, repeat))
                    if fits:
                        cells += [Cell(fits)] if method == PROBE else [Cell((fit,)) for fit in fits]
    return cells


def _fits(question: Question, data_set: DataSet, encoder: str, method: str, repeat: int) -> Iterator[Fit]:
    if data_set.other_site and ADAPTED not in question.scenarios:
        return
    if not data_set.other_site and not {IN, OUT} & set(question.scenarios):
        return
    for fraction in question.target_fractions if data_set.other_site else question.label_fractions:
        for draw in draws_of(fraction, question.draws):
            yield Fit(data_set.name, encoder, method, fraction, draw, repeat)


def tested_on(question: Question, fit: Fit) -> list[tuple[str, DataSet]]:
    """Return the scenarios that a fit answers, each with the data set whose test part it is tested on."""
    learnt = question.data_set(fit.train)
    if learnt.other_site:
        return [(ADAPTED, learnt)]
    found = [(IN, learnt)] if IN in question.scenarios else []
    return found + ([(OUT, each) for each in question.there] if OUT in question.scenarios else [])
