"""A program: one step of a whole network, alone or as one of several processes; the first writes what came of it.

python whole_networks.py NETWORK DTYPE CHUNK OUT        (CHUNK 0: the whole batch at once)
torchrun --nproc-per-node 4 whole_networks.py …
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from remedis.models.architectures import architecture, build_random
from remedis.models.contract import Contract
from remedis.train import distributed
from remedis.train.heads import ProjectionHead
from remedis.train.simclr import Objective, SimCLR, loss_and_gradients

IMAGES = 8


def main(network: str, dtype: str, chunk: int, out: Path) -> None:
    distributed.start("cpu")
    precision = getattr(torch, dtype)
    backbone = build_random(architecture(network), Contract(size=32), 0)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():  # a block's last norm starts at zero, and most weights would have no gradient
        for weight in backbone.parameters():
            if weight.ndim == 1:
                weight.add_(0.3 * torch.rand(weight.shape, generator=generator))
    head = ProjectionHead("nonlinear", backbone.width, 16)
    head.initialise(torch.Generator().manual_seed(1))
    model = SimCLR(backbone, head).to(precision).train()
    model = distributed.synchronised(model)  # type: ignore[assignment]
    views = torch.rand(2, IMAGES, 3, 32, 32, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    n, rank = IMAGES // distributed.world(), distributed.rank()
    first, second = (view[rank * n : (rank + 1) * n].to(precision) for view in views)
    ids = torch.arange(IMAGES)[rank * n : (rank + 1) * n]
    objective = Objective(0.2, chunk=chunk or None)
    values = loss_and_gradients(model.parallel(), (first, second), ids, None, objective)
    if rank == 0:
        found = {name: weight.grad.double() for name, weight in model.named_parameters() if weight.grad is not None}
        save_file({**found, "loss": values["loss"].double()}, out)
    distributed.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
