"""Options of `remedis inspect`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Show what is in an image file, and what each step of a profile does to the range of its values.

    example: remedis inspect x.dcm --profiles dicom-display,xrv
    """

    file: Path = field(metadata={"positional": True})
    """JPEG, PNG, TIFF, BMP, WebP, GIF or DICOM; with --frame a pack, a TFRecord, npz or HDF5 file, or CIFAR's."""

    profile: str | None = None
    """How stored pixels become the image; dicom-display without it."""

    profiles: tuple[str, ...] = ()
    """Two profiles as A,B: shows both, and how far apart their pictures of this file are."""

    frame: int | None = None
    """One frame, counted from 0; all of them without it. In a file of records, the record."""

    out: Path | None = None
    """PNG to write: the picture, or with --profiles both side by side."""
