"""A manifest's images through an encoder into the parts of a folder, going on where a killed start was.

Under torchrun the processes share the parts; each part is the work of one process, written whole or not at all, so
that any start finds what earlier ones finished, whatever their number.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from remedis import __version__
from remedis.console import Console, Track
from remedis.data import embeddings
from remedis.data.files import claim_folder, read_json, remove_orphans, write_json
from remedis.data.loader import Batch, Loader, View
from remedis.data.manifest import Manifest
from remedis.errors import InputError, StoppedError
from remedis.models import zoo
from remedis.models.accelerate import prepare
from remedis.models.embed_job import Job
from remedis.models.encoder import Encoder

_MINUTES_FOR_OTHERS = 60 * 24 * 7
_MINUTES_TO_BEGIN = 10


def embed(
    manifest: Manifest, encoder: Encoder, job: Job, out: Path, console: Console, *, device: str, workers: int | None
) -> list[embeddings.Rejected]:
    """Write the parts that are missing in `out`, this process its share of them, and wait for the others' shares.

    Args:
        manifest: The rows.
        encoder: What they go through.
        job: From `plan`; decides the values.
        out: The folder.
        console: Where progress goes.
        device: Where the encoder runs.
        workers: Processes that read and decode; one less than the processors for None.

    Returns:
        What was rejected, of the whole folder.

    Raises:
        FolderError: The folder holds another job.
        StoppedError: The disk is full, or another process did not come; finished parts are kept.
    """
    _claim(out, job, console)
    rank, world = rank_and_world()
    share = range(rank, job.parts, world)
    missing = [part for part in share if not embeddings.part_path(out, part).exists()]
    if missing:
        done, todo = (sum(len(job.rows_of(part)) for part in parts) for parts in (share, missing))
        encode = prepare(encoder, precision=job.precision, device=device)
        loader = _loader(manifest, job, missing, workers)
        made = _PartMaker(manifest, job, out, encoder.width)
        with console.track(done, "images", "embedding", done=done - todo) as track:
            _work_through(loader, encode, made, track)
    if world > 1:  # a process that ended early with status 1 would make torchrun stop the others
        paths = [embeddings.part_path(out, part) for part in range(job.parts)]
        _wait_until(lambda: all(p.exists() for p in paths), _MINUTES_FOR_OTHERS, "the other processes", out)
    rejected = embeddings.rejected_in(out)
    if rank == 0:
        _complete(out, manifest, encoder, job, rejected)
    return rejected


def cautions(encoder: Encoder, manifest: Manifest) -> list[str]:
    """Return what nobody should overlook about an encoder on these images: its notes, and whether it has seen them."""
    own = encoder.facts.extra.get("pretraining")
    pretrained = own if isinstance(own, dict) else {}
    seen = [name for name in zoo.seen_by(encoder.facts) if name != pretrained.get("data_set")]
    found = [zoo.contaminated(manifest.data_set, seen), _pretrained_on(pretrained, manifest)]
    return [*encoder.facts.notes, *filter(None, found)]


def _pretrained_on(own: Mapping[str, Any], manifest: Manifest) -> str | None:
    """Return a caution where a run of ours saw the whole of this data set; its training part alone is no fault."""
    if own.get("data_set") != manifest.data_set or own.get("left_out"):
        return None
    return (
        f"the encoder was pretrained, without labels, on all images of {manifest.data_set}: those tested here may be "
        "among them (transductive)"
    )


def rank_and_world() -> tuple[int, int]:
    """Return this process's number and how many there are, as torchrun sets them."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def _claim(out: Path, job: Job, console: Console) -> None:
    """Make the folder ours; under torchrun the first process does, the others wait for it."""
    rank, world = rank_and_world()
    facts_path = out / embeddings.FACTS_NAME
    if rank == 0:
        if claim_folder(out, asdict(job), facts_name=embeddings.FACTS_NAME) is not None:
            remove_orphans(out)
            done = sum(len(job.rows_of(embeddings.number_of(path))) for path in embeddings.part_paths(out))
            if 0 < done < job.rows:
                console.say(f"goes on at image {done:,} of {job.rows:,}")
        return
    _wait_until(facts_path.exists, _MINUTES_TO_BEGIN, f"process 0 of {world} to make the folder", out)
    if read_json(facts_path).get("job") != asdict(job):
        raise InputError("the processes were started with different options or files", where=out)


def _wait_until(ready: Callable[[], bool], minutes: float, what: str, where: Path) -> None:
    end = time.monotonic() + 60 * minutes
    while not ready():
        if time.monotonic() > end:
            raise StoppedError(f"waited {minutes:g} minutes for {what}; start all of them again", where=where)
        time.sleep(0.2)


def _loader(manifest: Manifest, job: Job, parts: list[int], workers: int | None) -> Loader:
    """Return one loader over all batches of some parts."""
    batches = [rows for part in parts for rows in job.batches_of(part)]
    processes = max(1, (os.cpu_count() or 2) - 1) if workers is None else max(0, workers)
    view = View(profile=job.profile, size=job.image_size, fit=job.fit)
    return Loader(manifest, batches, view, workers=min(processes, len(batches)))


def _work_through(
    loader: Loader, encode: Callable[[torch.Tensor], torch.Tensor], made: _PartMaker, track: Track
) -> None:
    """Embed the loader's batches one after the other, and say how much of the time went into waiting for them."""
    start = time.monotonic()
    for batch in loader:
        made.add(batch, encode(batch.images))
        track.note(f"waiting for data {loader.seconds_waited / (time.monotonic() - start):.0%}")
        track.advance(len(batch.rows))


class _PartMaker:
    """Gathers batches and writes a part when its last batch has come."""

    def __init__(self, manifest: Manifest, job: Job, out: Path, width: int) -> None:
        self._manifest, self._job, self._out, self._width = manifest, job, out, width
        self._batches: list[Batch] = []
        self._vectors: list[np.ndarray[Any, Any]] = []

    def add(self, batch: Batch, vectors: torch.Tensor) -> None:
        """Take one batch with the embeddings (n, D) of those images that could be read."""
        self._batches.append(batch)
        self._vectors.append(vectors.to("cpu", torch.float32).numpy())
        part = batch.rows.start // self._job.rows_a_part
        if batch.rows.stop == self._job.rows_of(part).stop:
            self._write(part)

    def _write(self, part: int) -> None:
        rows = [row for batch in self._batches for row, read in zip(batch.rows, batch.read, strict=True) if read]
        rejected = [pair for batch in self._batches for pair in self._rejected(batch)]
        vectors = np.concatenate([np.zeros((0, self._width), np.float32), *self._vectors]).astype(self._job.dtype)
        path = embeddings.part_path(self._out, part)
        embeddings.write_part(path, self._manifest.table.take(rows), vectors, rejected)
        self._batches, self._vectors = [], []

    def _rejected(self, batch: Batch) -> list[embeddings.Rejected]:
        failed = [row for row, read in zip(batch.rows, batch.read, strict=True) if not read]
        names = [str(self._manifest.table["image"][row].as_py()) for row in failed]
        return list(zip(names, batch.reasons, strict=True))


def _complete(out: Path, manifest: Manifest, encoder: Encoder, job: Job, rejected: list[embeddings.Rejected]) -> None:
    """Write `_rejected.csv` and the facts; from now on the folder counts as finished."""
    if read_json(out / embeddings.FACTS_NAME).get("complete"):
        return
    embeddings.write_rejected(out, rejected)
    facts = {
        "job": asdict(job),
        "complete": True,
        "encoder": encoder.name,
        "encoder_hash": job.encoder_hash,
        "untrained": not encoder.facts.trained,
        "width": encoder.width,
        "contract": encoder.contract.to_json(),
        "data_set": manifest.data_set,
        "root": str(manifest.root),
        "cautions": cautions(encoder, manifest),
        "simulated": bool(manifest.facts.get("simulated")),
        "profile": job.profile,
        "fit": job.fit,
        "image_size": job.image_size,
        "precision": job.precision,
        "engine": job.engine,
        "images": job.rows - len(rejected),
        "rejected": len(rejected),
        "versions": {"remedis": __version__, "torch": str(torch.__version__), "numpy": np.__version__},
    }
    write_json(out / embeddings.FACTS_NAME, facts)
