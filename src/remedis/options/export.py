"""Options of `remedis models export` and `remedis doctor`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ModelsExport:
    """Write a checkpoint for another program, and prove it there before it counts as done.

    Each export is run in the program it is for and held against the encoder in float64; where it is further off than
    float32 explains, nothing is left and the line says by how much. Licence and notes go along.

    example: remedis models export enc --format onnx --out enc.onnx
    """

    checkpoint: str = field(metadata={"positional": True})
    """Checkpoint's folder."""

    format: Literal["timm", "onnx", "openvino", "savedmodel"]
    """timm: a folder for its local-dir; onnx: one file, any batch and size; openvino: .xml and .bin; savedmodel: for
    TensorFlow and hub.KerasLayer (needs TensorFlow, or REMEDIS_TF_PYTHON naming a Python that has it)."""

    out: Path
    """File to write for onnx; .xml file or folder for openvino; folder for timm and savedmodel."""


@dataclass(frozen=True, kw_only=True)
class Doctor:
    """Say what this installation has, what it lacks, and the line that installs it.

    Python, torch and the device, which DICOM files can be decoded, the optional packages, TensorFlow as a witness, the
    folder where weights are kept, and the free disk. Opens no connection.

    example: remedis doctor
    """

    home: Path | None = None
    """Folder that weights are kept in; $REMEDIS_HOME, else ~/.cache/remedis without it."""
