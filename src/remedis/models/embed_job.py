"""What decides the values of a folder of embeddings, and how its rows are cut into parts and batches."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from remedis.data.manifest import Manifest
from remedis.data.profiles import profile as find_profile
from remedis.errors import UsageError
from remedis.models.encoder import Encoder

BATCH_SIZE = 32
BATCHES_A_PART = 4  # little is lost by a kill …
MOST_PARTS = 2000  # … and 10^7 images still make a folder that lists at once


@dataclass(frozen=True)
class Job:
    """What decides the values of the embeddings; a folder with another job is refused.

    Attributes:
        encoder: As typed.
        encoder_hash: Of the weights.
        contract: What the encoder takes and gives.
        manifest: As typed.
        manifest_hash: Of the rows that are embedded.
        root: Where image paths start from, if it was given.
        where: Conditions that chose the rows, as typed.
        rows: How many rows there are.
        profile: How stored pixels become the image.
        profile_version: Of the profile.
        fit: How an image that is not square becomes one.
        image_size: Side of the square in pixels.
        precision: `fp32` or `bf16`.
        engine: What computes.
        device: `cpu` or `cuda`.
        dtype: How the embeddings are stored.
        batch_size: Images a batch.
        rows_a_part: A multiple of it.
    """

    encoder: str
    encoder_hash: str
    contract: Mapping[str, Any]
    manifest: str
    manifest_hash: str
    root: str | None
    where: list[str]
    rows: int
    profile: str
    profile_version: int
    fit: str
    image_size: int
    precision: str
    engine: str
    device: str
    dtype: str
    batch_size: int
    rows_a_part: int

    @property
    def parts(self) -> int:
        """Number of parts that the rows make."""
        return -(-self.rows // self.rows_a_part)

    def rows_of(self, part: int) -> range:
        """Return the rows of a part."""
        return range(part * self.rows_a_part, min((part + 1) * self.rows_a_part, self.rows))

    def batches_of(self, part: int) -> list[range]:
        """Return the rows of each batch of a part; no batch crosses a part's border."""
        rows = self.rows_of(part)
        return [rows[i : i + self.batch_size] for i in range(0, len(rows), self.batch_size)]


@dataclass(frozen=True)
class Wishes:
    """What was asked for; None leaves it to the encoder's contract or to the defaults."""

    image_size: int | None = None
    profile: str | None = None
    precision: str | None = None
    batch_size: int | None = None
    device: str | None = None
    dtype: str = "float32"


def plan(
    manifest: Manifest,
    encoder: Encoder,
    wishes: Wishes,
    *,
    typed: Mapping[str, str | None],
    where: Sequence[str] = (),
) -> Job:
    """Return the job, with what was not asked for filled in.

    Args:
        manifest: The rows.
        encoder: What they go through.
        wishes: What was asked for.
        typed: `manifest`, `encoder` and `root` as they were typed.
        where: Conditions that chose the rows, as typed.

    Raises:
        UsageError: A number is below 1, or there is no such precision, profile or device.
        InputError: The encoder cannot take squares of that size.
    """
    contract = encoder.contract
    size = _at_least_one(wishes.image_size, contract.size, "--image-size")
    encoder.refuse_size(size)
    batch = _at_least_one(wishes.batch_size, BATCH_SIZE, "--batch-size")
    profile = find_profile(wishes.profile or contract.profile)
    return Job(
        encoder=str(typed["encoder"]),
        encoder_hash=encoder.hash,
        contract=contract.to_json(),
        manifest=str(typed["manifest"]),
        manifest_hash=manifest.hash(),
        root=typed["root"],
        where=list(where),
        rows=len(manifest),
        profile=profile.name,
        profile_version=profile.version,
        fit=contract.fit,
        image_size=size,
        precision=_precision(wishes.precision),
        engine="torch",
        device=torch.device(device_of(wishes.device)).type,
        dtype=wishes.dtype,
        batch_size=batch,
        rows_a_part=batch * max(BATCHES_A_PART, -(-len(manifest) // (MOST_PARTS * batch))),
    )


def _at_least_one(value: int | None, default: int, option: str) -> int:
    if value is not None and value < 1:
        raise UsageError(f"{option} is {value}, a whole number of at least 1 was expected")
    return default if value is None else value


def _precision(name: str | None) -> str:
    if name not in (None, "fp32", "bf16"):
        raise UsageError(f"--precision is {name!r}, fp32 or bf16 was expected")
    return name or "fp32"


def device_of(name: str | None) -> str:
    """Return the device that was asked for; without it a GPU (under torchrun each process its own), else the processor.

    Raises:
        UsageError: There is no such device here.
    """
    if name is None:
        gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return f"cuda:{int(os.environ.get('LOCAL_RANK', '0')) % gpus}" if gpus else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"--device is {name!r}, cpu, cuda or cuda:N was expected") from error
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"--device is {name!r}, cpu, cuda or cuda:N was expected")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"--device is {name!r}, torch sees {torch.cuda.device_count()} GPUs here; leave it out")
    return name
