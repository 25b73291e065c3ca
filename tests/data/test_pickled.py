"""The machine that reads pickles without executing them: against Python's own, and against what attackers write."""

from __future__ import annotations

import contextlib
import pickle
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from references.written_cifar import planes, python2_batch
from remedis.data import pickled
from remedis.errors import ReadError

PROTOCOLS = (2, 3, 4, 5)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 80), 1 << 80) | st.floats(allow_nan=False) | st.text(max_size=300)
    | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    | st.lists(inner, max_size=4).map(tuple),
    max_leaves=20,
)  # fmt: skip


@given(PLAIN, st.sampled_from(PROTOCOLS))
@settings(max_examples=150)
def test_plain_data_are_what_pythons_own_machine_gives(value: Any, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    assert pickled.load(data, "x") == pickle.loads(data) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("module", ["numpy.core", "numpy._core"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["|u1", "<i8", ">u2", "<f4", ">f8", "|b1", "<f2"])
def test_arrays_are_numpys(dtype: str, order: Any, module: str, protocol: int) -> None:
    array = np.asarray(np.arange(24).reshape(2, 3, 4) % 7, dtype=dtype, order=order)
    data = pickle.dumps({"data": array}, protocol)
    for name in (b"multiarray", b"numeric"):
        data = data.replace(b"cnumpy._core." + name, b"c" + module.encode() + b"." + name)
        for core in ("numpy._core", "numpy.core"):  # in protocol 4 and 5 names are texts with their lengths
            text = f"{core}.".encode() + name
            new = f"{module}.".encode() + name
            data = data.replace(bytes([len(text)]) + text, bytes([len(new)]) + new)
    found = pickled.load(data, "x")["data"]
    np.testing.assert_array_equal(found.values, array)
    assert found.values.dtype == array.dtype
    if order == "C" and protocol > 2:
        assert found.start is not None
        assert data[found.start : found.start + array.nbytes] == array.tobytes()
    else:
        assert found.start is None


def test_a_file_of_python_2_is_read_and_its_pixels_found_in_place() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    data = python2_batch(pixels, [6, 9, 300])
    theirs = pickle.loads(data, encoding="latin1")
    ours = pickled.load(data, "x")
    assert list(ours) == list(theirs) == ["batch_label", "labels", "data", "filenames"]
    assert ours["labels"] == theirs["labels"] == [6, 9, 300]
    assert [name.decode() for name in ours["filenames"]] == theirs["filenames"]
    np.testing.assert_array_equal(ours["data"].values, theirs["data"])
    assert data[ours["data"].start :].startswith(planes(pixels))


def test_values_are_shared_as_they_are_in_the_pickle() -> None:
    inner = [1]
    found = pickled.load(pickle.dumps([inner, inner], 2), "x")
    assert found[0] is found[1]


class Touch:
    """Unpickled by Python's own machine, makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


class System:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        import os

        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("kind", [Touch, System], ids=["a method of a path", "os.system"])
def test_functions_are_never_called(kind: Any, protocol: int, tmp_path: Path) -> None:
    data = pickle.dumps({"data": kind(tmp_path / "made")}, protocol)
    with pytest.raises(ReadError, match=r"x: the pickle names .*, which is none of what builds an array; nothing"):
        pickled.load(data, "x")
    assert not (tmp_path / "made").exists()
    pickle.loads(data)
    assert (tmp_path / "made").exists(), "the trap does not work"


HEAD = b"\x80\x02"
A_LONG_TEXT = b"X" + struct.pack("<I", 100_000) + b"a" * 100_000 + b"q\x00X\x06\x00\x00\x00latin1q\x01"
ENCODE_IT = b"c_codecs\nencode\nh\x00h\x01\x86R"
REFUSED = {
    "a function of a module": (b"cos\nsystem\n.", "names os.system"),
    "a builtin": (b"cbuiltins\neval\n.", "names builtins.eval"),
    "getattr by way of numpy": (b"cnumpy\nload\n.", "names numpy.load"),
    "a name of two lines": (b"\x8c\x03os\n\x8c\x06system\x93.", "names os"),
    "an instance": (b"(ios\nsystem\n.", "INST"),
    "an object": (b"(cos\nsystem\no.", "names os.system"),
    "a new object": (b"cnumpy\nndarray\n)\x81.", "NEWOBJ"),
    "a new object with names": (b"cnumpy\nndarray\n)}\x92.", "NEWOBJ_EX"),
    "a persistent name": (b"Pfile\n.", "PERSID"),
    "a persistent object": (b"K\x01Q.", "BINPERSID"),
    "an extension": (b"\x82\x01.", "EXT1"),
    "an extension of two bytes": (b"\x83\x01\x00.", "EXT2"),
    "an extension of four bytes": (b"\x84\x01\x00\x00\x00.", "EXT4"),
    "a buffer from outside": (b"\x97.", "NEXT_BUFFER"),
    "a set": (b"\x8f.", "EMPTY_SET"),
    "a number as text": (b"I12\n.", "INT"),
    "a number of any length": (b"\x8b\x01\x00\x00\x00\x01.", "LONG4"),
    "a byte that is no operation": (b"\xfe.", "byte fe"),
    "a call of a number": (b"K\x01)R.", "calls what is no function"),
    "a call of a call": (b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR)R.", "calls what is no function"),
    "an array as a function": (b"cnumpy\nndarray\n)R.", "calls ndarray in a way"),
    "an array of objects": (b"cnumpy\ndtype\n(U\x02O8K\x00K\x01tR.", "other things than numbers"),
    "an array of text": (b"cnumpy\ndtype\n(U\x02S9K\x00K\x01tR.", "other things than numbers"),
    "a type with fields": (b"cnumpy\ndtype\n(U\x02u1tR(K\x03U\x01|NU\x01aNJ\xff\xff\xff\xffK\x00K\x00tb.", "no array"),
    "a state for a dict": (b"}}b.", "builds an object that is no array"),
    "another codec": (b"c_codecs\nencode\nX\x01\x00\x00\x00aU\x05rot13\x86R.", "calls encode in a way"),
    "a list as a key": (b"}]K\x01s.", "no dict with text as keys"),
    "a tuple as a key": (b"})K\x01s.", "no dict with text as keys"),
    "an item of a list": (b"]U\x01aK\x01s.", "no dict with text as keys"),
    "a very long key": (b"}B" + struct.pack("<I", 201) + b"a" * 201 + b"K\x01s.", "a key of more than 200"),
    "a type with a very long name": (b"cnumpy\ndtype\n(U\xc8" + b"u1" * 100 + b"K\x00K\x01tR.", "than numbers"),
    "an append to a dict": (b"}K\x01a.", "what is no list"),
    "the same text encoded again and again": (b"(" + A_LONG_TEXT + ENCODE_IT * 2 + b"t.", "more bytes than it has"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_plain_data_do_not_need_is_refused_in_words(name: str) -> None:
    data, words = REFUSED[name]
    with pytest.raises(ReadError, match=words) as caught:
        pickled.load(HEAD + data, "evil")
    assert str(caught.value).startswith("evil: ")
    assert "nothing in it was executed" in str(caught.value)


DAMAGED = {
    "no end": b"}",
    "an end without a beginning": b".",
    "pieces left over": b"K\x01K\x02.",
    "a mark left over": b"K\x01(K\x02.",
    "a name of two tuples": b"K\x01\x85K\x01\x85\x93.",
    "bytes of an absurd length": b"\x8e" + struct.pack("<Q", (1 << 64) - 1) + b"a.",
    "text of an absurd length": b"T" + struct.pack("<I", (1 << 32) - 1) + b"a.",
    "a name without an end": b"cos",
    "a very long name": b"c" + b"a" * 100_000 + b"\nb\n.",
    "nothing under a tuple": b"K\x01\x87.",
    "a memory that is empty": b"h\x07.",
    "text that is no UTF-8": b"X\x01\x00\x00\x00\xff.",
    "a key without a value": b"}(U\x01au.",
    "no mark": b"]K\x01e.",
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_one_line(name: str) -> None:
    with pytest.raises(ReadError, match="evil: the pickle is damaged"):
        pickled.load(HEAD + DAMAGED[name], "evil")


@pytest.mark.parametrize("data", [b"", b"\x80", b"\x80\x01K\x01.", b"\x80\x06K\x01.", b"(dp0\n.", b"K\x02."])
def test_other_protocols_are_refused(data: bytes) -> None:
    with pytest.raises(ReadError, match="a pickle of protocol 2 to 5 was expected"):
        pickled.load(data, "x")


def an_array(shape: bytes, content: bytes, *, fortran: bytes = b"\x89") -> bytes:
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R(K\x01" + shape
    return HEAD + made + b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR" + fortran + content + b"tb."


@pytest.mark.parametrize(
    ("shape", "content", "words"),
    [
        (b"K\x02K\x01\x86", b"U\x03abc", "an array of (2, 1) with 3 bytes"),
        (b"J\xff\xff\xff\xffJ\xfd\xff\xff\xff\x86", b"U\x03abc", "an impossible shape"),
        (b"\x8a\x09" + b"\xff" * 8 + b"\x7f\x85", b"U\x03abc", "an impossible shape"),
        (b"\x88K\x03\x86", b"U\x03abc", "an impossible shape"),
        (b"(" + b"K\x01" * 40 + b"t", b"U\x01a", "an impossible shape"),
        (b"K\x01\x85", b"]K\x01a", "not made of bytes"),
        (b"]", b"U\x00", "not made of bytes"),
    ],
    ids=["too few bytes", "negative sides", "an absurd side", "a truth value", "many axes", "a list", "no tuple"],
)
def test_arrays_that_do_not_fit_are_refused(shape: bytes, content: bytes, words: str) -> None:
    assert pickled.load(an_array(b"K\x03\x85", b"U\x03abc"), "x").values.tolist() == [97, 98, 99]
    with pytest.raises(ReadError, match=words.replace("(", r"\(").replace(")", r"\)")):
        pickled.load(an_array(shape, content), "x")


def test_an_array_is_built_once() -> None:
    data = an_array(b"K\x03\x85", b"U\x03abc")[:-1]
    with pytest.raises(ReadError, match="no array of numbers"):
        pickled.load(data + b"(K\x01K\x03\x85cnumpy\ndtype\nU\x02u1\x85R\x89U\x03abctb.", "x")


def test_a_bomb_of_shared_pieces_takes_no_more_memory_than_its_size() -> None:
    # each line is a list of two of the line before: 2^40 numbers if anything unfolded it
    lines = b"]q\x00" + b"".join(b"](h" + bytes([n]) + b"h" + bytes([n]) + b"eq" + bytes([n + 1]) for n in range(40))
    tracemalloc.start()
    found = pickled.load(HEAD + b"(" + lines + b"t.", "x")
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert len(found) == 41


def test_a_text_is_encoded_once() -> None:
    found = pickled.load(HEAD + b"(" + A_LONG_TEXT + ENCODE_IT + b"t.", "x")
    assert found[2] == b"a" * 100_000


def test_the_steps_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pickled, "MOST_STEPS", 10)
    assert pickled.load(HEAD + b"(" + b"N" * 6 + b"t.", "x") == (None,) * 6
    with pytest.raises(ReadError, match="more than 10 steps"):
        pickled.load(HEAD + b"(" + b"N" * 7 + b"t.", "x")


@given(st.data())
@settings(max_examples=300)
def test_a_damaged_file_is_read_or_refused_in_words(data: st.DataObject) -> None:
    whole = bytearray(python2_batch(np.zeros((1, 32, 32, 3), np.uint8), [1]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 400) | st.integers(len(whole) - 60, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ReadError):
        pickled.load(bytes(whole[: data.draw(st.just(len(whole)) | st.integers(0, len(whole)))]), "x")
