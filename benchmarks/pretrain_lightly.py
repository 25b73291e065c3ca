"""lightly's SimCLR on a folder of images, for benchmarks/pretrain.py; runs in an environment of its own.

    PYTHONPATH=src LIGHTLY_VENV/bin/python benchmarks/pretrain_lightly.py FOLDER --batch 128 --steps 6 --precision fp32

The network is ours (BiT R26x1, which lightly lacks); views, head, loss and loop are lightly's own. Prints one line of
JSON.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import torch
from lightly.data import LightlyDataset
from lightly.loss import NTXentLoss
from lightly.models.modules import SimCLRProjectionHead
from lightly.transforms import SimCLRTransform

from remedis.models.bit import BiT


def main() -> None:
    """Train some steps and print images a second and the peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    options = parser.parse_args()
    transform = SimCLRTransform(input_size=options.size, gaussian_blur=0.0, cj_strength=0.5, rr_degrees=45, hf_prob=0.0)
    loader = torch.utils.data.DataLoader(
        LightlyDataset(options.folder, transform=transform), batch_size=options.batch, shuffle=True, drop_last=True,
        num_workers=1,
    )  # fmt: skip
    network = BiT(26)
    network.initialise(torch.Generator().manual_seed(0))
    head, criterion = SimCLRProjectionHead(2048, 2048, 128), NTXentLoss(temperature=0.2)
    optimizer = torch.optim.AdamW([*network.parameters(), *head.parameters()], lr=1e-3)
    seconds, last = [], time.monotonic()
    for step, batch in enumerate(loader):
        views = batch[0]
        with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16"):
            first, second = (network(view) for view in views)
        loss = criterion(head(first.float()), head(second.float()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        now = time.monotonic()
        seconds.append(now - last)
        last = now
        if step == options.steps:
            break
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    rates = [options.batch / each for each in seconds[1:]]
    print(json.dumps({"images_per_second": rates, "peak_mib": peak / 1024}))


if __name__ == "__main__":
    main()
