"""Options of the readers of chest data sets: `remedis index chexpert`, `mimic-cxr-jpg`, `nih-cxr14` and others."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from remedis.options.index import SplitOptions

_POLICIES = "POLICY|FINDING=POLICY,…"


@dataclass(frozen=True, kw_only=True)
class ReportLabelOptions:
    """What becomes of labels that a program read from reports and that are neither positive nor negative."""

    uncertain: tuple[str, ...] = field(default=(), metadata={"metavar": _POLICIES})
    """Uncertain labels: ignore (the default), ones, zeros or multiclass; edema=ones,cardiomegaly=multiclass too."""

    blank: tuple[str, ...] = field(default=(), metadata={"metavar": _POLICIES})
    """Findings that the report does not name: negative (the default) or ignore; no_finding only where it is named."""


@dataclass(frozen=True, kw_only=True)
class IndexChexpert(SplitOptions, ReportLabelOptions):
    """Make a manifest of CheXpert, small or full: one row an image, with its own split.

    example: remedis index chexpert CheXpert-v1.0-small --uncertain ones --out chexpert.parquet
    """

    folder: Path = field(metadata={"positional": True})
    """Folder with train.csv and valid.csv, or the one that it lies in."""

    out: Path
    """Manifest (.parquet) to write."""

    views: Literal["all", "frontal", "lateral"] = "all"
    """Which views become rows."""


@dataclass(frozen=True, kw_only=True)
class IndexMimicCxrJpg(SplitOptions, ReportLabelOptions):
    """Make a manifest of MIMIC-CXR-JPG: one row an image, with the official split.

    example: remedis index mimic-cxr-jpg mimic-cxr-jpg-2.1.0 --out mimic.parquet
    """

    folder: Path = field(metadata={"positional": True})
    """Folder with the tables and the folder files, or the one that it lies in."""

    out: Path
    """Manifest (.parquet) to write."""

    labeller: Literal["chexpert", "negbio"] = "chexpert"
    """Which program's labels are taken."""

    radiologists: bool = False
    """Give the test part the labels that were read from its reports by hand, and no others."""


@dataclass(frozen=True, kw_only=True)
class IndexNihCxr14(SplitOptions):
    """Make a manifest of NIH ChestX-ray14: one row an image, tested on the official test list.

    example: remedis index nih-cxr14 ChestXray-NIHCC --out nih.parquet
    """

    folder: Path = field(metadata={"positional": True})
    """Folder with Data_Entry_2017_v2020.csv (or the older one), or the one that it lies in."""

    out: Path
    """Manifest (.parquet) to write."""

    validation: float = 0.125
    """Share of the patients of train_val_list.txt who become the validation part."""

    seed: int = 0
    """Decides who they are, and the draw of --split."""


@dataclass(frozen=True, kw_only=True)
class IndexVindrCxr(SplitOptions):
    """Make a manifest of VinDr-CXR, from PhysioNet or Kaggle: one row an image, its readers' votes counted.

    example: remedis index vindr-cxr vindr-cxr-1.0.0 --out vindr.parquet
    """

    folder: Path = field(metadata={"positional": True})
    """Folder with train, test and annotations (or Kaggle's train.csv), or the one that it lies in."""

    out: Path
    """Manifest (.parquet) to write."""

    vote: Literal["majority", "any", "all"] = "majority"
    """How many of an image's readers make a finding: more than half, one, or all."""


@dataclass(frozen=True, kw_only=True)
class IndexRsnaPneumonia(SplitOptions):
    """Make a manifest of the RSNA Pneumonia Detection Challenge, stage 2: one row an image, its boxes counted.

    example: remedis index rsna-pneumonia rsna-pneumonia-detection-challenge --out rsna.parquet
    """

    folder: Path = field(metadata={"positional": True})
    """Folder with stage_2_train_labels.csv, or the one that it lies in."""

    out: Path
    """Manifest (.parquet) to write."""

    nih_mapping: Path | None = None
    """RSNA's pneumonia-challenge-dataset-mappings_2018.json, which tells the patients."""


@dataclass(frozen=True, kw_only=True)
class IndexPadchest(SplitOptions):
    """Make a manifest of PadChest: one row an image, a column a finding.

    example: remedis index padchest BIMCV-PadChest --out padchest.parquet
    """

    folder: Path = field(metadata={"positional": True})
    """Folder with PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv, or the one that it lies in."""

    out: Path
    """Manifest (.parquet) to write."""

    findings: tuple[str, ...] = ()
    """Labels that become columns, comma-separated; without it all that are common enough."""

    least: int = 50
    """Images that a label needs to become a column where --findings names none."""
