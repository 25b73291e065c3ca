"""Labels as a network learns them: a logit a label of two classes, K logits a label of K, unknown ones masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from remedis.evaluate.targets import Target

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Learnt:
    """One label as a fine-tuned network knows it.

    Attributes:
        label: The column.
        classes: K names; of two the second is the positive one.
        aside: Classes among them that are learnt and not scored: a score is among the others alone. CheXpert's
            U-MultiClass learns `uncertain` so (arXiv:1901.07031, section 3).
    """

    label: str
    classes: tuple[str, ...]
    aside: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """How many logits it has."""
        return 1 if len(self.classes) == 2 else len(self.classes)

    @property
    def scored(self) -> tuple[str, ...]:
        """The classes that have a score."""
        return tuple(name for name in self.classes if name not in self.aside)

    def scored_codes(self, codes: Integers) -> Integers:
        """Return (n,) places among the scored classes, -1 for a class set aside and where it is unknown."""
        places = [self.scored.index(name) if name in self.scored else -1 for name in self.classes]
        return np.array([*places, -1], np.int64)[codes]

    @property
    def score_columns(self) -> tuple[str, ...]:
        """Names of its probabilities in predictions."""
        return Target(self.label, self.scored, np.array([], np.int64), {}).score_columns

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "label": self.label, "classes": list(self.classes), "aside": list(self.aside),
            "score_columns": list(self.score_columns),
        }  # fmt: skip


def widths(labels: Sequence[Learnt]) -> list[int]:
    """Return the number of logits of each label."""
    return [each.width for each in labels]


@dataclass(frozen=True)
class LabelMatrix:
    """The labels of all rows that are trained on.

    Attributes:
        labels: L labels.
        codes: (N, L) int64, the class of each row, -1 where it is unknown.
        weights: For each label (K,) the weight of each class.
    """

    labels: tuple[Learnt, ...]
    codes: Tensor
    weights: tuple[Tensor, ...]

    def of(self, rows: Tensor) -> Asked:
        """Return what the network is asked for some rows."""
        codes = self.codes[rows]
        columns, row_weights = [], []
        for place, (label, weight) in enumerate(zip(self.labels, self.weights, strict=True)):
            code = codes[:, place]
            safe = code.clamp(min=0)
            columns.append((safe == 1).float()[:, None] if label.width == 1 else F.one_hot(safe, label.width).float())
            row_weights.append(torch.where(code >= 0, weight[safe], torch.zeros(())))
        return Asked(torch.cat(columns, 1), torch.stack(row_weights, 1))


@dataclass(frozen=True)
class Asked:
    """What a network is asked for a batch.

    Attributes:
        wanted: (n, sum of widths) probabilities.
        weights: (n, L), 0 where a label is unknown.
    """

    wanted: Tensor
    weights: Tensor

    def to(self, device: torch.device) -> Asked:
        """Return the same on a device."""
        return Asked(self.wanted.to(device), self.weights.to(device))

    def part(self, rows: slice) -> Asked:
        """Return some of the rows."""
        return Asked(self.wanted[rows], self.weights[rows])


def matrix(targets: Sequence[Target], rows: Integers, class_weights: str, aside: Sequence[str] = ()) -> LabelMatrix:
    """Return the labels of some rows.

    Args:
        targets: L labels, of all rows of a manifest.
        rows: (N,) those that are trained on.
        class_weights: `none`: each row weighs 1. `balanced`: a row of class c weighs n / (K n_c), so that the n rows
            with this label weigh n in sum, and each class the same.
        aside: Classes that are learnt and not scored, of the labels that have them.
    """
    labels = tuple(
        Learnt(each.label, each.classes, tuple(name for name in aside if name in each.classes)) for each in targets
    )
    codes = np.stack([each.codes[rows] for each in targets], axis=1)
    weights = []
    for place, label in enumerate(labels):
        count = len(label.classes)
        known = codes[:, place][codes[:, place] >= 0]
        numbers = np.maximum(np.bincount(known, minlength=count), 1)
        balanced = len(known) / (count * numbers)
        weights.append(torch.from_numpy(balanced if class_weights == "balanced" else np.ones(count)).float())
    return LabelMatrix(labels, torch.from_numpy(codes), tuple(weights))


def loss(logits: Tensor, asked: Asked, labels: Sequence[Learnt], counts: Tensor) -> Tensor:
    """Return the mean over labels of each label's loss: cross entropy, summed with the rows' weights, over its count.

    Args:
        logits: (n, sum of widths).
        asked: What is wanted of the same rows.
        labels: L labels.
        counts: (L,) what each label's sum is divided by: the weight of its known rows in the whole step, over all
            processes and parts, so that the parts' losses add up to the step's.
    """
    found, start = logits.new_zeros(()), 0
    asked = Asked(asked.wanted.to(logits.dtype), asked.weights.to(logits.dtype))
    for place, label in enumerate(labels):
        part, wanted = logits[:, start : start + label.width], asked.wanted[:, start : start + label.width]
        if label.width == 1:
            each = F.binary_cross_entropy_with_logits(part, wanted, reduction="none")[:, 0]
        else:
            each = -(wanted * F.log_softmax(part, 1)).sum(1)
        found = found + (each * asked.weights[:, place]).sum() / counts[place].clamp(min=1e-12)
        start += label.width
    return found / len(labels)


def probabilities(logits: Tensor, labels: Sequence[Learnt]) -> list[npt.NDArray[np.float64]]:
    """Return for each label (n,) the probability of the positive class, or (n, K) of the scored classes."""
    parts = torch.split(logits.double(), widths(labels), dim=1)
    return [_probability(part, label).numpy() for part, label in zip(parts, labels, strict=True)]


def _probability(logits: Tensor, label: Learnt) -> Tensor:
    if label.width == 1:
        return torch.sigmoid(logits[:, 0])
    scored = torch.softmax(logits[:, [label.classes.index(name) for name in label.scored]], 1)
    return scored[:, 1] if len(label.scored) == 2 else scored
