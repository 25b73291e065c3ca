"""JPEG files: decoded by libjpeg-turbo through simplejpeg, which refuses damage that Pillow paints over in grey.

simplejpeg and Pillow give the same bytes (the tests hold them against each other); simplejpeg is about twice as fast.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.data.limits import check_size, without_pillows_limit
from remedis.data.stored import Meaning, Stored
from remedis.errors import ReadError

_HARMLESS = (
    "extraneous bytes",
    "Invalid SOS parameters",
    "Unknown Adobe color transform",
    "Inconsistent progression",
)
_LONGEST_HEADER = 1 << 17


def decode(data: bytes, where: str) -> Stored:
    """Return a JPEG's pixels: (1, H, W) of a grey file, else (1, H, W, 3), turned as its EXIF orientation says.

    Raises:
        ReadError: The file is cut short, damaged, too large, or of a kind that is not decoded (12 bits, lossless).
    """
    import simplejpeg

    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    except (ValueError, KeyError) as error:  # KeyError: a number of channels that it has no name for
        raise ReadError(f"the JPEG's header cannot be read ({error}); get the file anew", where=where) from error
    check_size(where, width, height)
    warnings: list[str] = []
    if colours in ("CMYK", "YCCK"):
        pixels = _from_inks(_decode(data, "CMYK", where, warnings), data)
    else:
        pixels = _decode(data, "GRAY" if colours == "Gray" else "RGB", where, warnings)
    turned, orientation = _turned(pixels[..., 0] if pixels.shape[2] == 1 else pixels, data)
    facts = {"format": "JPEG", "bits": 8, "stored_colours": colours, "exif_orientation": orientation}
    if warnings:
        facts["warnings"] = warnings
    return Stored(pixels=np.ascontiguousarray(turned)[None], meanings=(Meaning(bits=8),), facts=facts)


def _decode(data: bytes, colours: str, where: str, warnings: list[str]) -> npt.NDArray[np.uint8]:
    import simplejpeg

    try:
        strict: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colours, strict=True)
    except ValueError as error:
        if not any(words in str(error) for words in _HARMLESS):
            raise ReadError(f"the JPEG is damaged or cut short ({error}); get the file anew", where=where) from error
        warnings.append(str(error))
        return _decode_with_warning(data, colours, where)
    return strict


def _decode_with_warning(data: bytes, colours: str, where: str) -> npt.NDArray[np.uint8]:
    import simplejpeg

    try:
        lenient: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(data, colours, strict=False)
    except ValueError as error:
        raise ReadError(f"the JPEG is damaged ({error}); get the file anew", where=where) from error
    return lenient


def _from_inks(inks: npt.NDArray[np.uint8], data: bytes) -> npt.NDArray[np.uint8]:
    """Return (H, W, 3) light left by (H, W, 4) cyan, magenta, yellow and black ink, without a colour profile.

    Files with Adobe's marker store 255 for no ink, others 0 (libjpeg's documentation, "CMYK"). Red is what cyan and
    black let through, and so on: as Pillow converts the files that have the marker.
    """
    light = inks.astype(np.uint32) if _has_adobe_marker(data) else 255 - inks.astype(np.uint32)
    return ((light[..., :3] * light[..., 3:] * 2 + 255) // 510).astype(np.uint8)


def _has_adobe_marker(data: bytes) -> bool:
    """Return whether a segment APP14 named Adobe stands before the picture."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        if data[place + 1] == 0xFF:  # fill byte
            place += 1
            continue
        if data[place + 1] == 0xEE and data[place + 4 : place + 9] == b"Adobe":
            return True
        place += 2 + int.from_bytes(data[place + 2 : place + 4], "big")
    return False


def _turned(pixels: npt.NDArray[np.uint8], data: bytes) -> tuple[npt.NDArray[np.uint8], int]:
    if b"Exif\0\0" not in data[:_LONGEST_HEADER]:
        return pixels, 1
    orientation = exif_orientation(data)
    return turn(pixels, orientation), orientation


def exif_orientation(data: bytes) -> int:
    """Return the EXIF orientation 1 … 8 of a picture that Pillow can open; 1 where it says none."""
    from PIL import Image

    with without_pillows_limit(), Image.open(io.BytesIO(data)) as picture:
        try:
            value = picture.getexif().get(0x0112, 1)
        except (SyntaxError, ValueError, TypeError, KeyError, OSError):  # damaged metadata of a sound picture
            return 1
    return value if value in range(1, 9) else 1


def turn(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """Return (H, W, ...) or (W, H, ...) pixels as they are meant to be seen (Exif 2.32, tag 0112H)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return pixels
