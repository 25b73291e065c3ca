"""What is to be known of one start of a training, whatever it trains."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch

from remedis import __version__
from remedis.commands.commit import commit
from remedis.train import distributed


def start_facts(device: str) -> dict[str, Any]:
    """Return the command, versions, and what computes."""
    return {
        "command": sys.argv[1:],
        "device": device,
        "commit": commit(),
        "versions": {"remedis": __version__, "torch": str(torch.__version__), "numpy": np.__version__},
        "processes": distributed.world(),
        "threads": torch.get_num_threads(),
    }
