"""Options of `remedis index medmnist` and `tfrecord`: files that hold many pictures as records."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from remedis.options.index import SplitOptions


@dataclass(frozen=True, kw_only=True)
class IndexMedmnist(SplitOptions):
    """Make a manifest of a two-dimensional set of MedMNIST: one row a picture, at any size; nothing is unpacked.

    Every array is held against its check sum; exit status 1 where a part is damaged or missing.

    example: remedis index medmnist pneumoniamnist.npz --out pneumonia.parquet
    """

    file: Path = field(metadata={"positional": True})
    """File NAME.npz or NAME_64.npz, or the folder that holds one such file."""

    out: Path
    """Manifest (.parquet) to write."""


@dataclass(frozen=True, kw_only=True)
class IndexTfrecord(SplitOptions):
    """Make a manifest of TFRecord files of tf.train.Examples: one row a record. TensorFlow is not needed.

    Every record is held against its check sums; exit status 1 where some are damaged. A data set of TensorFlow
    Datasets is read by index tfds, which knows its features.

    example: remedis index tfrecord shards --image-key image/encoded --label-key edema=label --out shards.parquet
    """

    place: Path = field(metadata={"positional": True})
    """A file, a folder of files, or a pattern in quotes: 'shards/train-*'."""

    out: Path
    """Manifest (.parquet) to write."""

    image_key: str | None = None
    """Feature that holds the encoded picture; image, image/encoded or the only one of bytes without it."""

    label_key: tuple[str, ...] = field(default=(), metadata={"metavar": "COLUMN=FEATURE,…"})
    """Features that become columns, under their own names or as COLUMN."""

    patient_key: str | None = None
    """Feature that names the patient."""

    split_key: str | None = None
    """Feature that names the part; without it the files' names tell, where all say train, val or test."""
