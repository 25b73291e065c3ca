"""The probabilities that a fine-tuned model gives images."""

from __future__ import annotations

import numpy as np
import torch

from remedis.console import QUIET, Console
from remedis.errors import InputError
from remedis.evaluate.metrics import Floats
from remedis.evaluate.saved import columns_of
from remedis.train.finetuned import FineTuned
from remedis.train.labels import probabilities
from remedis.train.squares import Rows, Squares, logits_of


def scores_of(
    model: FineTuned, squares: Squares, console: Console = QUIET, *, bfloat16: bool = False
) -> tuple[Rows, dict[str, Floats]]:
    """Return the rows that could be read, and each score column's name and values (n,) float64.

    Args:
        model: Where its network is, it computes.
        squares: The images; those that cannot be read are named in `squares.rejected`.
        console: Gets the progress.
        bfloat16: Multiply in bfloat16.

    Raises:
        InputError: No image could be read.
    """
    rows, logits = [], []
    with console.track(len(squares), "images", "scoring") as track:
        for found, values in logits_of(squares, model.network, model.encoder.contract.range, bfloat16=bfloat16):
            rows.append(found)
            logits.append(values)
            track.advance(len(found))
    if not rows:
        reason = next(iter(squares.rejected.values()), "there is none")
        raise InputError(f"no image could be read: {reason}; remedis index check names them")
    scores: dict[str, Floats] = {}
    for label, found_scores in zip(model.labels, probabilities(torch.cat(logits), model.labels), strict=True):
        scores |= columns_of(list(label.score_columns), found_scores)
    return np.concatenate(rows), scores
