"""How much memory one file may make us use: read from its header, before a pixel is decoded."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager

from remedis.errors import ReadError, UsageError

MAX_PIXELS = 89_478_485
"""Pixels of one frame: a quarter of a GiB in 24 bits, from where Pillow suspects a bomb."""

MAX_FRAMES_TOGETHER = 3
"""So many frames of the largest size may be read at once; `frame=` reads one frame of longer films."""

VARIABLE = "REMEDIS_MAX_PIXELS"


def max_pixels() -> int:
    """Return the limit of pixels for one frame: the environment's REMEDIS_MAX_PIXELS, or `MAX_PIXELS`.

    Raises:
        UsageError: The variable is no positive whole number.
    """
    text = os.environ.get(VARIABLE)
    if text is None:
        return MAX_PIXELS
    try:
        limit = int(text)
    except ValueError:
        limit = 0
    if limit < 1:
        raise UsageError(f"{VARIABLE} is {text!r}, a positive whole number was expected")
    return limit


def check_size(where: str, width: int, height: int, frames: int = 1) -> None:
    """Refuse a picture without pixels, or one that is larger than the limit.

    Args:
        where: The file, for the message.
        width: Pixels a row.
        height: Rows.
        frames: Frames that will be decoded together.

    Raises:
        ReadError: Says what the header promises and how to raise the limit.
    """
    if width < 1 or height < 1 or frames < 1:
        raise ReadError(
            f"the header says {width} × {height} pixels, {frames} frames; at least one of each is needed",
            where=where,
        )
    limit = max_pixels()
    if width * height > limit:
        raise ReadError(
            f"the header says {width} × {height} = {width * height:,} pixels, the limit is {limit:,}; "
            f"if the file can be trusted, set {VARIABLE}={width * height}",
            where=where,
        )
    if width * height * frames > MAX_FRAMES_TOGETHER * limit:
        needed = math.ceil(width * height * frames / MAX_FRAMES_TOGETHER)
        raise ReadError(
            f"the header says {frames:,} frames of {width} × {height} pixels, together the limit is "
            f"{MAX_FRAMES_TOGETHER * limit:,} pixels; read one with frame=, or set {VARIABLE}={needed}",
            where=where,
        )


@contextmanager
def without_pillows_limit() -> Iterator[None]:
    """Let Pillow read headers of any size while it lasts: its own limit acts before ours."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
