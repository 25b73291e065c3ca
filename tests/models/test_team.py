"""Pieces on several threads: the same rows in the same order, and torch's number of threads as it was."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor

from remedis.models.accelerate import prepare
from remedis.models.contract import Contract
from remedis.models.encoder import Encoder
from remedis.models.staged import Staged
from remedis.models.team import Team, plan


@pytest.fixture
def four_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 2, 3, 4, 16, 64])
@pytest.mark.parametrize("images", [1, 2, 3, 7, 8, 31, 32, 33, 500])
@pytest.mark.parametrize("most", [1, 8, 100])
def test_every_plan_keeps_its_limits(images: int, threads: int, most: int) -> None:
    shared = plan(images, threads, most)
    assert 1 <= shared.pieces <= images
    assert -(-images // shared.pieces) <= most
    assert shared.members * shared.cores <= threads
    assert shared.members == 1 or images // shared.members >= 4
    assert shared.pieces % shared.members == 0 or shared.pieces == images


def test_two_cores_share_a_batch_of_32_in_pieces_of_8() -> None:
    shared = plan(32, threads=2, most=8)
    assert (shared.members, shared.cores, shared.pieces) == (2, 1, 4)


@pytest.mark.usefixtures("four_threads")
def test_rows_come_in_order_from_several_threads_with_cores_of_their_own() -> None:
    seen: set[tuple[str, int]] = set()
    meeting = threading.Barrier(2, timeout=20)  # fails unless two pieces are worked on at once

    def work(piece: Tensor) -> Tensor:
        meeting.wait()
        seen.add((threading.current_thread().name, torch.get_num_threads()))
        return piece.float() * 2

    images = torch.arange(8)
    assert torch.equal(Team(work)(images, most=8), images.float() * 2)
    assert len(seen) == 2
    assert {cores for _, cores in seen} == {2}
    assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("four_threads")
def test_a_failure_reaches_the_caller_and_the_threads_are_as_before() -> None:
    def work(piece: Tensor) -> Tensor:
        raise ValueError("no")

    for images in (1, 16):
        with pytest.raises(ValueError, match="no"):
            Team(work)(torch.arange(images), most=2)
        assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("four_threads")
def test_callers_on_several_threads_wait_for_each_other() -> None:
    at_work: list[int] = []
    most_at_once: list[int] = []

    def work(piece: Tensor) -> Tensor:
        at_work.append(1)
        most_at_once.append(len(at_work))
        threading.Event().wait(0.02)
        at_work.pop()
        return piece

    teams = [Team(work) for _ in range(4)]
    callers = [threading.Thread(target=team, args=(torch.arange(8), 8)) for team in teams]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert max(most_at_once) == 2  # the two members of one team
    assert torch.get_num_threads() == 4


def test_the_number_of_threads_changes_no_more_than_the_order_of_sums(
    shaken: Callable[..., Staged], distance: Callable[[Tensor, Tensor], float]
) -> None:
    contract = Contract(size=32)
    fast = prepare(Encoder(shaken("resnet18-cifar", contract), contract, "small"))
    images = torch.randint(0, 256, (12, 32, 32, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 3, 3):
            torch.set_num_threads(threads)
            found.append(fast(images))
    finally:
        torch.set_num_threads(before)
    assert distance(found[1], found[0]) < 1e-5
    assert torch.equal(found[1], found[2])
