"""Options of `remedis models init`, `push` and `pull`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class ModelsInit:
    """Write a checkpoint with random weights.

    Networks: bit-r26x1, bit-r50x1 … bit-r152x4; resnet18 … resnet200, with x2, x3 … for width, -sk for
    selective kernels, -cifar for 32 px images; timm:NAME.

    example: remedis models init bit-r50x1 --seed 0 --out enc
    """

    network: str = field(metadata={"positional": True})
    """Network's name."""

    out: Path
    """Folder to write."""

    seed: int = 0
    """Decides the weights: the same seed gives the same bytes."""

    image_size: int | None = None
    """Side in pixels that images are resized to; 224 without it (32 for -cifar, timm's own for timm:NAME)."""

    profile: str | None = None
    """How stored pixels become the image, where no profile is asked for."""

    padding: Literal["torch", "tf"] = field(default="torch", metadata={"rare": True})
    """How a ResNet's first pool pads: as torchvision, or as Google's program."""

    fit: Literal["squash", "pad", "crop"] = field(default="squash", metadata={"rare": True})
    """How an image that is not square becomes one: resized whole, with a border, or its centre."""


@dataclass(frozen=True, kw_only=True)
class ModelsPush:
    """Put a checkpoint on the Hugging Face Hub; needs a token (hf auth login, or HF_TOKEN).

    Weights whose licence forbids to pass them on are refused.

    example: remedis models push enc my-lab/chest-encoder
    """

    checkpoint: Path = field(metadata={"positional": True})
    """Checkpoint's folder."""

    repo: str = field(metadata={"positional": True})
    """Repository on the Hub, OWNER/NAME; made where it is missing."""

    private: bool = True
    """Whether a repository that is made now is seen by its owner only."""


@dataclass(frozen=True, kw_only=True)
class ModelsPull:
    """Get a checkpoint from the Hugging Face Hub.

    example: remedis models pull my-lab/chest-encoder --out enc
    """

    repo: str = field(metadata={"positional": True})
    """Repository on the Hub, OWNER/NAME."""

    out: Path
    """Folder to write."""

    revision: str | None = None
    """Branch, tag or commit; the main branch without it."""
