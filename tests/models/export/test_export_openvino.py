"""OpenVINO models, run by OpenVINO in float32, against numpy in float64."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openvino as openvino_package
import pytest
from torch import Tensor

from remedis.errors import CheckFailedError, FolderError, MissingExtraError
from remedis.models.encoder import Encoder
from remedis.models.export import openvino


@pytest.mark.usefixtures("onnx_copied", "quick")
def test_openvino_computes_what_numpy_computes_at_any_size(
    encoder: Encoder, by_numpy: Callable[..., dict], images: Callable[..., Tensor], tmp_path: Path
) -> None:
    made = openvino.export(encoder, tmp_path / "ov")
    assert sorted(path.name for path in (tmp_path / "ov").iterdir()) == ["README.md", "model.bin", "model.xml"]
    assert set(made.files) == set((tmp_path / "ov").iterdir())
    core = openvino_package.Core()
    model = core.compile_model(tmp_path / "ov" / "model.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for x in (images(33, 33, 1), images(47, 32, 3)):
        found = model({"images": x.numpy()})
        assert [output.any_name for output in model.outputs] == ["embedding", "features"]
        for output, wanted in zip(found.values(), by_numpy(x).values(), strict=True):
            assert np.linalg.norm(output - wanted) / np.linalg.norm(wanted) < 5e-5
    assert (tmp_path / "ov" / "model.bin").stat().st_size >= 4 * encoder.parameters_count  # not rounded to float16
    read = core.read_model(tmp_path / "ov" / "model.xml")
    assert read.get_rt_info(["remedis", "weights_sha256"]).astype(str) == encoder.hash
    assert read.get_rt_info(["remedis", "licence"]).astype(str) == encoder.facts.licence
    text = (tmp_path / "ov" / "README.md").read_text()
    for words in (
        "library_name: openvino",
        "do not pass it on",
        "Mind the gap.",
        "INFERENCE_PRECISION_HINT",
        encoder.hash,
    ):
        assert words in text


@pytest.mark.usefixtures("onnx_copied", "quick")
def test_a_path_that_ends_with_xml_is_the_file(encoder: Encoder, tmp_path: Path) -> None:
    made = openvino.export(encoder, tmp_path / "mine.xml")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.bin", "mine.xml"]
    assert made.files == (tmp_path / "mine.xml", tmp_path / "mine.bin")
    (tmp_path / "mine.xml").unlink()
    with pytest.raises(FolderError, match=r"mine\.bin: exists"):
        openvino.export(encoder, tmp_path / "mine.xml")


@pytest.mark.usefixtures("onnx_copied", "far")
@pytest.mark.parametrize("name", ["ov", "mine.xml"])
def test_a_model_that_computes_something_else_is_refused_and_not_kept(
    encoder: Encoder, tmp_path: Path, name: str
) -> None:
    with pytest.raises(CheckFailedError, match="the OpenVINO model is not what the encoder computes"):
        openvino.export(encoder, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_openvino_is_named_with_the_line_that_installs_it(
    encoder: Encoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'remedis\[openvino\]'"):
        openvino.export(encoder, tmp_path / "ov")
