"""Folders that timm opens, against our networks and numpy in float64."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import timm as timm_package
import torch
from torch import Tensor

from references import bit as reference
from remedis.errors import CheckFailedError, UsageError
from remedis.models.bit import StdConv2d, standardise
from remedis.models.checkpoint import save
from remedis.models.contract import Contract
from remedis.models.encoder import Encoder
from remedis.models.export import timm
from remedis.models.load import random_timm_encoder
from remedis.models.staged import Staged


def opened(folder: Path) -> tuple[torch.nn.Module, Callable[[Tensor], Tensor]]:
    """Return timm's network in float64, and a function that normalises images in [0, 1] as its config says."""
    network = timm_package.create_model(f"local-dir:{folder}", pretrained=True).eval().double()
    config = timm_package.data.resolve_model_data_config(network)
    mean, std = (torch.tensor(config[key], dtype=torch.float64).view(1, -1, 1, 1) for key in ("mean", "std"))
    return network, lambda images: (images.double() - mean) / std


@torch.no_grad()
def with_tiny_kernels(shaken: Callable[..., Staged], contract: Contract) -> Encoder:
    """Return bit-r50x1 with kernels of a deviation at which timm's eps moves the output by half."""
    backbone = shaken("bit-r50x1", contract)
    for module in backbone.modules():
        if isinstance(module, StdConv2d):
            module.weight.mul_(1e-4 / module.weight.std())
    return Encoder(backbone, contract, "bit-r50x1")


def by_numpy(encoder: Encoder, images: Tensor) -> dict[str, Tensor]:
    weights = {name: weight.double().numpy() for name, weight in encoder.weights().items()}
    for part in ("weight", "bias"):
        weights.setdefault(f"norm.{part}", weights["stages.0.blocks.0.norm1.weight"].repeat(32))  # not looked at
    outputs = reference.stages(images.double().numpy(), weights, 50)
    return {name: torch.from_numpy(value) for name, value in outputs.items()}


@torch.inference_mode()
def test_a_map_before_the_last_norm_is_timms_last_intermediate(
    shaken: Callable[..., Staged], images: Callable[..., Tensor], distance: Callable[..., float], tmp_path: Path
) -> None:
    encoder = with_tiny_kernels(shaken, Contract(map="before-norm", range=(-1.0, 1.0), size=160))
    made = timm.export(encoder, tmp_path / "t")
    network, normalised = opened(tmp_path / "t")
    x = images(40, 33, 1)
    wanted = by_numpy(encoder, x)["stage4"]
    found = network.forward_intermediates(normalised(x), norm=False, intermediates_only=True)[-1]
    assert distance(found, wanted) < 1e-5  # the product with 10 is rounded to float32 once, hence not 1e-9
    assert distance(network.forward_features(normalised(x)), wanted) > 0.1
    assert float(network.norm.weight.min()) == float(network.norm.weight.max()) == 1
    assert float(network.norm.bias.abs().max()) == 0
    config = json.loads((tmp_path / "t" / "config.json").read_text())
    assert config["architecture"] == "resnetv2_50x1_bit"
    assert config["pretrained_cfg"]["input_size"] == [3, 160, 160]
    assert config["pretrained_cfg"]["interpolation"] == "bilinear"
    assert config["exported"]["weights_sha256"] == encoder.hash
    assert float(config["exported"]["largest_difference_float64"]) < 1e-9
    text = (tmp_path / "t" / "README.md").read_text()
    for words in (
        "Kernels are multiplied by 10: timm adds 1e-8", "library_name: timm", "is normalised and is another thing",
        "forward_intermediates(x, norm=False, intermediates_only=True)[-1]",
    ):  # fmt: skip
        assert words in text
    assert "forward_intermediates" in made.gives
    assert set(made.files) == set((tmp_path / "t").iterdir())


@pytest.mark.slow
@torch.inference_mode()
def test_tiny_kernels_come_out_the_same_in_timm(
    shaken: Callable[..., Staged], images: Callable[..., Tensor], distance: Callable[..., float], tmp_path: Path
) -> None:
    encoder = with_tiny_kernels(shaken, Contract())
    timm.export(encoder, tmp_path / "t")
    network, normalised = opened(tmp_path / "t")
    x = images(40, 33, 1)
    wanted = by_numpy(encoder, x)["embedding"]
    assert distance(network(normalised(x)), wanted) < 1e-5
    plain, _ = opened(save(encoder, tmp_path / "plain"))
    assert distance(plain(normalised(x)), wanted) > 0.1


@pytest.mark.slow
@torch.inference_mode()
def test_kernels_stored_ready_survive_being_standardised_again(
    shaken: Callable[..., Staged], images: Callable[..., Tensor], distance: Callable[..., float], tmp_path: Path
) -> None:
    contract = Contract(kernels="ready")
    backbone = shaken("bit-r50x1", contract)
    for module in backbone.modules():
        if isinstance(module, StdConv2d):
            module.weight.copy_(standardise(module.weight.double()))
    timm.export(Encoder(backbone, contract, "bit-r50x1"), tmp_path / "t")
    network, normalised = opened(tmp_path / "t")
    x = images(40, 33, 1)
    assert distance(network(normalised(x)), backbone.double()(x.double())) < 1e-5
    assert "Kernels were stored standardised and timm standardises" in (tmp_path / "t" / "README.md").read_text()


@pytest.mark.slow
def test_ready_kernels_that_timm_would_change_are_refused(shaken: Callable[..., Staged], tmp_path: Path) -> None:
    contract = Contract(kernels="ready")  # the kernels are not of variance 1
    encoder = Encoder(shaken("bit-r50x1", contract), contract, "bit-r50x1")
    with pytest.raises(
        CheckFailedError, match="stored ready and are not of mean 0 and variance 1; nothing was written"
    ):
        timm.export(encoder, tmp_path / "t")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@torch.inference_mode()
def test_a_resnet_comes_out_too(
    shaken: Callable[..., Staged], images: Callable[..., Tensor], distance: Callable[..., float], tmp_path: Path
) -> None:
    contract = Contract(range=(-1.0, 1.0))
    encoder = Encoder(shaken("resnet50", contract), contract, "resnet50")
    timm.export(encoder, tmp_path / "t")
    network, normalised = opened(tmp_path / "t")
    x = images(40, 33, 2)
    assert distance(network(normalised(x)), encoder.double()(x.double() * 2 - 1)) < 1e-9


@torch.inference_mode()
@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_a_network_of_timms_goes_back_to_timm(tmp_path: Path, distance: Callable[..., float], name: str) -> None:
    encoder = random_timm_encoder(f"timm:{name}", seed=0).eval()
    timm.export(encoder, tmp_path / "t")
    network, normalised = opened(tmp_path / "t")
    size = encoder.contract.size
    x = torch.rand(1, 3, size, size)
    assert distance(network(normalised(x)), encoder.double()(x.double())) < 1e-9


@pytest.mark.parametrize(
    ("name", "values", "why"),
    [
        ("bit-r26x1", {}, "what bit-r26x1 does, only BiT r50x1"),
        ("bit-r50x2", {}, "what bit-r50x2 does"),
        ("bit-r50x1", {"norm_eps": 1e-3}, "with a norm's eps of 0.001"),
        ("resnet50", {"padding": "tf"}, "what resnet50 does with padding tf"),
        ("resnet18-cifar", {}, "what resnet18-cifar does"),
        ("resnet50-sk", {}, "what resnet50-sk does"),
    ],
)
def test_what_timm_lacks_is_refused_and_the_other_formats_named(
    tiny: Encoder, tmp_path: Path, name: str, values: dict, why: str
) -> None:
    encoder = Encoder(tiny.backbone, Contract(**values), name)  # refused before a weight is looked at
    with pytest.raises(UsageError, match="choose --format onnx, openvino or savedmodel") as error:
        timm.export(encoder, tmp_path / "t")
    assert why in str(error.value)
    assert error.value.exit_status == 2
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_timm_computes_otherwise_is_refused_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = random_timm_encoder("timm:test_resnet", seed=0).eval()
    honest = timm._weights

    def turned(encoder: Encoder, weights: dict[str, Tensor]) -> dict[str, Tensor]:
        made = honest(encoder, weights)
        name = next(name for name, weight in made.items() if weight.ndim == 4 and weight.shape[1] > 8)
        return {**made, name: made[name].flip(1)}

    monkeypatch.setattr(timm, "_weights", turned)
    with pytest.raises(CheckFailedError, match=r"timm's network is .* from the encoder in float64"):
        timm.export(encoder, tmp_path / "t")
    assert list(tmp_path.iterdir()) == []
