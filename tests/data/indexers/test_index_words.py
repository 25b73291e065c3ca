"""Numbers in words."""

from __future__ import annotations

import pytest

from remedis.data.indexers.words import counted, in_binary_units


def test_one_and_several() -> None:
    assert [counted(number, "file") for number in (0, 1, 1204)] == ["0 files", "1 file", "1,204 files"]
    assert counted(2, "file is", "files are") == "2 files are"


@pytest.mark.parametrize(
    ("size", "expected"),
    [(1, "1 byte"), (1023, "1,023 bytes"), (1024, "1.0 KiB"), (3 << 20, "3.0 MiB"), (5 << 40, "5,120.0 GiB")],
)
def test_sizes(size: int, expected: str) -> None:
    assert in_binary_units(size) == expected
