"""The embeddings of a study's data sets: made once for each encoder, or brought from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data import embeddings
from remedis.data.foreign_embeddings import vectors_of
from remedis.models.embed import embed
from remedis.models.embed_job import Wishes, device_of, plan
from remedis.models.load import open_or_random
from remedis.study.fits import unlike
from remedis.study.question import DataSet, EncoderAsked

ROW = "study_row"
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Known:
    """The embeddings of a data set.

    Attributes:
        rows: (n,) rows of the manifest, ascending: those whose image could be read.
        matrix: (n, D) float32.
        rejected: Image and reason of those that could not be read; of a file from elsewhere none.
    """

    rows: Integers
    matrix: npt.NDArray[np.float32]
    rejected: list[tuple[str, str]]

    def of(self, rows: Integers) -> tuple[Integers, npt.NDArray[np.float32]]:
        """Return those of some rows that are there, and their embeddings."""
        places = np.searchsorted(self.rows, rows)
        places = np.minimum(places, len(self.rows) - 1)
        there = self.rows[places] == rows
        return rows[there], self.matrix[places[there]]


@dataclass(frozen=True)
class Embedding:
    """How embeddings are made.

    Attributes:
        folder: Of the study's embeddings.
        image_size: Side of the square; None for each encoder's own.
        device: What computes.
        workers: Processes that read.
        seed: Of networks that have random weights.
    """

    folder: Path
    image_size: int | None
    device: str
    workers: int | None
    seed: int


def make(data_set: DataSet, encoder: EncoderAsked, how: Embedding, console: Console = QUIET) -> None:
    """Embed a data set, or go on with it; under torchrun all processes call this and share the work."""
    if encoder.external:
        return
    table = data_set.manifest.table.append_column(ROW, pa.array(np.arange(len(data_set.manifest))))
    numbered = replace(data_set.manifest, table=table)
    opened = open_or_random(encoder.name, size=how.image_size or 224, seed=how.seed)
    wishes = Wishes(how.image_size, None, None, None, how.device, "float32")
    job = plan(numbered, opened, wishes, typed={"manifest": data_set.name, "encoder": encoder.name, "root": None})
    embed(
        numbered, opened, job, folder_of(data_set, encoder, how), console,
        device=device_of(how.device), workers=how.workers,
    )  # fmt: skip


def known(data_set: DataSet, encoder: EncoderAsked, how: Embedding) -> Known:
    """Return the embeddings of a data set.

    Raises:
        InputError: They are damaged, or a file from elsewhere has none of the images.
    """
    if encoder.external:
        rows, matrix = vectors_of(Path(encoder.external), data_set.manifest)
        return Known(rows, matrix, [])
    folder = folder_of(data_set, encoder, how)
    found = embeddings.read(folder)
    return Known(np.asarray(found.table[ROW], np.int64), found.matrix, embeddings.rejected_in(folder))


def lacking(data_set: DataSet, encoder: EncoderAsked) -> Integers:
    """Return the rows that a file from elsewhere has no vector of; none of a network, which can read them all.

    Raises:
        InputError: The file is damaged, or has none of the images.
    """
    if not encoder.external:
        return np.empty(0, np.int64)
    rows, _ = vectors_of(Path(encoder.external), data_set.manifest)
    return np.setdiff1d(np.arange(len(data_set.manifest)), rows)


def folder_of(data_set: DataSet, encoder: EncoderAsked, how: Embedding) -> Path:
    """Return where the embeddings lie."""
    return how.folder / unlike(encoder.name, data_set.name, encoder.hash[:8])
