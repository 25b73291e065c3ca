"""Options of `remedis demo`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Run the whole line on simulated chest radiographs of two sites: pretrain, embed, probe at home and elsewhere.

    Every command is shown before it runs. Needs no data, no network and no GPU; under four minutes on two cores.

    example: remedis demo --out demo
    """

    out: Path = Path("demo")
    """Folder for everything that is made; the same command again goes on there."""

    number: int = 360
    """Simulated images with labels."""

    unlabelled: int = 600
    """Simulated images without, of other patients, to pretrain on."""

    steps: int = 36
    """Steps of 64 of them."""

    seed: int = 0
    """Decides the images, the weights, the folds and the draws."""
