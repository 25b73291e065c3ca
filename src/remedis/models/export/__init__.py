"""Checkpoints for other programs: timm, ONNX, OpenVINO, TensorFlow. Nothing counts as exported before it is proved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from remedis.console import QUIET, Console
from remedis.errors import UsageError, nearest
from remedis.models.encoder import Encoder
from remedis.models.export.exported import Exported
from remedis.models.export.onnx import export as to_onnx
from remedis.models.export.openvino import export as to_openvino
from remedis.models.export.savedmodel import export as to_savedmodel
from remedis.models.export.timm import export as to_timm
from remedis.models.load import load

FORMATS: dict[str, Callable[[Encoder, Path], Exported]] = {
    "timm": to_timm,
    "onnx": to_onnx,
    "openvino": to_openvino,
    "savedmodel": to_savedmodel,
}


def export(folder: str | Path, format: str, out: Path, console: Console = QUIET) -> Exported:
    """Write a checkpoint in another program's format and prove it in that program.

    Args:
        folder: A checkpoint's folder, or a name that `remedis.load` knows.
        format: One of `FORMATS`.
        out: File or folder to write; nothing is left there where the proof fails.
        console: Where it is said what is done.

    Raises:
        UsageError: There is no such format, or it has no network like this one; names those that have.
        MissingExtraError: The other program is not installed; says the pip line.
        CheckFailedError: The export does not compute what the encoder computes; says by how much.
        ConvertError: The other program cannot take the network.
        FolderError: `out` is there already.
    """
    if format not in FORMATS:
        raise UsageError(f"there is no format {format!r}, {nearest(format, FORMATS)}")
    encoder = load(folder)
    console.say(f"{encoder.name} · {encoder.parameters_count / 1e6:.1f} M parameters · to {format}")
    return FORMATS[format](encoder, out)
