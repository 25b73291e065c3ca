"""PNG, TIFF, BMP, WebP and GIF, decoded by Pillow and tifffile without losing bits, pages or transparency."""

from __future__ import annotations

import io
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from remedis.data.deep import deep_samples
from remedis.data.limits import check_size, without_pillows_limit
from remedis.data.stored import Meaning, Stored
from remedis.data.tiff import check_page
from remedis.errors import ReadError

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "TIFF", "BMP", "WEBP", "GIF")
DAMAGE = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, ArithmeticError, struct.error)
"""What Pillow raises for damaged files."""


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Set Pillow's own limit of pixels aside, and its warnings of metadata; damage of pixels raises."""
    with without_pillows_limit(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def opened(data: bytes, where: str) -> Iterator[Image.Image]:
    """Yield a picture whose header was read, and turn every complaint of Pillow's into one line.

    Pillow's own limit of pixels is set aside while its header is read: ours is checked instead, before any decoding.

    Raises:
        ReadError: The file is damaged, cut short, too large or of no known kind.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with quiet_pillow(), Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            check_size(where, *picture.size)
            yield picture
    except UnidentifiedImageError as error:
        raise ReadError(_unidentified(data), where=where) from error
    except DAMAGE as error:
        raise ReadError(f"the picture is damaged or cut short ({error}); get the file anew", where=where) from error
    except MemoryError as error:
        raise ReadError("there is not enough memory for its pixels", where=where) from error


def _unidentified(data: bytes) -> str:
    if data[:4] == b"MM\0+":
        return "is a BigTIFF with the most significant byte first, which is not decoded; store it as an ordinary TIFF"
    return "the picture's header cannot be read; get the file anew"


def decode(data: bytes, where: str, frame: int | None) -> Stored:
    """Return the pixels of a PNG, TIFF, BMP, WebP or GIF file, turned as its EXIF orientation says.

    Args:
        data: The file's bytes.
        where: Its name, for messages.
        frame: One page or frame, counted from 0; all of them without it. Pages of another size than the first (the
            thumbnail and the label of a slide) are left out and listed in the facts.

    Raises:
        ReadError: The file cannot be decoded whole, or there is no such frame.
    """
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        _check_sums(data, where)
    with opened(data, where) as picture:
        kept, left_out = _pages(picture, where)
        if frame is not None and not 0 <= frame < len(kept):
            raise ReadError(
                f"frame {frame} was asked for, the file holds {len(kept)} (0 … {len(kept) - 1})", where=where
            )
        wanted = kept if frame is None else [kept[frame]]
        check_size(where, *picture.size, len(wanted))
        planes = []
        for page in wanted:
            picture.seek(page)
            planes.append(_plane(picture, data, page, where))
        facts = _facts(picture, planes[0][1], left_out)
    pixels, alpha = _stacked([plane for plane, _ in planes], where)
    return Stored(
        pixels=pixels,
        meanings=(Meaning(bits=planes[0][1]),),
        alpha=alpha,
        facts=facts,
        frames_in_file=len(kept),
        several=frame is None and len(kept) > 1,
    )


def count_frames(data: bytes, where: str) -> int:
    """Return how many pages or frames of the first one's size there are."""
    with opened(data, where) as picture:
        return len(_pages(picture, where)[0])


def size(file: IO[bytes]) -> tuple[int, int] | None:
    """Return the (width, height) of a picture or JPEG, turned as its EXIF orientation says; None for no picture."""
    from PIL import Image as Pillow

    try:
        with quiet_pillow(), Pillow.open(file) as picture:
            tags = getattr(picture, "tag_v2", {})  # of TIFF, whose size Pillow tells as turned already
            width, height = (tags[256], tags[257]) if tags else picture.size
            if picture.format == "PNG" and "exif" not in picture.info:
                picture.info["exif"] = _exif_chunk(file)
            # not the PNG class's own getexif, which decodes all pixels on its way to a chunk behind them
            turned = Pillow.Image.getexif(picture).get(0x0112, 1) in (5, 6, 7, 8)
    except DAMAGE:
        return None
    return (height, width) if turned else (width, height)


def _exif_chunk(file: IO[bytes]) -> bytes | None:
    """Return what the chunk eXIf of a PNG file holds, as Pillow keeps it (W3C PNG, third edition, 11.3.3.2)."""
    file.seek(8)
    while len(head := file.read(8)) == 8:
        if head[4:] == b"eXIf":
            return b"Exif\0\0" + file.read(min(int.from_bytes(head[:4], "big"), 1 << 20))
        file.seek(int.from_bytes(head[:4], "big") + 4, io.SEEK_CUR)
    return None


def _pages(picture: Image.Image, where: str) -> tuple[list[int], list[str]]:
    """Return the numbers of the pages of the first one's size, and descriptions of the others."""
    first, kept, left_out = picture.size, [], []
    for page in range(getattr(picture, "n_frames", 1)):
        picture.seek(page)
        check_size(where, *picture.size)
        if picture.size == first:
            kept.append(page)
        else:
            left_out.append(f"page {page}: {picture.size[0]} × {picture.size[1]}")
    picture.seek(0)
    return kept, left_out


def _check_sums(data: bytes, where: str) -> None:
    """Compare every chunk of a PNG with its check sum; Pillow alone decodes over a damaged one."""
    with opened(data, where) as picture:
        picture.verify()


def _plane(picture: Image.Image, data: bytes, page: int, where: str) -> tuple[npt.NDArray[Any], int]:
    """Return one page as (H, W, 1 grey, 2 grey and alpha, 3 or 4 channels) and the bits of a sample."""
    if picture.format == "TIFF":
        check_page(picture, len(data), where)
    deep = deep_samples(picture, data, page, where)
    if deep is not None:
        return deep
    if picture.mode in ("F", "I"):
        kind = "floating-point numbers" if picture.mode == "F" else "signed or 32-bit whole numbers"
        raise ReadError(f"the samples are {kind}, whose black and white nothing tells; store 8 or 16 bits", where=where)
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(picture)
    pixels = np.asarray(upright.convert(_plain_mode(upright)))
    return pixels if pixels.ndim == 3 else pixels[..., None], 8


def _plain_mode(picture: Image.Image) -> str:
    if picture.mode == "LA":
        return "LA"
    if picture.mode in ("RGBA", "PA", "La", "RGBa") or "transparency" in picture.info:
        return "RGBA"
    return "L" if picture.mode in ("1", "L") else "RGB"


def _stacked(planes: list[npt.NDArray[Any]], where: str) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """Return (F, H, W) or (F, H, W, 3) pixels and, where something is transparent, (F, H, W) opacity."""
    colour = any(plane.shape[2] > 2 for plane in planes)
    if len({plane.dtype for plane in planes}) > 1:
        raise ReadError("its pages have different depths; read one with frame=", where=where)
    pixels, alphas = [], []
    for plane in planes:
        alphas.append(
            plane[..., -1] if plane.shape[2] in (2, 4) else np.full(plane.shape[:2], _top(plane), plane.dtype)
        )
        base = plane[..., :3] if plane.shape[2] > 2 else plane[..., 0]
        pixels.append(np.repeat(base[..., None], 3, axis=2) if colour and base.ndim == 2 else base)
    see_through = any(int(alpha.min()) < _top(alpha) for alpha in alphas)
    return np.stack(pixels), np.stack(alphas) if see_through else None


def _top(pixels: npt.NDArray[Any]) -> int:
    return int(np.iinfo(pixels.dtype).max)


def _facts(picture: Image.Image, bits: int, left_out: list[str]) -> dict[str, Any]:
    facts: dict[str, Any] = {"format": picture.format, "bits": bits, "stored_colours": picture.mode}
    if picture.info.get("icc_profile"):
        facts["icc_profile"] = "present, not applied"
    if left_out:
        facts["pages_left_out"] = left_out
    return facts
