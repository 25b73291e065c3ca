"""Frozen blocks do not move by a bit, running statistics included, and all others do: BiT and ResNet-v1."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from finetune_tasks import (
    SIZE,
    TinyBiT,
    TinyResNet,
    double_task,
    job_of,
    labelled_images,
    shaken,
    stepped,
    tiny,
    trained,
)
from torch import Tensor, nn

from remedis.errors import UsageError
from remedis.models.architectures import architecture, build_empty, build_random
from remedis.models.contract import Contract
from remedis.models.load import random_timm_encoder
from remedis.train.blocks import freeze, frozen_parts, rest

NETWORKS = ["bit-r26x1", "resnet18-cifar"]
HEAD_ONLY = 4


def block_of(name: str) -> int:
    """Return the block of a weight by its public name: 0 the stem, 1 to 4 the stages, and 4 for what comes after."""
    if name.startswith(("stem.", "conv1.", "bn1.")):
        return 0
    if name.startswith("norm."):
        return HEAD_ONLY
    number = re.match(r"stages\.(\d)\.|layer(\d)\.|layers\.(\d)\.", name)
    assert number, name
    return int(number[2]) if number[2] else int(number[1] or number[3]) + 1


def moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> dict[str, bool]:
    return {name: not torch.equal(before[name], tensor) for name, tensor in after.items()}


SLOW = [
    pytest.param(after, marks=pytest.mark.slow) for after in (-1, 0, 1, 3)
]  # the small networks below have all values


@pytest.mark.parametrize("after", [2, 4, *SLOW])
@pytest.mark.parametrize("network", NETWORKS)
def test_frozen_blocks_do_not_move_by_a_bit_and_all_others_do(network: str, after: int) -> None:
    backbone = build_random(architecture(network), Contract(size=SIZE), 0)
    shaken(backbone, torch.Generator().manual_seed(1))
    head = nn.Linear(backbone.width, 2)
    model = nn.Sequential(backbone, head)
    frozen = frozen_parts(backbone, after)
    freeze(frozen)
    rest(model, frozen)
    before = {name: tensor.clone() for name, tensor in backbone.state_dict().items()}
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.SGD(weights, 1.0, momentum=0.9, weight_decay=0.01)
    images = torch.rand(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(2))
    nn.functional.cross_entropy(model(images), torch.tensor([0, 1, 1])).backward()
    optimizer.step()
    found = moved(before, backbone.state_dict())
    assert len(found) > 50
    # the last norm comes after stage 4 and is frozen with the whole only
    assert found == {name: after < block_of(name) or after == -1 for name in found}


@pytest.mark.parametrize(
    ("after", "optimizer"), [(-1, "lars"), (0, "momentum"), (1, "adamw"), (2, "adam"), (3, "lars"), (4, "momentum")]
)
@pytest.mark.parametrize("kind", [TinyBiT, TinyResNet], ids=["bit", "resnet"])
def test_a_task_moves_what_it_shall(kind: Callable[[], nn.Module], after: int, optimizer: str) -> None:
    """With weight decay and momentum, over two steps, the head included."""
    task = double_task(kind, fine_tune_after_block=after, optimizer=optimizer, weight_decay=0.1)  # type: ignore[arg-type]
    before = {name: tensor.clone() for name, tensor in task._model.state_dict().items()}
    stepped(task, 2)
    found = moved(before, task._model.state_dict())
    for name, has_moved in found.items():
        inner = name.removeprefix("backbone.")
        assert has_moved == (inner == name or after == -1 or after < block_of(inner)), name


def test_f10_a_bit_network_is_trained_whole_and_frozen_statistics_stay(tmp_path: Path) -> None:
    """The program trains a BiT's head only, whatever the flag says, and a frozen block's running statistics move."""
    manifest = labelled_images(tmp_path)
    bit, resnet = tiny(TinyBiT), tiny(TinyResNet)
    before = {id(each): {k: v.clone() for k, v in each.weights().items()} for each in (bit, resnet)}
    trained(job_of(manifest, bit, train_steps=1, fine_tune_after_block=-1), tmp_path / "bit")
    assert all(moved(before[id(bit)], bit.weights()).values())
    trained(job_of(manifest, resnet, train_steps=1, fine_tune_after_block=2), tmp_path / "resnet")
    found = moved(before[id(resnet)], resnet.weights())
    statistics = {name: has_moved for name, has_moved in found.items() if "running" in name}
    assert statistics == {name: block_of(name) > 2 for name in statistics}
    assert sum(statistics.values()) > 0


def test_an_evaluation_in_between_wakes_no_frozen_norm(tmp_path: Path) -> None:
    """After an evaluation the network goes back to training, its frozen part does not."""
    manifest, encoder = labelled_images(tmp_path), tiny(TinyResNet)
    before = {name: tensor.clone() for name, tensor in encoder.weights().items()}
    trained(job_of(manifest, encoder, fine_tune_after_block=2), tmp_path / "run")
    found = moved(before, encoder.weights())
    assert found == {name: block_of(name) > 2 for name in found}


@pytest.mark.parametrize("network", [*NETWORKS, "resnet50", "resnet50-sk", "bit-r50x3"])
def test_every_weight_of_a_network_is_in_one_block(network: str) -> None:
    backbone = build_empty(architecture(network), Contract())
    owners = [
        {name for module in block for name, weight in backbone.named_parameters() if _within(module, weight)}
        for block in backbone.blocks()
    ]
    assert len(owners) == 5
    for number, names in enumerate(owners):
        assert names
        assert {block_of(name) for name in names} == {number}
    everything = {name for name, _ in backbone.named_parameters() if not name.startswith("norm.")}
    assert set().union(*owners) == everything
    assert sum(map(len, owners)) == len(everything)


def _within(module: nn.Module, weight: Tensor) -> bool:
    return any(weight is each for each in module.parameters())


def test_a_network_without_known_blocks_is_trained_whole_or_not_at_all() -> None:
    backbone = random_timm_encoder("timm:resnet10t", seed=0).backbone
    assert frozen_parts(backbone, -1) == []
    assert frozen_parts(backbone, 4) == [backbone]
    with pytest.raises(UsageError, match="--fine-tune-after-block 2: its blocks are not known to us"):
        frozen_parts(backbone, 2)


@pytest.mark.parametrize("after", [-2, 5])
def test_a_block_that_is_none_is_refused(after: int) -> None:
    with pytest.raises(UsageError, match=f"--fine-tune-after-block is {after}, -1, 0, 1, 2, 3 or 4 was expected"):
        frozen_parts(build_empty(architecture("resnet18-cifar"), Contract()), after)
