"""`remedis doctor`, held against what the packages, pydicom and the system say themselves."""

from __future__ import annotations

import json
import platform
import shutil
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch

from remedis import cli
from remedis.commands import doctor, doctor_facts
from remedis.commands.doctor_facts import Package
from remedis.options.export import Doctor


@pytest.fixture(autouse=True)
def no_other_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("REMEDIS_TF_PYTHON", raising=False)
    monkeypatch.setenv("REMEDIS_HOME", str(tmp_path / "home"))


def found(**options: Any) -> dict[str, Any]:
    return dict(doctor.run(Doctor(**options)).data)


def test_versions_and_device_are_what_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    start = time.monotonic()
    assert cli.run(["doctor"]) == 0
    assert time.monotonic() - start < 30  # a few seconds on a machine that is not busy
    text = capsys.readouterr().out
    assert f"Python {platform.python_version()}" in text
    assert torch.__version__ in text
    assert f"{torch.get_num_threads()} threads" in text
    assert ("no GPU in use" in text) is not torch.cuda.is_available()
    assert cli.run(["doctor", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["remedis"] == metadata.version("remedis")
    assert said["torch"]["version"] == torch.__version__
    assert said["broken"] == []


def test_extras_are_there_or_come_with_the_line_that_installs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    said = found()
    here = {package["name"]: package["version"] for listed in said["extras"].values() for package in listed}
    assert here["onnx"] == metadata.version("onnx")
    assert "dev" not in said["extras"]
    real = doctor_facts.version_of
    monkeypatch.setattr(doctor_facts, "version_of", lambda name: None if name == "onnxscript" else real(name))
    result = doctor.run(Doctor())
    assert result.exit_status == 0
    assert "pip install 'remedis[onnx]'" in [one["install"] for one in result.data["missing"]]
    assert "onnx      export to ONNX: pip install 'remedis[onnx]'" in result.text


def test_status_1_only_where_something_required_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor_facts.version_of
    wrong = {"scipy": None, "pyarrow": "19.9"}
    monkeypatch.setattr(doctor_facts, "version_of", lambda name: wrong.get(name, "") if name in wrong else real(name))
    result = doctor.run(Doctor())
    assert result.exit_status == 1
    said = " ".join(result.data["broken"])
    assert "scipy is not installed, 1.15 or newer was expected" in said
    assert "pyarrow is 19.9, 20 or newer was expected" in said
    assert "this installation is not whole" in result.text


def test_a_torch_that_cannot_be_imported_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    result = doctor.run(Doctor())
    assert result.exit_status == 1
    assert "cannot be imported" in result.text


@pytest.mark.parametrize(
    ("version", "least", "serves"),
    [
        ("1.15", "1.15", True),
        ("1.9.1", "1.15", False),
        ("11", "11.0", True),
        ("2.14.1+cu130", "2.6", True),
        (None, None, False),
    ],
)
def test_versions_are_compared_as_numbers(version: str | None, least: str | None, serves: bool) -> None:
    assert Package("x", version, least).serves is serves


def test_decoders_are_those_that_pydicom_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    from pydicom.pixels import get_decoder

    said = found()["dicom"]
    assert said["uncompressed"]
    assert said["JPEG 2000"] is ("pylibjpeg" in get_decoder("1.2.840.10008.1.2.4.90").available_plugins)
    assert said["JPEG of 12 bits"] is ("pylibjpeg" in get_decoder("1.2.840.10008.1.2.4.51").available_plugins)
    decoder = get_decoder("1.2.840.10008.1.2.4.80")
    monkeypatch.setattr(decoder, "_available", {})
    assert not found()["dicom"]["JPEG-LS"]
    assert "not: " in doctor.run(Doctor()).text.partition("DICOM")[2].splitlines()[0]


def test_the_folder_of_weights_and_the_free_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = found()["weights"]
    assert (said["home"], said["exists"], said["models"]) == (str(tmp_path / "home"), False, [])
    assert said["free_bytes"] == pytest.approx(shutil.disk_usage(tmp_path).free, abs=1 << 30)
    model = tmp_path / "elsewhere" / "models" / "mine"
    model.mkdir(parents=True)
    (model / "config.json").write_text("{}")
    (model / "model.safetensors").write_bytes(bytes(3 << 20))
    result = doctor.run(Doctor(home=tmp_path / "elsewhere"))
    assert result.data["weights"]["models"] == ["mine"]
    assert "1 model, 3 MiB" in result.text
    assert list(tmp_path.iterdir()) == [tmp_path / "elsewhere"]  # looking makes nothing


def test_the_python_with_tensorflow_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 2.99.0\n")
    python.chmod(0o700)
    monkeypatch.setenv("REMEDIS_TF_PYTHON", str(python))
    result = doctor.run(Doctor())
    assert result.data["tensorflow"] == {"python": str(python), "named_by": "REMEDIS_TF_PYTHON", "version": "2.99.0"}
    assert f"TensorFlow  2.99.0 by REMEDIS_TF_PYTHON, {python}" in result.text
    assert "tf" not in [one["name"] for one in result.data["missing"]]
    python.write_text("#!/bin/sh\nexit 1\n")
    result = doctor.run(Doctor())
    assert result.data["tensorflow"]["version"] is None
    assert "a Python that has it was expected there" in result.text
    assert "tf" in [one["name"] for one in result.data["missing"]]


def test_a_gpu_that_torch_does_not_use_comes_with_the_page_that_has_its_build(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {
        "version": "2.14.1+cpu",
        "cuda": None,
        "gpus": [],
        "gpu_driver": True,
        "threads": 2,
        "instructions": "AVX2",
    }
    monkeypatch.setattr(doctor_facts, "torch_facts", lambda: {**facts, "bfloat16": False})
    result = doctor.run(Doctor())
    (line,) = [line for line in result.text.splitlines() if line.startswith("  gpu")]
    assert "built for processors only" in line
    assert "https://pytorch.org/get-started/locally" in line
