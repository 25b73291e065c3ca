"""Images of a manifest as square integer batches, decoded and resized in worker processes.

A worker gets descriptions of a few rows, never the manifest: nothing per image is kept. Workers are spawned, since
polars and torch's threads do not survive a fork.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from remedis.data.manifest import Manifest, Source
from remedis.data.readers import read_source
from remedis.data.resize import resize
from remedis.errors import RemedisError, StoppedError

_GRACE = 20  # seconds that a worker stays after SIGTERM


@dataclass(frozen=True)
class View:
    """How an image becomes the square that a network takes.

    Attributes:
        profile: Name of the profile that makes pixels of stored values.
        size: S, side of the square in pixels.
        fit: `squash` (resized whole), `pad` or `crop`.
    """

    profile: str
    size: int
    fit: str


@dataclass(frozen=True)
class Batch:
    """Some rows of a manifest.

    Attributes:
        rows: The rows' numbers, the rejected included.
        images: (n, S, S, 3) uint8 or uint16, of the rows that could be read, in order.
        read: For each row whether it could be read.
        reasons: Why not, for the others, in order.
    """

    rows: range
    images: torch.Tensor
    read: list[bool]
    reasons: list[str]


class Loader:
    """Iterates over batches of rows and keeps the time spent waiting for them.

    Args:
        manifest: The rows.
        batches: Ranges of rows, one a batch.
        view: What each image becomes.
        workers: Processes that read; 0 reads in this one.
    """

    def __init__(self, manifest: Manifest, batches: Sequence[range], view: View, *, workers: int) -> None:
        self.seconds_waited = 0.0
        self._loader: DataLoader[Any] = DataLoader(
            _Reading(view),
            sampler=_Plan(manifest, batches),
            batch_size=None,
            num_workers=workers,
            multiprocessing_context="spawn" if workers else None,
            prefetch_factor=4 if workers else None,
            worker_init_fn=EndWith(os.getpid()),
            collate_fn=_as_batch,  # type: ignore[arg-type]  # gets one item, as there is no batch size
        )

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches in order."""
        iterator = iter(self._loader)
        while True:
            start = time.monotonic()
            batch = following(iterator)
            self.seconds_waited += time.monotonic() - start
            if batch is None:
                return
            yield batch


def following(iterator: Iterator[Any]) -> Any:
    """Return a loader's next item, None at its end.

    Raises:
        StoppedError: A worker was killed, most often for the memory it took.
    """
    try:
        return next(iterator, None)
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise StoppedError(
            "a process that reads images was killed, perhaps for want of memory; what was finished is kept, the same "
            "command with fewer --workers (or 0) goes on"
        ) from error


@dataclass(frozen=True)
class EndWith:
    """Ends a worker when the process that started it is gone.

    torch's workers look whether their parent changed since they began to work; one whose parent was killed while it
    still started up has the new parent from the beginning, and would wait for ever.
    """

    parent: int

    def __call__(self, _worker: int) -> None:
        """Begin to watch, in a worker that has just started."""
        # Ctrl-C and a scheduler's SIGTERM reach the workers too; the process that reads from them decides what is
        # finished first, and needs them until then
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: threading.Timer(_GRACE, os._exit, (1,)).start())
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while os.getppid() == self.parent:
            time.sleep(1)
        os._exit(1)


class _Plan:
    """The descriptions of each batch's rows, made when they are asked for."""

    def __init__(self, manifest: Manifest, batches: Sequence[range]) -> None:
        self._manifest, self._batches = manifest, batches

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[tuple[range, list[Source]]]:
        for rows in self._batches:
            yield rows, self._manifest.sources(rows)


class _Reading(Dataset[Any]):
    """Runs in the workers: reads and resizes the images of one batch."""

    def __init__(self, view: View) -> None:
        self._view = view

    def __getitem__(self, task: tuple[range, list[Source]]) -> tuple[range, npt.NDArray[Any], list[bool], list[str]]:
        rows, sources = task
        images: list[npt.NDArray[Any]] = []
        reasons: list[str] = []
        read = []
        for source in sources:
            found = read_square(source, self._view)
            read.append(not isinstance(found, str))
            if isinstance(found, str):
                reasons.append(found)
            else:
                images.append(found)
        return rows, stack(images, self._view.size), read, reasons


def _as_batch(item: tuple[range, npt.NDArray[Any], list[bool], list[str]]) -> Batch:
    rows, images, read, reasons = item
    return Batch(rows=rows, images=torch.from_numpy(images), read=read, reasons=reasons)


def read_square(source: Source, view: View) -> npt.NDArray[Any] | str:
    """Return one image as (S, S, 3) uint8 or uint16, or the reason why it cannot be had."""
    try:
        image = read_source(source, view.profile)
    except RemedisError as error:
        return str(error)
    except (OSError, MemoryError) as error:
        return f"{source.path}: {error}"
    if image.pixels.ndim != 3:
        return f"{source.path}: {len(image.pixels)} frames where one was expected; index the folder for a row a frame"
    return resize(image.pixels, view.size, view.fit)


def stack(images: Sequence[npt.NDArray[Any]], size: int) -> npt.NDArray[Any]:
    """Return (n, S, S, 3); uint16 where any image is, an 8-bit value v among them as 257 v, which is v/255 exactly."""
    if not images:
        return np.zeros((0, size, size, 3), dtype=np.uint8)
    if len({image.dtype for image in images}) > 1:
        images = [image.astype(np.uint16) * 257 if image.dtype == np.uint8 else image for image in images]
    return np.stack(images)
