"""JPEG: colours, inks, EXIF turns and damage, against Pillow and against the formulas."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from remedis.data.readers import image_size, read, read_bytes
from remedis.errors import ReadError


def smooth(channels: int, height: int = 40, width: int = 56) -> npt.NDArray[np.uint8]:
    """A picture that JPEG keeps well, different in every channel and without symmetry."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [128 + 90 * np.sin(x / (9 + c)) * np.cos(y / (7 + 2 * c)) + y / 3 for c in range(channels)]
    return np.clip(np.stack(planes, axis=-1), 0, 255).astype(np.uint8)


def jpeg(picture: Pillow.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", **({"quality": 95} | options))
    return buffer.getvalue()


def by_pillow(data: bytes) -> npt.NDArray[np.uint8]:
    with Pillow.open(io.BytesIO(data)) as picture:
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("channels", [1, 3])
def test_grey_and_colour_are_pillows_bytes(channels: int, subsampling: int, progressive: bool) -> None:
    picture = Pillow.fromarray(smooth(channels).squeeze())
    data = jpeg(picture, progressive=progressive, subsampling=subsampling)
    image = read_bytes(data, "x.jpg")
    assert image.pixels.shape == (40, 56, 3)
    assert np.array_equal(image.pixels, by_pillow(data))
    assert np.abs(image.pixels.astype(int) - smooth(channels)).mean() < 3  # and it is the picture


def inks_jpeg() -> tuple[bytes, npt.NDArray[np.uint8]]:
    inks = smooth(4)
    return jpeg(Pillow.frombytes("CMYK", (56, 40), inks.tobytes()), quality=100, subsampling=0), inks


def without_adobe_marker(data: bytes) -> bytes:
    start = data.index(b"\xff\xee")
    return data[:start] + data[start + 2 + int.from_bytes(data[start + 2 : start + 4], "big") :]


def light(inks: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Red, green and blue that cyan, magenta, yellow and black (255 = full ink) let through."""
    through = 1 - inks / 255.0
    return through[..., :3] * through[..., 3:] * 255


def test_cmyk_with_adobes_marker_stores_the_absence_of_ink() -> None:
    data, inks = inks_jpeg()
    image = read_bytes(data, "x.jpg")
    assert np.array_equal(image.pixels, by_pillow(data))
    assert np.abs(image.pixels - light(inks)).max() < 4  # quality 100 is not lossless


def test_cmyk_without_the_marker_stores_ink() -> None:
    """Pillow inverts here too, and gives the negative; libjpeg's documentation says what the values mean."""
    data, inks = inks_jpeg()
    image = read_bytes(without_adobe_marker(data), "x.jpg")
    assert np.abs(image.pixels - light(255 - inks)).max() < 4


def test_ycck() -> None:
    """Adobe's transform 2: the first three are YCbCr of the inverted cyan, magenta and yellow."""
    data, _ = inks_jpeg()
    start = data.index(b"Adobe")
    ycck = data[: start + 11] + b"\2" + data[start + 12 :]
    stored = 255 - np.asarray(Pillow.open(io.BytesIO(data))).astype(np.float64)  # Pillow turns them round
    y, cb, cr, k = stored[..., 0], stored[..., 1] - 128, stored[..., 2] - 128, stored[..., 3]
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], axis=-1)
    expected = (255 - np.clip(rgb, 0, 255)) * k[..., None] / 255
    image = read_bytes(ycck, "x.jpg")
    assert np.abs(image.pixels - expected).max() <= 1.5  # two roundings
    assert np.array_equal(image.pixels, by_pillow(ycck))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_exif_turns(orientation: int, channels: int, tmp_path: Path) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    pixels = smooth(channels)
    picture = (
        Pillow.frombytes("CMYK", (56, 40), pixels.tobytes()) if channels == 4 else Pillow.fromarray(pixels.squeeze())
    )
    data = jpeg(picture, exif=exif)
    image = read_bytes(data, "x.jpg")
    assert np.array_equal(image.pixels, by_pillow(data))
    assert image.pixels.shape == ((40, 56, 3) if orientation < 5 else (56, 40, 3))
    (tmp_path / "x.jpg").write_bytes(data)
    assert image_size(tmp_path / "x.jpg") == image.pixels.shape[1::-1]


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_a_jpeg_that_is_cut_short_is_refused(share: float, progressive: bool) -> None:
    data = jpeg(Pillow.fromarray(smooth(3)), progressive=progressive)
    with pytest.raises(ReadError, match=r"^x\.jpg: the JPEG.*get the file anew$"):
        read_bytes(data[: int(len(data) * share)], "x.jpg")


def test_bytes_after_the_picture_do_no_harm() -> None:
    data = jpeg(Pillow.fromarray(smooth(3)))
    assert np.array_equal(read_bytes(data + b"\0" * 100, "x.jpg").pixels, by_pillow(data))


def test_the_bytes_tell_the_kind_and_not_the_name(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(jpeg(Pillow.fromarray(smooth(3))))
    image = read(path)
    assert image.facts["format"] == "JPEG"
    assert np.array_equal(image.pixels, by_pillow(path.read_bytes()))


def test_a_jpeg_has_one_frame() -> None:
    data = jpeg(Pillow.fromarray(smooth(3)))
    assert read_bytes(data, "x", frame=0).pixels.shape == (40, 56, 3)
    with pytest.raises(ReadError, match="holds 1"):
        read_bytes(data, "x", frame=1)


def test_a_damaged_number_of_channels_is_refused() -> None:
    data = bytearray(jpeg(Pillow.fromarray(smooth(3))))
    place = data.index(b"\xff\xc0")
    data[place + 9] = 2
    with pytest.raises(ReadError):
        read_bytes(bytes(data), "x.jpg")


@pytest.mark.parametrize("profile", ["remedis-cxr", "remedis-path", "dicom-display"])
def test_an_8_bit_jpeg_is_left_as_stored(profile: str) -> None:
    data = jpeg(Pillow.fromarray(smooth(3)))
    image = read_bytes(data, "x.jpg", profile)
    assert image.pixels.dtype == np.uint8
    assert np.array_equal(image.pixels, by_pillow(data))
