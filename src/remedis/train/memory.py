"""Memory that a training on a processor frees and takes again at every layer of every step."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # glibc's malloc.h


def keep_freed() -> bool:
    """Have the C library keep freed memory for the next allocation rather than give it back to the system.

    glibc maps every block above 32 MiB anew, and the system fills each page with zeros before its first use: a fifth
    of the time of a step of R26x1 with 512 views of 64 pixels. The process keeps what it needed at its peak.

    Returns:
        Whether the C library could be told (glibc on Linux).
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_MMAP_MAX, 0)) and bool(mallopt(_TRIM_THRESHOLD, -1))
