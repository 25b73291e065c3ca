"""Files of weights without a graph: numpy's npz, Keras' HDF5, safetensors, PyTorch's own; names, shapes, then values.

Names and shapes are read first, values one by one when they are asked for, so that a head of 21,843 classes costs
nothing. No file runs anything: no pickled objects in npz, `weights_only` in PyTorch's. What a file kind is, its bytes
say, not its name.
"""

from __future__ import annotations

import math
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from safetensors import safe_open
from torch import Tensor

from remedis.errors import ConvertError, InputError, MissingExtraError, RemedisError

SUFFIXES = (".npz", ".h5", ".hdf5", ".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")
LARGEST_FILE = 16 << 30  # bytes; the largest published one, BiT-M R152x4 with its head, has 4.1 GiB
MOST_TENSORS = 100_000  # R152 with its optimiser's state has less than 2,000
DEEPEST = 16  # dictionaries in dictionaries
SHRINKS = 20  # times: trained weights hardly compress, fresh heads and slots (zeros) do
SLACK = 1 << 20  # bytes
FLOATS = ("float16", "bfloat16", "float32", "float64")
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Bare:
    """An opened file of weights.

    Attributes:
        path: The file.
        kind: `npz`, `hdf5`, `safetensors` or `torch`.
        shapes: Of every tensor, by its name, axes in the file's order.
        types: numpy's or torch's word for the numbers (`float32`), by name.
        values: Returns a tensor as it is stored.
    """

    path: Path
    kind: str
    shapes: Mapping[str, Shape]
    types: Mapping[str, str]
    values: Callable[[str], Tensor]

    def read(self, name: str, *, own: bool = True) -> Tensor:
        """Return a tensor in float32, axes in the file's order; its memory is its `own`, or not to be written to.

        Raises:
            ConvertError: It holds no floats, or some are not finite.
        """
        if self.types[name] not in FLOATS:
            raise ConvertError(f"{name} has the type {self.types[name]}, floats were expected", where=self.path)
        with _damaged(self.path, self.kind):
            value = self.values(name).to(torch.float32, copy=own).contiguous()
        if not bool(value.isfinite().all()):
            raise ConvertError(f"{name} holds values that are not finite; the file is of no use", where=self.path)
        return value


def is_bare(path: Path) -> bool:
    """Return whether a path is a file whose name ends as files of weights do."""
    return path.is_file() and path.suffix.lower() in SUFFIXES


@contextmanager
def open_bare(path: Path) -> Iterator[Bare]:
    """Yield a file's names, shapes and, on demand, values.

    Raises:
        ConvertError: It is damaged, of another kind, too large, or needs pickle.
        InputError: There is no such file.
        MissingExtraError: HDF5 needs h5py.
    """
    if not path.is_file():
        raise InputError("there is no such file", where=path)
    size = path.stat().st_size
    if size > LARGEST_FILE:
        raise ConvertError(f"has {size:,} bytes, at most {LARGEST_FILE:,} were expected", where=path)
    kind, opened = _kind(path)
    with ExitStack() as stack:
        with _damaged(path, kind):
            bare: Bare = stack.enter_context(opened(path, size))
        if len(bare.shapes) > MOST_TENSORS:
            raise ConvertError(f"holds more than {MOST_TENSORS:,} tensors, fewer were expected", where=path)
        yield bare


def _kind(path: Path) -> tuple[str, Callable[[Path, int], Any]]:
    """Return the kind of file that the first bytes announce, and what opens it."""
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return "hdf5", _hdf5
    if start.startswith(b"PK\x03\x04"):
        with _damaged(path, "zip"), zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if any(name.endswith("/data.pkl") for name in names):
            return "torch", _torch
        return "npz", _npz
    if len(start) == 16 and start[8:9] == b"{" and struct.unpack("<Q", start[:8])[0] < path.stat().st_size:
        return "safetensors", _safetensors
    if start.startswith(b"\x80") or path.suffix.lower() in (".pth", ".pt", ".bin", ".ckpt", ".tar"):
        return "torch", _torch
    raise ConvertError(
        "is no npz, HDF5, safetensors or PyTorch file; weights in one of these, or a SavedModel's folder, were "
        "expected",
        where=path,
    )


@contextmanager
def _damaged(path: Path, kind: str) -> Iterator[None]:
    """Turn whatever a reader raises into one line; a damaged file makes readers raise almost anything."""
    try:
        yield
    except RemedisError:
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:120]
        raise ConvertError(f"is damaged or no {kind} file ({said}); get it again", where=path) from error


def _refuse_bomb(path: Path, declared: int, size: int) -> None:
    if declared > SHRINKS * size + SLACK:
        raise ConvertError(
            f"has {size:,} bytes and would unpack to {declared:,}, at most {SHRINKS} times as many were expected",
            where=path,
        )


@contextmanager
def _npz(path: Path, size: int) -> Iterator[Bare]:
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        _refuse_bomb(path, sum(member.file_size for member in members), size)
        found: dict[str, zipfile.ZipInfo] = {}
        shapes, types = {}, {}
        for member in members:
            name = _variable(member.filename.removesuffix(".npy"))
            if not member.filename.endswith(".npy") or name in found or member.compress_type not in _PACKED:
                raise ConvertError(f"{member.filename} is no array of numpy's savez", where=path)
            with archive.open(member) as file:
                shapes[name], dtype = _npy_header(path, name, file, member.file_size)
            found[name], types[name] = member, str(dtype.newbyteorder("="))

        def values(name: str) -> Tensor:
            with archive.open(found[name]) as file:
                return _tensor(np.lib.format.read_array(file, allow_pickle=False))

        yield Bare(path, "npz", shapes, types, values)


def _npy_header(path: Path, name: str, file: IO[bytes], size: int) -> tuple[Shape, np.dtype[Any]]:
    """Return what an array in npy form says of itself, which must be as long as it is.

    Source: numpy.lib.format, versions 1.0 and 2.0 (3.0 is for field names alone).
    """
    version = np.lib.format.read_magic(file)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    shape, _, dtype = readers[version](file)
    if dtype.hasobject:
        raise ConvertError(
            f"{name} is pickled Python objects, which run what they like when they are opened; arrays of numbers were "
            "expected",
            where=path,
        )
    if file.tell() + dtype.itemsize * _count(shape) != size:
        raise ValueError(f"{name} declares {shape} and has {size} bytes")
    return shape, dtype


@contextmanager
def _hdf5(path: Path, size: int) -> Iterator[Bare]:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError("h5py", "hdf5", needed_for="reading .h5") from error
    with h5py.File(path, "r") as file:
        found: dict[str, Any] = {}

        def visit(place: str, item: Any) -> bool | None:
            if isinstance(item, h5py.Dataset):  # links to elsewhere are not visited
                if item.external or item.is_virtual:
                    raise ConvertError(f"{place} keeps its numbers in another file, which is not opened", where=path)
                name = _ungrouped(_variable(place))
                if name in found:
                    raise ConvertError(f"holds two tensors that are called {name}", where=path)
                found[name] = item
            return True if len(found) > MOST_TENSORS else None

        file.visititems(visit)
        _refuse_bomb(path, sum(one.dtype.itemsize * _count(one.shape or ()) for one in found.values()), size)
        shapes = {name: tuple(one.shape or ()) for name, one in found.items()}
        types = {name: str(one.dtype.newbyteorder("=")) for name, one in found.items()}
        yield Bare(path, "hdf5", shapes, types, lambda name: _tensor(found[name][()]))


@contextmanager
def _safetensors(path: Path, size: int) -> Iterator[Bare]:
    with safe_open(path, framework="pt") as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
        shapes = {name: tuple(one.get_shape()) for name, one in slices.items()}
        types = {name: _word(one.get_dtype()) for name, one in slices.items()}
        yield Bare(path, "safetensors", shapes, types, file.get_tensor)


@contextmanager
def _torch(path: Path, size: int) -> Iterator[Bare]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            packed = any(one.compress_type != zipfile.ZIP_STORED for one in archive.infolist())
            if packed or sum(one.file_size for one in archive.infolist()) > size:
                raise ConvertError("unpacks to more bytes than it has, which torch.save does not write", where=path)
            if (wrong := archive.testzip()) is not None:  # torch.load does not look at them
                raise ConvertError(f"the crc32 of {wrong} is wrong, a byte has changed; get it again", where=path)
    tensors = dict(_flat(_loaded(path)))
    for name, one in tensors.items():
        if one.layout is not torch.strided or one.is_quantized or one.numel() * one.element_size() > size:
            raise ConvertError(
                f"{name} is sparse, quantised or larger than the file; plain numbers were expected", where=path
            )
    shapes = {name: tuple(one.shape) for name, one in tensors.items()}
    types = {name: str(one.dtype).removeprefix("torch.") for name, one in tensors.items()}
    yield Bare(path, "torch", shapes, types, lambda name: tensors[name].detach())


def _loaded(path: Path) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sparse tensors, which are refused afterwards
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # see _damaged
        wanted = re.search(r"GLOBAL (\S+)", str(error))
        if wanted or "TorchScript" in str(error) or "Unsupported" in str(error):
            what = wanted[1] if wanted else "a program"
            raise ConvertError(
                f"holds more than tensors ({what}), and pickle, which that needs, runs whatever the file says; load it "
                "where you trust it and write its state dict alone: torch.save(model.state_dict(), FILE)",
                where=path,
            ) from error
        raise


def _flat(value: Any, place: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Yield all tensors in dictionaries and lists, with the keys on the way to them joined by points."""
    if isinstance(value, Tensor):
        yield place or "tensor", value
    elif isinstance(value, dict | list | tuple) and depth < DEEPEST:
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, one in pairs:
            yield from _flat(one, f"{place}.{key}" if place else str(key), depth + 1)


def _count(shape: Shape) -> int:
    """Return the product of the sides, in Python's own integers, which do not overflow."""
    return math.prod(int(side) for side in shape)


def _variable(name: str) -> str:
    """Return a variable's name without the number of the output that TensorFlow appends."""
    return name.removesuffix(":0")


def _ungrouped(place: str) -> str:
    """Return a variable's own name in Keras' HDF5, where the layer's name stands before it once more.

    `block1/resnet/block1/unit01/…` is `resnet/block1/unit01/…`; a whole model's weights lie under `model_weights`.
    """
    parts = place.removeprefix("model_weights/").split("/")
    for count in range(len(parts) // 2, 0, -1):
        starts = range(count, len(parts) - count)
        if any(parts[start : start + count] == parts[:count] for start in starts):
            return "/".join(parts[count:])
    return "/".join(parts)


def _word(safetensors_type: str) -> str:
    """Return torch's word for a type of safetensors: float16 for F16."""
    match = re.fullmatch(r"(BF|F|I|U)(\d+)", safetensors_type)
    return {"BF": "bfloat", "F": "float", "I": "int", "U": "uint"}[match[1]] + match[2] if match else safetensors_type


def _tensor(value: Any) -> Tensor:
    """Return numpy's array, or number, in this machine's byte order."""
    array = np.asarray(value)
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))
