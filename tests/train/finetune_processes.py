"""A program that fine-tunes a small network in several processes and writes down what the first one finds.

    python finetune_processes.py PROCESSES FOLDER

`test_finetune_processes.py` calls it and calls the cases itself, in one process on the whole batch.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from finetune_tasks import TinyBiT, TinyResNet, double_task, stepped
from torch import Tensor, multiprocessing

from remedis.train import distributed
from remedis.train.judge import Verdict

CASES: dict[str, Callable[[tuple[int, int]], dict[str, Tensor]]] = {
    "bit": lambda share: stepped(double_task(TinyBiT, share=share), 2),
    "bit, mixed and weighted": lambda share: stepped(
        double_task(TinyBiT, share=share, mixup=0.4, class_weights="balanced")
    ),
    "bit, in parts": lambda share: stepped(double_task(TinyBiT, share=share, plan={"parts": 2})),
    "bit, recomputed and half frozen": lambda share: stepped(
        double_task(TinyBiT, share=share, plan={"recompute": True}, fine_tune_after_block=2)
    ),
    "head": lambda share: stepped(double_task(TinyBiT, share=share, fine_tune_after_block=4), 2),
    "resnet": lambda share: stepped(double_task(TinyResNet, share=share), 2),
    "resnet, half frozen": lambda share: stepped(double_task(TinyResNet, share=share, fine_tune_after_block=2), 2),
}


class Written:
    """A folder that notes what was put where."""

    path = Path("nowhere")

    def __init__(self) -> None:
        self.names: list[str] = []

    def put(self, name: str, write: object) -> None:
        self.names.append(name)


def judged(share: tuple[int, int]) -> dict[str, object]:
    """Return what each process makes of three verdicts, which the first one hears alone."""
    task = double_task(TinyBiT, share=share, patience=1)
    folder = Written()
    task._folder = folder  # type: ignore[assignment]
    task._judge = object()  # type: ignore[assignment]
    verdicts = iter([Verdict(0.7, 1.0, 3), Verdict(0.8, 1.0, 3), Verdict(0.8, 1.5, 3)])
    task._ask = lambda: next(verdicts) if share[0] == 0 else Verdict(0.0, 0.0, 0)  # type: ignore[method-assign]
    lines, over = [], []
    for step in range(3):
        lines.append(task.evaluate(step))
        over.append(task.is_over)
    return {"lines": lines, "over": over, "best": task.tensors()["best"].tolist(), "put": folder.names}


def found(share: tuple[int, int]) -> dict[str, object]:
    torch.set_default_dtype(torch.float64)
    try:
        return {"steps": {name: case(share) for name, case in CASES.items()}, "judged": judged(share)}
    finally:
        torch.set_default_dtype(torch.float32)


def _process(rank: int, world: int, folder: str) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    torch.set_num_threads(1)
    distributed.start("cpu")
    torch.save(found((rank, world)), Path(folder) / f"{rank}.pt")
    distributed.stop()


if __name__ == "__main__":
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"WORLD_SIZE": sys.argv[1], "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    multiprocessing.start_processes(
        _process, (int(sys.argv[1]), sys.argv[2]), nprocs=int(sys.argv[1]), start_method="fork"
    )
