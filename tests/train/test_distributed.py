"""Two and four processes find what one process finds on the whole batch; a program of its own starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
import several_processes
import torch
from torch import Tensor, nn

from remedis.train import distributed

Ranks = list[dict[str, Any]]


@pytest.fixture(scope="module", params=[2, 4], ids=["two", "four"])
def ranks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ranks:
    folder = tmp_path_factory.mktemp("ranks")
    environment = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}
    program = [sys.executable, several_processes.__file__, str(request.param), str(folder)]
    done = subprocess.run(
        program, env=environment | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(request.param)]


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-12, msg=lambda m, name=name: f"{name}: {m}")


@pytest.mark.parametrize("case", ["step", "step, patients", "step, tiles"])
def test_f25_loss_gradients_and_statistics_are_those_of_one_process(ranks: Ranks, case: str) -> None:
    expected = several_processes.cases()[case]()
    for rank in ranks:
        assert_same(rank["found"][case], expected)


def test_one_process_alone_has_the_norms_of_torch() -> None:
    network = several_processes.Network()
    assert distributed.synchronised(network) is network
    assert [type(m) for m in network.modules() if isinstance(m, nn.BatchNorm2d)] == [nn.BatchNorm2d] * 2


def test_gradients_are_averaged_as_torchs_wrapper_does(ranks: Ranks) -> None:
    for rank in ranks:
        assert_same(rank["found"]["step, wrapped"], rank["found"]["step"])


def test_a_gather_without_gradient_would_train_otherwise(ranks: Ranks) -> None:
    true, detached = ranks[0]["found"]["step"], ranks[0]["found"]["step, detached"]
    torch.testing.assert_close(detached["loss"], true["loss"])
    name = "gradient of backbone.0.weight"
    assert (detached[name] - true[name]).norm() > 0.1 * true[name].norm()


@pytest.mark.parametrize("name", list(several_processes.NORMS))
def test_every_kind_of_norm_sees_the_whole_batch(ranks: Ranks, name: str) -> None:
    expected = several_processes.norm(name)
    found = [rank["found"][f"norm, {name}"] for rank in ranks]
    rows = {part: torch.cat([each[part] for each in found]) for part in ("out", "gradient")}
    for each in found:
        assert_same(each | rows, expected)


def test_statistics_of_half_precision_are_float32(ranks: Ranks) -> None:
    found = [rank["found"]["half precision"] for rank in ranks]
    x = torch.cat([each["x"] for each in found]).double()
    variance, mean = torch.var_mean(x, (0, 2, 3), correction=1)
    torch.testing.assert_close(found[0]["running_mean"].double(), mean, rtol=1e-6, atol=0)
    torch.testing.assert_close(found[0]["running_var"].double(), variance, rtol=1e-5, atol=0)
    out = torch.cat([each["out"] for each in found]).double()
    mean, variance = mean.view(1, 3, 1, 1), torch.var(x, (0, 2, 3), correction=0).view(1, 3, 1, 1)
    torch.testing.assert_close(out, (x - mean) / torch.sqrt(variance + 1e-5), rtol=2**-8, atol=1e-4)


def test_f7_every_norm_is_global_and_has_the_momentum_it_was_given(ranks: Ranks) -> None:
    norms = ranks[0]["facts"]["norms"]
    assert norms.count(("GlobalBatchNorm2d", 0.5, True)) == 53
    assert norms.count(("GlobalBatchNorm1d", 0.5, True)) == 3
    assert len(norms) == 56


def test_processes_know_of_each_other(ranks: Ranks) -> None:
    world = len(ranks)
    for number, rank in enumerate(ranks):
        facts = rank["facts"]
        assert (facts["rank"], facts["world"]) == (number, world)
        assert facts["largest"] == 9
        assert facts["mean"] == [(world - 1) / 2, 1.0]
        assert facts["gathered"] == [[r, c] for r in range(world) for c in (7, 8)]


def test_a_norm_that_does_more_is_refused(ranks: Ranks) -> None:
    assert "Foreign" in ranks[0]["facts"]["refusal"]


def test_alone_nothing_is_started_and_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "1")
    distributed.start("cpu")
    assert not torch.distributed.is_initialized()
    x = torch.ones(2, requires_grad=True)
    assert distributed.gather(x) is x
    assert distributed.largest(4) == 4
    assert distributed.mean(x).tolist() == [1.0, 1.0]
    assert not distributed.mean(x).requires_grad
    assert (distributed.rank(), distributed.world()) == (0, 1)
    distributed.stop()
