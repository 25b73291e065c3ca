"""Groups of options that several verbs share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class RowOptions:
    """Which rows of a manifest or of embeddings are used, and where their files lie."""

    where: tuple[str, ...] = field(default=(), metadata={"comma": False, "metavar": "COLUMN=VALUE"})
    """Keep rows with COLUMN=VALUE or COLUMN!=VALUE; repeat it, all must hold."""

    root: Path | None = field(default=None, metadata={"rare": True})
    """Folder that the image paths start from, instead of the one the manifest names."""


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """How images go through an encoder."""

    image_size: int | None = None
    """Side of the square that images are resized to, in pixels; the encoder's own without it."""

    profile: str | None = None
    """How stored pixels become the image (remedis-cxr, remedis-path, dicom-display, xrv, cxr-foundation, mimic-jpg)."""

    precision: str | None = None
    """fp32 (the default) or bf16."""

    batch_size: int | None = None
    """Images a batch; 32 without it."""

    workers: int | None = None
    """Processes that read and decode; one less than the processors without it."""

    device: str | None = None
    """cpu, cuda or cuda:N; the first GPU where there is one, else the processor."""

    random_weights: bool = field(default=False, metadata={"rare": True})
    """Let an encoder without weights start from random ones."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a training lives, whatever it trains."""

    precision: str | None = None
    """bf16 or fp32; bf16 on GPUs that have it and processors with AMX."""

    checkpoint_minutes: float = field(default=30.0, metadata={"rare": True})
    """The state is saved at least this often."""

    keep_checkpoint_max: int = field(default=5, metadata={"rare": True})
    """Numbered checkpoints that are kept, the newest; 0 keeps all."""

    train_summary_steps: int = field(default=100, metadata={"rare": True})
    """Steps between points in TensorBoard; 0 writes no files for it."""

    cache_dataset: bool = field(default=False, metadata={"rare": True})
    """Keep the decoded images in memory."""

    workers: int | None = field(default=None, metadata={"rare": True})
    """Processes that read and decode; one less than the processors without it."""

    device: str | None = None
    """cpu, cuda or cuda:N; the first GPU where there is one."""

    seed: int = 0
    """Decides weights, order and views."""
