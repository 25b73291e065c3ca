"""What a pretraining is worth so far, for a person to look at: accuracies on labelled rows that are not trained on.

Nothing is chosen by it. Where a part is held out (validation, or the one that was asked for), its rows are asked and
training rows are known; else half of the training rows' patients ask the other half.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor, nn

from remedis.data.conditions import as_text
from remedis.data.indexers.summary import classes_of
from remedis.data.loader import Loader, View
from remedis.data.manifest import Manifest
from remedis.evaluate.knn import knn_scores
from remedis.models.encoder import Encoder
from remedis.models.scaling import to_range

MOST_KNOWN, MOST_ASKED = 2000, 1000
_BATCH = 64

Codes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Labels:
    """A label column as numbers.

    Attributes:
        name: The column.
        classes: Their names, in order.
        codes: (N,) each row's class, -1 where it has none.
    """

    name: str
    classes: list[str]
    codes: Codes


def labels_of(table: pa.Table, name: str) -> Labels:
    """Return a column's classes; a null has none."""
    classes = list(classes_of(table[name]))
    number = {word: code for code, word in enumerate(classes)}
    codes = np.array([number.get(as_text(value), -1) for value in table[name].to_pylist()], np.int64)
    return Labels(name, classes, codes)


def known_and_asked(codes: Codes, asked: Codes, patients: Codes, seed: int) -> tuple[Codes, Codes]:
    """Return the rows whose labels are known and those that are asked, no patient among both.

    Args:
        codes: (N,) classes, -1 where there is none.
        asked: Rows of a held-out part; none where there is no such part.
        patients: (N,) each row's patient.
        seed: Decides which rows are taken where there are more than enough.
    """
    shuffled = np.random.default_rng([seed, 7]).permutation(len(codes))
    labelled = shuffled[codes[shuffled] >= 0]
    if len(asked):
        is_asked = np.isin(labelled, asked)
        second = labelled[is_asked]
        first = labelled[~is_asked & ~np.isin(patients[labelled], patients[second])]
    else:
        order = np.random.default_rng([seed, 8]).permutation(int(patients.max(initial=0)) + 1)
        half = order[patients[labelled]] % 2 == 0
        first, second = labelled[half], labelled[~half]
    return first[:MOST_KNOWN], second[:MOST_ASKED]


class Watch:
    """Some labelled rows, kept as small pictures in memory.

    Args:
        manifest: All rows, those left out of training too.
        labels: Their classes.
        rows: (known, asked), see `known_and_asked`.
        view: What the network takes.
        held_out: Whether the asked rows are of a part that is not trained on.
        workers: Processes that read.
    """

    def __init__(
        self, manifest: Manifest, labels: Labels, rows: tuple[Codes, Codes], view: View, *, held_out: bool, workers: int
    ) -> None:
        self._labels, self._held_out = labels, held_out
        self._known, self._asked = (_pictures(manifest, each, view, workers) for each in rows)
        self._codes = [labels.codes[part.rows] for part in (self._known, self._asked)]

    def look(
        self, encoder: Encoder, backbone: nn.Module, classifier: nn.Module | None, bfloat16: bool
    ) -> dict[str, float | int | str]:
        """Return `knn_accuracy` and, of a held-out part, `linear_accuracy`, with `label` and `n`."""
        if not len(self._codes[0]) or not len(self._codes[1]):
            return {}
        encode = _encoder(encoder, backbone, bfloat16)
        known, asked = encode(self._known.images), encode(self._asked.images)
        scores = knn_scores(known.numpy(), self._codes[0], asked.numpy(), classes=len(self._labels.classes))
        right = scores.argmax(1) == self._codes[1]
        found: dict[str, float | int | str] = {"knn_accuracy": float(right.mean())}
        if classifier is not None and self._held_out:
            with torch.no_grad():
                predicted = classifier(asked.to(next(classifier.parameters()).device)).argmax(1).cpu().numpy()
            found["linear_accuracy"] = float((predicted == self._codes[1]).mean())
        return {**found, "label": self._labels.name, "n": len(right)}


def _encoder(encoder: Encoder, backbone: nn.Module, bfloat16: bool) -> Callable[[Tensor], Tensor]:
    device = next(backbone.parameters()).device

    @torch.no_grad()
    def encode(images: Tensor) -> Tensor:
        found = []
        for start in range(0, len(images), _BATCH):
            x = to_range(images[start : start + _BATCH].to(device), encoder.contract.range)
            with torch.autocast(device.type, torch.bfloat16, enabled=bfloat16):
                found.append(backbone(x).float().cpu())
        return torch.cat(found)

    return encode


@dataclass(frozen=True)
class _Pictures:
    rows: Codes
    images: Tensor


def _pictures(manifest: Manifest, rows: Codes, view: View, workers: int) -> _Pictures:
    """Return the pictures of the rows that could be read."""
    rows = np.sort(rows)
    batches = [range(start, min(start + _BATCH, len(rows))) for start in range(0, len(rows), _BATCH)]
    read: list[bool] = []
    images = [torch.zeros(0, view.size, view.size, 3, dtype=torch.uint8)]
    for batch in Loader(manifest.select(rows), batches, view, workers=min(workers, len(batches))):
        read += batch.read
        images.append(
            batch.images if batch.images.dtype == torch.uint8 else (batch.images.int() // 257).to(torch.uint8)
        )
    return _Pictures(rows[np.array(read, bool)], torch.cat(images))
