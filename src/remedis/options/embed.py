"""Options of `remedis embed`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from remedis.options.shared import DeviceOptions, RowOptions


@dataclass(frozen=True, kw_only=True)
class Embed(DeviceOptions, RowOptions):
    """Turn the images of a manifest, a folder or a single file into embeddings.

    Killed at any instant, the same command goes on where it was; under torchrun several processes share the work.

    example: remedis embed cxr.parquet --encoder enc --out emb
    """

    manifest: Path = field(metadata={"positional": True})
    """Manifest (.parquet), pack (.arrow), folder of images, or one image."""

    encoder: str
    """Checkpoint's folder or name, or timm:NAME."""

    out: Path
    """Folder of Parquet parts to write; pyarrow.dataset.dataset(OUT) opens it."""

    allow_rejected: int = 0
    """So many unreadable images are set aside without exit status 1."""

    dtype: Literal["float32", "float16"] = field(default="float32", metadata={"rare": True})
    """How the embeddings are stored."""
