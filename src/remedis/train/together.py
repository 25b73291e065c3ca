"""What processes tell each other in words, and what one of them does for all."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from remedis.errors import FolderError, RemedisError, StoppedError
from remedis.train.distributed import device, gather, largest, rank, world


def union(found: Mapping[int, str]) -> dict[int, str]:
    """Return the entries of all processes."""
    if world() == 1:
        return dict(found)
    words = json.dumps({str(key): value for key, value in found.items()}).encode()
    length = largest(len(words))
    padded = torch.frombuffer(bytearray(words.ljust(length)), dtype=torch.uint8).to(device())
    rows = gather(padded[None]).cpu()
    texts = [bytes(row.tolist()).decode() for row in rows]
    return {int(key): value for text in texts for key, value in json.loads(text).items()}


def claimed(claim: Callable[[], None], where: Path) -> None:
    """Let the first process take a folder, and the others wait for its word that it could.

    Raises:
        RemedisError: It could not; in the first process with the reason.
    """
    refused: RemedisError | None = None
    if rank() == 0:
        try:
            claim()
        except RemedisError as error:
            refused = error
    if largest(int(refused is not None)):
        raise refused or FolderError("the first process could not take the folder, see its message", where=where)


def by_first(action: Callable[[], None], where: Path) -> None:
    """Let the first process act, and the others wait for its word that it could.

    Raises:
        StoppedError: It could not; in the first process with the reason.
    """
    failure: StoppedError | None = None
    if rank() == 0:
        try:
            action()
        except StoppedError as error:
            failure = error
    if largest(int(failure is not None)):
        raise failure or StoppedError("the first process could not write, see its message", where=where)
