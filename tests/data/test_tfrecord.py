"""TFRecord files without TensorFlow: framing, check sums and Examples, against files written from the description."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from references import written_tfrecord as written
from remedis.data import tfrecord
from remedis.errors import ReadError

DATA = [b"", b"a", b"abc" * 1000, bytes(range(256))]


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / "x.tfrecord"
    path.write_bytes(b"".join(written.framed(each) for each in DATA))
    return path


def test_the_standards_check_value() -> None:
    # RFC 3720 B.4 and the catalogue of CRCs: crc32c of the nine digits; the mask of record_writer.h over it
    assert written.crc32c(b"123456789") == 0xE3069283
    expected = ((0xE3069283 >> 15 | 0xE3069283 << 17) + 0xA282EAD8) % 2**32
    assert tfrecord.masked_crc(b"123456789") == expected


@given(st.binary(max_size=60))
def test_sums_are_those_of_one_bit_at_a_time(data: bytes) -> None:
    assert struct.pack("<I", tfrecord.masked_crc(data)) == written.masked(data)


def test_records_are_found_and_read_in_any_order(shard: Path) -> None:
    assert tfrecord.walk(shard).offsets.tolist() == [0, 16, 33, 3049]
    assert tfrecord.walk(shard).problem == ""
    assert [tfrecord.record(shard, number) for number in (3, 0, 2, 1)] == [DATA[3], DATA[0], DATA[2], DATA[1]]


def test_a_tfrecord_is_told_by_its_first_length(shard: Path) -> None:
    assert tfrecord.is_tfrecord(shard.read_bytes()[:12])
    assert tfrecord.is_tfrecord(written.framed(b"a" * 70_000)[:16])
    others = (
        b"",
        b"\0" * 11,
        b"\0" * 16,
        b"\x80\x02}q\x01(U\x0bbatch_",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\xff\xd8\xff\xe0" * 4,
    )
    for head in others:
        assert not tfrecord.is_tfrecord(head)


@pytest.mark.parametrize("number", [4, -1])
def test_a_record_that_is_not_there(shard: Path, number: int) -> None:
    with pytest.raises(ReadError, match=f"record {number} was asked for, the file holds 4$"):
        tfrecord.record(shard, number)


@pytest.mark.parametrize("place", [33 + 12, 33 + 1000, 33 + 12 + 3000], ids=["first byte", "a byte", "the sum itself"])
def test_a_wrong_sum_of_data_is_refused_and_its_neighbours_are_read(shard: Path, place: int) -> None:
    data = bytearray(shard.read_bytes())
    data[place] ^= 1
    shard.write_bytes(data)
    with pytest.raises(ReadError, match="the bytes of record 2 do not fit their check sum"):
        tfrecord.record(shard, 2)
    assert tfrecord.record(shard, 3) == DATA[3]


@pytest.mark.parametrize("place", [33, 33 + 7, 33 + 8], ids=["low byte", "high byte", "the sum itself"])
def test_a_wrong_length_ends_the_walk(shard: Path, place: int) -> None:
    data = bytearray(shard.read_bytes())
    data[place] ^= 0x80
    shard.write_bytes(data)
    walk = tfrecord.walk(shard)
    assert walk.offsets.tolist() == [0, 16]
    assert walk.problem == "the length of record 2 does not fit its check sum"
    assert tfrecord.record(shard, 1) == b"a"
    with pytest.raises(ReadError, match="record 2 was asked for, the file holds 2; the length of record 2"):
        tfrecord.record(shard, 2)


@pytest.mark.parametrize("length", [(1 << 64) - 1, 1 << 62, 5], ids=["2^64-1", "2^62", "five bytes of four"])
def test_a_length_with_a_right_sum_allocates_nothing(tmp_path: Path, length: int) -> None:
    head = struct.pack("<Q", length)
    path = tmp_path / "x.tfrecord"
    path.write_bytes(written.framed(b"abc") + head + written.masked(head) + b"abcd" + written.masked(b"abcd"))
    walk = tfrecord.walk(path)
    assert walk.offsets.tolist() == [0]
    assert walk.problem == f"record 1 promises {length:,} bytes and 4 are left: the file is cut short"


@pytest.mark.parametrize("kept", [33 + 5, 33 + 12, 33 + 100, 33 + 12 + 3000 + 3])
def test_a_file_that_is_cut_short(shard: Path, kept: int) -> None:
    shard.write_bytes(shard.read_bytes()[:kept])
    walk = tfrecord.walk(shard)
    assert walk.offsets.tolist() == [0, 16]
    assert "cut short" in walk.problem


def test_a_file_that_is_packed_says_so(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "x.tfrecord.gz"
    path.write_bytes(gzip.compress(written.framed(b"abc")))
    assert "compressed with gzip" in tfrecord.walk(path).problem


def test_a_file_that_changes_is_walked_again(shard: Path) -> None:
    assert len(tfrecord.walk(shard).offsets) == 4
    shard.write_bytes(written.framed(b"new"))
    os.utime(shard, ns=(1, 1))
    assert tfrecord.record(shard, 0) == b"new"
    assert len(tfrecord.walk(shard).offsets) == 1


@pytest.mark.parametrize("place", [33, 40, 41], ids=["another length", "2^56 more", "another sum"])
def test_a_file_that_changes_unseen_is_refused(shard: Path, place: int) -> None:
    tfrecord.walk(shard)
    before = shard.stat()
    damaged = bytearray(shard.read_bytes())
    damaged[place] ^= 1
    shard.write_bytes(damaged)
    os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns))
    with pytest.raises(ReadError, match="record 2 is not where it was; the file was changed meanwhile"):
        tfrecord.record(shard, 2)


def test_an_empty_and_a_missing_file(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert len(tfrecord.walk(tmp_path / "x").offsets) == 0
    with pytest.raises(ReadError, match="gone: cannot be read"):
        tfrecord.walk(tmp_path / "gone")


FEATURES = st.dictionaries(
    st.text(max_size=8),
    st.lists(st.binary(max_size=20), max_size=4)
    | st.lists(st.floats(width=32, allow_nan=False), max_size=4)
    | st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=4),
    max_size=5,
)


@given(FEATURES, st.booleans())
def test_examples_are_what_was_written(features: dict[str, Any], packed: bool) -> None:
    found = tfrecord.example(written.example(features, packed=packed), "x")
    assert found == features
    for name, values in features.items():
        assert [type(value) for value in found[name]] == [type(value) for value in values]


@given(st.binary(max_size=80))
def test_other_bytes_are_read_or_refused_in_words(data: bytes) -> None:
    try:
        found = tfrecord.example(data, "x")
    except ReadError as error:
        found = {str(error): []}
    assert isinstance(found, dict)


def test_bytes_that_are_no_example() -> None:
    with pytest.raises(ReadError, match=r"x, record 3: is no tf.train.Example"):
        tfrecord.example(b"\x0a\xff\xff\xff\xff\x0f", "x, record 3")


def test_which_feature_is_the_picture() -> None:
    def of(features: dict[str, Any], key: str | None = None) -> bytes:
        return tfrecord.picture_of(features, "x", key)

    assert of({"image": [b"i"], "text": [b"t"]}) == b"i"
    assert of({"image/encoded": [b"e"], "image/format": [b"png"]}) == b"e"
    assert of({"scan": [b"s"], "label": [1]}) == b"s"
    assert of({"image": [b"i"], "mask": [b"m"]}, "mask") == b"m"
    for features in ({"a": [b"a"], "b": [b"b"]}, {"label": [1]}, {}, {"a": [b"a", b"b"]}):
        with pytest.raises(ReadError, match="nothing tells which feature is the picture"):
            of(features)
    for features in ({"image": [b"a", b"b"]}, {"image": [1]}, {"image": []}, {"other": [b"a"]}):
        with pytest.raises(ReadError, match="'image' is not one string of bytes"):
            of(features, "image")


@pytest.mark.slow
def test_tensorflow_reads_and_writes_the_same_records(tmp_path: Path) -> None:
    """Needs REMEDIS_TF_PYTHON; TensorFlow writes a file that ours reads, and reads one of the tests' own writer."""
    python = os.environ.get("REMEDIS_TF_PYTHON")
    if not python:
        pytest.skip("REMEDIS_TF_PYTHON is not set: this test needs an environment with TensorFlow (make tf-env)")
    features: dict[str, Any] = {"image": [b"\x89PNG", b""], "age": [0.5, -1e30], "label": [-1, 1 << 62], "none": []}
    ours = tmp_path / "ours.tfrecord"
    ours.write_bytes(b"".join(written.framed(written.example(features, packed=packed)) for packed in (True, False)))
    program = """
import sys, tensorflow as tf
F = tf.train.Feature
read = [tf.train.Example.FromString(r.numpy()) for r in tf.data.TFRecordDataset(sys.argv[1])]
made = tf.train.Example(features=tf.train.Features(feature={
    "image": F(bytes_list=tf.train.BytesList(value=[b"\\x89PNG", b""])),
    "age": F(float_list=tf.train.FloatList(value=[0.5, -1e30])),
    "label": F(int64_list=tf.train.Int64List(value=[-1, 1 << 62])), "none": F()}))
assert read == [made, made], read
with tf.io.TFRecordWriter(sys.argv[2]) as writer:
    for data in (made.SerializeToString(), b"", b"x" * 70000):
        writer.write(data)
"""
    theirs = tmp_path / "theirs.tfrecord"
    subprocess.run([python, "-c", program, str(ours), str(theirs)], check=True, capture_output=True)
    assert len(tfrecord.walk(theirs).offsets) == 3
    assert tfrecord.is_tfrecord(theirs.read_bytes()[:12])
    found = tfrecord.example(tfrecord.record(theirs, 0), "x")
    assert found == {**features, "age": [struct.unpack("<f", struct.pack("<f", each))[0] for each in features["age"]]}
    assert [tfrecord.record(theirs, number) for number in (1, 2)] == [b"", b"x" * 70000]
