"""PNG, TIFF, BMP, WebP and GIF: the samples that were written are the samples that are read, all bits of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image as Pillow
from PIL import ImageOps
from skimage import io as skimage_io

from references.written_png import GREY, GREY_ALPHA, PALETTE, RGB, RGBA, png_bytes
from remedis.data.readers import count_frames, image_size, read, read_bytes
from remedis.errors import ReadError


def samples(depth: int, channels: int, height: int = 13, width: int = 21) -> npt.NDArray[Any]:
    rng = np.random.default_rng(depth * 10 + channels)
    values = rng.integers(0, 2**depth, (height, width, channels))
    values[0, 0], values[0, 1] = 0, 2**depth - 1
    return values.astype(np.uint16 if depth == 16 else np.uint8)


def three(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.repeat(values, 3, axis=-1) if values.shape[-1] == 1 else values


def over(values: npt.NDArray[Any], depth: int, background: float = 0.0) -> npt.NDArray[Any]:
    """The last channel is opacity: laid over black (0) or white (1), to the nearest."""
    top = 2**depth - 1
    share = values[..., -1:] / top
    mixed = np.rint(values[..., :-1] * share + background * top * (1 - share))
    return three(mixed).astype(values.dtype)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("colour_type", [GREY, RGB])
@pytest.mark.parametrize("depth", [8, 16])
def test_png_samples_are_exact(depth: int, colour_type: int, interlaced: bool) -> None:
    values = samples(depth, 1 if colour_type == GREY else 3)
    image = read_bytes(png_bytes(values, depth, colour_type, interlaced=interlaced), "x.png")
    assert image.pixels.dtype == values.dtype
    assert np.array_equal(image.pixels, three(values))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_png_grey_below_8_bits_spans_black_to_white(depth: int, interlaced: bool) -> None:
    values = samples(depth, 1)
    image = read_bytes(png_bytes(values, depth, GREY, interlaced=interlaced), "x.png")
    assert np.array_equal(image.pixels, three(np.rint(values / (2**depth - 1) * 255)))


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("colour_type", "channels"), [(GREY_ALPHA, 2), (RGBA, 4)])
@pytest.mark.parametrize(("profile", "background"), [("dicom-display", 0.0), ("remedis-path", 1.0)])
def test_png_alpha_is_laid_over_the_profiles_background(
    profile: str, background: float, colour_type: int, channels: int, depth: int, interlaced: bool
) -> None:
    values = samples(depth, channels)
    image = read_bytes(png_bytes(values, depth, colour_type, interlaced=interlaced), "x.png", profile)
    expected = over(values, depth, background)
    if profile == "remedis-path" and depth == 16:
        expected = np.rint(expected / 257).astype(np.uint8)
    assert np.array_equal(image.pixels, expected)
    assert image.steps[0].name == "alpha"


def test_an_opaque_alpha_changes_nothing() -> None:
    values = samples(8, 4)
    values[..., 3] = 255
    image = read_bytes(png_bytes(values, 8, RGBA), "x.png")
    assert np.array_equal(image.pixels, values[..., :3])
    assert "alpha" not in [step.name for step in image.steps]


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_png_palettes(depth: int) -> None:
    numbers = samples(depth, 1)
    palette = samples(8, 3, 1, 2**depth)[0]
    data = png_bytes(numbers, depth, PALETTE, extra=((b"PLTE", palette.tobytes()),))
    assert np.array_equal(read_bytes(data, "x.png").pixels, palette[numbers[..., 0]])
    see_through = png_bytes(numbers, depth, PALETTE, extra=((b"PLTE", palette.tobytes()), (b"tRNS", b"\x40")))
    alpha = np.where(numbers == 0, 0x40, 255)
    expected = over(np.concatenate([palette[numbers[..., 0]], alpha], axis=-1).astype(np.uint8), 8)
    assert np.array_equal(read_bytes(see_through, "x.png").pixels, expected)


def test_16_bits_agree_with_scikit_image(tmp_path: Path) -> None:
    values = samples(16, 1)[..., 0]
    path = tmp_path / "x.png"
    skimage_io.imsave(path, values, check_contrast=False)
    assert np.array_equal(read(path).pixels[..., 0], skimage_io.imread(path))
    assert np.array_equal(read(path).pixels[..., 0], values)


@pytest.mark.parametrize("place", ["header", "pixels", "check sum", "end"])
def test_a_damaged_png_is_refused(place: str) -> None:
    data = bytearray(png_bytes(samples(8, 3), 8, RGB))
    if place == "end":
        data = data[:-30]
    else:  # 8 bytes before IEND's length ends the check sum of the pixels
        places = {"header": 20, "pixels": data.index(b"IDAT") + 30, "check sum": data.index(b"IEND") - 6}
        data[places[place]] ^= 1
    with pytest.raises(ReadError, match="get the file anew"):
        read_bytes(bytes(data), "x.png")


def tiff(values: npt.NDArray[Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values, **options)
    return buffer.getvalue()


def pillow_tiff(values: npt.NDArray[Any], **options: Any) -> bytes:
    buffer = io.BytesIO()
    Pillow.fromarray(values).save(buffer, "TIFF", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(("byteorder", "bigtiff"), [("<", False), (">", False), ("<", True)])
@pytest.mark.parametrize(("compression", "predictor"), [(None, False), ("zlib", False), ("zlib", True)])
@pytest.mark.parametrize("layout", ["grey", "colour", "planar", "tiled grey", "tiled colour"])
@pytest.mark.parametrize("depth", [8, 16])
def test_tiff_samples_are_exact(
    depth: int, layout: str, compression: str | None, predictor: bool, byteorder: Any, bigtiff: bool
) -> None:
    values = samples(depth, 1 if "grey" in layout else 3, 35, 40)
    options: dict[str, Any] = {"photometric": "minisblack" if "grey" in layout else "rgb"}
    stored = values[..., 0] if "grey" in layout else values
    if layout == "planar":
        stored, options["planarconfig"] = np.moveaxis(values, -1, 0), "separate"
    if "tiled" in layout:
        options["tile"] = (16, 16)
    options |= {"compression": compression, "predictor": predictor, "byteorder": byteorder, "bigtiff": bigtiff}
    data = tiff(stored, **options)
    image = read_bytes(data, "x.tif")
    assert image.pixels.dtype == values.dtype
    assert np.array_equal(image.pixels, three(values))


def test_a_big_endian_bigtiff_is_refused_in_words() -> None:
    data = tiff(samples(8, 1)[..., 0], photometric="minisblack", byteorder=">", bigtiff=True)
    with pytest.raises(ReadError, match="BigTIFF with the most significant byte first"):
        read_bytes(data, "x.tif")


@pytest.mark.parametrize("predictor", [False, True])
@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_deflate", "packbits"])
@pytest.mark.parametrize("channels", [1, 3])
def test_compressed_tiff(channels: int, compression: str, predictor: bool) -> None:
    values = samples(8, channels, 35, 40)
    info = {317: 2} if predictor and compression != "packbits" else {}
    data = pillow_tiff(values.squeeze(), compression=compression, tiffinfo=info)
    assert np.array_equal(read_bytes(data, "x.tif").pixels, three(values))


def test_16_bit_lzw() -> None:
    values = samples(16, 1, 35, 40)
    data = pillow_tiff(values[..., 0], compression="tiff_lzw")
    assert np.array_equal(read_bytes(data, "x.tif").pixels, three(values))


@pytest.mark.parametrize("depth", [8, 16])
def test_white_is_zero(depth: int) -> None:
    values = samples(depth, 1)
    data = tiff(values[..., 0], photometric="miniswhite")
    assert np.array_equal(read_bytes(data, "x.tif").pixels, three(2**depth - 1 - values))


def test_pages_are_frames_and_a_thumbnail_is_left_out_and_said_so(tmp_path: Path) -> None:
    values = samples(8, 1)[..., 0]
    pages = np.stack([values, values[::-1], values[:, ::-1]])
    path = tmp_path / "x.tif"
    with tifffile.TiffWriter(path) as writer:
        for page in pages:
            writer.write(page, photometric="minisblack", contiguous=False)
        writer.write(values[:5, :5], photometric="minisblack")
    image = read(path)
    assert np.array_equal(image.pixels[..., 0], pages)
    assert image.frames == count_frames(path) == 3
    assert image.facts["pages_left_out"] == ["page 3: 5 × 5"]
    for number in range(3):
        assert np.array_equal(read(path, frame=number).pixels, image.pixels[number])
    with pytest.raises(ReadError, match=r"holds 3 \(0 … 2\)"):
        read(path, frame=3)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_tiff_orientations(channels: int, depth: int, orientation: int, tmp_path: Path) -> None:
    values = samples(depth, channels)
    photometric = "rgb" if channels == 3 else "minisblack"
    plain = values if channels == 3 else values[..., 0]
    data = tiff(plain, photometric=photometric, extratags=[(274, "H", 1, orientation, True)])
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    turned = []
    for channel in range(channels):  # the turn that Pillow gives each channel's lower and upper byte
        parts = []
        for shift in (0, 8):
            picture = Pillow.fromarray((values[..., channel] >> shift).astype(np.uint8))
            picture.getexif()[0x0112] = orientation
            parts.append(np.asarray(ImageOps.exif_transpose(picture)).astype(np.uint16) << shift)
        turned.append(parts[0] | parts[1] if depth == 16 else parts[0])
    expected = three(np.stack(turned, axis=-1))
    image = read_bytes(data, "x.tif")
    assert np.array_equal(image.pixels, expected)
    (tmp_path / "x.tif").write_bytes(data)
    assert image_size(tmp_path / "x.tif") == image.pixels.shape[1::-1]


@pytest.mark.parametrize("lack", ["strips", "bytes", "tiles"])
def test_a_tiff_without_all_its_rows_is_refused(lack: str) -> None:
    """Pillow gives black rows for them in silence."""
    values = samples(8, 1, 64, 48)[..., 0]
    options: dict[str, Any] = {"tile": (16, 16)} if lack == "tiles" else {"rowsperstrip": 8 if lack == "strips" else 64}
    grown = (257, 278) if lack == "bytes" else (257,)  # the image's length, and that of its one strip
    data = bytearray(tiff(values, photometric="minisblack", **options))
    with tifffile.TiffFile(io.BytesIO(bytes(data))) as file:
        for tag in (file.pages[0].tags[number] for number in grown):
            data[tag.valueoffset : tag.valueoffset + tag.valuebytecount] = (6400).to_bytes(tag.valuebytecount, "little")
    with pytest.raises(ReadError, match=r"^x\.tif: the picture (needs|is cut short).*get the file anew$"):
        read_bytes(bytes(data), "x.tif")


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("depth", [8, 16])
def test_a_tiff_that_is_cut_short_is_refused(depth: int, compression: str | None) -> None:
    page = samples(depth, 3, 64, 48)
    two = tiff(np.stack([page] * 2), photometric="rgb", compression=compression)
    one = tiff(page, photometric="rgb", compression=compression)
    for share in (0.02, 0.3, 0.7, 0.95):
        with pytest.raises(ReadError):
            read_bytes(two[: int(len(two) * share)], "x.tif")
        words = "x.tif: the picture" if share == 0.02 else "is cut short: its strips reach beyond the end of the file"
        with pytest.raises(ReadError, match=words):
            read_bytes(one[: int(len(one) * share)], "x.tif")


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int16, np.uint32])
def test_samples_without_black_and_white_are_refused(dtype: Any) -> None:
    with pytest.raises(ReadError, match=r"^x\.tif: [^\n]*$"):
        read_bytes(tiff(np.arange(40).reshape(5, 8).astype(dtype), photometric="minisblack"), "x.tif")


@pytest.mark.parametrize("kind", ["BMP", "WEBP", "GIF", "PNG", "TIFF"])
@pytest.mark.parametrize("channels", [1, 3])
def test_lossless_kinds_from_pillow(kind: str, channels: int, tmp_path: Path) -> None:
    values = samples(8, channels)
    if kind == "GIF" and channels == 3:
        values = (values // 64 * 64)[:8, :8]  # few colours, so that a palette holds them all
    path = tmp_path / f"x.{kind.lower()}"
    Pillow.fromarray(values.squeeze()).save(path, kind, **({"lossless": True} if kind == "WEBP" else {}))
    image = read(path)
    assert np.array_equal(image.pixels, three(values))
    assert image.pixels.dtype == np.uint8
    assert image.facts["format"] == kind
    assert image_size(path) == values.shape[1::-1]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_animations_are_frames(kind: str, tmp_path: Path) -> None:
    values = np.stack([np.full((6, 8), level, np.uint8) for level in (0, 90, 255)])
    values[:, 2:4, 3:6] = 40
    pictures = [Pillow.fromarray(one) for one in values]
    path = tmp_path / "x"
    options: dict[str, Any] = {"lossless": True} if kind == "WEBP" else {}
    pictures[0].save(path, kind, save_all=True, append_images=pictures[1:], **options)
    image = read(path)
    assert np.array_equal(image.pixels[..., 0], values)
    assert np.array_equal(read(path, frame=1).pixels, image.pixels[1])


def test_empty_missing_and_foreign_files_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("no picture\n")
    for name, words in (
        ("empty.png", "the file is empty"),
        ("text.png", "begins with text"),
        ("none.png", "there is no such file"),
        ("", "is a folder"),
    ):
        with pytest.raises(ReadError, match=words) as caught:
            read(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
