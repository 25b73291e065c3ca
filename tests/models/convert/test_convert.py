"""A conversion from end to end, and its proof: what is written, and that nothing can be changed unnoticed."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import remedis
from remedis.errors import CheckFailedError, CheckpointError, ConvertError, FolderError
from remedis.models.convert import convert
from remedis.models.encoder import hash_of
from remedis.models.verify import verify
from savedmodels import rebuild

NAME = "r26x1-bare-raw-before-64"


@pytest.fixture(scope="module")
def converted(savedmodel: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a converted checkpoint; nobody may change it."""
    folder = tmp_path_factory.mktemp("converted") / "ckpt"
    convert(savedmodel(NAME), folder)
    return folder


@pytest.fixture
def copy(converted: Path, tmp_path: Path) -> Path:
    """Return a copy to change."""
    return Path(shutil.copytree(converted, tmp_path / "ckpt"))


def test_a_checkpoint_says_what_was_found_out(converted: Path) -> None:
    config = json.loads((converted / "config.json").read_text())["remedis"]
    assert config["network"] == "bit-r26x1"
    assert config["contract"]["range_source"] == "assumed"
    assert config["contract"]["map"] == "before-norm"
    assert config["contract"]["size"] == 64
    assert any("range: assumed" in note for note in config["notes"])
    files = rebuild.record(NAME)["files"]
    stated = config["extra"]["conversion"]["files"]
    assert {path: files[path]["sha256"] for path in stated} == stated  # of what TensorFlow wrote
    assert "range: assumed" in (converted / "README.md").read_text()


def test_kernels_are_kept_as_the_original_has_them(converted: Path) -> None:
    weights = load_file(converted / "model.safetensors")
    from savedmodels import seeded

    seed = rebuild.record(NAME)["seed"]
    kernel = seeded.value(seed, "block4/unit02/b/standardized_conv2d/kernel", [3, 3, 512, 512], None)
    np.testing.assert_array_equal(weights["stages.3.blocks.1.conv2.weight"].numpy(), kernel.transpose(3, 2, 0, 1))


def test_the_proof_holds_the_outputs_and_the_figures(converted: Path) -> None:
    proof = json.loads((converted / "proof.json").read_text())
    outputs = {row["output"] for row in proof["rows"]}
    assert outputs == {"stem", "stage1", "stage2", "stage3", "stage4", "map", "embedding"}
    assert {row["image"] for row in proof["rows"]} == {"random", "real"}
    assert all(row["relative"] <= 1e-9 for row in proof["rows"])
    assert all(0 < row["ours_float32"] < 1e-4 for row in proof["rows"] if row["output"] == "map")
    kept = load_file(converted / "proof.safetensors")
    assert kept["64.images"].dtype == torch.uint8
    assert kept["64.map"].shape == (3, 2048, 2, 2)
    torch.testing.assert_close(kept["64.map"].mean(dim=(2, 3)), kept["64.embedding"], rtol=1e-12, atol=1e-12)


def test_load_gives_the_originals_numbers(converted: Path) -> None:
    encoder = remedis.load(converted, dtype=torch.float64)
    images = torch.from_numpy(rebuild.images(NAME, 64).astype(np.float64)).permute(0, 3, 1, 2)
    every, outputs = rebuild.record(NAME)["every"], rebuild.outputs(NAME)
    found = encoder.features(images)[:, ::every].permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(found, outputs["map_64"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(encoder(images)[:, ::every].numpy(), outputs["embedding_64"], rtol=1e-6, atol=1e-6)


def test_verify_repeats_it_without_tensorflow(converted: Path) -> None:
    found = verify(converted)
    assert max(found.float64.values()) < 1e-9
    assert found.sizes == (64,)
    assert "tensorflow" not in sys.modules


def forge(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change weights and write every hash anew, as somebody would who wants it unnoticed."""
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    digest = hash_of(weights)
    for name, keys in (("config.json", ("remedis",)), ("proof.json", ("result",))):
        facts = json.loads((folder / name).read_text())
        facts[keys[0]]["weights_sha256"] = digest
        (folder / name).write_text(json.dumps(facts))


def one_weight(weights: dict[str, Any]) -> None:
    """Change one number of 13.9 million by a thousandth."""
    weights["stages.2.blocks.1.conv2.weight"][7, 3, 1, 1] *= 1.001


def swap(weights: dict[str, Any]) -> None:
    """Swap two layers of one shape."""
    first, second = "stages.1.blocks.1.conv2.weight", "stages.1.blocks.0.conv2.weight"
    weights[first], weights[second] = weights[second].clone(), weights[first].clone()


@pytest.mark.parametrize("change", [one_weight, swap])
def test_changed_weights_are_noticed_even_with_their_hashes_forged(
    copy: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    forge(copy, change)
    with pytest.raises(CheckFailedError, match=r"does not compute what the original computes: stage. is the first"):
        verify(copy)


def test_changed_weights_are_noticed_by_their_hash(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    weights["stem.conv.weight"].flatten()[5] += 1e-7
    save_file(weights, copy / "model.safetensors")
    with pytest.raises(CheckFailedError, match="weights are not those"):
        verify(copy)


def test_weights_that_are_not_the_proofs_are_noticed(copy: Path) -> None:
    proof = (copy / "proof.json").read_text()
    forge(copy, lambda weights: weights["stem.conv.weight"].flatten()[5:6].add_(1e-7))
    (copy / "proof.json").write_text(proof)
    with pytest.raises(CheckFailedError, match="weights are not those that were proven"):
        verify(copy)


def test_another_contract_is_noticed(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["remedis"]["contract"]["size"] = 128  # changes no output for a given tensor
    (copy / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckFailedError, match=r"contract in config\.json is not the one that was proven"):
        verify(copy)


@pytest.mark.parametrize("name", ["proof.safetensors", "proof.json"])
def test_a_damaged_proof_is_noticed(copy: Path, name: str) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[:-100])
    with pytest.raises(CheckFailedError, match=name.replace(".", r"\.")):
        verify(copy)


def test_without_a_proof_there_is_nothing_to_verify(copy: Path) -> None:
    (copy / "proof.json").unlink()
    with pytest.raises(CheckpointError, match=r"has no proof\.json"):
        verify(copy)


def test_a_used_folder_is_refused_before_any_work(savedmodel: Callable[[str], Path], copy: Path) -> None:
    before = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in copy.iterdir()}
    with pytest.raises(FolderError, match="not empty"):
        convert(savedmodel(NAME), copy)
    assert before == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in copy.iterdir()}


def test_a_range_that_contradicts_the_graph_is_refused(savedmodel: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ConvertError, match=r"its graph takes images in \[0, 1\]"):
        convert(savedmodel("r26x1-hub-scaled-before-64"), tmp_path / "ckpt", input_range=(-1.0, 1.0))
    assert not (tmp_path / "ckpt").exists()


def test_the_command_needs_no_tensorflow_and_shows_what_it_found(converted: Path) -> None:
    command = [sys.executable, "-m", "remedis", "models", "verify", str(converted)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL)
    assert "computes what the original computes" in done.stdout
    assert "64 px" in done.stdout
