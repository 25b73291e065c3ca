"""How good a network is on the validation part: what chooses the checkpoint and ends a training early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from remedis.errors import NotFiniteError, StoppedError
from remedis.evaluate.intervals import plain
from remedis.evaluate.metrics import Floats, Integers, Ranking
from remedis.evaluate.targets import Target
from remedis.train.labels import LabelMatrix, loss, matrix, probabilities
from remedis.train.squares import Squares, logits_of


@dataclass(frozen=True)
class Verdict:
    """What validation says.

    Attributes:
        auroc: The mean over labels; of several classes their mean, one against the rest. NaN where no label has both.
        loss: The mean over labels of the mean cross entropy.
        n: Rows.
    """

    auroc: float
    loss: float
    n: int

    @property
    def key(self) -> tuple[float, float]:
        """What is compared: the AUROC, and where it ties (or there is none) the loss."""
        return (-1.0 if np.isnan(self.auroc) else self.auroc, -self.loss)


class Judge:
    """Asks a network the validation part.

    Args:
        squares: Its images; None in processes that are not asked.
        targets: The labels of all rows of the manifest.
        aside: Classes that are learnt and not scored.
    """

    def __init__(self, squares: Squares | None, targets: Sequence[Target], aside: Sequence[str] = ()) -> None:
        self._squares, self._targets, self._aside = squares, targets, aside

    @property
    def rejected(self) -> dict[int, str]:
        """The manifest's rows that could not be read, and why."""
        return {} if self._squares is None else self._squares.rejected

    def ask(self, network: nn.Module, value_range: tuple[float, float], *, bfloat16: bool) -> Verdict:
        """Return the verdict on a network in evaluation mode.

        Raises:
            StoppedError: No image can be read, or the network's numbers are not finite: nothing could be chosen.
        """
        assert self._squares is not None
        found = list(logits_of(self._squares, network, value_range, bfloat16=bfloat16))
        if not found:
            reason = next(iter(self.rejected.values()), "there is none")
            raise StoppedError(
                f"no image of the validation part could be read: {reason}; remedis index check names them"
            )
        rows, logits = np.concatenate([rows for rows, _ in found]), torch.cat([logits for _, logits in found])
        if not logits.isfinite().all():
            raise NotFiniteError(
                "the network's logits of the validation part are not finite; what was saved before is kept. Lower "
                "--learning-rate, or try --precision fp32"
            )
        labels = matrix(self._targets, rows, "none", self._aside)
        asked = labels.of(torch.arange(len(rows)))
        value = float(loss(logits, asked, labels.labels, asked.weights.sum(0)))
        return Verdict(macro_auroc(logits, labels), value, len(rows))


def macro_auroc(logits: Tensor, labels: LabelMatrix) -> float:
    """Return the mean AUROC of the labels that have one, NaN where none has."""
    scores = probabilities(logits, labels.labels)
    found = [
        _auroc(score, label.scored_codes(labels.codes[:, place].numpy()))
        for place, (label, score) in enumerate(zip(labels.labels, scores, strict=True))
    ]
    defined = [value for value in found if not np.isnan(value)]
    return float(np.mean(defined)) if defined else float("nan")


def _auroc(score: Floats, codes: Integers) -> float:
    known = codes >= 0
    columns = [(score, codes == 1)] if score.ndim == 1 else [(own, codes == k) for k, own in enumerate(score.T)]
    units = np.arange(int(known.sum()))
    values = [
        plain(Ranking(truth[known], values[known], units, ("auroc",)), len(units))["auroc"]
        for values, truth in columns
        if 0 < truth[known].sum() < known.sum()
    ]
    return float(np.mean(values)) if values else float("nan")
