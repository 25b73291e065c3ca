"""Numbers of things in words."""

from __future__ import annotations


def counted(count: int, one: str, several: str | None = None) -> str:
    """Return `1 file` or `1,204 files`; `several` is the whole plural where an s at the end does not make it."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def in_binary_units(size: int) -> str:
    """Return a number of bytes as `512 bytes`, `20.8 KiB`, `3.2 MiB` or `1,204.5 GiB`."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if size >= factor:
            return f"{size / factor:,.1f} {unit}"
    return counted(size, "byte")
