"""Records of TFRecord files and of CIFAR's batches read as single files do, wherever images are read."""

from __future__ import annotations

import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from PIL import Image

from references import written_cifar, written_tfrecord
from remedis.data import cifar, containers, manifest, pack
from remedis.data.audit import audit
from remedis.data.inputs import open_any
from remedis.data.manifest import Manifest
from remedis.data.readers import count_frames, read, read_source
from remedis.errors import ReadError

COUNT = 4
LABELS = [3, 0, 9, 300]


def pictures(count: int = COUNT, seed: int = 0) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def encoded(pixels: npt.NDArray[np.uint8], kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def python3_batch(pixels: npt.NDArray[np.uint8], protocol: int, **more: Any) -> bytes:
    planes = np.frombuffer(written_cifar.planes(pixels), np.uint8).reshape(-1, 3072)
    return pickle.dumps({"data": planes, "labels": LABELS[: len(pixels)], **more}, protocol)


def write_all(folder: Path) -> dict[str, Path]:
    """The same pictures in every kind of container."""
    pixels = pictures()
    folder.mkdir(exist_ok=True)
    contents = {
        "set-train.tfrecord-00000-of-00001": b"".join(
            written_tfrecord.framed(written_tfrecord.example({"image": [encoded(each)], "label": [1]}))
            for each in pixels
        ),
        "data_batch_1.bin": written_cifar.binary(pixels, [each % 10 for each in LABELS]),
        "train.bin": written_cifar.binary(pixels, [1] * COUNT, [99] * COUNT),
        "data_batch_1": written_cifar.python2_batch(pixels, LABELS),
        **{f"data_batch_{each}": python3_batch(pixels, each) for each in (2, 3, 4, 5)},
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: folder / name for name in contents}


NAMES = [
    "set-train.tfrecord-00000-of-00001", "data_batch_1.bin", "train.bin",
    *(f"data_batch_{number}" for number in range(1, 6)),
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_every_record_has_the_pictures_pixels(name: str, tmp_path: Path) -> None:
    path = write_all(tmp_path)[name]
    assert count_frames(path) == COUNT
    for number in (2, 0, 3, 1):
        image = read(path, frame=number)
        np.testing.assert_array_equal(image.pixels, pictures()[number])
        assert image.source == f"{path}, record {number}"
        cut = read(path, frame=number, region=(3, 5, 8))
        np.testing.assert_array_equal(cut.pixels, pictures()[number][5:13, 3:11])


@pytest.mark.parametrize("name", NAMES)
def test_a_record_must_be_named_and_be_there(name: str, tmp_path: Path) -> None:
    path = write_all(tmp_path)[name]
    with pytest.raises(ReadError, match=r"holds 4 records; frame= or --frame says which is wanted \(0 … 3\)"):
        read(path)
    for number in (4, -1):
        with pytest.raises(ReadError, match=f"{number} was asked for, the file holds 4"):
            read(path, frame=number)


def test_a_file_of_one_record_needs_no_number(tmp_path: Path) -> None:
    path = tmp_path / "one.tfrecord"
    path.write_bytes(written_tfrecord.framed(written_tfrecord.example({"image/encoded": [encoded(pictures(1)[0])]})))
    np.testing.assert_array_equal(read(path).pixels, pictures(1)[0])
    assert open_any(path).table.to_pydict() == {"image": ["one.tfrecord"]}


def test_a_container_alone_is_a_row_a_record(tmp_path: Path) -> None:
    path = write_all(tmp_path)[NAMES[0]]
    rows = open_any(path)
    assert rows.table["frame"].to_pylist() == [0, 1, 2, 3]
    found = [read_source(source).pixels for source in rows.sources(range(COUNT))]
    np.testing.assert_array_equal(found, pictures())


def all_rows(folder: Path, **facts: Any) -> Manifest:
    """A manifest of every kind of container, and of an ordinary picture."""
    write_all(folder / "images")
    Image.fromarray(pictures()[0]).save(folder / "images/a.png")
    table = pa.table(
        {
            "image": [name for name in NAMES for _ in range(COUNT)] + ["a.png"],
            "frame": [number for _ in NAMES for number in range(COUNT)] + [None],
        }
    )
    manifest.write(table, folder / "m.parquet", {"root": "images", **facts})
    return manifest.read(folder / "m.parquet")


def test_rows_know_their_record_and_the_feature(tmp_path: Path) -> None:
    rows = all_rows(tmp_path, image_key="image")
    sources = rows.sources(range(len(rows)))
    assert [source.record for source in sources] == [0, 1, 2, 3] * len(NAMES) + [None]
    assert {source.key for source in sources[:-1]} == {"image"}
    assert {source.frame for source in sources} == {None}


def test_a_pack_holds_the_pictures_alone(tmp_path: Path) -> None:
    rows = all_rows(tmp_path)
    assert sum(pack.write(rows, tmp_path / "p.arrow")) == len(rows)
    for path in (tmp_path / "images").iterdir():
        path.unlink()
    found = pack.open_pack(tmp_path / "p.arrow")
    assert found.table.to_pydict() == rows.table.to_pydict()
    assert found.hash() == rows.hash()
    expected = [*np.concatenate([pictures()] * len(NAMES)), pictures()[0]]
    for source, pixels in zip(found.sources(range(len(found))), expected, strict=True):
        np.testing.assert_array_equal(read_source(source).pixels, pixels)
    assert (tmp_path / "p.arrow").stat().st_size < 3 * len(rows) * 3200
    again = pack.write(found, tmp_path / "q.arrow")
    assert sum(again) == len(rows)
    np.testing.assert_array_equal(read(tmp_path / "q.arrow", frame=5).pixels, pictures()[1])


def test_the_feature_that_the_manifest_names_is_read_and_packed(tmp_path: Path) -> None:
    first, second = pictures(2)
    features = {"image": [encoded(first)], "mask": [encoded(second)]}
    (tmp_path / "x.tfrecord").write_bytes(written_tfrecord.framed(written_tfrecord.example(features)))
    table = pa.table({"image": ["x.tfrecord"], "frame": [0]})
    for key, expected in (("image", first), ("mask", second)):
        manifest.write(table, tmp_path / "m.parquet", {"root": ".", "image_key": key})
        rows = manifest.read(tmp_path / "m.parquet")
        np.testing.assert_array_equal(read_source(rows.sources(range(1))[0]).pixels, expected)
        list(pack.write(rows, tmp_path / "p.arrow"))
        np.testing.assert_array_equal(read(tmp_path / "p.arrow", frame=0).pixels, expected)
    manifest.write(table, tmp_path / "m.parquet", {"root": ".", "image_key": "gone"})
    assert [each.kind for each in audit(manifest.read(tmp_path / "m.parquet"))] == ["header"]


def test_a_manifest_of_records_of_a_pack_can_be_packed(tmp_path: Path) -> None:
    list(pack.write(all_rows(tmp_path), tmp_path / "p.arrow"))
    table = pa.table({"image": ["p.arrow"] * 3, "frame": [5, 6, 32]})
    manifest.write(table, tmp_path / "n.parquet", {"root": "."})
    list(pack.write(manifest.read(tmp_path / "n.parquet"), tmp_path / "q.arrow"))
    found = pack.open_pack(tmp_path / "q.arrow")
    expected = [pictures()[1], pictures()[2], pictures()[0]]
    for source, pixels in zip(found.sources(range(3)), expected, strict=True):
        np.testing.assert_array_equal(read_source(source).pixels, pixels)


def test_a_frame_of_a_packed_file_stays_that_frame_when_it_is_packed_again(tmp_path: Path) -> None:
    first, second = (Image.fromarray(each) for each in pictures(2))
    first.save(tmp_path / "film.tif", save_all=True, append_images=[second])
    manifest.write(pa.table({"image": ["film.tif"] * 2, "frame": [0, 1]}), tmp_path / "m.parquet", {"root": "."})
    list(pack.write(manifest.read(tmp_path / "m.parquet"), tmp_path / "p.arrow"))
    manifest.write(pa.table({"image": ["p.arrow"], "frame": [1]}), tmp_path / "n.parquet", {"root": "."})
    list(pack.write(manifest.read(tmp_path / "n.parquet"), tmp_path / "q.arrow"))
    np.testing.assert_array_equal(read(tmp_path / "q.arrow", frame=0).pixels, pictures(2)[1])


def test_the_check_finds_the_same_picture_in_two_parts(tmp_path: Path) -> None:
    rows = written(tmp_path, ["train", "train", "test", "test"])
    assert audit(rows) == []
    first = pictures()[[0, 1, 1, 3]]
    (tmp_path / "data_batch_1.bin").write_bytes(written_cifar.binary(first, [0] * COUNT))
    kinds = [(each.kind, each.severity, each.count) for each in audit(rows)]
    assert kinds == [("duplicate", "error", 1)]
    same = written(tmp_path, ["train", "train", "train", "test"])
    assert [(each.kind, each.severity) for each in audit(same)] == [("duplicate", "warning")]
    assert audit(same)[0].examples == ("data_batch_1.bin, record 1 = data_batch_1.bin, record 2",)


def written(folder: Path, split: list[str]) -> Manifest:
    if not (folder / "data_batch_1.bin").exists():
        (folder / "data_batch_1.bin").write_bytes(written_cifar.binary(pictures(), [0] * COUNT))
    table = pa.table({"image": ["data_batch_1.bin"] * COUNT, "frame": range(COUNT), "split": split})
    manifest.write(table, folder / "m.parquet", {"root": "."})
    return manifest.read(folder / "m.parquet")


def test_the_check_finds_records_that_cannot_be_read(tmp_path: Path) -> None:
    good, bad = encoded(pictures()[0]), b"no picture"
    records = [written_tfrecord.framed(written_tfrecord.example({"image": [each]})) for each in (good, bad, good[::-1])]
    (tmp_path / "x.tfrecord").write_bytes(b"".join(records)[:-1] + b"\0")
    manifest.write(pa.table({"image": ["x.tfrecord"] * 3, "frame": range(3)}), tmp_path / "m.parquet", {"root": "."})
    found = audit(manifest.read(tmp_path / "m.parquet"))
    assert [(each.kind, each.severity, each.examples) for each in found] == [
        ("header", "error", ("x.tfrecord, record 1", "x.tfrecord, record 2"))
    ]


def test_a_wrong_sum_is_found_when_a_row_is_read(tmp_path: Path) -> None:
    rows = all_rows(tmp_path)
    path = tmp_path / "images" / NAMES[0]
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    sources = rows.sources(range(2))
    with pytest.raises(ReadError, match="the bytes of record 0 do not fit their check sum"):
        read_source(sources[0])
    np.testing.assert_array_equal(read_source(sources[1]).pixels, pictures()[1])


def test_a_path_out_of_the_root_is_refused(tmp_path: Path) -> None:
    path = write_all(tmp_path / "images")["data_batch_1.bin"]
    (tmp_path / "m").mkdir()
    manifest.write(
        pa.table({"image": [f"../images/{path.name}"], "frame": [0]}), tmp_path / "m/m.parquet", {"root": "."}
    )
    with pytest.raises(ReadError, match="leads out of the manifest's root"):
        read_source(manifest.read(tmp_path / "m/m.parquet").sources(range(1))[0])


def test_a_pickle_is_parsed_once_for_all_its_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = write_all(tmp_path)
    parsed = []
    load = cifar.pickled.load
    monkeypatch.setattr(cifar.pickled, "load", lambda data, where: parsed.append(where) or load(data, where))
    for _ in range(3):
        for number in range(COUNT):
            for name in ("data_batch_1", "data_batch_2", "data_batch_5"):
                read(files[name], frame=number)
    assert sorted(parsed) == sorted(str(files[name]) for name in ("data_batch_1", "data_batch_2", "data_batch_5"))


@pytest.mark.parametrize("count", [COUNT, 2])
def test_a_pickle_that_changes_is_parsed_again(count: int, tmp_path: Path) -> None:
    path = write_all(tmp_path)["data_batch_1"]
    read(path, frame=1)
    path.write_bytes(written_cifar.python2_batch(pictures(count, seed=1), [300, 0, 9, 3][:count]))
    os.utime(path, ns=(1, 1))
    np.testing.assert_array_equal(read(path, frame=1).pixels, pictures(count, seed=1)[1])
    assert cifar.labels_of(cifar.open_batch(path))["label"] == [300, 0, 9, 3][:count]


def test_pixels_of_a_file_that_keeps_them_whole_stay_there(tmp_path: Path) -> None:
    files = write_all(tmp_path)
    for name in ("data_batch_1", "data_batch_3", "data_batch_4", "data_batch_5", "data_batch_1.bin"):
        assert cifar.open_batch(files[name]).pixels is None, name
    assert cifar.open_batch(files["data_batch_2"]).pixels is not None  # Python 3 keeps bytes as text in protocol 2


def test_labels_are_those_that_were_written(tmp_path: Path) -> None:
    files = write_all(tmp_path)
    for number in range(1, 6):
        assert cifar.labels_of(cifar.open_batch(files[f"data_batch_{number}"])) == {"label": LABELS}
    assert cifar.labels_of(cifar.open_batch(files["data_batch_1.bin"])) == {"label": [each % 10 for each in LABELS]}
    assert cifar.labels_of(cifar.open_batch(files["train.bin"])) == {"coarse_label": [1] * 4, "label": [99] * 4}


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ([1, 2], "holds no dict"),
        ({"labels": [1]}, "holds no array 'data' of bytes"),
        ({"data": np.zeros((1, 3072)), "labels": [1]}, "holds no array 'data' of bytes"),
        ({"data": np.zeros((2, 3071), np.uint8)}, r"data of shape \(2, 3071\), \(n, 3072\) was expected"),
        ({"data": np.zeros(3072, np.uint8)}, r"data of shape \(3072,\)"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [1]}, "'labels' is no list of 2 whole numbers"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": ["a"]}, "'labels' is no list of 1 whole numbers"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [True]}, "'labels' is no list"),
    ],
    ids=["no dict", "no data", "floats", "narrow", "flat", "too few labels", "text labels", "truth values"],
)
def test_other_pickles_are_refused_in_words(held: Any, words: str, tmp_path: Path) -> None:
    path = tmp_path / "data_batch_1"
    path.write_bytes(pickle.dumps(held, 4))
    with pytest.raises(ReadError, match=words):
        read(path, frame=0)


def test_labels_may_be_an_array(tmp_path: Path) -> None:
    (tmp_path / "test_batch").write_bytes(python3_batch(pictures(), 4, labels=np.array(LABELS)))
    assert cifar.labels_of(cifar.open_batch(tmp_path / "test_batch")) == {"label": LABELS}


def test_a_binary_batch_that_is_cut_short(tmp_path: Path) -> None:
    path = write_all(tmp_path)["data_batch_1.bin"]
    path.write_bytes(path.read_bytes()[:-10])
    batch = cifar.open_batch(path)
    assert (batch.count, batch.left) == (3, 3063)
    np.testing.assert_array_equal(read(path, frame=2).pixels, pictures()[2])
    with pytest.raises(ReadError, match="picture 3 was asked for, the file holds 3"):
        read(path, frame=3)


def test_a_batch_that_is_cut_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_all(tmp_path)["data_batch_1.bin"]
    batch = cifar.open_batch(path)
    monkeypatch.setattr(cifar, "open_batch", lambda _path: batch)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ReadError, match="picture 3 is cut short"):
        cifar.picture(path, 3)


def test_a_pickle_that_is_too_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_all(tmp_path)["data_batch_1"]
    monkeypatch.setattr(cifar, "LARGEST", 1000)
    with pytest.raises(ReadError, match="is larger than 1,000 bytes, no batch of CIFAR is"):
        cifar.open_batch(path)


def test_only_containers_hold_records(tmp_path: Path) -> None:
    files = write_all(tmp_path)
    assert all(containers.holds_records(path) for path in files.values())
    Image.fromarray(pictures()[0]).save(tmp_path / "a.png")
    (tmp_path / "no-ending").write_bytes((tmp_path / "a.png").read_bytes())
    for name in ("a.png", "no-ending", "gone"):
        assert not containers.holds_records(tmp_path / name)
    (tmp_path / "gone").write_bytes(files[NAMES[0]].read_bytes())
    assert containers.holds_records(tmp_path / "gone")
