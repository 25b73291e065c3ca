"""A program that trains one step in several processes and writes down what each of them finds.

    python several_processes.py PROCESSES FOLDER

`test_distributed.py` calls it and calls the functions of the cases itself, in one process on the whole batch.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import torch
from torch import Tensor, multiprocessing, nn
from torch.nn.parallel import DistributedDataParallel

from remedis.errors import UsageError
from remedis.train import distributed
from remedis.train.heads import ProjectionHead, ScaleNorm
from remedis.train.ntxent import ntxent

Found = dict[str, Tensor]

IMAGES = 8
IDS = torch.tensor([4, 1, 2, 1, 4, 5, 6, 1])


class Network(nn.Module):
    """Two convolutions with norms and a projection head, float64, its norms' weights no ones and zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(2, 3, 3, bias=False),
            nn.BatchNorm2d(3, momentum=0.3),
            nn.ReLU(),
            nn.Conv2d(3, 4, 2),
            nn.BatchNorm2d(4),
            nn.ReLU(inplace=True),
        )
        self.head = ProjectionHead("nonlinear", 4, dim=5)
        self.double()
        generator = torch.Generator().manual_seed(1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.5 + 0.2)

    def forward(self, x: Tensor) -> Tensor:
        projections: Tensor = self.head(self.backbone(x).mean((2, 3)))
        return projections


def images(seed: int = 2) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    first, second = torch.randn(2, IMAGES, 2, 6, 6, generator=generator, dtype=torch.float64)
    return first, second + first


def own(x: Tensor) -> Tensor:
    """This process's share of the batch."""
    return x.chunk(distributed.world())[distributed.rank()]


def step(*, ids: Tensor | None = None, tile: int | None = None, wrap: bool = False) -> Found:
    """Return the loss and its gradients as means over the processes, and the norms' buffers as they are here."""
    network = distributed.synchronised(Network())
    callable_network: nn.Module = DistributedDataParallel(network) if wrap else network
    x1, x2 = (own(x) for x in images())
    h1, h2 = callable_network(torch.cat((x1, x2))).chunk(2)
    found = ntxent(h1, h2, temperature=0.3, ids=None if ids is None else own(ids), tile=tile)
    found.loss.backward()
    result = {name: distributed.mean(getattr(found, name)) for name in ("loss", "accuracy", "entropy")}
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        result[f"gradient of {name}"] = parameter.grad if wrap else distributed.mean(parameter.grad)
    return result | {f"buffer {name}": buffer for name, buffer in network.named_buffers()}


@contextmanager
def a_gather_without_gradient() -> Iterator[None]:
    true_gather = distributed.gather

    def detached(x: Tensor) -> Tensor:
        return true_gather(x.detach())

    with mock.patch.object(distributed, "gather", detached):
        yield


def step_detached() -> Found:
    """The mistake that many programs make: this process's own views keep their gradient as anchors alone."""
    with a_gather_without_gradient():
        return step()


def with_activation() -> nn.Module:
    from timm.layers import BatchNormAct2d

    made: nn.Module = BatchNormAct2d(3)
    return made


# of the norms, each with the shape that it takes; processes have different numbers of rows
NORMS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "plain 1d": (lambda: nn.BatchNorm1d(3, momentum=0.5), (IMAGES, 3)),
    "1d with length": (lambda: nn.BatchNorm1d(3), (IMAGES, 3, 4)),
    "2d": (lambda: nn.BatchNorm2d(3, eps=0.1), (IMAGES, 3, 2, 2)),
    "scale alone": (lambda: ScaleNorm(3), (IMAGES, 3)),
    "without weights": (lambda: nn.BatchNorm2d(3, affine=False), (IMAGES, 3, 2, 2)),
    "cumulative": (lambda: nn.BatchNorm1d(3, momentum=None), (IMAGES, 3)),
    "without running statistics": (lambda: nn.BatchNorm1d(3, track_running_stats=False).eval(), (IMAGES, 3)),
    "in evaluation": (lambda: nn.BatchNorm2d(3).eval(), (IMAGES, 3, 2, 2)),
    "with an activation": (with_activation, (IMAGES, 3, 2, 2)),
}


def uneven(x: Tensor) -> Tensor:
    bounds = {1: [0, 8], 2: [0, 3, 8], 4: [0, 1, 4, 6, 8]}[distributed.world()]
    return x[bounds[distributed.rank()] : bounds[distributed.rank() + 1]]


def norm(name: str) -> Found:
    """Return two passes' outputs of the whole batch, the gradients of a weighted sum, and the buffers."""
    make, shape = NORMS[name]
    generator = torch.Generator().manual_seed(3)
    module = make().double()
    with torch.no_grad():
        for tensor in [*module.parameters(), *(b for b in module.buffers() if b.is_floating_point())]:
            tensor.copy_(torch.rand(tensor.shape, generator=generator, dtype=torch.float64) + 0.5)
    names = list(module.state_dict())
    module = distributed.synchronised(module)
    assert list(module.state_dict()) == names
    x, weights = (torch.randn(2, *shape, generator=generator, dtype=torch.float64) * 2 + 1 for _ in range(2))
    module(uneven(x[0]))
    mine = uneven(x[1]).clone().requires_grad_()
    out = module(mine)
    (out * uneven(weights[0])).sum().backward()
    assert mine.grad is not None
    result = {"out": out.detach(), "gradient": mine.grad}
    for parameter_name, parameter in module.named_parameters():
        assert parameter.grad is not None
        result[parameter_name] = distributed.mean(parameter.grad) * distributed.world()
    return result | dict(module.named_buffers())


def half_precision() -> Found:
    """Return what a norm in float32 makes of bfloat16 images far from 0, and its gradient's kind."""
    generator = torch.Generator().manual_seed(4)
    x = own(torch.randn(IMAGES, 3, 4, 4, generator=generator) + 100).bfloat16().requires_grad_()
    module = distributed.synchronised(nn.BatchNorm2d(3, momentum=1.0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = module(x)
    out.float().square().sum().backward()
    assert x.grad is not None
    assert (out.dtype, x.grad.dtype) == (torch.bfloat16, torch.bfloat16)
    return {"x": x.detach(), "out": out.detach()} | dict(module.named_buffers())


class Foreign(nn.BatchNorm2d):
    """A norm that does more than a norm."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + 1


def facts() -> dict[str, object]:
    """Return what is no tensor of a training."""
    try:
        distributed.synchronised(nn.Sequential(Foreign(3)))
        refusal = ""
    except UsageError as error:
        refusal = str(error)
    rank = distributed.rank()
    return {
        "rank": rank,
        "world": distributed.world(),
        "largest": distributed.largest([3, 9, 2, 4][rank]),
        "mean": distributed.mean(torch.tensor([float(rank), 1.0], requires_grad=True)).tolist(),
        "gathered": distributed.gather(torch.tensor([[rank, 7], [rank, 8]])).tolist(),
        "refusal": refusal,
        "norms": norms_of_a_resnet(),
    }


def norms_of_a_resnet() -> list[tuple[str, float, bool]]:
    """Return each norm's class, momentum and whether it trains, of ResNet-50 with its head."""
    from remedis.models.architectures import architecture, build_empty
    from remedis.models.contract import Contract

    with torch.device("meta"):
        whole = nn.ModuleList(
            (build_empty(architecture("resnet50"), Contract()), ProjectionHead("nonlinear", 2048, layers=2, style="v2"))
        )
    for module in whole.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 0.5
    norms = [m for m in distributed.synchronised(whole).modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    return [(type(each).__name__, each.momentum or 0.0, each.training) for each in norms]


def cases() -> dict[str, Callable[[], Found]]:
    """Return what is compared between one process and several, by name."""
    made: dict[str, Callable[[], Found]] = {
        "step": step,
        "step, patients": lambda: step(ids=IDS),
        "step, tiles": lambda: step(ids=IDS, tile=3),
    }
    return made | {f"norm, {name}": lambda name=name: norm(name) for name in NORMS}


def _process(rank: int, world: int, folder: str) -> None:
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    torch.set_num_threads(1)
    distributed.start("cpu")
    found = {name: case() for name, case in cases().items()}
    found["step, wrapped"] = step(wrap=True)
    found["step, detached"] = step_detached()
    found["half precision"] = half_precision()
    torch.save({"facts": facts(), "found": found}, Path(folder) / f"{rank}.pt")
    distributed.stop()
    assert distributed.world() == 1


if __name__ == "__main__":
    with_activation(), norms_of_a_resnet()  # imports before the processes part, once for all of them
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ |= {"WORLD_SIZE": sys.argv[1], "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    multiprocessing.start_processes(
        _process, (int(sys.argv[1]), sys.argv[2]), nprocs=int(sys.argv[1]), start_method="fork"
    )
