"""The profiles against references written from their projects' descriptions, and what all profiles must keep."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image as Pillow

from references import cxr_foundation, mimic_jpg, xrv
from references.written_dicom import dicom_bytes, lut_item
from references.written_png import GREY, RGB, png_bytes
from remedis.data.profiles import PROFILES, profile
from remedis.data.readers import read_bytes
from remedis.errors import ReadError, UsageError

WORDS: dict[str, Any] = {
    "none": {},
    "rescale": {"RescaleSlope": "0.5", "RescaleIntercept": "-100"},
    "window": {"WindowCenter": "700", "WindowWidth": "900"},
    "both": {"RescaleSlope": "2", "RescaleIntercept": "3", "WindowCenter": "700.5", "WindowWidth": "901"},
    "several": {"WindowCenter": ["700.7", "5"], "WindowWidth": ["900.9", "6"]},
}


def stored_values(bits: int, signed: bool = False) -> npt.NDArray[Any]:
    rng = np.random.default_rng(bits + signed)
    low = -(2 ** (bits - 1)) if signed else 0
    values = np.clip(rng.normal(low + 2 ** (bits - 1), 2 ** (bits - 3), (9, 14)), low, low + 2**bits - 1)
    return values.astype(f"{'i' if signed else 'u'}{1 if bits == 8 else 2}")


def png(pixels: npt.NDArray[Any]) -> bytes:
    return png_bytes(pixels, 8 * pixels.dtype.itemsize, RGB if pixels.shape[-1] == 3 else GREY)


def grey(pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    assert pixels.shape[-1] == 3
    assert np.array_equal(pixels[..., 0], pixels[..., 1])
    assert np.array_equal(pixels[..., 0], pixels[..., 2])
    return pixels[..., 0]


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("bits", [8, 12, 15, 16])
def test_xrv_sees_stored_values_alone(bits: int, photometric: str, words: str) -> None:
    stored = stored_values(bits)
    image = read_bytes(dicom_bytes(stored, bits, photometric=photometric, **WORDS[words]), "x", "xrv")
    top = 255 if bits == 8 else 65535
    assert image.pixels.dtype == (np.uint8 if bits == 8 else np.uint16)
    theirs = xrv.of_dicom(stored, bits, photometric)
    assert np.abs(grey(image.pixels) / top * 2048 - 1024 - theirs).max() <= 1024 / top + 1e-9


def test_xrv_takes_the_first_channel_of_a_picture() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 7, 3)).astype(np.uint8)
    shown = grey(read_bytes(png(pixels), "x", "xrv").pixels)
    assert np.abs(shown / 255 * 2048 - 1024 - xrv.of_picture(pixels)).max() < 1e-9


def test_xrv_says_what_it_cannot_store_and_refuses_what_torchxrayvision_refuses() -> None:
    stored = stored_values(12, signed=True)
    image = read_bytes(dicom_bytes(stored, 12, signed=True), "x", "xrv")
    assert f"{int((stored < 0).sum()):,} pixels below 0" in image.steps[-1].detail
    with pytest.raises(ReadError, match=f"takes values up to 4095, found {4095 - stored.min()}"):
        read_bytes(dicom_bytes(stored, 12, signed=True, photometric="MONOCHROME1"), "x", "xrv")


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(("bits", "signed"), [(8, False), (12, False), (16, False), (8, True), (12, True)])
def test_cxr_foundation(bits: int, signed: bool, photometric: str, words: str) -> None:
    stored = stored_values(bits, signed)
    given = WORDS[words]
    rescale = (float(given["RescaleSlope"]), float(given["RescaleIntercept"])) if "RescaleSlope" in given else None
    windows = {
        "window": [(700.0, 900.0)],
        "both": [(700.5, 901.0)],
        "several": [(700.7, 900.9), (5.0, 6.0)],
    }.get(words, [])
    if bits == 8 and windows:
        given = given | {"WindowCenter": "60", "WindowWidth": "90"}
        windows = [(60.0, 90.0)]
    data = dicom_bytes(stored, bits, signed=signed, photometric=photometric, **given)
    if signed and photometric == "MONOCHROME1" and rescale is None and not windows:
        stored = stored.astype(np.int32)  # largest - x overflows in their 8 or 16 bits; ours does not
        expected = cxr_foundation.of_dicom(stored, monochrome1=True)
        if bits == 8:
            expected = (stored.max() - stored).astype(np.uint8)
    else:
        expected = cxr_foundation.of_dicom(
            stored, rescale=rescale, windows=windows, monochrome1=photometric == "MONOCHROME1"
        )
    shown = grey(read_bytes(data, "x", "cxr-foundation").pixels)
    assert shown.dtype == expected.dtype
    assert np.array_equal(shown, expected)


def test_cxr_foundation_overlooks_the_voi_lut_and_the_padding() -> None:
    stored = stored_values(12)
    words: dict[str, Any] = {"VOILUTSequence": [lut_item([5, 6, 7], 0, 16)], "PixelPaddingValue": int(stored.min())}
    shown = grey(read_bytes(dicom_bytes(stored, 12, **words), "x", "cxr-foundation").pixels)
    assert np.array_equal(shown, cxr_foundation.of_dicom(stored))


@pytest.mark.parametrize("width", ["1", "0.5"])
def test_cxr_foundation_refuses_a_window_for_which_it_defines_nothing(width: str) -> None:
    data = dicom_bytes(stored_values(12), 12, WindowCenter="700", WindowWidth=width)
    with pytest.raises(ReadError, match="needs a window wider than 1"):
        read_bytes(data, "x", "cxr-foundation")


@pytest.mark.parametrize("words", WORDS)
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize(("bits", "signed"), [(8, False), (12, False), (16, False), (12, True)])
def test_mimic_jpg(bits: int, signed: bool, photometric: str, words: str) -> None:
    stored = stored_values(bits, signed)
    data = dicom_bytes(stored, bits, signed=signed, photometric=photometric, **WORDS[words])
    image = read_bytes(data, "x", "mimic-jpg")
    assert image.pixels.dtype == np.uint8
    assert np.array_equal(grey(image.pixels), mimic_jpg.of_dicom(stored, monochrome1=photometric == "MONOCHROME1"))


@pytest.mark.parametrize("level", [0, 7, 4095])
def test_mimic_jpg_of_a_constant_image(level: int) -> None:
    stored = np.full((4, 6), level, np.uint16)
    assert grey(read_bytes(dicom_bytes(stored, 12), "x", "mimic-jpg").pixels).max() == 0


def test_an_equalised_picture_is_flat() -> None:
    """Of the pixels above the lowest level, the share at or below a level is that level."""
    stored = np.random.default_rng(4).permutation(4096).reshape(64, 64).astype(np.uint16) ** 2 // 4096
    shown = grey(read_bytes(dicom_bytes(stored.astype(np.uint16), 12), "x", "mimic-jpg").pixels)
    levels, counts = np.unique(shown, return_counts=True)
    share = np.cumsum(counts)[1:] - counts[0]
    assert np.abs(share / (shown.size - counts[0]) - levels[1:] / 255).max() <= 0.5 / 255 + 1e-6
    assert (shown.min(), shown.max()) == (0, 255)


@pytest.mark.parametrize(("name", "make"), [("cxr-foundation", None), ("mimic-jpg", mimic_jpg.of_dicom)])
def test_colour_pictures_are_taken_as_their_luma(name: str, make: Any) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (16, 17, 3)).astype(np.uint8)
    luma = np.asarray(Pillow.fromarray(pixels).convert("L"))
    shown = grey(read_bytes(png(pixels), "x", name).pixels)
    assert np.array_equal(shown, luma if make is None else make(luma))


@pytest.mark.parametrize("name", ["xrv", "cxr-foundation", "mimic-jpg"])
def test_colour_dicom_is_refused_where_the_original_refuses_it(name: str) -> None:
    data = dicom_bytes(np.zeros((4, 5, 3), np.uint8), 8, photometric="RGB")
    with pytest.raises(ReadError, match=f"the profile {name} takes grey DICOM only"):
        read_bytes(data, "x", name)


@pytest.mark.parametrize("name", ["remedis-cxr", "remedis-path"])
@pytest.mark.parametrize("bits", [8, 12])
def test_the_remedis_profiles_are_the_display_in_8_bits(name: str, bits: int) -> None:
    window = {"WindowCenter": str(2 ** (bits - 1)), "WindowWidth": str(2**bits)}
    data = dicom_bytes(stored_values(bits), bits, photometric="MONOCHROME1", **window)
    display = read_bytes(data, "x", "dicom-display").pixels
    shown = read_bytes(data, "x", name).pixels
    assert shown.dtype == np.uint8
    assert np.array_equal(shown, display if bits == 8 else np.rint(display / 257.0))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
def test_dicom_display_leaves_pictures_as_stored(bits: int, channels: int) -> None:
    pixels = np.random.default_rng(bits).integers(3, 200, (6, 7, channels)).astype(f"u{bits // 8}")
    image = read_bytes(png(pixels), "x")
    assert image.profile == "dicom-display"
    assert np.array_equal(image.pixels, np.broadcast_to(pixels, (6, 7, 3)))


def test_dicom_display_leaves_8_bit_dicom_without_a_window_as_stored() -> None:
    stored = stored_values(8)
    assert np.array_equal(grey(read_bytes(dicom_bytes(stored, 8), "x").pixels), stored)


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("kind", ["film", "pages"])
def test_one_frame_is_that_of_all(name: str, kind: str) -> None:
    frames = np.stack([stored_values(12) // divisor for divisor in (1, 3, 7)])
    if kind == "film":
        data = dicom_bytes(frames, 12, frames=3, photometric="MONOCHROME1")
    else:
        buffer = io.BytesIO()
        pictures = [Pillow.fromarray((frame >> 4).astype(np.uint8)) for frame in frames]
        pictures[0].save(buffer, "TIFF", save_all=True, append_images=pictures[1:])
        data = buffer.getvalue()
    together = read_bytes(data, "x", name)
    assert together.pixels.shape == (3, 9, 14, 3)
    for number in range(3):
        alone = read_bytes(data, "x", name, frame=number)
        assert alone.pixels.dtype == together.pixels.dtype
        assert np.array_equal(alone.pixels, together.pixels[number])
        cut = read_bytes(data, "x", name, frame=number, region=(2, 1, 5))
        assert np.array_equal(cut.pixels, together.pixels[number, 1:6, 2:7])


@pytest.mark.parametrize("name", PROFILES)
def test_the_last_step_is_the_range_of_the_picture(name: str) -> None:
    image = read_bytes(dicom_bytes(stored_values(12), 12, **WORDS["both"]), "x", name)
    assert (image.steps[-1].low, image.steps[-1].high) == (image.pixels.min(), image.pixels.max())
    assert (image.steps[0].low, image.steps[0].high) == (stored_values(12).min(), stored_values(12).max())
    assert image.facts["profile_version"] == PROFILES[name].version


def test_an_unknown_profile_names_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean dicom-display"):
        profile("dicom_display")
