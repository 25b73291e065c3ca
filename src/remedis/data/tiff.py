"""Whether a TIFF page has all the strips or tiles that its size needs: Pillow leaves missing ones black in silence."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from remedis.errors import ReadError

if TYPE_CHECKING:
    from PIL import Image

_WIDTH, _LENGTH, _BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _PLANAR = 256, 257, 258, 259, 262, 277, 284
_STRIPS = (273, 279)  # offsets and byte counts
_TILES = (324, 325)
_ROWS_PER_STRIP, _TILE_WIDTH, _TILE_LENGTH = 278, 322, 323
_UNCOMPRESSED, _OLD_JPEG = 1, 6
_YCBCR = 6  # a photometric interpretation whose colours may be stored at half the size


def check_page(picture: Image.Image, file_bytes: int, where: str) -> None:
    """Refuse a page that lacks strips or tiles, or whose strips or tiles are not inside the file.

    Args:
        picture: A TIFF file opened at the page.
        file_bytes: Size of the file.
        where: The file, for messages.

    Raises:
        ReadError: Says what the page needs and what is there.

    Source: TIFF 6.0, sections 3 (strips) and 15 (tiles).
    """
    tags: Any = getattr(picture, "tag_v2", {})
    if tags.get(_COMPRESSION, _UNCOMPRESSED) == _OLD_JPEG:  # its data may stand elsewhere (TIFF 6.0, section 22)
        return
    tiled = _TILES[0] in tags
    offsets, counts = (_numbers(tags.get(tag)) for tag in (_TILES if tiled else _STRIPS))
    needed = _tiles_needed(tags) if tiled else _strips_needed(tags)
    counts = counts or (0,) * len(offsets)  # some old writers leave them out
    kind = "tiles" if tiled else "strips"
    if min(len(offsets), len(counts)) < needed:
        raise ReadError(
            f"the picture needs {needed:,} {kind}, there are {min(len(offsets), len(counts)):,}; get the file anew",
            where=where,
        )
    if any(offset + count > file_bytes for offset, count in zip(offsets, counts, strict=False)):
        raise ReadError(
            f"the picture is cut short: its {kind} reach beyond the end of the file; get the file anew", where=where
        )
    plain = tags.get(_COMPRESSION, _UNCOMPRESSED) == _UNCOMPRESSED and tags.get(_PHOTOMETRIC) != _YCBCR
    if plain and not tiled and any(counts):
        _check_bytes(tags, sum(counts), where)


def _strips_needed(tags: Any) -> int:
    length = int(tags[_LENGTH])
    rows = min(int(tags.get(_ROWS_PER_STRIP, length)), length)
    return math.ceil(length / max(1, rows)) * _planes(tags)


def _tiles_needed(tags: Any) -> int:
    across = math.ceil(int(tags[_WIDTH]) / max(1, int(tags[_TILE_WIDTH])))
    down = math.ceil(int(tags[_LENGTH]) / max(1, int(tags[_TILE_LENGTH])))
    return across * down * _planes(tags)


def _planes(tags: Any) -> int:
    return int(tags.get(_SAMPLES, 1)) if tags.get(_PLANAR, 1) == 2 else 1


def _check_bytes(tags: Any, found: int, where: str) -> None:
    bits = sum(_numbers(tags.get(_BITS, 1)))
    needed = int(tags[_LENGTH]) * int(tags[_WIDTH]) * bits // 8
    if found < needed:
        raise ReadError(
            f"the picture is cut short: {found:,} bytes, {needed:,} expected; get the file anew", where=where
        )


def _numbers(value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    return tuple(int(one) for one in value) if isinstance(value, tuple) else (int(value),)
