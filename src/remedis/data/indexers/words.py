"""Numbers of things in words."""

from __future__ import annotations


def counted(count: int, one: str, several: str | None = None) -> str:
    """Return `1 file` or `1,204 files`; `several` is the whole plural where an s at the end does not make it."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"
