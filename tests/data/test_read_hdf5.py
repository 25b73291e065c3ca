"""Pictures in HDF5 files, against what h5py was given; nothing outside the file is read."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from remedis.data import containers, hdf5, manifest
from remedis.data.inputs import open_any
from remedis.data.readers import count_frames, read, read_source
from remedis.errors import MissingExtraError, ReadError


def random(*shape: int, dtype: Any = np.uint8, seed: int = 0) -> npt.NDArray[Any]:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


@pytest.mark.parametrize(
    "how",
    [{}, {"chunks": (2, 5, 4, 3), "compression": "gzip"}, {"chunks": (1, 5, 4, 3), "fletcher32": True}],
    ids=["contiguous", "gzip", "checked"],
)
def test_every_record_is_what_was_written(how: dict[str, Any], tmp_path: Path) -> None:
    pixels = random(9, 5, 4, 3)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=pixels, **how)
    assert count_frames(tmp_path / "a.h5") == 9
    for number in (3, 0, 8, 1):
        image = read(tmp_path / "a.h5", frame=number)
        np.testing.assert_array_equal(image.pixels, pixels[number])
        assert image.facts["format"] == "HDF5"
    rows = open_any(tmp_path / "a.h5")
    np.testing.assert_array_equal([read_source(each).pixels for each in rows.sources(range(9))], pixels)


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_sixteen_bits_stay_sixteen(dtype: str, tmp_path: Path) -> None:
    pixels = random(3, 6, 7, dtype=np.uint16)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["deep/er/images"] = pixels.astype(dtype)
    found = containers.content(tmp_path / "a.h5", 2)
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, pixels[2])


def test_the_array_is_found_by_its_name_or_by_being_alone(tmp_path: Path) -> None:
    first, second = random(3, 4, 4, seed=1), random(2, 4, 4, seed=2)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["mask"], file["x"], file["y"] = first, second, random(2, 1, 1, 1)
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["mask"], file["coords"] = first, np.zeros((3, 2), np.int64)
    np.testing.assert_array_equal(containers.content(tmp_path / "a.h5", 1), second[1])
    np.testing.assert_array_equal(containers.content(tmp_path / "a.h5", 1, "mask"), first[1])
    np.testing.assert_array_equal(containers.content(tmp_path / "b.h5", 1), first[1])
    np.testing.assert_array_equal(hdf5.array(tmp_path / "b.h5", "coords"), np.zeros((3, 2)))


def test_a_file_of_embeddings_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["features"], file["coords"] = np.zeros((3, 8), np.float32), np.zeros((3, 2), np.int64)
        file["note"] = "a text"
    with pytest.raises(ReadError, match=r"holds pictures; it holds coords \(3, 2\) int64, features \(3, 8\) float32$"):
        read(tmp_path / "a.h5", frame=0)


def test_nothing_outside_the_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(range(48)))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = random(3, 4, 4)
    layout = h5py.VirtualLayout((3, 4, 4), np.uint8)
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", (3, 4, 4))
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", (3, 4, 4), np.uint8, external=[(str(tmp_path / "secret"), 0, 48)])
        file["images"] = h5py.ExternalLink("other.h5", "x")
        file.create_virtual_dataset("image", layout)
    for key in ("x", "images", "image"):
        with pytest.raises(ReadError, match=f"holds no array '{key}'; it holds no array"):
            containers.content(tmp_path / "a.h5", 0, key)
    with pytest.raises(ReadError, match="none of its arrays holds pictures; it holds no array"):
        read(tmp_path / "a.h5", frame=0)


@pytest.mark.parametrize("kept", [20, 500, -40])
def test_a_file_that_is_cut_short_is_said(kept: int, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = random(9, 30, 30)
    (tmp_path / "a.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:kept])
    with pytest.raises(ReadError, match=r"a.h5: cannot be read \(it is no whole HDF5 file; get it anew\)"):
        read(tmp_path / "a.h5", frame=8)


def test_a_damaged_chunk_is_said_and_the_others_are_read(tmp_path: Path) -> None:
    pixels = random(4, 50, 50)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("x", data=pixels, chunks=(1, 50, 50), fletcher32=True)
        place = data.id.get_chunk_info(2).byte_offset
    content = bytearray((tmp_path / "a.h5").read_bytes())
    content[place + 9] ^= 1
    (tmp_path / "a.h5").write_bytes(content)
    with pytest.raises(ReadError, match="x cannot be read; the file is damaged or cut short"):
        read(tmp_path / "a.h5", frame=2)
    np.testing.assert_array_equal(read(tmp_path / "a.h5", frame=3).pixels[..., 0], pixels[3])


def test_records_and_arrays_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = random(2, 4, 4)
    with pytest.raises(ReadError, match="record 2 was asked for, the file holds 2"):
        read(tmp_path / "a.h5", frame=2)
    with pytest.raises(ReadError, match="holds no array 'y'; it holds x"):
        hdf5.array(tmp_path / "a.h5", "y")
    monkeypatch.setattr(hdf5, "LARGEST_WHOLE", 31)
    with pytest.raises(ReadError, match=r"x \(2, 4, 4\) uint8 is larger than 31 bytes"):
        hdf5.array(tmp_path / "a.h5", "x")
    with pytest.raises(ReadError, match="No such file"):
        hdf5.held(tmp_path / "b.h5")


def test_without_h5py_one_line_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow as pa

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = random(2, 4, 4)
    manifest.write(pa.table({"image": ["a.h5"] * 2, "frame": [0, 1]}), tmp_path / "m.parquet", {"root": "."})
    monkeypatch.setitem(sys.modules, "h5py", None)
    words = r"reading HDF5 files \(.h5\) needs the package h5py, .* pip install 'remedis\[hdf5\]'"
    with pytest.raises(MissingExtraError, match=words):
        manifest.read(tmp_path / "m.parquet").sources(range(2))
    with pytest.raises(MissingExtraError, match=words):
        read(tmp_path / "a.h5", frame=0)
