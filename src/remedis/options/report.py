"""Options of `remedis report`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Report:
    """Make one self-contained HTML page of what a command wrote, and a JSON file with every figure on it.

    The page shows running numbers instead of file names and patients, unless --names asks for them. It shows the
    images themselves: --no-images leaves them out. A pretraining need not be finished.

    example: remedis report probe --out report.html
    """

    folder: Path = field(metadata={"positional": True})
    """Folder that remedis probe, remedis pretrain, remedis evaluate or remedis study wrote."""

    out: Path
    """Page (.html) to write, and its figures beside it (.json); an earlier page is replaced, no other file."""

    before: Path | None = None
    """Another encoder's probe of the same label on the same images, to show as before; the page's own is after."""

    names: bool = False
    """Show file names and patients' numbers, which can identify people."""

    images: bool = True
    """Show the images; --no-images leaves all pixels out."""

    root: Path | None = field(default=None, metadata={"rare": True})
    """Folder that the image paths start from, instead of the one the probe names."""
