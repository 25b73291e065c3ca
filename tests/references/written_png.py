"""PNG files for tests, written from the specification (W3C PNG): any depth, colour type and interlacing."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def chunk(kind: bytes, body: bytes) -> bytes:
    """Length, kind, body and check sum (section 5.3)."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _scanlines(samples: npt.NDArray[Any], depth: int) -> bytes:
    """Filter type 0 for even lines, 2 (up) for odd ones, over (H, W, channels) samples (sections 7.2 and 9)."""
    flat = samples.reshape(samples.shape[0], -1)
    if depth == 16:
        rows = flat.astype(">u2").view(np.uint8).reshape(len(flat), -1)
    elif depth == 8:
        rows = flat.astype(np.uint8)
    else:
        bits = (flat[..., None].astype(np.uint8) >> np.arange(depth)[::-1]) & 1
        rows = np.packbits(bits.reshape(len(flat), -1), axis=1)
    above = np.vstack([np.zeros_like(rows[:1]), rows[:-1]])
    lines = [
        b"\2" + (row - up).tobytes() if n % 2 else b"\0" + row.tobytes()
        for n, (row, up) in enumerate(zip(rows, above, strict=True))
    ]
    return b"".join(lines)


def png_bytes(
    samples: npt.NDArray[Any],
    depth: int,
    colour_type: int,
    *,
    interlaced: bool = False,
    extra: tuple[tuple[bytes, bytes], ...] = (),
) -> bytes:
    """The file of (H, W, channels) samples; `extra` chunks (PLTE, tRNS …) stand before the picture."""
    height, width = samples.shape[:2]
    if interlaced:
        passes = [samples[y::down, x::across] for y, x, down, across in _ADAM7]
        lines = b"".join(_scanlines(one, depth) for one in passes if one.size)
    else:
        lines = _scanlines(samples, depth)
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, int(interlaced))
    middle = b"".join(chunk(kind, body) for kind, body in extra)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + middle
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )
