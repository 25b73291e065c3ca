"""A program: a step of a whole network on several batches, alone or as one of several processes; the first writes what
came of it.

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

IMAGES, SIZE, BATCHES = 8, 16, 5


def main(network: str, dtype: str, chunk: int, out: Path) -> None:
    distributed.start("cpu")
    precision = getattr(torch, dtype)
    backbone = build_random(architecture(network), Contract(size=SIZE), 0)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():  # a block's last norm starts at zero, and most weights would have no gradient
        for weight in backbone.parameters():
            if weight.ndim == 1:
                weight.add_(0.3 * torch.rand(weight.shape, generator=generator))
    head = ProjectionHead("nonlinear", backbone.width, 16)
    head.initialise(torch.Generator().manual_seed(1))
    model = SimCLR(backbone, head).to(precision).train()
    model = distributed.synchronised(model)  # type: ignore[assignment]
    parallel = model.parallel()
    n, rank = IMAGES // distributed.world(), distributed.rank()
    ids = torch.arange(IMAGES)[rank * n : (rank + 1) * n]
    found = {}
    for batch in range(BATCHES):
        dice = torch.Generator().manual_seed(batch)
        views = torch.rand(2, IMAGES, 3, SIZE, SIZE, generator=dice, dtype=torch.float64)
        first, second = (view[rank * n : (rank + 1) * n].to(precision) for view in views)
        model.zero_grad(set_to_none=True)
        values = loss_and_gradients(parallel, (first, second), ids, None, Objective(0.2, chunk=chunk or None))
        found[f"{batch}/loss"] = values["loss"].double()
        for name, weight in model.named_parameters():
            if weight.grad is not None:
                found[f"{batch}/{name}"] = weight.grad.double()
    if rank == 0:
        save_file(found, out)
    distributed.stop()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
