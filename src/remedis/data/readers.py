"""From a file to an `Image`: finds out what the file is by its first bytes, has it decoded, and applies a profile.

Nothing here imports pydicom, Pillow or torch before a file needs it.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from remedis.data import containers
from remedis.data.image import Image
from remedis.data.manifest import PACK_SUFFIX, Source
from remedis.data.profiles import Profile, render
from remedis.data.profiles import profile as find_profile
from remedis.data.stored import Stored
from remedis.data.tfrecord import record_name
from remedis.errors import ReadError

DICOM_SUFFIXES = frozenset({".dcm", ".dicom", ".dic", ".ima"})
image_suffixes = DICOM_SUFFIXES | {
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".dib", ".webp", ".gif",
}  # fmt: skip
"""Endings, in lower case, of files that are looked at as images."""

Region = tuple[int, int, int]
_HEAD = 132


def read(
    path: str | Path, profile: str | None = None, *, frame: int | None = None, region: Region | None = None
) -> Image:
    """Return the picture in a file as a profile makes it, never resized.

    Args:
        path: JPEG, PNG, TIFF, BMP, WebP, GIF or DICOM, or a container; what it is is told by its bytes, not its name.
        profile: Name of a profile (`remedis.data.profiles.PROFILES`); `dicom-display` without it.
        frame: One frame or page, counted from 0; without it all of them, with an axis of their own where the file holds
            several. In a container (a pack, a TFRecord, npz or HDF5 file, a batch of CIFAR), the record's number.
        region: (x, y, size): the square of `size` pixels whose upper left corner is column x, row y. It is cut out
            after the profile, which sees the whole picture.

    Returns:
        An `Image` with pixels (H, W, 3) or (F, H, W, 3), uint8 or uint16.

    Raises:
        ReadError: The file is missing, empty, damaged, cut short, too large, or no image.
        UsageError: There is no such profile.
    """
    chosen = find_profile(profile)
    if Path(path).suffix == PACK_SUFFIX and frame is not None:
        return _read_record(Path(path), frame, profile, region)
    with _opened(Path(path)) as file:
        kind = containers.kind_of(Path(path), _head(file))
        if kind is None:
            return _finished(_decode(file, str(path), frame), chosen, str(path), region)
    count = containers.count(Path(path), kind)
    if frame is None and count > 1:
        choice = f"frame= or --frame says which is wanted (0 … {count - 1})"
        raise ReadError(f"holds {count:,} records; {choice}", where=path)
    return _read_record(Path(path), frame or 0, profile, region)


def read_bytes(
    data: bytes,
    name: str,
    profile: str | None = None,
    *,
    frame: int | None = None,
    region: Region | None = None,
) -> Image:
    """Return the picture in the bytes of a file, as `read` does; `name` stands for the path in messages."""
    chosen = find_profile(profile)
    if not data:
        raise ReadError("the file is empty (0 bytes); get it anew", where=name)
    return _finished(_decode(io.BytesIO(data), name, frame), chosen, name, region)


def read_source(source: Source, profile: str | None = None) -> Image:
    """Return the picture of one row of a manifest, as `read` does.

    Raises:
        ReadError: As `read`; also where a relative path leads out of the manifest's root.
    """
    if ".." in Path(source.name).parts and not Path(source.name).is_absolute():
        raise ReadError("the path leads out of the manifest's root, which is refused", where=source.name)
    if source.record is not None:
        return _read_record(source.path, source.record, profile, source.region, source.key)
    return read(source.path, profile, frame=source.frame, region=source.region)


def _read_record(
    path: Path, number: int, profile: str | None, region: Region | None = None, key: str | None = None
) -> Image:
    if path.suffix != PACK_SUFFIX:
        name = record_name(path, number)
        found = containers.content(path, number, key)
        if isinstance(found, bytes):
            return read_bytes(found, name, profile, region=region)
        return _finished(containers.as_stored(found, path), find_profile(profile), name, region)
    from remedis.data import pack

    kept = pack.record(path, number)
    data = memoryview(kept.data).tobytes()
    return read_bytes(data, kept.name, profile, frame=kept.frame, region=region or kept.region)


def count_frames(path: str | Path) -> int:
    """Return how many frames, pages or records a file holds, by its header.

    Raises:
        ReadError: The header cannot be read, or promises more than the file can hold.
    """
    name = str(path)
    with _opened(Path(path)) as file:
        head = _head(file)
        if is_jpeg(head):
            return 1
        if kind := containers.kind_of(Path(path), head):
            return containers.count(Path(path), kind)
        if _is_dicom(head):
            from remedis.data import dicom

            return dicom.count_frames(file, name)
        if _is_picture(head):
            from remedis.data import pictures

            return pictures.count_frames(file.read(), name)
        raise _no_image(head, name)


def image_size(path: str | Path) -> tuple[int, int] | None:
    """Return the (width, height) that `read` would give, by the header; None where it cannot be told."""
    try:
        with _opened(Path(path)) as file:
            return _size(file, str(path))
    except ReadError:
        return None


def size_of_bytes(data: bytes, name: str) -> tuple[int, int] | None:
    """Return the (width, height) of the picture in a file's bytes, as `image_size` does."""
    try:
        return _size(io.BytesIO(data), name)
    except ReadError:
        return None


def _size(file: IO[bytes], name: str) -> tuple[int, int] | None:
    head = _head(file)
    if _is_dicom(head):
        from remedis.data import dicom

        return dicom.size(file, name)
    if is_jpeg(head) or _is_picture(head):
        from remedis.data import pictures

        return pictures.size(file)
    return None


def is_image_file(path: str | Path) -> bool:
    """Return whether a file is to be looked at as an image, by its ending; no pixel is decoded.

    A name without an ending, or with numbers alone for one (a UID), counts where the file begins as DICOM does.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in image_suffixes:
        return True
    if suffix and not suffix[1:].isdigit():
        return False
    try:
        with path.open("rb") as file:
            return _head(file)[128:132] == b"DICM"
    except OSError:
        return False


def is_jpeg(head: bytes) -> bool:
    """Return whether a file that begins with `head` is JPEG."""
    return head[:3] == b"\xff\xd8\xff"


def _opened(path: Path) -> IO[bytes]:
    if path.is_dir():
        raise ReadError("is a folder, one image file was expected; remedis index folder takes folders", where=path)
    if not path.exists():
        raise ReadError("there is no such file", where=path)
    if not path.is_file():
        raise ReadError("is no ordinary file", where=path)
    if path.stat().st_size == 0:
        raise ReadError("the file is empty (0 bytes); get it anew", where=path)
    try:
        return path.open("rb")
    except OSError as error:
        raise ReadError(f"cannot be opened ({os.strerror(error.errno or 0)})", where=path) from error


def _head(file: IO[bytes]) -> bytes:
    head = file.read(_HEAD)
    file.seek(0)
    return head


def _is_dicom(head: bytes) -> bool:
    if head[128:132] == b"DICM":
        return True
    # without preamble and marks the first element is of group 0002 or 0008, in either byte order
    return len(head) >= 8 and head[:2] in (b"\x02\x00", b"\x08\x00", b"\x00\x08") and head[6:8] != b"\xff\xff"


def _is_picture(head: bytes) -> bool:
    if _is_dicom(head):  # a preamble may hold the header of a TIFF file (PS3.10 7.1, "dual personality")
        return False
    return (
        head[:8] == b"\x89PNG\r\n\x1a\n"
        or head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"GIF8")
        or head[:2] == b"BM"
        or (head[:4] == b"RIFF" and head[8:12] == b"WEBP")
    )


def _decode(file: IO[bytes], name: str, frame: int | None) -> Stored:
    head = _head(file)
    if is_jpeg(head):
        from remedis.data import jpeg

        if frame not in (None, 0):
            raise ReadError(f"frame {frame} was asked for, a JPEG file holds 1 (0 … 0)", where=name)
        return jpeg.decode(file.read(), name)
    if _is_picture(head):
        from remedis.data import pictures

        return pictures.decode(file.read(), name, frame)
    if _is_dicom(head):
        from remedis.data import dicom

        return dicom.read(file, name, frame)
    raise _no_image(head, name)


def _no_image(head: bytes, name: str) -> ReadError:
    printable = all(32 <= byte < 127 or byte in (9, 10, 13) for byte in head)
    begins = "text" if printable else f"the bytes {head[:8].hex(' ')}"
    return ReadError(
        f"is no image: it begins with {begins}; JPEG, PNG, TIFF, BMP, WebP, GIF or DICOM was expected",
        where=name,
    )


def _finished(stored: Stored, chosen: Profile, name: str, region: Region | None) -> Image:
    try:
        pixels, steps, used = render(stored, chosen)
    except (ReadError, ValueError) as error:  # ValueError: a window that the standard does not allow
        raise ReadError(str(error), where=name) from error
    height, width = pixels.shape[-3:-1]
    facts = {**stored.facts, "width": width, "height": height, "profile_version": chosen.version, **used}
    return Image(
        pixels=pixels if region is None else _cut(pixels, region, name),
        source=name,
        profile=chosen.name,
        steps=steps,
        facts=facts,
        frames=stored.frames_in_file,
        spacing_mm=stored.spacing_mm,
    )


def _cut(pixels: npt.NDArray[Any], region: Region, name: str) -> npt.NDArray[Any]:
    x, y, size = region
    height, width = pixels.shape[-3:-1]
    if size < 1 or x < 0 or y < 0 or x + size > width or y + size > height:
        raise ReadError(
            f"the region of {size} pixels at column {x}, row {y} is not inside {width} × {height} pixels",
            where=name,
        )
    return np.ascontiguousarray(pixels[..., y : y + size, x : x + size, :])
