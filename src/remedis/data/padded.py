"""Images of chosen rows at their own sizes, decoded in worker processes: what views are cut from.

A worker gets descriptions of a few rows, never the manifest. Rows come in whatever order the caller asks for, and the
images of one reading lie in one array, padded with black at the right and the bottom.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import DataLoader, Dataset

from remedis.data.loader import EndWith, following
from remedis.data.manifest import Manifest, Source
from remedis.data.readers import read_source
from remedis.data.resize import shrink
from remedis.errors import RemedisError, StoppedError

Rows = npt.NDArray[np.int64]
MOST_TRIES = 100  # neighbours that are tried in an unreadable image's place


@dataclass(frozen=True)
class Padded:
    """Some images, each in the upper left corner of its plane.

    Attributes:
        rows: (n,) the rows whose images these are; where an image could not be read, its place has the next one's.
        images: (n, H, W, 3) uint8, H and W of the largest.
        heights: (n,) int64, the true heights.
        widths: (n,) int64, the true widths.
    """

    rows: torch.Tensor
    images: torch.Tensor
    heights: torch.Tensor
    widths: torch.Tensor


@dataclass(frozen=True)
class Reading:
    """How an image is read.

    Attributes:
        profile: Name of the profile that makes pixels of stored values.
        shortest: Images whose shorter side is longer than this many pixels are shrunk to it; a view is cut from less
            than the whole, so this is a few times the view's side.
    """

    profile: str
    shortest: int


class PaddedLoader:
    """Iterates over readings of rows and keeps the time spent waiting and what could not be read.

    An image that cannot be read is named in `rejected`, and the next row's stands in its place, by row number alone, so
    that the images of a run do not depend on batches, workers or processes.

    Args:
        manifest: The rows.
        readings: Row numbers, one array for each reading, at most a few dozen.
        how: How each image is read.
        workers: Processes that read; 0 reads in this one.
    """

    def __init__(self, manifest: Manifest, readings: Iterable[Rows], how: Reading, *, workers: int) -> None:
        self.seconds_waited = 0.0
        self.rejected: dict[int, str] = {}
        self._manifest, self._how = manifest, how
        self._loader: DataLoader[Any] = DataLoader(
            _Readings(how),
            sampler=_Plan(manifest, readings),
            batch_size=None,
            num_workers=workers,
            multiprocessing_context="spawn" if workers else None,
            prefetch_factor=4 if workers else None,
            worker_init_fn=EndWith(os.getpid()),
            collate_fn=_unchanged,
        )

    def __iter__(self) -> Iterator[Padded]:
        """Yield the readings in order."""
        iterator = iter(self._loader)
        while True:
            start = time.monotonic()
            found = following(iterator)
            if found is not None:
                batch = self._complete(*found)
            self.seconds_waited += time.monotonic() - start
            if found is None:
                return
            yield batch

    def _complete(self, rows: Rows, images: list[npt.NDArray[np.uint8] | str]) -> Padded:
        used = rows.copy()
        for place, found in enumerate(images):
            if isinstance(found, str):
                self.rejected.setdefault(int(rows[place]), found)
                used[place], images[place] = self._next_readable(int(rows[place]))
        return padded(used, [image for image in images if not isinstance(image, str)])

    def _next_readable(self, row: int) -> tuple[int, npt.NDArray[np.uint8]]:
        for step in range(1, min(MOST_TRIES, len(self._manifest))):
            other = (row + step) % len(self._manifest)
            if other in self.rejected:
                continue
            found = read_image(self._manifest.sources(range(other, other + 1))[0], self._how)
            if not isinstance(found, str):
                return other, found
            self.rejected[other] = found
        raise StoppedError(
            f"{len(self.rejected):,} images could not be read, the first: {next(iter(self.rejected.values()))}; "
            "remedis index check names them"
        )


class _Plan:
    """The descriptions of each reading's rows, made when they are asked for."""

    def __init__(self, manifest: Manifest, readings: Iterable[Rows]) -> None:
        self._manifest, self._readings = manifest, readings

    def __iter__(self) -> Iterator[tuple[Rows, list[Source]]]:
        for rows in self._readings:
            yield rows, self._manifest.sources_of(rows)


class _Readings(Dataset[Any]):
    """Runs in the workers."""

    def __init__(self, how: Reading) -> None:
        self._how = how

    def __getitem__(self, task: tuple[Rows, list[Source]]) -> tuple[Rows, list[npt.NDArray[np.uint8] | str]]:
        rows, sources = task
        return rows, [read_image(source, self._how) for source in sources]


def _unchanged(item: Any) -> Any:
    return item


def read_image(source: Source, how: Reading) -> npt.NDArray[np.uint8] | str:
    """Return one image as (H, W, 3) uint8, or the reason why it cannot be had; 16 bits are rounded to 8."""
    try:
        image = read_source(source, how.profile)
    except RemedisError as error:
        return str(error)
    except (OSError, MemoryError) as error:
        return f"{source.path}: {error}"
    pixels = image.pixels
    if pixels.ndim != 3:
        return f"{source.path}: {len(pixels)} frames where one was expected; index the folder for a row a frame"
    if pixels.dtype == np.uint16:
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return shrink(np.asarray(pixels, np.uint8), how.shortest)


def padded(rows: Rows, images: list[npt.NDArray[np.uint8]]) -> Padded:
    """Return images of several sizes, at least one, in one array."""
    sizes = np.array([image.shape[:2] for image in images], np.int64)
    height, width = sizes.max(axis=0)
    whole = np.zeros((len(images), int(height), int(width), 3), np.uint8)
    for plane, image in zip(whole, images, strict=True):
        plane[: image.shape[0], : image.shape[1]] = image
    return Padded(
        torch.from_numpy(rows), torch.from_numpy(whole),
        torch.from_numpy(sizes[:, 0].copy()), torch.from_numpy(sizes[:, 1].copy()),
    )  # fmt: skip


class Cache:
    """The images of a manifest, decoded once and kept in memory, one after the other.

    Args:
        loader: Readings of all rows, in order.
        rows: N, how many there are.
    """

    def __init__(self, loader: PaddedLoader, rows: int) -> None:
        self._starts, self._sizes = np.zeros(rows + 1, np.int64), np.zeros((rows, 2), np.int64)
        self._used = np.zeros(rows, np.int64)
        planes, place = [], 0
        for batch in loader:
            for image, used, size in zip(
                batch.images, batch.rows, zip(batch.heights, batch.widths, strict=True), strict=True
            ):
                height, width = (int(side) for side in size)
                planes.append(image[:height, :width].reshape(-1).numpy())
                self._sizes[place], self._used[place] = (height, width), int(used)
                self._starts[place + 1] = self._starts[place] + height * width * 3
                place += 1
        self._bytes = np.concatenate(planes)

    def read(self, rows: Rows) -> Padded:
        """Return the images of some rows, as a loader would."""
        images = [self._bytes[self._starts[row] : self._starts[row + 1]].reshape(*self._sizes[row], 3) for row in rows]
        return padded(self._used[rows], images)
