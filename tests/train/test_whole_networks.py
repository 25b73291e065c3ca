"""One, two and four processes, chunked and whole: the same loss and the same gradients on one global batch."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch import Tensor

BATCHES = 5
Step = Callable[..., dict[str, Tensor]]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def step(tmp_path_factory: pytest.TempPathFactory) -> Step:
    """Return a function that runs one step in processes of its own, each kind once."""
    known: dict[tuple[object, ...], dict[str, Tensor]] = {}
    folder = tmp_path_factory.mktemp("steps")

    def run(network: str, dtype: str, *, processes: int = 1, chunk: int = 0) -> dict[str, Tensor]:
        key = (network, dtype, processes, chunk)
        if key not in known:
            out = folder / f"{len(known)}.safetensors"
            launch = [sys.executable]
            if processes > 1:
                launch += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
            words = [str(Path(__file__).with_name("whole_networks.py")), network, dtype, str(chunk), str(out)]
            subprocess.run([*launch, *words], check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
            known[key] = load_file(out)
        return known[key]

    return run


def _distances(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[float]:
    """Return for each batch ‖a − b‖ / ‖b‖ over all gradients, once the losses were found equal."""
    assert one.keys() == other.keys()
    found = []
    for batch in range(BATCHES):
        names = [name for name in one if name.startswith(f"{batch}/") and not name.endswith("/loss")]
        difference = sum(float((one[name] - other[name]).square().sum()) for name in names)
        found.append((difference / sum(float(other[name].square().sum()) for name in names)) ** 0.5)
    return found


def _losses(found: dict[str, Tensor]) -> list[float]:
    return [float(found[f"{batch}/loss"]) for batch in range(BATCHES)]


@pytest.mark.parametrize("processes", [2, 4])
@pytest.mark.parametrize("network", ["bit-r26x1", "resnet18-cifar"])
def test_processes_agree_in_float64(step: Step, network: str, processes: int) -> None:
    one, several = step(network, "float64"), step(network, "float64", processes=processes)
    assert _losses(several) == pytest.approx(_losses(one), rel=1e-9)
    assert max(_distances(several, one)) < 1e-9


@pytest.mark.parametrize(("processes", "chunk"), [(1, 5), (2, 3)])
def test_chunks_agree_in_float64(step: Step, processes: int, chunk: int) -> None:
    one = step("bit-r26x1", "float64")
    chunked = step("bit-r26x1", "float64", processes=processes, chunk=chunk)
    assert _losses(chunked) == pytest.approx(_losses(one), rel=1e-9)
    assert max(_distances(chunked, one)) < 1e-9


@pytest.mark.parametrize(("processes", "chunk"), [(2, 0), (4, 0), (1, 5)])
def test_bit_in_float32_is_within_a_ten_thousandth(step: Step, processes: int, chunk: int) -> None:
    one = step("bit-r26x1", "float32")
    assert statistics.median(_distances(step("bit-r26x1", "float32", processes=processes, chunk=chunk), one)) < 1e-4


@pytest.mark.parametrize("processes", [2, 4])
def test_batch_normed_float32_is_no_further_from_float64_than_one_process_is(step: Step, processes: int) -> None:
    """The median over batches: where rounding takes one activation across ReLU's zero, gradients jump by 1e-3 or so."""
    exact = step("resnet18-cifar", "float64")
    own = statistics.median(_distances(step("resnet18-cifar", "float32"), exact))
    several = _distances(step("resnet18-cifar", "float32", processes=processes), exact)
    assert statistics.median(several) < 3 * own
