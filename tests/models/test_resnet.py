"""SimCLR's ResNet-v1 against torchvision, and against numpy in float64 where torchvision has no such network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn

from references import simclr_resnet as reference
from remedis.models.architectures import architecture, build_empty, build_random, parameters_count
from remedis.models.contract import Contract
from remedis.models.resnet import ResNet
from remedis.models.selective_kernel import ShortcutPool
from remedis.models.staged import Staged

Network = Callable[..., Staged]
Noise = Callable[..., Tensor]
Distance = Callable[[Tensor, Tensor], float]


def torchvisions(name: str, ours: nn.Module) -> nn.Module:
    """Return torchvision's network, its classifier taken off, with our weights."""
    with torch.device("meta"):  # no time for weights that are replaced
        network: nn.Module = getattr(torchvision.models, name)()
    network.fc = nn.Identity()
    network.load_state_dict(ours.state_dict(), assign=True)
    return network.eval()


@torch.inference_mode()
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_resnet50_equals_torchvision_at_224(
    shaken: Network, images: Noise, distance: Distance, dtype: torch.dtype, tolerance: float
) -> None:
    ours, x = shaken("resnet50", dtype=dtype), images(224, dtype=dtype)
    theirs = torchvisions("resnet50", ours)
    maps: list[Tensor] = []
    theirs.layer4.register_forward_hook(lambda _module, _input, output: maps.append(output))
    embedding = theirs(x)
    assert distance(ours(x), embedding) < tolerance
    assert distance(ours.features(x), maps[0]) < tolerance


@torch.inference_mode()
@pytest.mark.parametrize(
    ("name", "height", "width"),
    [("resnet50", 33, 33), ("resnet50", 32, 50), ("resnet101", 32, 33), ("resnet152", 34, 32)],
)
def test_depths_of_torchvision(
    shaken: Network, images: Noise, distance: Distance, name: str, height: int, width: int
) -> None:
    ours, x = shaken(name, dtype=torch.float64), images(height, width, dtype=torch.float64)
    assert distance(ours(x), torchvisions(name, ours)(x)) < 1e-9


@torch.inference_mode()
@pytest.mark.parametrize("name", ["resnet18", "resnet34"])
def test_18_and_34_are_torchvisions_where_the_projection_does_nothing(
    shaken: Network, images: Noise, distance: Distance, name: str
) -> None:
    ours, x = shaken(name, dtype=torch.float64), images(64, dtype=torch.float64)
    projection = ours.get_submodule("layer1.0.downsample")
    assert isinstance(projection, nn.Sequential)
    with torch.no_grad():
        projection[0].weight.copy_(torch.eye(64)[:, :, None, None])
        norm = projection[1]
        for tensor, value in (
            (norm.running_mean, 0.0), (norm.running_var, 1.0), (norm.bias, 0.0), (norm.weight, (1 + 1e-5) ** 0.5),
        ):  # fmt: skip
            tensor.fill_(value)
    theirs = getattr(torchvision.models, name)()
    theirs.fc = nn.Identity()
    surplus = theirs.load_state_dict(ours.state_dict(), strict=False)
    assert not surplus.missing_keys
    assert {key.rsplit(".", 2)[0] for key in surplus.unexpected_keys} == {"layer1.0.downsample"}
    assert distance(ours(x), theirs.double().eval()(x)) < 1e-9


@torch.inference_mode()
@pytest.mark.parametrize(
    ("name", "padding", "height", "width"),
    [
        ("resnet18", "torch", 40, 40),
        ("resnet18", "tf", 40, 40),
        ("resnet18", "tf", 41, 41),
        ("resnet18", "tf", 34, 44),
        ("resnet34", "tf", 33, 36),
        ("resnet50", "tf", 32, 34),
        ("resnet18-cifar", "torch", 32, 32),
        ("resnet18x2", "torch", 33, 33),
        ("resnet50-sk", "torch", 33, 33),
        ("resnet50-sk", "tf", 36, 34),
        ("resnet50-sk-cifar", "torch", 21, 18),
    ],
)
def test_every_stage_equals_the_formulas_in_float64(
    shaken: Network, images: Noise, name: str, padding: str, height: int, width: int
) -> None:
    contract = Contract(padding=padding)  # type: ignore[arg-type]
    ours, x = shaken(name, contract, torch.float64), images(height, width, dtype=torch.float64)
    weights = {key: weight.numpy() for key, weight in ours.state_dict().items()}
    depth, small = architecture(name).depth, "cifar" in name
    expected = reference.stages(x.numpy(), weights, depth, padding=padding, small=small)
    found = ours.outputs(x)
    assert list(found) == ["stem", "stage1", "stage2", "stage3", "stage4", "map", "embedding"]
    for stage, output in found.items():
        assert output.shape == expected[stage].shape
        np.testing.assert_allclose(output.numpy(), expected[stage], rtol=1e-9, atol=1e-9 * expected[stage].std())
    torch.testing.assert_close(ours(x), found["embedding"], rtol=0, atol=0)


@torch.inference_mode()
def test_the_paddings_differ_where_the_pool_sees_an_even_side_only(
    shaken: Network, images: Noise, distance: Distance
) -> None:
    torchs = shaken("resnet50", dtype=torch.float64)
    tfs = shaken("resnet50", Contract(padding="tf"), torch.float64)
    for side, differ in ((64, True), (62, False)):  # the pool sees 32 and 31
        x = images(side, dtype=torch.float64)
        assert (distance(tfs(x), torchs(x)) > 1e-3) is differ


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("height", "width"), [(4, 6), (5, 6), (1, 1), (3, 3)])
def test_the_shortcuts_average(stride: int, height: int, width: int) -> None:
    x = torch.rand(2, 3, height, width, dtype=torch.float64)
    found = ShortcutPool(stride)(x).numpy()
    np.testing.assert_allclose(found, reference.average_for_shortcut(x.numpy(), stride), rtol=1e-12)


@pytest.mark.parametrize(
    ("name", "variables"),
    [("resnet18", 105), ("resnet50", 265), ("resnet50-sk", 371)],
)
def test_variables_are_as_many_as_in_the_official_program(name: str, variables: int) -> None:
    """Trainable variables and moving statistics of google-research/simclr resnet.py, as TensorFlow lists them."""
    names = build_empty(architecture(name), Contract()).state_dict()
    assert sum("num_batches_tracked" not in key for key in names) == variables


def test_parameters_are_torchvisions_without_the_classifier() -> None:
    for name, classifier in (("resnet50", 2_049_000), ("resnet101", 2_049_000), ("resnet152", 2_049_000)):
        with torch.device("meta"):
            theirs = parameters_count(getattr(torchvision.models, name)())
        assert parameters_count(build_empty(architecture(name), Contract())) == theirs - classifier


def test_width_multiplies_every_channel() -> None:
    plain = build_empty(architecture("resnet50"), Contract()).state_dict()
    wide = build_empty(architecture("resnet50x3"), Contract()).state_dict()
    for name, weight in plain.items():
        factors = [3 if name != "conv1.weight" or axis == 0 else 1 for axis in range(min(weight.ndim, 2))]
        expected = [side * factor for side, factor in zip(weight.shape, factors, strict=False)]
        assert list(wide[name].shape[:2]) == expected
        assert wide[name].shape[2:] == weight.shape[2:]


def test_stages_have_the_official_shapes_at_224() -> None:
    with torch.device("meta"):
        outputs = ResNet(50).outputs(torch.empty(1, 3, 224, 224))
    shapes = [tuple(output.shape[1:]) for output in outputs.values()]
    assert shapes == [(64, 56, 56), (256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7), (2048, 7, 7), (2048,)]


@torch.inference_mode()
def test_a_start_makes_every_block_its_shortcut(images: Noise) -> None:
    """The last norm of each block starts at zero, so that only the first block of a stage changes anything."""
    network = build_random(architecture("resnet50"), Contract(), seed=3).eval()
    found = network.outputs(images(64))
    x = found["stem"]
    for number in range(1, 5):
        blocks = network.get_submodule(f"layer{number}")
        assert isinstance(blocks, nn.Sequential)
        x = torch.relu(blocks[0].downsample(x))
        torch.testing.assert_close(found[f"stage{number}"], x)


def test_training_reaches_every_weight(shaken: Network, images: Noise) -> None:
    network = shaken("resnet50-sk").train()
    network(images(33, count=2)).square().sum().backward()
    assert all(weight.grad is not None and bool(weight.grad.any()) for weight in network.parameters())
