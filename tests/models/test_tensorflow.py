"""BiT against TensorFlow: the graph of benchmarks/embed_tensorflow.py, saved as a SavedModel and opened again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from remedis.models.accelerate import prepare
from remedis.models.contract import Contract
from remedis.models.encoder import Encoder
from remedis.models.staged import Staged

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "embed_tensorflow.py"


@pytest.mark.slow
@pytest.mark.parametrize("side", [64, 65])
def test_tensorflow_computes_the_same(
    shaken: Callable[..., Staged], distance: Callable[[Tensor, Tensor], float], tmp_path: Path, side: int
) -> None:
    python = os.environ.get("REMEDIS_TF_PYTHON")
    if not python:
        pytest.skip("REMEDIS_TF_PYTHON is not set: this test needs an environment with TensorFlow (make tf-env)")
    encoder = Encoder(shaken("bit-r26x1"), Contract(size=side), "bit-r26x1").eval()
    pixels = torch.randint(0, 256, (4, side, side, 3), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    np.savez(tmp_path / "weights.npz", **{name: weight.numpy() for name, weight in encoder.weights().items()})
    np.save(tmp_path / "pixels.npy", pixels.numpy())
    places = [str(tmp_path / name) for name in ("weights.npz", "pixels.npy", "embeddings.npy", "saved_model")]
    command = [python, str(SCRIPT), *places, "--depth", "26"]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    assert (tmp_path / "saved_model" / "saved_model.pb").exists()
    theirs = torch.from_numpy(np.load(tmp_path / "embeddings.npy"))
    assert distance(prepare(encoder)(pixels), theirs) < 1e-4
    precise = encoder.double()(pixels.permute(0, 3, 1, 2).double() / 255)
    assert distance(theirs, precise) < 1e-4
