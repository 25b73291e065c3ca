"""Pictures in numpy's files, against numpy.load; whatever is no plain array of pictures is refused in words."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from remedis.data import containers, npz
from remedis.data.inputs import open_any
from remedis.data.readers import count_frames, read, read_source
from remedis.errors import ReadError

Save = Callable[..., None]
SAVERS = [np.savez, np.savez_compressed]


def random(*shape: int, dtype: Any = np.uint8, seed: int = 0) -> npt.NDArray[Any]:
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)


def npy(array: npt.NDArray[Any], version: tuple[int, int] | None = None, **changes: Any) -> bytes:
    """A .npy file, with some entries of its header changed."""
    file = io.BytesIO()
    if not changes:
        np.lib.format.write_array(file, array, version)
        return file.getvalue()
    header = {"descr": np.lib.format.dtype_to_descr(array.dtype), "fortran_order": False, "shape": array.shape}
    np.lib.format.write_array_header_1_0(file, header | changes)
    return file.getvalue() + array.tobytes()


def zipped(path: Path, members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


@pytest.mark.parametrize("save", SAVERS, ids=["stored", "deflated"])
@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((9, 5, 4), np.uint8), ((9, 5, 4, 1), np.uint8), ((9, 5, 4, 3), np.uint8)],
    ids=["grey", "one channel", "colour"],
)
def test_every_record_is_numpys(save: Save, shape: tuple[int, ...], dtype: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save(path, images=random(*shape, dtype=dtype), labels=np.arange(9))
    with np.load(path) as loaded:
        expected = np.broadcast_to(loaded["images"].reshape(9, 5, 4, -1), (9, 5, 4, 3))
    assert count_frames(path) == 9
    for number in (3, 0, 8, 1, 2, 4, 5, 6, 7, 3):
        image = read(path, frame=number)
        np.testing.assert_array_equal(image.pixels, expected[number])
        assert (image.source, image.facts["format"]) == (f"{path}, record {number}", "npz")


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
def test_sixteen_bits_stay_sixteen(order: str, tmp_path: Path) -> None:
    pixels = random(3, 6, 7, dtype=np.uint16)
    np.savez(tmp_path / "a.npz", x=pixels.astype(f"{order}u2"))
    found = containers.content(tmp_path / "a.npz", 1)
    assert isinstance(found, np.ndarray)
    assert found.dtype == np.uint16
    np.testing.assert_array_equal(found, pixels[1])
    assert read(tmp_path / "a.npz", frame=1).facts["bits"] == 16


@pytest.mark.parametrize("save", SAVERS, ids=["stored", "deflated"])
def test_arrays_of_pictures_are_counted_through_in_the_files_order(save: Save, tmp_path: Path) -> None:
    parts = {name: random(count, 4, 4, seed=count) for name, count in (("val", 2), ("train", 3), ("test", 1))}
    path = tmp_path / "a.npz"
    save(path, **{f"{name}_images": each for name, each in parts.items()}, train_labels=np.zeros((3, 1)))
    rows = open_any(path)
    assert rows.table["frame"].to_pylist() == [0, 1, 2, 3, 4, 5]
    found = [read_source(each).pixels[..., 0] for each in rows.sources(range(6))]
    np.testing.assert_array_equal(found, np.concatenate([parts["val"], parts["train"], parts["test"]]))
    np.testing.assert_array_equal(containers.content(path, 2, "train_images"), parts["train"][2])


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    lengths = set()
    for value in (1, 2):
        np.savez_compressed(path, images=np.full((3, 4, 4), value, np.uint8))
        os.utime(path, ns=(value, value))
        np.testing.assert_array_equal(containers.content(path, 1), np.full((4, 4), value))
        lengths.add(path.stat().st_size)
    assert len(lengths) == 1  # its length does not tell
    np.savez_compressed(path, images=np.full((1, 4, 4), 2, np.uint8))
    os.utime(path, ns=(3, 3))
    with pytest.raises(ReadError, match="the file holds 1"):
        containers.content(path, 1)


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"images": npy(random(2, 4, 4), (3, 0))}, r"a.npz, images.npy: has a header of version \(3, 0\)"),
        ({"images": b"\x93NUMPY\x09\x09" + b"\0" * 99}, r"header of version \(9, 9\), \(1, 0\) or \(2, 0\) was"),
        ({"images": b"no array at all"}, "has no header of a .npy file"),
        ({"images": npy(random(2, 4, 4), shape=(3, 4, 4))}, r"promises an array \(3, 4, 4\) of uint8, the member has"),
        ({"images": npy(random(2, 4, 4), shape=(1 << 60, 4, 4))}, "its header promises an array"),
        ({"images": npy(random(2, 4, 4), shape=(2, -4, 4))}, r"promises the shape \(2, -4, 4\)"),
        ({"images": npy(random(2, 4, 4), fortran_order=True)}, "stored column by column"),
        ({"images": npy(random(2, 4, 4), descr="|O")}, "holds Python objects"),
        ({"images": npy(random(2, 4, 4) / 255)}, r"holds pictures; it holds images \(2, 4, 4\) float64"),
        ({"images": npy(random(2, 4, 4, 4))}, "none of its arrays holds pictures"),
        ({"images": npy(random(2, 4, 4, 3, dtype=np.uint16))}, "none of its arrays holds pictures"),
        ({"y": npy(random(2, 1, 1, 1))}, "none of its arrays holds pictures"),
        ({}, "none of its arrays holds pictures; it holds no array"),
        ({"a": npy(random(2, 4, 4)), "b": npy(random(2, 4, 4))}, "nothing tells which array holds the pictures"),
    ],
    ids=[
        "version 3", "version 9", "text", "too long a promise", "an absurd promise", "negative", "columns", "objects",
        "floats", "four colours", "colours of 16 bits", "labels", "empty", "two arrays",
    ],
)  # fmt: skip
def test_other_files_are_refused_in_words(members: dict[str, bytes], words: str, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.npz", {f"{name}.npy": data for name, data in members.items()} or {"readme": b""})
    with pytest.raises(ReadError, match=words):
        read(path, frame=0)


def test_a_pickle_is_never_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, images=np.array([[[{}]]], object))
    monkeypatch.setattr("pickle.load", None)
    with pytest.raises(ReadError, match=r"images.npy: holds Python objects \(pickle\), which are never loaded"):
        read(path, frame=0)


def test_members_packed_in_another_way_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.npz", {"images.npy": npy(random(2, 4, 4))}, zipfile.ZIP_BZIP2)
    with pytest.raises(ReadError, match="packed in another way than deflate"):
        read(path, frame=0)
    data = bytearray(zipped(path, {"images.npy": npy(random(2, 4, 4))}).read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(ReadError, match="is encrypted"):
        read(path, frame=0)


@pytest.mark.parametrize("save", SAVERS, ids=["stored", "deflated"])
def test_a_file_that_is_cut_short_is_said(save: Save, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save(path, images=random(20, 9, 9))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(ReadError, match="is no whole zip file"):
        read(path, frame=0)


def test_a_picture_beyond_the_limit_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((1, 50, 60), np.uint8))
    monkeypatch.setenv("REMEDIS_MAX_PIXELS", "2999")
    with pytest.raises(ReadError, match=r"a.npz, images: the header says 60 × 50 = 3,000 pixels, the limit is 2,999"):
        read(tmp_path / "a.npz", frame=0)
    monkeypatch.setenv("REMEDIS_MAX_PIXELS", "3000")
    assert read(tmp_path / "a.npz", frame=0).pixels.shape == (50, 60, 3)


@pytest.mark.parametrize("number", [-1, 5])
def test_a_record_must_be_there(number: int, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=random(5, 4, 4))
    with pytest.raises(ReadError, match=f"record {number} was asked for, the file holds 5"):
        read(tmp_path / "a.npz", frame=number)


def test_an_array_that_is_named_must_be_there_and_hold_pictures(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=random(5, 4, 4), labels=np.arange(5))
    with pytest.raises(ReadError, match=r"holds no array 'x'; it holds images \(5, 4, 4\) uint8, labels \(5,\) int64"):
        containers.content(tmp_path / "a.npz", 0, "x")
    with pytest.raises(ReadError, match=r"the array labels \(5,\) int64 holds no pictures"):
        containers.content(tmp_path / "a.npz", 0, "labels")


@pytest.mark.parametrize("save", SAVERS, ids=["stored", "deflated"])
def test_a_flipped_bit_is_found_by_the_check_sum(save: Save, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    save(path, images=random(20, 9, 9), labels=np.arange(20))
    npz.check(path, "images")
    np.testing.assert_array_equal(npz.array(path, "labels"), np.arange(20))
    data = bytearray(path.read_bytes())
    data[600] ^= 4
    path.write_bytes(data)
    with pytest.raises(ReadError, match="the bytes of images do not fit their check sum"):
        npz.check(path, "images")
    np.testing.assert_array_equal(npz.array(path, "labels"), np.arange(20))


def test_an_array_that_is_too_large_is_not_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez(tmp_path / "a.npz", labels=np.arange(20))
    monkeypatch.setattr(npz, "LARGEST_WHOLE", 159)
    with pytest.raises(ReadError, match=r"labels \(20,\) int64 is larger than 159 bytes"):
        npz.array(tmp_path / "a.npz", "labels")
    with pytest.raises(ReadError, match="holds no array 'y'; it holds labels"):
        npz.array(tmp_path / "a.npz", "y")


def test_another_zip_is_no_container(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=random(5, 4, 4))
    (tmp_path / "a.zip").write_bytes((tmp_path / "a.npz").read_bytes())
    assert containers.holds_records(tmp_path / "a.npz")
    assert not containers.holds_records(tmp_path / "a.zip")


def test_other_members_do_no_harm(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as file:
        file.writestr("a" * 300, b"x" * 1000)
        file.writestr("images.npy", npy(random(5, 4, 4)))
    np.testing.assert_array_equal(containers.content(tmp_path / "b.npz", 4), random(5, 4, 4)[4])
