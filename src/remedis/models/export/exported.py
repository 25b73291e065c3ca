"""What an export leaves behind, and the place where its files appear only when they are proved."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from remedis.data.files import is_full_disk
from remedis.errors import FolderError, StoppedError
from remedis.models.export.proof import Difference


@dataclass(frozen=True)
class Exported:
    """A finished export.

    Attributes:
        path: File or folder that was asked for.
        format: `timm`, `onnx`, `openvino` or `savedmodel`.
        files: All files that were written.
        takes: What goes in, in words.
        gives: What comes out, in words.
        witness: Program that the export was run in to prove it.
        held: How far its outputs lie from the encoder in float64.
        notes: Sentences that a user should not miss.
        use: A line of Python that opens it, without double quotes.
    """

    path: Path
    format: str
    files: tuple[Path, ...]
    takes: str
    gives: str
    witness: str
    held: tuple[Difference, ...]
    notes: tuple[str, ...] = ()
    use: str = ""

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(path.stat().st_size for path in self.files)


def refuse_there(*paths: Path) -> None:
    """Raise if one of the files is there already.

    Raises:
        FolderError: Names it.
    """
    for path in paths:
        if path.exists() or path.is_symlink():
            raise FolderError("exists; choose another --out or remove it", where=path)


@contextmanager
def files_beside(out: Path) -> Iterator[Path]:
    """Yield a scratch folder beside `out`; on success its files move to where `out` lies, `out` itself as the last.

    Raises:
        FolderError: One of the files is there already.
        StoppedError: The disk is full; nothing is left.
    """
    refuse_there(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f"_{out.name}.", suffix=".tmp", dir=out.parent))
    try:
        yield scratch
        made = sorted(scratch.iterdir(), key=lambda path: (path.name == out.name, path.name))
        refuse_there(*(out.parent / path.name for path in made))
        for path in made:
            path.replace(out.parent / path.name)
    except OSError as error:
        if is_full_disk(error):
            raise StoppedError("no space is left on the disk; free some and start again", where=out) from error
        raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
