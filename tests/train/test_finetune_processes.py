"""Two processes fine-tune as one does on the whole batch: float64, small BiT and ResNet."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import finetune_processes
import pytest
import torch
from finetune_tasks import furthest

Found = dict[str, Any]


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    folder = tmp_path_factory.mktemp("ranks")
    environment = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}
    program = [sys.executable, finetune_processes.__file__, "2", str(folder)]
    subprocess.run(program, check=True, env=environment | {"OMP_NUM_THREADS": "1"}, timeout=600)
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.fixture(scope="module")
def alone() -> Found:
    return finetune_processes.found((0, 1))


@pytest.mark.parametrize("case", list(finetune_processes.CASES))
def test_two_processes_find_what_one_finds(ranks: list[Found], alone: Found, case: str) -> None:
    """Loss, gradients, weights and running statistics; the processes have unlike numbers of known labels."""
    for rank in ranks:
        assert furthest(rank["steps"][case], alone["steps"][case]) < 1e-9


def test_all_processes_know_the_verdict_and_the_first_alone_writes(ranks: list[Found], alone: Found) -> None:
    one = alone["judged"]
    assert one["over"] == [False, False, True]
    assert one["best"] == [0.8, -1.0]
    assert [rank["judged"]["over"] for rank in ranks] == [one["over"]] * 2
    assert [rank["judged"]["best"] for rank in ranks] == [one["best"]] * 2
    assert [rank["judged"]["put"] for rank in ranks] == [["best", "best"], []]
    assert [len(line) for line in ranks[0]["judged"]["lines"]] == [3, 3, 3]
    assert ranks[1]["judged"]["lines"] == [{}, {}, {}]
