"""SavedModels: their names, what is refused, and (slow) what TensorFlow and tensorflow_hub make of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from remedis.errors import CheckFailedError, MissingExtraError, StoppedError, UsageError
from remedis.models import tensorflow_python
from remedis.models.architectures import architecture, build_empty
from remedis.models.contract import Contract
from remedis.models.encoder import Encoder
from remedis.models.export import savedmodel
from remedis.models.export.tensorflow_names import names
from remedis.models.staged import Staged

PROGRAM = Path(__file__).parent / "use_savedmodel.py"


@pytest.fixture
def no_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REMEDIS_TF_PYTHON", raising=False)
    monkeypatch.setattr(tensorflow_python.importlib.util, "find_spec", lambda name: None)


@pytest.mark.usefixtures("no_tensorflow")
def test_without_tensorflow_the_line_that_installs_it_is_said(encoder: Encoder, tmp_path: Path) -> None:
    with pytest.raises(
        MissingExtraError, match=r"SavedModel needs the package tensorflow, .* pip install 'remedis\[tf\]'"
    ):
        savedmodel.export(encoder, tmp_path / "sm")
    assert list(tmp_path.iterdir()) == []


def test_a_python_that_is_none_is_refused(encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMEDIS_TF_PYTHON", str(tmp_path / "python"))
    with pytest.raises(UsageError, match=r"REMEDIS_TF_PYTHON: .* is no file, a Python that has TensorFlow"):
        savedmodel.export(encoder, tmp_path / "sm")


@pytest.mark.usefixtures("quick")
def test_a_python_without_tensorflow_says_so_and_leaves_nothing(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMEDIS_TF_PYTHON", sys.executable)
    with pytest.raises(StoppedError, match="ModuleNotFoundError: No module named 'tensorflow'"):
        savedmodel.export(encoder, tmp_path / "sm")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "what"), [("resnet50-sk", "selective kernels"), ("timm:test_vit", "network of timm's")]
)
def test_what_has_no_savedmodel_is_refused(tiny: Encoder, tmp_path: Path, name: str, what: str) -> None:
    with pytest.raises(UsageError, match=f"{what}, which is not written as a SavedModel; choose --format onnx"):
        savedmodel.export(Encoder(tiny.backbone, tiny.contract, name), tmp_path / "sm")


def test_no_password_reaches_the_other_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PHYSIONET_PASSWORD", "REMEDIS_ANYTHING", "PYTHONPATH", "KEPT"):
        monkeypatch.setenv(name, "hunter2")
    found = tensorflow_python.environment("/some/other/python")
    assert [name for name, value in found.items() if value == "hunter2"] == ["KEPT"]


@pytest.mark.parametrize("name", ["bit-r26x1", "bit-r152x2", "resnet18", "resnet34-cifar", "resnet50", "resnet152x2"])
def test_every_weight_has_one_name(name: str) -> None:
    network = architecture(name)
    pairs = list(names(network, final_norm=True))
    weights = [key for key in build_empty(network, Contract()).state_dict() if "num_batches" not in key]
    assert sorted(ours for ours, _ in pairs) == sorted(weights)
    assert len({theirs for _, theirs in pairs}) == len(pairs)


def test_the_names_are_those_of_googles_programs() -> None:
    bit = dict(names(architecture("bit-r50x1"), final_norm=True))
    assert bit["stem.conv.weight"] == "resnet/root_block/standardized_conv2d/kernel"
    assert bit["stages.3.blocks.2.norm3.bias"] == "resnet/block4/unit03/c/group_norm/beta"
    assert bit["stages.1.blocks.0.downsample.conv.weight"] == "resnet/block2/unit01/a/proj/standardized_conv2d/kernel"
    assert bit["norm.weight"] == "resnet/group_norm/gamma"
    assert "norm.weight" not in dict(names(architecture("bit-r50x1"), final_norm=False))
    # google-research/simclr numbers ResNet-50's 53 convolutions as they are created, the projection before conv1
    resnet = dict(names(architecture("resnet50"), final_norm=True))
    assert resnet["conv1.weight"] == "base_model/conv2d/kernel"
    assert resnet["layer1.0.downsample.0.weight"] == "base_model/conv2d_1/kernel"
    assert resnet["layer1.1.conv1.weight"] == "base_model/conv2d_5/kernel"
    assert resnet["layer4.2.conv3.weight"] == "base_model/conv2d_52/kernel"
    assert resnet["layer4.2.bn3.running_var"] == "base_model/batch_normalization_52/moving_variance"


def stand_in(encoder: Encoder, *, wrong: bool = False) -> Callable[..., None]:
    """Return what runs instead of TensorFlow's program: our own float32, laid out as TensorFlow lays it out."""

    def run(python: str, program: Path, folder: str) -> None:
        job_folder = Path(folder)
        job = json.loads((job_folder / "job.json").read_text())
        weights = np.load(job_folder / "weights.npz")
        assert len(weights.files) == len(job["variables"]) == 79
        for number, (name, trainable) in enumerate(job["variables"]):
            assert trainable
            assert weights[str(number)].dtype == np.float32
            if name == "resnet/root_block/standardized_conv2d/kernel":
                assert weights[str(number)].shape == (7, 7, 3, 64)
        for number in range(job["batches"]):
            x = torch.from_numpy(np.load(job_folder / f"images_{number}.npy")).permute(0, 3, 1, 2)
            assert x.shape[1] == 3
            found = encoder.backbone.features(x).detach().permute(0, 2, 3, 1).numpy()
            np.save(job_folder / f"map_{number}.npy", found[:, ::-1] if wrong else found)
        (job_folder / "saved_model").mkdir()
        (job_folder / "saved_model" / "saved_model.pb").write_bytes(b"graph")
        (job_folder / "done.json").write_text(json.dumps({"tensorflow": "0.0", "trainable": 79}))

    return run


@pytest.mark.usefixtures("quick")
def test_the_folder_holds_the_model_the_facts_and_a_card(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMEDIS_TF_PYTHON", sys.executable)
    monkeypatch.setattr(savedmodel, "run_program", stand_in(encoder))
    pooled = Encoder(
        encoder.backbone, Contract(pool="original"), encoder.name, network=encoder.network, facts=encoder.facts
    )
    made = savedmodel.export(pooled, tmp_path / "sm")
    assert sorted(path.name for path in (tmp_path / "sm").iterdir()) == ["README.md", "remedis.json", "saved_model.pb"]
    assert set(made.files) == set((tmp_path / "sm").iterdir())
    facts = json.loads((tmp_path / "sm" / "remedis.json").read_text())
    assert (facts["licence"], facts["weights_sha256"]) == (encoder.facts.licence, encoder.hash)
    text = (tmp_path / "sm" / "README.md").read_text()
    for words in ("The original pooled its output itself", "do not pass it on", "trainable=True", "`after-norm`"):
        assert words in text


@pytest.mark.usefixtures("quick")
def test_a_savedmodel_that_computes_something_else_is_refused_and_not_kept(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMEDIS_TF_PYTHON", sys.executable)
    monkeypatch.setattr(savedmodel, "run_program", stand_in(encoder, wrong=True))
    with pytest.raises(CheckFailedError, match="the SavedModel is not what the encoder computes: its features"):
        savedmodel.export(encoder, tmp_path / "sm")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "values", "trainable"),
    [
        ("bit-r26x1", {}, 79),
        ("bit-r26x1", {"map": "before-norm", "range": (-1.0, 1.0)}, 77),
        ("bit-r26x1", {"kernels": "ready", "pool": "original"}, 79),
        ("resnet18", {"padding": "tf"}, 63),  # 21 convolutions, each with gamma and beta
        ("resnet50", {}, 159),  # as the official ResNet-50 has
    ],
)
def test_tensorflow_hub_opens_it_and_trains_it(
    shaken: Callable[..., Staged], images: Callable[..., Tensor], distance: Callable[..., float], tmp_path: Path,
    name: str, values: dict[str, Any], trainable: int,
) -> None:  # fmt: skip
    python = os.environ.get("REMEDIS_TF_PYTHON")
    if not python:
        pytest.skip("REMEDIS_TF_PYTHON is not set: this test needs an environment with TensorFlow (make tf-env)")
    contract = Contract(**values)
    encoder = Encoder(shaken(name, contract), contract, name).eval()
    made = savedmodel.export(encoder, tmp_path / "sm")
    savedmodel.export(encoder, tmp_path / "again")
    for path in made.files:
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(tmp_path / "sm")).read_bytes(), path
    low, high = contract.range
    x = images(57, 70, 3) * (high - low) + low
    np.save(tmp_path / "images.npy", x.permute(0, 2, 3, 1).numpy())
    command = [python, str(PROGRAM), str(tmp_path)]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    said = json.loads((tmp_path / "said.json").read_text())
    assert said["trainable"] == said["trainable_in_layer"] == trainable
    assert said["changed"] >= trainable - 1  # of a few norms before a group norm the gradient is zero
    assert said["signature"] == [["images"], ["output_0"]]
    assert said["losses"] == 0
    found = torch.from_numpy(np.load(tmp_path / "map.npy")).permute(0, 3, 1, 2)
    assert distance(found, encoder.double().features(x.double())) < 1e-4
