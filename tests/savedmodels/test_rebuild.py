"""The stored SavedModels: rebuilt byte for byte, complete, free of paths, and right by independent references."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from references import bit, simclr_resnet
from savedmodels import rebuild, seeded

GOOD = [name for name in rebuild.fixtures() if not name.startswith("refused")]
# of every kind one: variables by name, in a list; kernels ready; weights as constants; TensorFlow 1; to be refused
SPREAD = [
    "r26x1-bare-raw-before-free",
    "r26x1-hub-scaled-before-64",
    "r26x1-constants-free",
    "tf1-resnet18-fused-64",
    "refused-vgg",
]
OPEN = """
import sys
import numpy as np
import tensorflow as tf
folder, images, key, answer, *tags = sys.argv[1:]
images = tf.constant(np.load(images))
if tags:
    found = tf.saved_model.load(folder, tags=[]).signatures["default"](images)
else:
    found = tf.saved_model.load(folder)(images)
np.save(answer, found[key] if key else found)
"""


@pytest.mark.parametrize("name", SPREAD)
def test_the_files_are_those_that_tensorflow_wrote(name: str, tmp_path: Path) -> None:
    folder = rebuild.rebuild(name, tmp_path / "made")
    assert rebuild.differences(name, folder) == []
    made = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert made == set(rebuild.record(name)["files"])
    index = folder / "variables" / "variables.index"
    index.write_bytes(index.read_bytes()[:-1])
    assert rebuild.differences(name, folder) == ["variables/variables.index"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in rebuild.fixtures() if name not in SPREAD])
def test_all_the_other_files_too(name: str, tmp_path: Path) -> None:
    assert rebuild.differences(name, rebuild.rebuild(name, tmp_path / "made")) == []


def test_every_combination_is_there() -> None:
    seen = set()
    for name in rebuild.fixtures():
        variant, expected = rebuild.record(name)["variant"], rebuild.record(name)["expected"]
        if re.fullmatch(r"r26x1-(hub|bare|object)-.*", name):
            what = "pooled" if expected["pooled"] else expected["map"]
            seen.add((variant["names"], expected["scale"] != 1.0, what, expected["sizes"]))
    names, whats = ("hub", "bare", "object"), ("before-norm", "after-norm", "pooled")
    assert seen == set(itertools.product(names, (False, True), whats, ("free", 64)))


def test_what_is_stored_is_small_and_names_no_machine() -> None:
    assert sum(path.stat().st_size for path in rebuild.STORED.iterdir()) < 3_000_000
    for name in rebuild.fixtures():
        for path, content in rebuild._members(name).items():
            found = re.search(rb"/(?:home|root|tmp|usr|Users)/|site-packages|\.py\b", content)
            assert path.endswith(".npy") or found is None, f"{name}/{path}: {found}"


@pytest.mark.parametrize("name", GOOD)
def test_tensorflow_in_float32_is_near_the_float64_of_the_same_network(name: str) -> None:
    found, expected = rebuild.outputs(name), rebuild.record(name)["expected"]
    for side in rebuild.record(name)["images"]:
        true = found[f"map_{side}"]
        np.testing.assert_allclose(true.mean(axis=(1, 2)), found[f"embedding_{side}"], rtol=1e-12)
        reference = found[f"embedding_{side}"] if expected["pooled"] else true
        if f"tensorflow_{side}" in found:
            theirs = found[f"tensorflow_{side}"].reshape(reference.shape)
            assert np.linalg.norm(theirs - reference) < 1e-4 * np.linalg.norm(reference)


def seeded_weights(name: str) -> dict[str, NDArray[Any]]:
    """Every seeded variable of a fixture, by canonical name."""
    found = rebuild.record(name)
    parts = [part for file in found["files"].values() for part in file["parts"] if not isinstance(part, int)]
    return {part[0]: seeded.value(found["seed"], part[0], part[1], found["ready_eps"]) for part in parts}


def timm_name(name: str) -> str:
    """timm's name of one of BiT's variables."""
    name = name.replace("root_block/standardized_conv2d/kernel", "stem.conv.weight")
    name = name.replace("a/proj/standardized_conv2d/kernel", "downsample.conv.weight")
    for number, part in enumerate("abc", start=1):
        name = name.replace(f"/{part}/standardized_conv2d/kernel", f"/conv{number}.weight")
        name = name.replace(f"/{part}/group_norm/", f"/norm{number}/")
    unit = re.match(r"block(\d)/unit(\d\d)/(.*)", name)
    if unit:
        name = f"stages.{int(unit[1]) - 1}.blocks.{int(unit[2]) - 1}.{unit[3]}"
    return name.replace("/gamma", ".weight").replace("/beta", ".bias").replace("group_norm", "norm")


def oihw(value: NDArray[Any]) -> NDArray[np.float64]:
    """A kernel (h, w, in, out) as (out, in, h, w)."""
    return np.asarray(value.transpose(3, 2, 0, 1) if value.ndim == 4 else value, dtype=np.float64)


def test_the_float64_outputs_of_bit_are_those_of_the_reference() -> None:
    name = "r26x1-bare-raw-before-free"
    weights = {timm_name(variable): oihw(value) for variable, value in seeded_weights(name).items()}
    spare = {"norm.weight": np.ones(2048), "norm.bias": np.zeros(2048)}
    images = rebuild.images(name, 65).transpose(0, 3, 1, 2).astype(np.float64)
    ours = bit.stages((images + 1) / 2, weights | spare, 26)["stage4"]  # the reference scales, this network does not
    theirs = rebuild.outputs(name)["map_65"].transpose(0, 3, 1, 2)
    # the graph holds 1e-10 in float32, which is 1.3e-8 more; channels whose variance is 1e-10 feel it
    assert np.linalg.norm(ours - theirs) < 2e-8 * np.linalg.norm(theirs)


def torchvision_name(name: str) -> str:
    """torchvision's name of a variable of an 18-layer ResNet; layers are numbered as SimCLR's program makes them."""
    layers = ["conv1"]
    for group, block in itertools.product((1, 2, 3, 4), (0, 1)):
        shortcut = [f"layer{group}.{block}.downsample.0"] if block == 0 else []
        layers += [*shortcut, f"layer{group}.{block}.conv1", f"layer{group}.{block}.conv2"]
    found = re.fullmatch(r"base_model/(conv2d|batch_normalization)_?(\d*)/(\w+)", name)
    assert found is not None
    kind, number, part = found.groups()
    layer = layers[int(number or 0)]
    if kind == "batch_normalization":
        layer = layer.replace("conv", "bn").replace("downsample.0", "downsample.1")
    ours = {"kernel": "weight", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean"}
    return f"{layer}.{ours.get(part, 'running_var')}"


def test_the_float64_outputs_of_resnet_are_those_of_the_reference() -> None:
    name = "tf1-resnet18-cifar-free"
    weights = {torchvision_name(variable): oihw(value) for variable, value in seeded_weights(name).items()}
    images = rebuild.images(name, 33).transpose(0, 3, 1, 2).astype(np.float64)
    ours = simclr_resnet.stages(images, weights, 18, padding="tf", small=True)["map"]
    theirs = rebuild.outputs(name)["map_33"].transpose(0, 3, 1, 2)
    assert np.linalg.norm(ours[:, ::31] - theirs) < 1e-12 * np.linalg.norm(theirs)


def test_ready_kernels_are_the_raw_ones_standardised() -> None:
    shape, name = (3, 3, 64, 96), "block2/unit01/b/standardized_conv2d/kernel"
    raw = seeded.kernel(1, name, shape).astype(np.float64)
    assert raw[..., seeded.CONSTANT[name]].std() == 0
    tiny = raw.std(axis=(0, 1, 2)) < 2 * seeded.TINY
    assert 2 < tiny.sum() < 20
    expected = (raw - raw.mean(axis=(0, 1, 2))) / np.sqrt(raw.var(axis=(0, 1, 2)) + 1e-10)
    np.testing.assert_allclose(seeded.kernel(1, name, shape, 1e-10), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SPREAD[:4], "r26x1-object-scaled-pooled-64"])
def test_tensorflow_opens_what_was_rebuilt_and_computes_the_stored_outputs(name: str, tmp_path: Path) -> None:
    python = os.environ.get("REMEDIS_TF_PYTHON")
    if not python:
        pytest.skip("REMEDIS_TF_PYTHON is not set: this test needs an environment with TensorFlow (make tf-env)")
    folder = rebuild.rebuild(name, tmp_path / "made")
    found = rebuild.record(name)
    side = max(map(int, found["images"]))
    images, answer = tmp_path / "images.npy", tmp_path / "answer.npy"
    np.save(images, rebuild.images(name, side))
    places = [str(folder), str(images), found["expected"]["output_key"] or "", str(answer)]
    tags = ["tf1"] if found["variant"]["call"] == "tf1" else []
    subprocess.run([python, "-c", OPEN, *places, *tags], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    theirs = rebuild.outputs(name)[f"tensorflow_{side}"]
    again = np.load(answer)[..., :: found["every"]]
    assert np.linalg.norm(again - theirs) < 1e-5 * np.linalg.norm(theirs)
