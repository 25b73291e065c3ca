"""Small pictures of images, all in one JPEG that the page holds once and shows parts of."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

from remedis.console import QUIET, Console
from remedis.errors import RemedisError

LARGE, SMALL = 128, 64
_ROW = 2048  # the sheet's width; both sides are multiples of a JPEG block of 16, so no tile bleeds into another
_MOST_BYTES = 2_300_000  # leaves room for the rest of a page of 5 MB after base64
_QUALITIES = (84, 76, 68, 58, 46, 34)

Key = tuple[str, int]
"""Which embeddings (`test` or `train`), and which row of them."""

Pixels = NDArray[np.uint8] | NDArray[np.uint16]


@dataclass(frozen=True)
class Tile:
    """A square part of the sheet that holds one whole image, stretched to the square.

    Attributes:
        x: Left edge in the sheet, in pixels.
        y: Upper edge.
        side: Of the square.
        aspect: Width over height of the image itself, to which a page stretches it back.
    """

    x: int
    y: int
    side: int
    aspect: float

    def style(self, sheet: Sheet) -> str:
        """Return the CSS that shows the tile in an element of any size, in the image's own proportions."""
        across = self.x / max(sheet.width - self.side, 1)
        down = self.y / max(sheet.height - self.side, 1)
        return (
            f"width:{100 * min(1.0, self.aspect):.2f}%;aspect-ratio:{self.aspect:.4f};"
            f"background-size:{100 * sheet.width / self.side:.4f}% {100 * sheet.height / self.side:.4f}%;"
            f"background-position:{100 * across:.4f}% {100 * down:.4f}%"
        )


@dataclass(frozen=True)
class Sheet:
    """All tiles.

    Attributes:
        jpeg: The picture; empty where there is none.
        width: In pixels.
        height: In pixels.
        tiles: Small tiles by image.
        large: Large tiles by image.
        unreadable: Images that could not be read.
    """

    jpeg: bytes
    width: int
    height: int
    tiles: Mapping[Key, Tile]
    large: Mapping[Key, Tile]
    unreadable: int

    @property
    def data_uri(self) -> str:
        """The picture as a `data:` address."""
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg).decode('ascii')}"


EMPTY = Sheet(b"", 1, 1, {}, {}, 0)


def make_sheet(
    large: Iterable[Key], small: Iterable[Key], read: Callable[[Key], Pixels], *, console: Console = QUIET
) -> Sheet:
    """Return a sheet with a tile for each image that can be read.

    Args:
        large: Images to be looked at.
        small: Images that are shown in passing.
        read: Gives an image's pixels (H, W, 3); raises `RemedisError` or `OSError` where it cannot.
        console: Where progress goes.
    """
    wanted_large, wanted_small = list(dict.fromkeys(large)), list(dict.fromkeys(small))
    keys = list(dict.fromkeys(wanted_large + wanted_small))
    if not keys:
        return EMPTY
    pictures: dict[Key, tuple[PillowImage.Image, float]] = {}
    with console.track(len(keys), "images", "reading thumbnails") as track:
        for key in keys:
            found = _picture(read, key)
            if found is not None:
                pictures[key] = found
            track.advance()
    large_tiles, bottom = _layout([key for key in wanted_large if key in pictures], LARGE, 0, pictures)
    small_tiles, height = _layout([key for key in wanted_small if key in pictures], SMALL, bottom, pictures)
    if not pictures:
        return Sheet(b"", 1, 1, {}, {}, len(keys))
    jpeg = _jpeg(_draw(pictures, [large_tiles, small_tiles], height))
    return Sheet(jpeg, _ROW, height, small_tiles, large_tiles, len(keys) - len(pictures))


def _picture(read: Callable[[Key], Pixels], key: Key) -> tuple[PillowImage.Image, float] | None:
    try:
        pixels = read(key)
    except (RemedisError, OSError, MemoryError):
        return None
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    height, width = pixels.shape[:2]
    picture = PillowImage.fromarray(pixels).resize((LARGE, LARGE), PillowImage.Resampling.LANCZOS)
    return picture, width / height


def _layout(
    keys: list[Key], side: int, top: int, pictures: Mapping[Key, tuple[PillowImage.Image, float]]
) -> tuple[dict[Key, Tile], int]:
    """Return the tiles of one size, in rows from `top` on, and where the next size may begin."""
    a_row = _ROW // side
    tiles = {
        key: Tile(place % a_row * side, top + place // a_row * side, side, pictures[key][1])
        for place, key in enumerate(keys)
    }
    return tiles, top + -(-len(keys) // a_row) * side


def _draw(
    pictures: Mapping[Key, tuple[PillowImage.Image, float]], layers: list[dict[Key, Tile]], height: int
) -> PillowImage.Image:
    sheet = PillowImage.new("RGB", (_ROW, height))
    for tiles in layers:
        for key, tile in tiles.items():
            picture = pictures[key][0]
            if tile.side != LARGE:
                picture = picture.resize((tile.side, tile.side), PillowImage.Resampling.BOX)
            sheet.paste(picture, (tile.x, tile.y))
    return sheet


def _jpeg(sheet: PillowImage.Image) -> bytes:
    """Return the sheet in the best quality that keeps the page small."""
    for quality in _QUALITIES:
        file = io.BytesIO()
        sheet.save(file, "JPEG", quality=quality, optimize=True)
        if file.tell() <= _MOST_BYTES:
            break
    return file.getvalue()
