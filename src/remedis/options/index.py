"""Options of `remedis index folder`, `dicom`, `tfds`, `cifar10`, `check` and `pack`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from remedis.options.shared import RowOptions


@dataclass(frozen=True, kw_only=True)
class TableOptions:
    """Which images, which table of labels, and where the manifest goes."""

    folder: Path = field(metadata={"positional": True})
    """Folder of files, searched with all folders below it."""

    out: Path
    """Manifest (.parquet) to write."""

    labels: Path | None = None
    """Table (.csv, .tsv, .parquet) with a row an image; files that it does not name are left out."""

    image_column: str | None = None
    """Column that names the file: its path, its name, or its name without ending; image without it."""


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """How rows are chosen and parted into train, validation and test."""

    split: str | None = field(default=None, metadata={"metavar": "patient:A,B,C"})
    """Draw a split by patient; 0.7,0.1,0.2 are the shares of train, validation and test."""

    stratify: str | None = None
    """Column whose classes --split keeps in proportion; the first label column without it."""

    seed: int = 0
    """Decides the draw of --split."""

    split_by: str | None = field(default=None, metadata={"metavar": "COLUMN=VALUE:PART,…"})
    """Make the split from a column, block=stain03:test,stain04:test; other rows are train."""

    site: str | None = None
    """Hospital, scanner or data set of the images, where the table does not say."""

    where: tuple[str, ...] = field(default=(), metadata={"comma": False, "metavar": "COLUMN=VALUE"})
    """Keep rows with COLUMN=VALUE or COLUMN!=VALUE; repeat it, all must hold."""

    licence: str | None = field(default=None, metadata={"rare": True})
    """Terms of the images' use, kept in the manifest."""


@dataclass(frozen=True, kw_only=True)
class IndexFolder(SplitOptions, TableOptions):
    """Make a manifest of a folder of images: one row an image.

    Without a table, two or more class folders become the column label, and train, val and test folders the split.

    example: remedis index folder cxr --labels cxr/labels.csv --out cxr.parquet
    """

    patient_column: str | None = None
    """Column with the patient; patient_id without it."""

    split_column: str | None = field(default=None, metadata={"rare": True})
    """Column with train, val or test; split without it."""

    site_column: str | None = field(default=None, metadata={"rare": True})
    """Column with the hospital or scanner; site without it."""

    study_column: str | None = field(default=None, metadata={"rare": True})
    """Column with the study; study_id without it."""

    view_column: str | None = field(default=None, metadata={"rare": True})
    """Column with the view (PA, AP, lateral); view without it."""

    sex_column: str | None = field(default=None, metadata={"rare": True})
    """Column with the sex; sex without it."""

    age_column: str | None = field(default=None, metadata={"rare": True})
    """Column with the age in years, or as DICOM writes it (045Y); age without it."""


@dataclass(frozen=True, kw_only=True)
class IndexDicom(SplitOptions, TableOptions):
    """Make a manifest of a tree of DICOM studies: one row a frame, patients as keys, no names and no dates.

    The key of a patient is made with a secret that stays outside the manifest; keep its file, and keep it apart.

    example: remedis index dicom archive --site hannover --out archive.parquet
    """

    key_file: Path | None = None
    """File with the secret, made where it is missing; patient.key in $REMEDIS_HOME or ~/.local/share/remedis."""


@dataclass(frozen=True, kw_only=True)
class IndexTfds(SplitOptions):
    """Make a manifest of a data set as TensorFlow Datasets keeps it: one row a record. TensorFlow is not needed.

    Every record is held against its check sums; exit status 1 where some are damaged or missing.

    example: remedis index tfds tensorflow_datasets/colorectal_histology/2.0.0 --out colorectal.parquet
    """

    folder: Path = field(metadata={"positional": True})
    """Folder with dataset_info.json, or the data set's own: its newest version is taken."""

    out: Path
    """Manifest (.parquet) to write."""

    label_key: str | None = None
    """Feature that becomes the column label; each keeps its own name without it."""

    image_key: str | None = None
    """Feature that holds the picture, where there are several."""

    splits: tuple[str, ...] = ()
    """Splits to take, comma-separated; all without it."""


@dataclass(frozen=True, kw_only=True)
class IndexCifar10(SplitOptions):
    """Make a manifest of CIFAR-10 as its author published it, binary or for Python: one row a picture. CIFAR-100 too.

    The files for Python are pickles; they are parsed and never executed.

    example: remedis index cifar10 cifar-10-batches-bin --out cifar10.parquet
    """

    folder: Path = field(metadata={"positional": True})
    """Folder with data_batch_1 … and test_batch, or the one that cifar-10-batches-py or -bin lies in."""

    out: Path
    """Manifest (.parquet) to write."""


@dataclass(frozen=True, kw_only=True)
class IndexCheck(RowOptions):
    """Look for what makes results wrong: missing files, patients in two splits, copies, bad labels, shortcuts.

    One line a finding; exit status 1 where one is an error. Every picture is decoded.

    example: remedis index check cxr.parquet --label pneumonia --encoder cxr-50x1-remedis-m
    """

    manifest: Path = field(metadata={"positional": True})
    """Manifest (.parquet), pack (.arrow) or folder of images."""

    label: tuple[str, ...] = ()
    """Label columns to look at, comma-separated; also tells what size, brightness, site or view alone say of them."""

    exclude_class: tuple[str, ...] = ()
    """Leave out rows of these classes."""

    encoder: tuple[str, ...] = ()
    """Encoders that will be tested, comma-separated: checkpoint or run folders, or names; have they seen the images?"""

    pretrained_on: tuple[Path, ...] = ()
    """Manifests that an encoder was pretrained on, comma-separated; are the tested images among them?"""

    headers_only: bool = False
    """Decode no picture: quicker, and blind to damaged pixels, near-duplicates and brightness."""


@dataclass(frozen=True, kw_only=True)
class IndexPack(RowOptions):
    """Put a manifest and the bytes of its files into one file, which is mapped into memory when it is read.

    example: remedis index pack cxr.parquet --out cxr.arrow
    """

    manifest: Path = field(metadata={"positional": True})
    """Manifest (.parquet) or folder of images."""

    out: Path
    """Pack (.arrow) to write."""
