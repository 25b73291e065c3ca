"""A batch through a network in pieces, several at once, each on cores of its own.

Threads that share the arithmetic of one layer wait for each other at every layer, and all of them wait where another
program takes the core of one; threads with images of their own do not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

SMALLEST_PIECE = 4  # images; with fewer, reading the weights takes longer than what is done with them

_one_batch_at_a_time = threading.Lock()  # the number of threads is one for the whole process


@dataclass(frozen=True)
class Plan:
    """How a batch is shared out.

    Attributes:
        members: Pieces that are worked on at once.
        cores: Threads that each of them has.
        pieces: How many there are in all, a multiple of `members`.
    """

    members: int
    cores: int
    pieces: int


def plan(images: int, threads: int, most: int) -> Plan:
    """Return how `images`, at least 1, are shared among `threads`, at most `most` of them in a piece."""
    members = max(1, min(threads, images // SMALLEST_PIECE))
    turns = -(-images // (members * most))
    return Plan(members, threads // members, min(images, members * turns))


class Team:
    """Takes batches through `work`, the pieces on threads of their own.

    Args:
        work: From some images to their rows, a row an image whatever the others are; called without autograd.

    The values depend on the batch and on torch's number of threads, which is as before after each call.
    """

    def __init__(self, work: Callable[[Tensor], Tensor]) -> None:
        self._work = work
        self._plan = Plan(0, 0, 0)
        self._pool: ThreadPoolExecutor | None = None

    def __call__(self, images: Tensor, most: int) -> Tensor:
        """Return the rows of all images, at least one, in order, at most `most` images in a piece."""
        with _one_batch_at_a_time:
            threads = torch.get_num_threads()
            shared = plan(len(images), threads, most)
            pieces = torch.tensor_split(images, shared.pieces)
            if shared.members == 1:
                return torch.cat([self._work(piece) for piece in pieces])
            torch.set_num_threads(shared.cores)  # of the libraries that have one number for all threads
            try:
                return torch.cat(list(self._threads(shared).map(self._work, pieces)))
            finally:
                torch.set_num_threads(threads)

    def _threads(self, shared: Plan) -> ThreadPoolExecutor:
        if self._pool is None or (shared.members, shared.cores) != (self._plan.members, self._plan.cores):
            if self._pool is not None:
                self._pool.shutdown()
            self._pool = ThreadPoolExecutor(
                shared.members, "remedis-encode", initializer=torch.set_num_threads, initargs=(shared.cores,)
            )
            self._plan = shared
        return self._pool
