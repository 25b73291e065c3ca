"""What the tests of the networks share: networks whose every weight matters, and images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from remedis.models.architectures import architecture, build_empty
from remedis.models.checkpoint import save
from remedis.models.contract import Contract
from remedis.models.encoder import Encoder
from remedis.models.staged import Staged


@pytest.fixture(scope="session")
def distance() -> Callable[[Tensor, Tensor], float]:
    """Return a function to ‖a - b‖₂ / ‖b‖₂."""

    def relative(a: Tensor, b: Tensor) -> float:
        assert a.shape == b.shape
        return float((a.double() - b.double()).norm() / b.double().norm())

    return relative


@pytest.fixture(scope="session")
def shaken() -> Callable[..., Staged]:
    """Return a function to a network by name, in evaluation mode, that no norm leaves as it is.

    (A start that makes norms the identity, or a block's last norm zero, would hide mistakes.)
    """

    def network(name: str, contract: Contract | None = None, dtype: torch.dtype = torch.float32) -> Staged:
        backbone = build_empty(architecture(name), contract or Contract()).to_empty(device="cpu")
        shake(backbone)
        return backbone.to(dtype).eval()

    return network


@torch.no_grad()
def shake(backbone: nn.Module, seed: int = 0) -> None:
    """Fill every weight and every running statistic."""
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in backbone.state_dict().items():
        if tensor.ndim > 1:
            tensor.uniform_(-1, 1, generator=generator).mul_((3.0 / tensor[0].numel()) ** 0.5)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5, generator=generator)
        elif name.endswith("num_batches_tracked"):
            tensor.zero_()
        elif name.endswith("weight"):
            tensor.uniform_(0.5, 1.2, generator=generator)
        else:
            tensor.uniform_(-0.3, 0.3, generator=generator)


@pytest.fixture(scope="session")
def images() -> Callable[..., Tensor]:
    """Return a function to noise in [0, 1], (N, 3, H, W)."""

    def noise(height: int, width: int | None = None, count: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
        generator = torch.Generator().manual_seed(height)
        return torch.rand(count, 3, height, width or height, generator=generator, dtype=torch.float64).to(dtype)

    return noise


@pytest.fixture(scope="session")
def small_encoder(shaken: Callable[..., Staged]) -> Encoder:
    """Return an encoder of the smallest ResNet, 32 px; nobody may change it."""
    contract = Contract(size=32)
    return Encoder(shaken("resnet18-cifar", contract), contract, "resnet18-cifar").eval()


@pytest.fixture(scope="session")
def small_folder(small_encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a checkpoint of it; nobody may change it."""
    return save(small_encoder, tmp_path_factory.mktemp("checkpoint") / "small")


@pytest.fixture
def folder_copy(small_folder: Path, tmp_path: Path) -> Path:
    """Return a copy of that folder to damage."""
    copy = tmp_path / "enc"
    copy.mkdir()
    for path in small_folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy
