"""Options of `remedis models convert` and `verify`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ModelsConvert:
    """Make a checkpoint of published weights, with a proof that it computes the same; TensorFlow is not needed.

    Takes a SavedModel's or TF1 hub module's folder, a BiT .npz or .h5 file, or a timm or PyTorch state dict
    (.safetensors, .pth, .pt, .bin).

    example: remedis models convert cxr-50x1-remedis-m --out ckpt
    """

    source: Path = field(metadata={"positional": True, "metavar": "PATH"})
    """Folder or file to convert."""

    out: Path
    """Folder to write."""

    name: str | None = None
    """What people will call the encoder; the source's name without it."""

    range: tuple[float, float] | None = field(default=None, metadata={"metavar": "LOW HIGH"})
    """Smallest and largest value of an image, where the original leaves it open; [0, 1] is assumed without it."""

    image_size: int | None = None
    """Side in pixels that images are resized to, where the original takes any; 224 without it."""

    output: str | None = field(default=None, metadata={"rare": True})
    """Key of the original's output to take, where it gives several."""

    prefix: str | None = field(default=None, metadata={"rare": True})
    """What comes before the network's names, where a file of weights holds several networks (encoder_q.)."""

    witness: Literal["graph", "tensorflow"] = "graph"
    """Who computes the original's outputs: its stored graph run here, or TensorFlow too, in a process of its own."""


@dataclass(frozen=True, kw_only=True)
class ModelsVerify:
    """Repeat a converted checkpoint's proof from its files alone.

    example: remedis models verify ckpt
    """

    checkpoint: str = field(metadata={"positional": True})
    """Checkpoint's folder, or the name of a model that is here."""
