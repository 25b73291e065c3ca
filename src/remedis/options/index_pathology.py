"""Options of `remedis index patch-camelyon`, `camelyon16`, `camelyon17` and `wilds-camelyon17`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from remedis.options.index import SplitOptions


@dataclass(frozen=True, kw_only=True)
class IndexPatchCamelyon(SplitOptions):
    """Make a manifest of PatchCamelyon: one row a patch; the HDF5 files stay as they are. Needs h5py.

    The slide is the patient. Kaggle's variant (train_labels.csv and train/) is read too, without slides.

    example: remedis index patch-camelyon pcam --out pcam.parquet
    """

    folder: Path = field(metadata={"positional": True})
    """Folder with camelyonpatch_level_2_split_train_x.h5 and its neighbours, or the one that pcam/ lies in."""

    out: Path
    """Manifest (.parquet) to write."""


@dataclass(frozen=True, kw_only=True)
class IndexWildsCamelyon17(SplitOptions):
    """Make a manifest of CAMELYON17-WILDS: one row a patch, the hospital as site, the official split by hospital.

    example: remedis index wilds-camelyon17 camelyon17_v1.0 --out wilds.parquet
    """

    folder: Path = field(metadata={"positional": True})
    """Folder with metadata.csv and patches/."""

    out: Path
    """Manifest (.parquet) to write."""


@dataclass(frozen=True, kw_only=True)
class TileOptions(SplitOptions):
    """Tiles that were cut from the slides elsewhere."""

    folder: Path = field(metadata={"positional": True})
    """Folder of tiles: SLIDE/TILE.png, CLASS/SLIDE_x_1024_y_2048.png, or both levels."""

    out: Path
    """Manifest (.parquet) to write."""

    labels: Path | None = None
    """Table (.csv, .tsv, .parquet) with a row a tile; tiles that it does not name are left out."""

    image_column: str | None = None
    """Column of the table that names the tile; image without it."""

    site_ranges: tuple[str, ...] = field(default=(), metadata={"metavar": "NAME_FIRST-LAST=SITE,…"})
    """Hospitals by the numbers of slides or patients, where nothing else says them: tumor_001-070=radboud."""


@dataclass(frozen=True, kw_only=True)
class IndexCamelyon16(TileOptions):
    """Make a manifest of tiles of CAMELYON16's slides (tumor_001, normal_001, test_001): one row a tile.

    The slide is the patient, slides test_… are the test part. Tiles of normal slides are 0; of others the table or
    a folder tumor or normal tells.

    example: remedis index camelyon16 tiles --out tiles.parquet
    """


@dataclass(frozen=True, kw_only=True)
class IndexCamelyon17(TileOptions):
    """Make a manifest of tiles of CAMELYON17's slides (patient_004_node_4): one row a tile, the hospital as site.

    The table or a folder tumor or normal tells the tile's label, stages.csv the slide's and the patient's.

    example: remedis index camelyon17 tiles --stages stages.csv --out tiles.parquet
    """

    stages: Path | None = None
    """Table of stages; stages.csv in the folder without it. Its column center gives the hospital."""
