"""Samples of more than 8 bits in PNG and TIFF files, whole.

Pillow has no colour picture of 16 bits a sample: it keeps the upper byte and says nothing. It can be told which byte of
a sample to keep, so such a file is decoded twice, once for each, and put together. What it cannot be told that way goes
to tifffile, or is refused.
"""

from __future__ import annotations

import io
import struct
import sys
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from remedis.data.jpeg import turn
from remedis.errors import ReadError

if TYPE_CHECKING:
    from PIL import Image

_OTHER_END = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}  # N is this machine's order
_COLOURS = ("RGB;16", "RGBA;16", "RGBX;16")


def deep_samples(picture: Image.Image, data: bytes, page: int, where: str) -> tuple[npt.NDArray[Any], int] | None:
    """Return (H, W, channels) uint16 and the stored bits; None where 8 bits hold everything.

    Args:
        picture: Opened at the wanted page, nothing decoded yet.
        data: The whole file.
        page: The page's number.
        where: The file's name, for messages.

    Raises:
        ReadError: The samples are compressed in a way that nothing installed can decode.
    """
    if picture.mode.startswith("I;16"):
        return _deep_grey(picture)
    if picture.format == "PNG":
        return _deep_png(picture, data)
    if picture.format == "TIFF":
        return _deep_tiff(picture, data, page, where)
    return None


def _deep_grey(picture: Image.Image) -> tuple[npt.NDArray[Any], int]:
    tags = getattr(picture, "tag_v2", {})
    bits = int(tags.get(258, (16,))[0])
    white_is_zero = tags.get(262) == 0
    from PIL import ImageOps

    pixels = np.asarray(ImageOps.exif_transpose(picture)).astype(np.uint16)
    if white_is_zero:  # Pillow turns this round for 8 bits only
        pixels = np.uint16(2**bits - 1) - pixels
    return pixels[..., None], bits


def _deep_png(picture: Image.Image, data: bytes) -> tuple[npt.NDArray[Any], int] | None:
    depth, kind = data[24], data[25]
    if depth != 16:
        return None
    orientation = picture.getexif().get(0x0112, 1)
    pixels = _grey_and_alpha(data) if kind == 4 else _both_bytes(picture, data, 0)
    return np.ascontiguousarray(turn(pixels, orientation)), 16


def _grey_and_alpha(data: bytes) -> npt.NDArray[np.uint16]:
    """Return (H, W, 2): a 16-bit grey and alpha PNG has the bytes of an 8-bit RGBA one, filters included."""
    from PIL import Image

    header = b"IHDR" + data[16:24] + bytes([8, 6]) + data[26:29]
    relabelled = data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
    with Image.open(io.BytesIO(relabelled), formats=["PNG"]) as picture:
        parts = np.asarray(picture.convert("RGBA") if picture.mode != "RGBA" else picture).astype(np.uint16)
    return np.asarray(parts[..., 0::2] << 8 | parts[..., 1::2], np.uint16)


def _both_bytes(picture: Image.Image, data: bytes, page: int) -> npt.NDArray[np.uint16]:
    """Return (H, W, 3 or 4): the upper byte from one decoding, the lower from another."""
    from PIL import Image, ImageFile

    upper = np.asarray(picture)
    with Image.open(io.BytesIO(data), formats=["PNG", "TIFF"]) as again:
        assert isinstance(again, ImageFile.ImageFile)
        again.seek(page)
        again.tile = [tile._replace(args=_other_byte(tile.args)) for tile in again.tile]
        lower = np.asarray(again)
    return np.asarray(upper.astype(np.uint16) << 8 | lower, np.uint16)


def _other_byte(args: Any) -> Any:
    """Return a decoder's arguments with the bytes of a sample swapped: `RGB;16L` for `RGB;16B`."""
    layout = args if isinstance(args, str) else args[0]
    other = layout[:-1] + _OTHER_END[layout[-1]]
    return other if isinstance(args, str) else (other, *args[1:])


def _deep_tiff(picture: Image.Image, data: bytes, page: int, where: str) -> tuple[npt.NDArray[Any], int] | None:
    tags = getattr(picture, "tag_v2", {})
    bits = {int(value) for value in tags.get(258, (1,))}
    if max(bits) <= 8 or picture.mode in ("I", "F"):
        return None
    tiles = getattr(picture, "tile", [])
    layouts = {tile.args if isinstance(tile.args, str) else tile.args[0] for tile in tiles}
    separate = tags.get(284) == 2  # colours in planes of their own, of which Pillow's decoders take any byte
    if all(layout[:-1] in _COLOURS for layout in layouts) and bits == {16} and not separate:
        return _both_bytes(picture, data, page), 16  # Pillow turns TIFF pictures itself
    return _by_tifffile(data, page, where)


def _by_tifffile(data: bytes, page: int, where: str) -> tuple[npt.NDArray[Any], int]:
    import tifffile

    try:
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            chosen = file.pages[page]
            pixels = chosen.asarray()
            separate = chosen.planarconfig == 2 and pixels.ndim == 3
            orientation = chosen.tags.valueof(274, 1)
    except Exception as error:  # a damaged file makes tifffile and zlib raise nearly anything
        raise ReadError(
            f"its 16-bit samples are damaged, or stored in a way that is not decoded here ({error}); "
            "get the file anew, or store it uncompressed",
            where=where,
        ) from error
    pixels = np.moveaxis(pixels, 0, -1) if separate else pixels
    if pixels.dtype != np.uint16 or pixels.ndim != 3 or pixels.shape[2] not in (2, 3, 4):
        raise ReadError(
            f"16-bit samples were expected, found {pixels.dtype} {pixels.shape}; store 8 or 16 bits",
            where=where,
        )
    return np.ascontiguousarray(turn(pixels, int(orientation))), 16
