"""What the tests of the exports share: one network, its ONNX file, and what numpy says that it computes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from references import bit as reference
from remedis.models.card import Facts
from remedis.models.contract import Contract
from remedis.models.encoder import Encoder
from remedis.models.export import onnx, openvino, savedmodel
from remedis.models.export.exported import Exported
from remedis.models.export.proof import Expected, expected
from remedis.models.staged import Part, Staged

CLOSED = Facts(
    "Made for a test", "PhysioNet Credentialed Health Data License 1.5.0", ("Work A",), False, ("Mind the gap.",)
)


@pytest.fixture(scope="session")
def encoder(shaken: Callable[..., Staged]) -> Encoder:
    """Return bit-r26x1 under a licence that forbids to pass it on; nobody may change it."""
    return Encoder(shaken("bit-r26x1"), Contract(), "mine", network="bit-r26x1", facts=CLOSED)


@pytest.fixture(scope="session")
def onnx_export(encoder: Encoder, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """Return its export to ONNX, made once; nobody may change the file."""
    return onnx.export(encoder, tmp_path_factory.mktemp("onnx") / "mine.onnx")


@pytest.fixture(scope="session")
def by_numpy(encoder: Encoder) -> Callable[[Tensor], dict[str, np.ndarray]]:
    """Return a function from images (N, 3, H, W) in [0, 1] to the embedding and the map, by numpy in float64."""
    weights = {name: weight.double().numpy() for name, weight in encoder.weights().items()}

    def run(images: Tensor) -> dict[str, np.ndarray]:
        found = reference.stages(images.double().numpy(), weights, 26)
        return {"embedding": found["embedding"], "features": found["map"]}

    return run


class Tiny(Staged):
    """Two convolutions and a batch norm: what torch's exporter writes in a second."""

    def __init__(self) -> None:
        super().__init__(width=16, scale=2.0, shift=-1.0)
        self.conv1 = nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False))

    def parts(self) -> Iterator[Part]:
        yield "stem", lambda x: nn.functional.relu(self.bn1(self.conv1(x)))
        yield "map", self.layer1

    def blocks(self) -> list[list[nn.Module]]:
        return [[self.conv1, self.bn1], [self.layer1], [], [], []]

    def initialise(self, generator: torch.Generator) -> None:
        for weight in self.parameters():
            nn.init.normal_(weight, generator=generator)


@pytest.fixture
def tiny() -> Encoder:
    """Return an encoder of that network."""
    backbone = Tiny()
    backbone.initialise(torch.Generator().manual_seed(0))
    return Encoder(backbone, Contract(range=(-1.0, 1.0)), "tiny").eval()


@pytest.fixture(scope="session")
def wanted(encoder: Encoder) -> list[Expected]:
    """Return what the encoder makes of the images of a proof, computed once."""
    return expected(encoder)


@pytest.fixture
def quick(wanted: list[Expected], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let proofs of that encoder take what was computed once."""
    for module in (openvino, savedmodel):
        monkeypatch.setattr(module, "expected", lambda encoder: wanted)


@pytest.fixture
def far(wanted: list[Expected], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let proofs expect maps that are a thousandth larger."""
    moved = [replace(one, outputs={name: 1.001 * value for name, value in one.outputs.items()}) for one in wanted]
    for module in (openvino, savedmodel):
        monkeypatch.setattr(module, "expected", lambda encoder: moved)


@pytest.fixture
def onnx_copied(onnx_export: Exported, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let writing ONNX be a copy of that file, whatever the encoder: torch's exporter takes seconds."""
    monkeypatch.setattr(onnx, "write", lambda encoder, path: shutil.copy(onnx_export.path, path))


@pytest.fixture
def other(encoder: Encoder, shaken: Callable[..., Staged]) -> Encoder:
    """Return the encoder with one kernel of 79 tensors changed in one of its 64 output channels."""
    backbone = shaken("bit-r26x1")
    with torch.no_grad():
        kernel = backbone.get_parameter("stages.1.blocks.0.conv2.weight")
        kernel[3] = kernel[3].flip(0)
    return Encoder(backbone, encoder.contract, encoder.name, network=encoder.network, facts=encoder.facts)
