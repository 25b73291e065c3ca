"""ONNX files, run by onnxruntime and read by onnx, against numpy in float64."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx as onnx_package
import onnxruntime
import pytest
import torch
from torch import Tensor

import remedis
from references.bit import standardised
from remedis.errors import CheckFailedError, ConvertError, MissingExtraError
from remedis.models.contract import Contract
from remedis.models.encoder import Encoder
from remedis.models.export import onnx
from remedis.models.export.exported import Exported
from remedis.models.load import random_timm_encoder
from remedis.models.resnet import StemPool
from remedis.models.staged import Staged


def session(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("shape", [(1, 33, 33), (4, 47, 32), (3, 64, 51)])
def test_onnxruntime_computes_what_numpy_computes_at_any_size_and_batch(
    onnx_export: Exported, by_numpy: Callable[..., dict], images: Callable[..., Tensor], shape: tuple[int, int, int]
) -> None:
    count, height, width = shape
    x = images(height, width, count)
    embedding, features = session(onnx_export.path).run(None, {"images": x.numpy()})
    for found, wanted in zip((embedding, features), by_numpy(x).values(), strict=True):
        assert found.dtype == np.float32
        assert found.shape == wanted.shape
        assert np.linalg.norm(found - wanted) / np.linalg.norm(wanted) < 5e-5  # float32, 29 convolutions deep


def test_the_file_is_whole_and_says_what_it_takes_and_gives(onnx_export: Exported, encoder: Encoder) -> None:
    onnx_package.checker.check_model(str(onnx_export.path), full_check=True)
    runtime = session(onnx_export.path)
    assert [(value.name, value.shape, value.type) for value in runtime.get_inputs()] == [
        ("images", ["N", 3, "H", "W"], "tensor(float)")
    ]
    assert [(value.name, value.shape) for value in runtime.get_outputs()] == [
        ("embedding", ["N", 2048]),
        ("features", ["N", 2048, "h", "w"]),
    ]
    said = {name.removeprefix("remedis."): text for name, text in runtime.get_modelmeta().custom_metadata_map.items()}
    assert said["name"] == "mine"
    assert said["weights_sha256"] == encoder.hash
    assert said["licence"] == encoder.facts.licence
    assert Contract.from_json(json.loads(said["contract"])) == encoder.contract
    assert said["remedis_version"] == remedis.__version__
    assert float(said["largest_difference"]) == pytest.approx(max(one.found for one in onnx_export.held), rel=1e-3)
    notes = json.loads(said["notes"])
    assert "do not pass it on" in notes[0]
    assert notes[1] == "Mind the gap."
    assert onnx_export.files == (onnx_export.path,)
    assert [path.name for path in onnx_export.path.parent.iterdir()] == ["mine.onnx"]


def test_kernels_are_standardised_in_float64_and_rounded_once(onnx_export: Exported, encoder: Encoder) -> None:
    graph = onnx_package.load(str(onnx_export.path)).graph
    kernels = {value.name: onnx_package.numpy_helper.to_array(value) for value in graph.initializer}
    found = [kernels[node.input[1]] for node in graph.node if node.op_type == "Conv"]
    weights = [value.double().numpy() for name, value in encoder.weights().items() if value.ndim == 4]
    wanted = {standardised(weight).astype(np.float32).tobytes() for weight in weights}
    assert len(found) == len(wanted) == 29
    # numpy and torch add in another order, so a number in a million may round the other way
    differing = [kernel for kernel in found if kernel.tobytes() not in wanted]
    for kernel in differing:
        nearest = min(
            np.abs(kernel - standardised(weight)).max() / np.abs(kernel).max()
            for weight in weights
            if weight.shape == kernel.shape
        )
        assert nearest < 1e-7


def test_the_file_tells_nothing_of_the_machine(onnx_export: Exported) -> None:
    raw = onnx_export.path.read_bytes()
    for place in (str(Path(onnx.__file__).parents[3]), str(Path(torch.__file__).parent), str(Path.home()), ".py"):
        assert place.encode() not in raw


@pytest.mark.usefixtures("onnx_copied")
def test_a_file_that_computes_something_else_is_refused_and_not_kept(other: Encoder, tmp_path: Path) -> None:
    with pytest.raises(CheckFailedError, match="the ONNX file is not what the encoder computes"):
        onnx.export(other, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


def test_another_range_is_mapped_inside_and_large_weights_lie_beside_the_file(
    tiny: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = onnx.export(tiny, tmp_path / "small.onnx")
    assert "The file takes [0, 1] and maps it to [-1, 1], the encoder's range, inside." in small.notes
    x = torch.rand(2, 3, 20, 31)
    features = torch.from_numpy(session(small.path).run(["features"], {"images": x.numpy()})[0])
    assert (features - tiny.features(2 * x - 1)).abs().max() < 1e-4
    assert (features - tiny.features(x)).abs().max() > 0.1
    monkeypatch.setattr(onnx, "LARGEST_FILE", 0)
    large = onnx.export(tiny, tmp_path / "large.onnx")
    assert [path.name for path in large.files] == ["large.onnx", "large.onnx.data"]
    assert "keep both together" in " ".join(large.notes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["large.onnx", "large.onnx.data", "small.onnx"]
    one, two = (onnx_package.load(str(made.path)).graph for made in (small, large))
    assert [node.SerializeToString() for node in one.node] == [node.SerializeToString() for node in two.node]
    kernels = [
        {value.name: onnx_package.numpy_helper.to_array(value).tobytes() for value in graph.initializer}
        for graph in (one, two)
    ]
    assert kernels[0] == kernels[1]
    large.files[1].unlink()
    with pytest.raises(onnx_package.checker.ValidationError):
        onnx_package.checker.check_model(str(large.path))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("resnet18", {"padding": "tf"}),
        ("resnet50-sk", {}),
        ("resnet18-cifar", {"channels": 1}),
        ("bit-r26x1", {"map": "before-norm", "kernels": "ready"}),
        ("bit-r50x1", {"range": (-1.0, 1.0)}),
    ],
)
def test_every_family_comes_out(
    shaken: Callable[..., Staged], images: Callable[..., Tensor], distance: Callable[..., float], tmp_path: Path,
    name: str, values: dict,
) -> None:  # fmt: skip
    contract = Contract(**values)
    encoder = Encoder(shaken(name, contract), contract, name).eval()
    made = onnx.export(encoder, tmp_path / "m.onnx")
    x = images(57, 70, 2)[:, : contract.channels]
    embedding, features = (torch.from_numpy(value) for value in session(made.path).run(None, {"images": x.numpy()}))
    low, high = contract.range
    precise = encoder.double()
    assert distance(embedding, precise(x.double() * (high - low) + low)) < 1e-4
    assert distance(features, precise.features(x.double() * (high - low) + low)) < 1e-4


@pytest.mark.slow
def test_a_network_of_timms_with_one_size_comes_out_at_that_size(tmp_path: Path) -> None:
    made = onnx.export(random_timm_encoder("timm:test_vit", seed=0).eval(), tmp_path / "m.onnx")
    assert session(made.path).get_inputs()[0].shape == ["N", 3, 160, 160]


@pytest.mark.parametrize(("height", "width"), [(8, 9), (9, 8), (7, 7), (6, 6), (1, 2)])
def test_the_pool_seen_from_the_end_is_tensorflows(height: int, width: int) -> None:
    x = torch.randn(2, 3, height, width)
    assert torch.equal(onnx._PoolFromTheEnd()(x), StemPool("tf")(x))


def test_what_torch_cannot_write_is_said_in_one_line(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*words: object, **named: object) -> None:
        raise RuntimeError("no such operator\nand a page more")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(ConvertError, match=r"torch cannot write bit-r26x1 as ONNX \(RuntimeError: no such operator\)"):
        onnx.export(encoder, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("package", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named_with_the_line_that_installs_it(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"needs the package {package}, .* pip install 'remedis\[onnx\]'"):
        onnx.export(encoder, tmp_path / "m.onnx")
