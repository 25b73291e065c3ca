"""Files that promise more than they hold are refused by their header, before memory is taken."""

from __future__ import annotations

import contextlib
import io
import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pydicom
import pytest
import tifffile
from PIL import Image as Pillow
from pydicom.encaps import encapsulate
from pydicom.uid import DeflatedExplicitVRLittleEndian, JPEGBaseline8Bit

from references.written_dicom import as_bytes, dicom_bytes, dicom_dataset
from references.written_png import chunk
from remedis.data.readers import read, read_bytes
from remedis.errors import ReadError, UsageError

MIB = 2**20


@contextlib.contextmanager
def memory_below(limit: int) -> Iterator[None]:
    """What Python and numpy allocate; the first use of a library is paid before."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit, f"{peak / MIB:.1f} MiB"


def refused(data: bytes, words: str, *, below: int = 8 * MIB, **options: Any) -> None:
    with contextlib.suppress(ReadError):  # imports are paid here
        read_bytes(data, "x", **options)
    with memory_below(below), pytest.raises(ReadError, match=words) as caught:
        read_bytes(data, "x", **options)
    assert "\n" not in str(caught.value)


def png_bomb(width: int, height: int, *extra: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packed = zlib.compress(bytes(10_000_000), 9)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(extra) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def pillow_bytes(kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("L", (32, 32), 77).save(buffer, kind, **options)
    return buffer.getvalue()


def test_a_png_of_50000_by_50000() -> None:
    data = png_bomb(50000, 50000)
    assert len(data) < 20_000
    refused(data, r"50000 × 50000 = 2,500,000,000 pixels, the limit is 89,478,485.*REMEDIS_MAX_PIXELS=2500000000")


def test_a_jpeg_of_65000_by_65000() -> None:
    data = bytearray(pillow_bytes("JPEG"))
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = struct.pack(">HH", 65000, 65000)
    refused(bytes(data), "65000 × 65000")


def test_a_bmp_and_a_gif_and_a_tiff() -> None:
    bmp = bytearray(pillow_bytes("BMP"))
    bmp[18:26] = struct.pack("<ii", 60000, 60000)
    refused(bytes(bmp), "60000 × 60000")
    gif = bytearray(pillow_bytes("GIF"))
    gif[6:10] = struct.pack("<HH", 60000, 60000)
    refused(bytes(gif), "60000 × 60000")
    tiff = bytearray(pillow_bytes("TIFF"))
    with tifffile.TiffFile(io.BytesIO(bytes(tiff))) as file:
        tags = [file.pages[0].tags[number] for number in (256, 257)]
    for tag in tags:
        tiff[tag.valueoffset : tag.valueoffset + tag.valuebytecount] = (60000).to_bytes(tag.valuebytecount, "little")
    refused(bytes(tiff), "60000 × 60000")


@pytest.mark.parametrize("kind", [b"zTXt", b"iCCP"])
def test_a_text_that_unpacks_to_much(kind: bytes) -> None:
    packed = zlib.compress(bytes(70_000_000), 9)
    text = chunk(kind, b"name\0\0" + packed)
    data = pillow_bytes("PNG")
    with memory_below(20 * MIB), contextlib.suppress(ReadError):
        read_bytes(data[:33] + text + data[33:], "x")


def test_the_limit_can_be_set_and_is_for_every_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    dicom = dicom_bytes(np.zeros((32, 32), np.uint8), 8)
    files = [pillow_bytes(kind) for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")] + [dicom]
    monkeypatch.setenv("REMEDIS_MAX_PIXELS", "1023")
    for data in files:
        refused(data, "1,024 pixels, the limit is 1,023")
    monkeypatch.setenv("REMEDIS_MAX_PIXELS", "1024")
    for data in files:
        assert read_bytes(data, "x").pixels.shape == (32, 32, 3)
    for text in ("many", "0", "-4", ""):
        monkeypatch.setenv("REMEDIS_MAX_PIXELS", text)
        with pytest.raises(UsageError, match="REMEDIS_MAX_PIXELS"):
            read_bytes(files[0], "x")


def test_long_films_are_read_one_frame_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    film = dicom_bytes(np.zeros((4, 10, 10), np.uint8), 8, frames=4)
    monkeypatch.setenv("REMEDIS_MAX_PIXELS", "100")
    refused(film, "4 frames of 10 × 10 pixels, together the limit is 300 pixels; read one with frame=")
    assert read_bytes(film, "x", frame=3).pixels.shape == (10, 10, 3)


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        ({"Rows": 60000, "Columns": 60000}, "60000 × 60000"),
        ({"Rows": 9000, "Columns": 9000}, "cut short: 16 bytes, 162,000,000 expected"),
        ({"NumberOfFrames": 2_000_000_000}, "cut short: 16 bytes"),
        ({"Rows": 0}, "at least one of each is needed"),
        ({"NumberOfFrames": -1}, "at least one of each is needed|cut short"),
        ({"SamplesPerPixel": 3}, "MONOCHROME2 with 3 samples a pixel contradicts itself"),
        ({"BitsStored": 17}, "17 bits stored in 16"),
        ({"BitsAllocated": 32, "BitsStored": 32}, "cut short"),
    ],
)
def test_a_dicom_header_that_lies(lie: dict[str, int], words: str) -> None:
    refused(dicom_bytes(np.zeros((2, 4), np.uint16), 16, **lie), words)


def compressed_dicom(pixels: Any, rows: int, columns: int, frames: int = 1) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(pixels).save(buffer, "JPEG")
    dataset = dicom_dataset(np.zeros((rows, columns), np.uint8), 8, syntax=JPEGBaseline8Bit, frames=frames)
    dataset.PixelData = encapsulate([buffer.getvalue()], has_bot=False)
    dataset["PixelData"].is_undefined_length = True
    return as_bytes(dataset)


def test_a_compressed_frame_that_is_larger_than_its_header() -> None:
    refused(compressed_dicom(np.zeros((4000, 4000), np.uint8), 8, 8), "compressed frame 0 is 4000 × 4000")


def test_more_compressed_frames_than_the_bytes_can_hold() -> None:
    data = compressed_dicom(np.zeros((8, 8), np.uint8), 8, 8, frames=1_000_000)
    refused(data, "the header says 1,000,000 frames, there are")


def test_a_deflated_data_set_that_unpacks_to_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMEDIS_MAX_PIXELS", "1000000")
    dataset = dicom_dataset(np.zeros((2, 4), np.uint16), 16, syntax=DeflatedExplicitVRLittleEndian)
    dataset.PixelData = bytes(30_000_000)
    data = as_bytes(dataset)
    del dataset
    assert len(data) < 200_000
    refused(data, "unpacks to more than 6,000,000 bytes")


def test_a_deflated_data_set_of_ordinary_size_is_read() -> None:
    stored = np.arange(8, dtype=np.uint16).reshape(2, 4)
    plain, deflated = dicom_bytes(stored, 12), dicom_bytes(stored, 12, syntax=DeflatedExplicitVRLittleEndian)
    assert pydicom.dcmread(io.BytesIO(deflated)).file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian
    assert np.array_equal(read_bytes(deflated, "x").pixels, read_bytes(plain, "x").pixels)


def test_pillows_own_limit_is_as_before() -> None:
    before = Pillow.MAX_IMAGE_PIXELS
    read_bytes(pillow_bytes("PNG"), "x")
    with pytest.raises(ReadError):
        read("no such file")
    assert before == Pillow.MAX_IMAGE_PIXELS
