"""Whatever bytes a file holds: it is read, or refused with one ReadError; nothing else comes out, no process dies."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from references.written_dicom import dicom_bytes, lut_item
from references.written_png import GREY_ALPHA, RGB, png_bytes
from remedis.data.profiles import PROFILES
from remedis.data.readers import count_frames, image_size, read_bytes
from remedis.errors import ReadError

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
DICOM = {
    "MR_small_RLE.dcm",
    "MR_small_implicit.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
    "SC_rgb_jpeg_dcmtk.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "SC_rgb_small_odd_big_endian.dcm",
    "examples_palette.dcm",
    "image_dfl.dcm",
    "liver_expb_1frame.dcm",
    "rtdose_rle.dcm",
}


def colour() -> Any:
    return np.random.default_rng(1).integers(0, 256, (19, 23, 3)).astype(np.uint8)


def by_pillow(kind: str, mode: str = "RGB", **options: Any) -> Callable[[], bytes]:
    def make() -> bytes:
        buffer = io.BytesIO()
        Pillow.fromarray(colour()).convert(mode).save(buffer, kind, **options)
        return buffer.getvalue()

    return make


def by_tifffile(values: Any, **options: Any) -> Callable[[], bytes]:
    def make() -> bytes:
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, values, **options)
        return buffer.getvalue()

    return make


def film() -> bytes:
    values = np.random.default_rng(2).integers(0, 4096, (3, 8, 9)).astype(np.uint16)
    tables: dict[str, Any] = {"VOILUTSequence": [lut_item(range(900), 100, 16)]}
    return dicom_bytes(values, 12, frames=3, PixelPaddingValue=7, RescaleSlope="1", RescaleIntercept="0", **tables)


def window() -> bytes:
    values = np.random.default_rng(2).integers(-2048, 2048, (8, 9)).astype(np.int16)
    words = {"WindowCenter": ["5", "6"], "WindowWidth": ["700", "800"], "VOILUTFunction": "SIGMOID"}
    return dicom_bytes(values, 12, signed=True, photometric="MONOCHROME1", **words)


WIDE = colour().astype(np.uint16) * 257
FILES: dict[str, Callable[[], bytes]] = {
    "jpeg": by_pillow("JPEG"),
    "progressive": by_pillow("JPEG", "L", progressive=True),
    "cmyk": by_pillow("JPEG", "CMYK"),
    "png": by_pillow("PNG"),
    "palette": by_pillow("PNG", "P"),
    "png 16": lambda: png_bytes(WIDE, 16, RGB),
    "png 16 alpha": lambda: png_bytes(WIDE[..., :2], 16, GREY_ALPHA, interlaced=True),
    "tiff": by_pillow("TIFF"),
    "tiff lzw": by_pillow("TIFF", compression="tiff_lzw"),
    "tiff 16": by_tifffile(WIDE, photometric="rgb"),
    "tiff 16 planar": by_tifffile(
        np.moveaxis(WIDE, -1, 0), photometric="rgb", planarconfig="separate", compression="zlib"
    ),
    "tiff tiles": by_tifffile(np.tile(colour()[..., 0], (2, 2)), tile=(16, 16), photometric="minisblack"),
    "tiff pages": by_tifffile(np.stack([colour()[..., 0]] * 3), photometric="minisblack"),
    "bigtiff": by_tifffile(colour(), photometric="rgb", bigtiff=True),
    "bmp": by_pillow("BMP"),
    "webp": by_pillow("WEBP"),
    "gif": by_pillow("GIF", "P"),
    "film": film,
    "window": window,
} | {name: (SHIPPED / name).read_bytes for name in sorted(DICOM)}

content = cache(lambda kind: FILES[kind]())


def outcome(call: Callable[[], Any]) -> tuple[Any, str | None]:
    """What a call returns, or the line of its ReadError."""
    try:
        return call(), None
    except ReadError as error:
        return None, str(error)


def check(data: bytes, profile: str, path: Path) -> None:
    image, error = outcome(lambda: read_bytes(data, "x", profile))
    if error is None:
        assert image.pixels.dtype in (np.uint8, np.uint16)
        assert image.pixels.shape[-1] == 3
    else:
        assert error.startswith("x: ")
        assert "\n" not in error
    path.write_bytes(data or b"\0")
    image_size(path)
    assert "\n" not in (outcome(lambda: count_frames(path))[1] or "")


bounded = settings(
    max_examples=30, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.mark.parametrize("kind", FILES)
@bounded
@given(
    share=st.floats(0, 1),
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6),
    early=st.booleans(),
    cut=st.booleans(),
    profile=st.sampled_from(list(PROFILES)),
)
def test_damaged_bytes(
    kind: str,
    share: float,
    places: list[tuple[float, int]],
    early: bool,
    cut: bool,
    profile: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("REMEDIS_MAX_PIXELS", "1000000")  # a header that became large costs time alone
    data = bytearray(content(kind))
    reach = min(len(data), 1500) if early else len(data)  # headers are where a byte matters most
    for place, value in places:
        data[int(place * reach)] = value
    check(bytes(data[: int(len(data) * share)] if cut else data), profile, tmp_path / "x")


@bounded
@given(
    data=st.binary(max_size=400),
    head=st.sampled_from(
        [
            b"",
            b"\xff\xd8\xff\xe0",
            b"\x89PNG\r\n\x1a\n",
            b"II*\0",
            b"GIF89a",
            b"BM",
            b"\x08\0\x05\0",
            bytes(128) + b"DICM",
        ]
    ),
)
def test_any_bytes(data: bytes, head: bytes, tmp_path: Path) -> None:
    check(head + data, "dicom-display", tmp_path / "x")


def test_the_files_are_sound_before_they_are_damaged() -> None:
    for kind in FILES:
        assert read_bytes(content(kind), kind).pixels.size > 0
