"""Files of weights converted: timm and torchvision, fed the file in their own way, compute the same in float64."""

from __future__ import annotations

import copy
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from references import bit as reference
from references import bit_names
from remedis.data.files import sha256
from remedis.errors import CheckFailedError, ConvertError, FolderError
from remedis.models import zoo
from remedis.models.card import Facts
from remedis.models.checkpoint import load_checkpoint
from remedis.models.convert import bare_convert, names
from remedis.models.convert.bare import open_bare
from remedis.models.convert.bare_convert import convert_bare
from remedis.models.convert.decide import network_of
from remedis.models.convert.names import find_named
from remedis.models.convert.other_library import OtherLibrary, caution, witness_of
from remedis.models.staged import Staged
from remedis.models.store import VARIABLE, Store
from remedis.models.verify import verify

Network = Callable[..., Staged]
Noise = Callable[..., Tensor]
Distance = Callable[[Tensor, Tensor], float]


@pytest.fixture(scope="module")
def bit26(shaken: Network) -> dict[str, Tensor]:
    """Weights of the smallest BiT, by timm's names."""
    return dict(shaken("bit-r26x1").state_dict())


@pytest.fixture(scope="module")
def npz(bit26: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in the layout of BiT-M-R50x1.npz: `resnet/` before all names, kernels HWIO, a head of 1,000."""
    arrays = {f"resnet/{name}": one.numpy() for name, one in bit_names.in_tensorflow(bit26, 26).items()}
    arrays["resnet/head/conv2d/kernel"] = np.zeros((1, 1, 2048, 1000), np.float32)
    arrays["resnet/head/conv2d/bias"] = np.zeros(1000, np.float32)
    path = tmp_path_factory.mktemp("bare") / "BiT-M-R26x1.npz"
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="module")
def converted(npz: Path) -> Path:
    """The checkpoint of it; nobody may change it."""
    convert_bare(npz, npz.parent / "converted")
    return npz.parent / "converted"


@contextmanager
def own_home(folder: Path) -> Iterator[Store]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        yield Store(folder)


def test_npz_becomes_a_checkpoint_that_timm_and_numpy_agree_with(
    npz: Path, converted: Path, bit26: dict[str, Tensor], distance: Distance, images: Noise
) -> None:
    encoder = load_checkpoint(converted)
    assert {name: one.dtype for name, one in encoder.weights().items()} == dict.fromkeys(bit26, torch.float32)
    assert all(torch.equal(one, bit26[name]) for name, one in encoder.weights().items())
    contract = encoder.contract
    assert (contract.range, contract.inside, contract.range_source) == ((0, 1), (-1, 1), "declared")
    assert (contract.map, contract.size, contract.kernels, encoder.name) == ("after-norm", 224, "raw", "BiT-M-R26x1")

    network = timm.models.resnetv2.ResNetV2(
        [2, 2, 2, 2], num_classes=0, stem_type="fixed", conv_layer=partial(timm.layers.StdConv2d, eps=1e-10)
    )
    network.load_pretrained(str(npz))
    x = images(41, dtype=torch.float64)
    with torch.inference_mode():
        map_ = network.double().eval().forward_features(2 * x - 1)
        found = encoder.double().stages(x)
    assert distance(found["map"], map_) < 1e-9
    expected = reference.stages(x.numpy(), {name: one.double().numpy() for name, one in bit26.items()}, 26)
    for name, value in found.items():
        assert distance(value, torch.from_numpy(expected[name])) < 1e-9


def test_the_proof_says_who_the_witness_was_and_holds(npz: Path, converted: Path) -> None:
    proof = json.loads((converted / "proof.json").read_text())
    assert re.fullmatch(r"timm [\d.]+, ResNetV2 with eps 1e-10, filled by its own reader of npz", proof["witness"])
    assert proof["original"]["files"] == {npz.name: sha256(npz)}
    assert proof["original"]["left_out"] == {"head": 2}
    assert {row["output"] for row in proof["rows"]} >= {"stem", "stage1", "stage4", "map", "embedding"}
    assert 0 < max(row["relative"] for row in proof["rows"]) < 1e-9
    found = verify(converted)
    assert found.sizes == (64, 65)
    assert found.witness == proof["witness"]
    card = (converted / "README.md").read_text()
    assert f"Converted from {npz.name} (SHA-256 {sha256(npz)})" in card
    assert "Left out: head (2 tensors: resnet/head/conv2d/kernel …)" in card
    assert "own table of names" not in card


def test_verify_refuses_two_swapped_layers(converted: Path, tmp_path: Path) -> None:
    for path in converted.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    one, other = "stages.2.blocks.0.norm2.weight", "stages.2.blocks.0.norm3.weight"
    weights[one], weights[other] = weights[other], weights[one]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(CheckFailedError):
        verify(tmp_path)


def test_a_wrong_table_of_names_is_refused_by_timms_own(
    npz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swap = {"norm2": "norm3", "norm3": "norm2"}
    wrong = lambda ours: names.bit_tensorflow(re.sub("norm[23]", lambda one: swap[one[0]], ours))  # noqa: E731
    changed = tuple(
        names.Style(one.key, one.words, one.family, wrong, last_axis_out=True) if one.key == "tensorflow" else one
        for one in names.STYLES
    )
    monkeypatch.setattr(names, "STYLES", changed)
    monkeypatch.setattr(bare_convert, "SIZES", (32,))
    with pytest.raises(ConvertError, match=r"in float64 from timm .*, at most 1e-09 was expected"):
        convert_bare(npz, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.iterdir())


def opened(path: Path, prefix: str | None = None) -> tuple[dict[str, Tensor], Staged, OtherLibrary]:
    """A file's weights by our names, our network of them in float64, and the witness."""
    with open_bare(path) as bare:
        named = find_named(bare.shapes, prefix)
        weights = bare_convert._weights(bare, named)
        contract = bare_convert._contract(named, None, None)
        network = network_of(named.architecture, contract, weights)
        witness = witness_of(bare, named, weights, contract, network)
    assert isinstance(witness, OtherLibrary)
    return weights, copy.deepcopy(network).double(), witness


def agree(network: Staged, witness: OtherLibrary, x: Tensor, distance: Distance) -> None:
    theirs = witness.outputs(x, torch.float64)
    with torch.inference_mode():
        found = network.outputs(x)
    assert set(theirs) == set(found) == {"stem", "stage1", "stage2", "stage3", "stage4", "map", "embedding"}
    for name, value in found.items():
        assert distance(value, theirs[name]) < 1e-9


def test_keras_hdf5_and_bits_pytorch_names_hold_the_same_weights(
    bit26: dict[str, Tensor], tmp_path: Path, images: Noise, distance: Distance
) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for name, one in bit_names.in_tensorflow(bit26, 26).items():
            file.create_dataset(f"{name.split('/')[0]}/resnet_v2/{name}:0", data=one.numpy())
        file.create_dataset("head/dense/resnet_v2/head/dense/kernel:0", data=np.zeros((2048, 9), np.float32))
    torch.save(
        {"model": {f"module.{key}": one for key, one in bit_names.in_pytorch(bit26, 26).items()}}, tmp_path / "w.pth"
    )
    for path in (tmp_path / "w.h5", tmp_path / "w.pth"):
        weights, network, witness = opened(path)
        assert set(weights) == set(bit26)
        assert all(torch.equal(weights[name], one) for name, one in bit26.items())
        assert "filled by this program's table of names" in witness.name
        assert "not that two of equal shape stand where they belong" in str(caution(witness))
    agree(network, witness, images(33, dtype=torch.float64), distance)


def test_without_the_last_norm_the_map_is_the_last_blocks_sum(
    bit26: dict[str, Tensor], tmp_path: Path, images: Noise, distance: Distance
) -> None:
    weights = {name: one.half() for name, one in bit26.items() if not name.startswith("norm")}
    save_file({f"backbone.{name}": one for name, one in weights.items()}, tmp_path / "w.safetensors")
    found, network, witness = opened(tmp_path / "w.safetensors")
    assert all(torch.equal(found[name], one.float()) for name, one in weights.items())
    assert "filled by its own names" in witness.name
    assert caution(witness) is None
    agree(network, witness, images(33, dtype=torch.float64), distance)
    x = images(33, dtype=torch.float64)
    torch.testing.assert_close(network.features(x), network.outputs(x)["stage4"], rtol=0, atol=0)


@pytest.mark.parametrize("name", ["resnet18x2", "resnet18-cifar"])
def test_resnets_equal_torchvisions(
    name: str, shaken: Network, tmp_path: Path, images: Noise, distance: Distance
) -> None:
    weights = shaken(name).state_dict()
    torch.save({"state_dict": {f"module.encoder_q.{key}": one for key, one in weights.items()}}, tmp_path / "w.pth.tar")
    found, network, witness = opened(tmp_path / "w.pth.tar")
    assert all(torch.equal(found[key], one) for key, one in weights.items())
    agree(network, witness, images(32, 35, dtype=torch.float64), distance)


def test_torchvisions_own_file_becomes_a_checkpoint(
    shaken: Network, tmp_path: Path, images: Noise, distance: Distance
) -> None:
    with torch.device("meta"):
        theirs = torchvision.models.resnet50(num_classes=7)
    head = {"fc.weight": torch.ones(7, 2048), "fc.bias": torch.ones(7)}
    theirs.load_state_dict({**shaken("resnet50").state_dict(), **head}, assign=True)
    torch.save(theirs.state_dict(), tmp_path / "mine.pth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bare_convert, "SIZES", (33,))
        encoder = convert_bare(tmp_path / "mine.pth", tmp_path / "out", name="mine", input_range=(0.0, 255.0), size=160)
    contract = encoder.contract
    assert (contract.range, contract.inside, contract.range_source) == ((0, 255), (0, 255), "declared")
    assert (contract.size, contract.padding, encoder.name) == (160, "torch", "mine")
    theirs.fc = nn.Identity()
    x = 255 * images(40, dtype=torch.float64)
    with torch.inference_mode():
        assert distance(load_checkpoint(tmp_path / "out").double()(x), theirs.double().eval()(x)) < 1e-9
    notes = " ".join(encoder.facts.notes)
    assert "normalised by a mean and a deviation" in notes
    assert "range: assumed" not in notes
    assert "head (2 tensors: fc.weight …)" in notes


def test_a_network_whose_map_is_nothing_is_refused(
    shaken: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = dict(shaken("resnet18-cifar").state_dict())
    weights["layer4.1.bn2.bias"] = torch.full((512,), -1e6)
    save_file(weights, tmp_path / "w.safetensors")
    monkeypatch.setattr(bare_convert, "SMALL_SIZES", (16,))
    with pytest.raises(ConvertError, match="its map is zero everywhere"):
        convert_bare(tmp_path / "w.safetensors", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_where_no_other_library_is_the_proof_says_that_there_is_no_witness(
    shaken: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_file(dict(shaken("resnet18-cifar").state_dict()), tmp_path / "w.safetensors")
    monkeypatch.setitem(sys.modules, "torchvision", None)
    monkeypatch.setattr(bare_convert, "SMALL_SIZES", (16, 17))
    encoder = convert_bare(tmp_path / "w.safetensors", tmp_path / "out")
    proof = json.loads((tmp_path / "out" / "proof.json").read_text())
    assert proof["witness"].startswith("none: torchvision is not installed (pip install 'remedis[timm]')")
    assert "Nothing independent computed these outputs" in (tmp_path / "out" / "README.md").read_text()
    assert verify(tmp_path / "out").float64["map"] == 0
    contract = encoder.contract
    assert (contract.size, contract.range_source) == (32, "assumed")
    assert any(note.startswith("range: assumed") for note in encoder.facts.notes)
    assert any("stride 1 and no pool" in note for note in encoder.facts.notes)
    proof_file = load_file(tmp_path / "out" / "proof.safetensors")
    proof_file["16.map"] += 1e-6
    save_file(proof_file, tmp_path / "out" / "proof.safetensors")
    with pytest.raises(CheckFailedError):
        verify(tmp_path / "out")


def test_a_file_of_the_zoo_is_known_by_the_hash_of_its_first_download(npz: Path, tmp_path: Path) -> None:
    digest = sha256(npz)
    with own_home(tmp_path) as store:
        assert bare_convert._known(npz.name, digest) is None
        store.record("bit-m-r50x1", {"BiT-M-R50x1.npz": digest})
        known = bare_convert._known(npz.name, digest)
    assert known is not None
    assert known.extra["zoo"] == "bit-m-r50x1"
    assert "ImageNet-21k" in known.extra["seen"]
    published = next(iter(zoo.ENTRIES["cxr-50x1-remedis-m"].files.values()))
    found = bare_convert._known("x", str(published))
    assert found is not None
    assert found.extra["zoo"] == "cxr-50x1-remedis-m"


def test_what_is_given_is_kept_and_a_refusal_names_the_file(npz: Path, converted: Path, tmp_path: Path) -> None:
    with open_bare(npz) as bare:
        named = find_named(bare.shapes)
        contract = bare_convert._contract(named, (-1.0, 1.0), 448)
        weights = bare_convert._weights(bare, named)
        witness = witness_of(bare, named, weights, contract, network_of(named.architecture, contract, weights))
        about = {"files": {npz.name: "0"}}
        facts = bare_convert._facts(Facts(source="Given", notes=("kept",)), bare, named, contract, witness, about)
    assert (contract.range, contract.inside, contract.size) == ((-1, 1), (-1, 1), 448)
    assert (facts.source, facts.notes[0], facts.extra["conversion"]) == ("Given", "kept", about)
    torch.save({"w": torch.ones(1)}, tmp_path / "w.pth")
    with pytest.raises(ConvertError, match=f"^{re.escape(str(tmp_path / 'w.pth'))}: holds no network that is known"):
        convert_bare(tmp_path / "w.pth", tmp_path / "out")
    with pytest.raises(FolderError):
        convert_bare(npz, converted)
