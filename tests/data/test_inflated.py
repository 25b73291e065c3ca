"""Rows of a deflated stream in any order, against zlib itself; what is kept stays within its bound."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remedis.data import inflated
from remedis.data.inflated import Deflated, Inflated
from remedis.errors import ReadError

HEADER = b"h" * 70


def deflated(data: bytes, level: int = 6) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def rows_of(count: int, length: int, seed: int = 0) -> list[bytes]:
    """Rows that deflate can and rows that it cannot make smaller."""
    random = np.random.default_rng(seed)
    noise = random.integers(0, 256, (count, length), dtype=np.uint8)
    noise[::3] = 7
    return [row.tobytes() for row in noise]


def opened(path: Path, rows: list[bytes], *, level: int = 6, before: bytes = b"xy", after: bytes = b"z") -> Inflated:
    packed = deflated(HEADER + b"".join(rows), level)
    path.write_bytes(before + packed + after)
    return Inflated(Deflated(path, len(before), len(packed), len(HEADER)), len(rows[0]), len(rows))


@settings(max_examples=40)
@given(
    count=st.integers(1, 40),
    length=st.integers(1, 3000),
    chunk=st.integers(1, 9000),
    cache=st.sampled_from([1, 5000, 1 << 20]),
    level=st.sampled_from([0, 1, 9]),
    seed=st.integers(0, 3),
)
def test_any_order_gives_every_row(
    tmp_path_factory: pytest.TempPathFactory, count: int, length: int, chunk: int, cache: int, level: int, seed: int
) -> None:
    rows = rows_of(count, length, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inflated, "CHUNK_BYTES", chunk)
        patch.setattr(inflated, "CACHE_BYTES", cache)
        patch.setattr(inflated, "_BLOCK", 100)
        found = opened(tmp_path_factory.mktemp("rows") / "f", rows, level=level)
        for number in np.random.default_rng(seed).permutation(np.repeat(np.arange(count), 2)):
            assert found.row(int(number)) == rows[number]


def counted(found: Inflated, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the lengths that are unpacked from now on."""
    lengths: list[int] = []
    unpacked = Inflated._unpacked

    def spy(self: Inflated, decoder: Any, taken: int, length: int) -> Any:
        if self is found:
            lengths.append(length)
        return unpacked(self, decoder, taken, length)

    monkeypatch.setattr(Inflated, "_unpacked", spy)
    return lengths


def test_reading_in_order_unpacks_the_stream_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflated, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(inflated, "CACHE_BYTES", 3000)
    rows = rows_of(100, 90)
    found = opened(tmp_path / "f", rows)
    lengths = counted(found, monkeypatch)
    assert [found.row(number) for number in range(100)] == rows
    assert lengths == [70, *[990] * 9, 90]


def test_a_row_out_of_order_costs_one_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflated, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(inflated, "CACHE_BYTES", 2000)
    rows = rows_of(100, 90)
    found = opened(tmp_path / "f", rows)
    found.row(99)
    lengths = counted(found, monkeypatch)
    for number in (50, 51, 12, 50, 99, 50):
        assert found.row(number) == rows[number]
    assert lengths == [990, 990, 90]  # 51 lies beside 50, which is kept: it was asked for after 12


def test_what_is_kept_stays_within_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflated, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(inflated, "CACHE_BYTES", 5000)
    for name in "ab":
        found = opened(tmp_path / name, rows_of(100, 90))
        for number in range(100):
            found.row(number)
            assert sum(len(each) for each in inflated._kept.values()) <= 5000


def test_a_long_stream_has_larger_chunks_and_not_more_states(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflated, "CHUNK_BYTES", 10)
    monkeypatch.setattr(inflated, "MOST_CHUNKS", 7)
    rows = rows_of(100, 30)
    found = opened(tmp_path / "f", rows)
    assert [found.row(number) for number in range(100)] == rows
    assert len(found._states) <= 8


@pytest.mark.parametrize("kept", [0, 3, 40, 300])
def test_a_stream_that_is_cut_short_is_said(kept: int, tmp_path: Path) -> None:
    rows = rows_of(10, 90)
    found = opened(tmp_path / "f", rows, before=b"")
    (tmp_path / "f").write_bytes((tmp_path / "f").read_bytes()[:kept])
    with pytest.raises(ReadError, match=r"f: a member is cut short"):
        found.row(9)


def test_a_stream_that_ends_before_its_rows_do_is_said(tmp_path: Path) -> None:
    packed = deflated(HEADER + b"a" * 50)
    (tmp_path / "f").write_bytes(packed + b"more that is no part of it")
    with pytest.raises(ReadError, match="a member is cut short"):
        Inflated(Deflated(tmp_path / "f", 0, len(packed) + 26, 70), 10, 9).row(8)


def test_damage_is_an_error_in_words_or_other_bytes(tmp_path: Path) -> None:
    rows = rows_of(30, 90)
    found = opened(tmp_path / "f", rows, before=b"")
    good = (tmp_path / "f").read_bytes()
    said = 0
    for place in range(0, len(good) - 1, 37):
        bad = bytearray(good)
        bad[place] ^= 0x55
        (tmp_path / "f").write_bytes(bad)
        stream = Inflated(Deflated(tmp_path / "f", 0, len(good) - 1, 70), 90, 30)
        try:
            [stream.row(number) for number in range(30)]
        except ReadError:
            said += 1
    assert said > 5
    (tmp_path / "f").unlink()
    with pytest.raises(ReadError, match="cannot be read"):
        found.row(3)
