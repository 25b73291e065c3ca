"""`remedis embed`: a manifest's images through an encoder into a folder of embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from remedis.console import QUIET, Console, Result
from remedis.data import embeddings
from remedis.data.inputs import open_any
from remedis.data.manifest import Manifest
from remedis.data.readers import read_source
from remedis.errors import StoppedError
from remedis.models.embed import cautions, embed
from remedis.models.embed_job import Job, Wishes, device_of, plan
from remedis.models.encoder import Encoder
from remedis.models.load import open_encoder
from remedis.options.embed import Embed


def run(options: Embed, console: Console = QUIET) -> Result:
    """Write the embeddings of `options.manifest` to `options.out`.

    Returns:
        The counts; exit status 1 where more images were rejected than allowed.

    Raises:
        RemedisError: The input, the encoder or the folder cannot be used; nothing was written.
    """
    manifest = open_any(options.manifest, root=options.root, where=options.where)
    _refuse_lone_unreadable(manifest, options.profile)
    encoder = open_encoder(options.encoder, random_weights=options.random_weights)
    wishes = Wishes(
        options.image_size, options.profile, options.precision, options.batch_size, options.device, options.dtype
    )
    root = str(options.root) if options.root else None
    typed = {"manifest": str(options.manifest), "encoder": options.encoder, "root": root}
    job = plan(manifest, encoder, wishes, typed=typed, where=options.where)
    console.say(_understood(encoder, job))
    for caution in cautions(encoder, manifest):
        console.warn(caution)
    rejected = embed(
        manifest, encoder, job, options.out, console, device=device_of(options.device), workers=options.workers
    )
    return _result(options, encoder, job, rejected)


def _refuse_lone_unreadable(manifest: Manifest, profile: str | None) -> None:
    """An unreadable image as the only input is an error, not a rejected row."""
    if len(manifest) == 1:
        read_source(manifest.sources(range(1))[0], profile)


def _understood(encoder: Encoder, job: Job) -> str:
    seed = encoder.facts.extra.get("seed")
    state = "" if encoder.facts.trained else f" (untrained{'' if seed is None else f', seed {seed}'})"
    precision = {"fp32": "float32", "bf16": "bfloat16"}[job.precision]
    return (
        f"{encoder.name}{state} · {encoder.parameters_count / 1e6:.1f} M parameters · {job.image_size} px · "
        f"{precision} · {job.device} · {torch.get_num_threads()} threads · profile {job.profile}"
    )


def _result(options: Embed, encoder: Encoder, job: Job, rejected: list[embeddings.Rejected]) -> Result:
    done = job.rows - len(rejected)
    lines = [f"wrote {options.out}: {done:,} × {encoder.width} {options.dtype}, {len(rejected):,} rejected"]
    if rejected:
        image, reason = rejected[0]
        lines.append(f"first rejected: {image}: {reason}      all: {options.out / embeddings.REJECTED_NAME}")
    if done:
        lines.append(f"next: remedis probe {options.out} --label COLUMN --out probe")
    data = {"out": str(options.out), "images": done, "width": encoder.width, "rejected": len(rejected)}
    too_many = len(rejected) > options.allow_rejected
    return Result(text="\n".join(lines), data=data, exit_status=1 if too_many else 0)


def embed_like(
    manifest: Path, encoder: str, out: Path, *, like: Mapping[str, Any], options: Mapping[str, Any], console: Console
) -> Result:
    """Write embeddings of `manifest` with the settings of another folder's job, for a probe that was fitted there.

    Args:
        manifest: Anything `remedis embed` takes.
        encoder: Checkpoint's folder or name.
        out: Folder to write.
        like: The `job` of the embeddings to match: profile, image size, precision and batch size are taken from it.
        options: Further fields of `Embed`: `where`, `device`, `workers`, `allow_rejected`.
        console: Where progress goes.

    Raises:
        StoppedError: No image could be read.
        RemedisError: As `run`.
    """
    same = {name: like[name] for name in ("profile", "image_size", "precision", "batch_size")}
    result = run(Embed(manifest=manifest, encoder=encoder, out=out, **(same | dict(options))), console)
    if not result.data["images"]:
        raise StoppedError(f"no image could be read: {result.text.splitlines()[1]}", where=manifest)
    return result
