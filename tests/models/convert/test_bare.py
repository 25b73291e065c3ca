"""Files of weights: what is read is what other writers wrote; what is damaged, too large or a program is refused."""

from __future__ import annotations

import collections
import io
import re
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from remedis.errors import ConvertError, InputError, MissingExtraError
from remedis.models.convert import bare as module
from remedis.models.convert.bare import is_bare, open_bare

ARRAYS: dict[str, np.ndarray[Any, Any]] = {
    "a/kernel": np.random.default_rng(0).normal(size=(3, 3, 40, 50)).astype(np.float32),
    "a/half": np.linspace(-1, 1, 7).astype(np.float16),
    "b": np.float32([1.5]),
    "wide": np.float64([1 / 3]),
    "count": np.int64(3),
}
TENSORS = {name: torch.from_numpy(np.asarray(array)) for name, array in ARRAYS.items()}


def npz(path: Path) -> None:
    np.savez(path, **ARRAYS)


def packed_npz(path: Path) -> None:
    np.savez_compressed(path, **{f"{name}:0": array for name, array in ARRAYS.items()})


def foreign_order(path: Path) -> None:
    np.savez(path, **{name: np.array(one, one.dtype.newbyteorder(">"), order="F") for name, one in ARRAYS.items()})


def hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        for name, array in ARRAYS.items():
            file.create_dataset(f"{name}:0", data=array)


def torch_zip(path: Path) -> None:
    torch.save(TENSORS, path)


def torch_before_zip(path: Path) -> None:
    torch.save(TENSORS, path, _use_new_zipfile_serialization=False)


def safe(path: Path) -> None:
    save_file(TENSORS, path)


WRITERS: list[Callable[[Path], None]] = [npz, packed_npz, foreign_order, hdf5, torch_zip, torch_before_zip, safe]
SUFFIX = {"npz": ".npz", "packed_npz": ".npz", "foreign_order": ".npz", "hdf5": ".h5", "safe": ".safetensors"}


def written(writer: Callable[[Path], None], folder: Path) -> Path:
    path = folder / f"w{SUFFIX.get(writer.__name__, '.pth')}"
    writer(path)
    return path


@pytest.mark.parametrize("writer", WRITERS)
def test_values_are_those_that_were_written_in_float32(writer: Callable[[Path], None], tmp_path: Path) -> None:
    path = written(writer, tmp_path)
    assert is_bare(path)
    with open_bare(path.rename(tmp_path / "no_suffix")) as bare:
        assert dict(bare.shapes) == {name: array.shape for name, array in ARRAYS.items()}
        assert dict(bare.types) == {name: str(array.dtype) for name, array in ARRAYS.items()}
        for name in ("a/kernel", "a/half", "b", "wide"):
            value = bare.read(name)
            assert value.dtype == torch.float32
            np.testing.assert_array_equal(value.numpy(), ARRAYS[name].astype(np.float32))
        with pytest.raises(ConvertError, match="count has the type int64, floats were expected"):
            bare.read("count")


def test_bfloat16_is_widened(tmp_path: Path) -> None:
    value = torch.randn(9, generator=torch.Generator().manual_seed(0)).bfloat16()
    torch.save({"w": value}, tmp_path / "w.pth")
    save_file({"w": value}, tmp_path / "w.safetensors")
    for path in tmp_path.iterdir():
        with open_bare(path) as bare:
            assert bare.types["w"] == "bfloat16"
            assert torch.equal(bare.read("w"), value.float())


def read_all(path: Path) -> None:
    with open_bare(path) as bare:
        for name in ("a/kernel", "a/half", "b", "wide"):
            bare.read(name)


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("left", [0.3, 0.97])
def test_truncated_files_are_refused_in_one_line(writer: Callable[[Path], None], left: float, tmp_path: Path) -> None:
    path = written(writer, tmp_path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * left)])
    with pytest.raises(ConvertError, match=r"damaged or no|is no npz") as raised:
        read_all(path)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("writer", [npz, torch_zip])
def test_a_flipped_bit_in_the_values_is_refused(writer: Callable[[Path], None], tmp_path: Path) -> None:
    path = written(writer, tmp_path)
    raw = bytearray(path.read_bytes())
    raw[raw.find(ARRAYS["a/kernel"].tobytes()[:64]) + 9] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ConvertError, match=r"(?i)crc"), open_bare(path) as bare:
        bare.read("a/kernel")


def test_tensors_are_found_in_dictionaries_of_dictionaries(tmp_path: Path) -> None:
    order = collections.OrderedDict(w=torch.ones(2))
    torch.save(
        {"epoch": 3, "state_dict": order, "optimizer": {"state": {0: {"m": torch.zeros(1)}}, "g": [1]}},
        tmp_path / "w.pth",
    )
    with open_bare(tmp_path / "w.pth") as bare:
        assert dict(bare.shapes) == {"state_dict.w": (2,), "optimizer.state.0.m": (1,)}


def test_layers_names_before_variables_are_taken_off(tmp_path: Path) -> None:
    places = {
        "root_block/resnet/root_block/standardized_conv2d/kernel": "resnet/root_block/standardized_conv2d/kernel",
        "model_weights/block1/block1/unit01/a/group_norm/gamma": "block1/unit01/a/group_norm/gamma",
        "block2/unit01/a/group_norm/gamma": "block2/unit01/a/group_norm/gamma",
        "head/dense/resnet/head/dense/bias": "resnet/head/dense/bias",
        "group_norm/group_norm/beta": "group_norm/beta",
    }
    with h5py.File(tmp_path / "w.h5", "w") as file:
        for place in places:
            file.create_dataset(f"{place}:0", data=np.zeros(3, np.float32))
    with open_bare(tmp_path / "w.h5") as bare:
        assert set(bare.shapes) == set(places.values())
    with h5py.File(tmp_path / "w.h5", "a") as file:
        file.create_dataset("group_norm/beta", data=np.zeros(3, np.float32))
    with pytest.raises(ConvertError, match="two tensors that are called group_norm/beta"), open_bare(tmp_path / "w.h5"):
        pass


class Runs:
    """Unpickled, it would write a file: the proof that nothing in a refused file ran."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return Path.touch, (self.mark,)


@pytest.mark.parametrize("suffix", [".npz", ".pth", "old.pth"])
def test_pickled_objects_are_refused_and_do_not_run(suffix: str, tmp_path: Path) -> None:
    mark, path = tmp_path / "it_ran", tmp_path / f"w{suffix}"
    if suffix == ".npz":
        np.savez(path, w=np.array([Runs(mark)], dtype=object))
    else:
        torch.save({"state_dict": {}, "hyper": Runs(mark)}, path, _use_new_zipfile_serialization=suffix == ".pth")
    with pytest.raises(ConvertError, match=r"is pickled Python objects|more than tensors"), open_bare(path):
        pass
    assert not mark.exists()


def test_npz_that_unpacks_to_far_more_than_it_has_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "w.npz", w=np.zeros(1 << 20, np.float32))
    with pytest.raises(ConvertError, match="would unpack to 4,194"), open_bare(tmp_path / "w.npz"):
        pass


def test_hdf5_that_declares_far_more_than_it_has_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset("w", shape=(1 << 40,), dtype="f4", chunks=(1 << 16,))
    with pytest.raises(ConvertError, match="would unpack to"), open_bare(tmp_path / "w.h5"):
        pass


def test_an_array_longer_or_shorter_than_its_header_says_is_refused(tmp_path: Path) -> None:
    array = io.BytesIO()
    np.lib.format.write_array_header_1_0(array, {"descr": "<f4", "fortran_order": False, "shape": (1 << 50,)})
    with zipfile.ZipFile(tmp_path / "w.npz", "w") as archive:
        archive.writestr("w.npy", array.getvalue() + b"\0" * 64)
    with pytest.raises(ConvertError, match="declares"), open_bare(tmp_path / "w.npz"):
        pass


@pytest.mark.parametrize("what", ["spread", "sparse", "packed"])
def test_torch_files_that_grow_are_refused(what: str, tmp_path: Path) -> None:
    path = tmp_path / "w.pth"
    value = (
        torch.ones(1).expand(1 << 40)
        if what == "spread"
        else torch.eye(3).to_sparse()
        if what == "sparse"
        else torch.zeros(99)
    )
    torch.save({"w": value}, path)
    if what == "packed":
        with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "new", "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
        path = tmp_path / "new"
    with pytest.raises(ConvertError, match=r"larger than the file|unpacks to more"), open_bare(path):
        pass


def test_numbers_in_another_file_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\0" * 16)
    with h5py.File(tmp_path / "external.h5", "w") as file:
        file.create_dataset("w", (4,), "f4", external=[(str(tmp_path / "secret"), 0, 16)])
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        layout = h5py.VirtualLayout((4,), "f4")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "w", (4,))
        file.create_virtual_dataset("w", layout)
    for name in ("external", "virtual"):
        with pytest.raises(ConvertError, match="in another file"), open_bare(tmp_path / f"{name}.h5"):
            pass
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["w"] = h5py.ExternalLink(str(tmp_path / "external.h5"), "w")
    with open_bare(tmp_path / "link.h5") as bare:
        assert not bare.shapes


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_values_that_are_not_finite_in_float32_are_refused(value: float, tmp_path: Path) -> None:
    np.savez(tmp_path / "w.npz", w=np.float64([1, value]))
    with open_bare(tmp_path / "w.npz") as bare, pytest.raises(ConvertError, match="w holds values that are not finite"):
        bare.read("w")


def test_without_h5py_the_line_that_installs_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(hdf5, tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=re.escape("pip install 'remedis[hdf5]'")), open_bare(path):
        pass


def test_limits_and_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="no such file"), open_bare(tmp_path / "none.npz"):
        pass
    (tmp_path / "w.npz").write_bytes(b"%PDF-1.7 and so on, long enough")
    with (
        pytest.raises(ConvertError, match="is no npz, HDF5, safetensors or PyTorch file"),
        open_bare(tmp_path / "w.npz"),
    ):
        pass
    path = written(torch_zip, tmp_path)
    with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ConvertError, match="is no array"), open_bare(tmp_path / "w.zip"):
        pass
    monkeypatch.setattr(module, "MOST_TENSORS", 4)
    with pytest.raises(ConvertError, match="holds more than 4 tensors"), open_bare(path):
        pass
    monkeypatch.setattr(module, "LARGEST_FILE", 1000)
    with pytest.raises(ConvertError, match="at most 1,000 were expected"), open_bare(path):
        pass
