"""DICOM files of every kind: stored values against listed ones, pydicom's, and decoders written out here."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from PIL import Image as Pillow
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import ImplicitVRLittleEndian, JPEGBaseline8Bit

import remedis
from references.written_dicom import as_bytes, dicom_bytes, dicom_dataset
from remedis.data.dicom import stored_values
from remedis.data.readers import count_frames, image_size, read, read_bytes
from remedis.errors import ReadError

SHIPPED = Path(pydicom.__file__).parent / "data" / "test_files"
FILES = sorted(path for path in SHIPPED.rglob("*") if path.is_file())


def shipped(name: str) -> Path:
    path = SHIPPED / name
    assert path.exists(), f"pydicom no longer ships {name}"
    return path


def theirs(path: Path) -> npt.NDArray[Any] | None:
    """pydicom's own values; None where it gives up."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            pixels: npt.NDArray[Any] = pydicom.dcmread(path, force=True).pixel_array
        except Exception:
            return None
    return pixels


def one_line(error: pytest.ExceptionInfo[ReadError], name: Path | str) -> str:
    text = str(error.value)
    assert text.startswith(f"{name}: ")
    assert "\n" not in text
    return text


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SHIPPED)))
def test_what_pydicom_ships_is_read_as_pydicom_reads_it_or_refused_in_one_line(path: Path) -> None:
    expected = theirs(path)
    if expected is None:
        with pytest.raises(ReadError) as caught:
            read(path)
        one_line(caught, path)
        return
    values = stored_values(path)
    assert values.dtype == expected.dtype.newbyteorder("=")
    assert np.array_equal(values, expected)
    image = read(path)
    assert image.pixels.shape[-1] == 3
    assert image.pixels.dtype in (np.uint8, np.uint16)
    assert count_frames(path) == image.frames
    assert image_size(path) == (image.facts["width"], image.facts["height"])


def test_every_listed_stored_value(real_data: Callable[[str], Path]) -> None:
    folder = real_data("dicom")
    with (folder / "files.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 18
    for row in rows:
        path = folder / row["file"]
        if row["error"]:
            with pytest.raises(ReadError) as caught:
                read(path)
            one_line(caught, path)
            continue
        values = stored_values(path)
        assert "x".join(map(str, values.shape)) == row["shape"], path.name
        assert str(values.dtype) == row["dtype"], path.name
        assert float(values.min()) == pytest.approx(float(row["min"]), rel=1e-7), path.name
        assert float(values.max()) == pytest.approx(float(row["max"]), rel=1e-7), path.name
        assert values.mean(dtype=np.float64) == pytest.approx(float(row["mean"]), abs=5.1e-5), path.name
        shape = values.shape if values.shape[-1] == 3 else (*values.shape, 3)
        assert read(path).pixels.shape == shape


def test_the_x_rays_as_published(real_data: Callable[[str], Path]) -> None:
    folder = real_data("cxr-originals")
    with (folder / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        image = read(folder / row["image"])
        size = int(row["original_height"]), int(row["original_width"])
        assert image.pixels.shape == (*size, 3), row["image"]
        if not row["format"].startswith("DICOM"):
            with Pillow.open(folder / row["image"]) as picture:
                opaque = picture.convert("RGB") if picture.mode != "RGBA" else _over_black(picture)
                assert np.array_equal(image.pixels, np.asarray(opaque)), row["image"]
    siim = next(folder.glob("siim*.dcm"))
    with Pillow.open(io.BytesIO(next(generate_frames(pydicom.dcmread(siim).PixelData)))) as picture:
        assert np.array_equal(read(siim).pixels[..., 0], np.asarray(picture))


def _over_black(picture: Pillow.Image) -> Pillow.Image:
    whole = np.asarray(picture).astype(np.float64)
    return Pillow.fromarray(np.rint(whole[..., :3] * whole[..., 3:] / 255).astype(np.uint8))


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("MR_small.dcm", "<"),
        ("MR_small_RLE.dcm", None),
        ("MR_small_bigendian.dcm", ">"),
        ("MR_small_expb.dcm", ">"),
        ("MR_small_implicit.dcm", "<"),
        ("MR_small_jp2klossless.dcm", None),
        ("MR_small_jpeg_ls_lossless.dcm", None),
        ("MR_small_padded.dcm", None),
    ],
)
def test_one_image_in_eight_transfer_syntaxes(name: str, order: str | None) -> None:
    raw = pydicom.dcmread(shipped("MR_small.dcm")).PixelData
    expected = np.frombuffer(raw, "<i2").reshape(64, 64)
    assert np.array_equal(stored_values(shipped(name)), expected)
    if order is not None:
        own = pydicom.dcmread(shipped(name)).PixelData
        assert np.array_equal(stored_values(shipped(name)), np.frombuffer(own, f"{order}i2").reshape(64, 64))


def rgb_of_ybr(ybr: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """PS3.3 C.7.6.3.1.2, solved for red, green and blue (ITU-R BT.601, full range)."""
    y, b, r = (ybr[..., channel].astype(np.float64) for channel in range(3))
    b, r = b - 128, r - 128
    rgb = np.stack([y + 1.402 * r, y - 0.344136 * b - 0.714136 * r, y + 1.772 * b], axis=-1)
    return np.clip(rgb, 0, 255)


def test_ybr_full_becomes_rgb() -> None:
    ybr = np.random.default_rng(1).integers(0, 256, (9, 8, 3)).astype(np.uint8)
    image = read_bytes(dicom_bytes(ybr, 8, photometric="YBR_FULL"), "x")
    assert np.abs(image.pixels - rgb_of_ybr(ybr)).max() <= 1.0


def test_ybr_full_422_becomes_rgb() -> None:
    """Two pixels a group of four bytes: Y, Y, Cb, Cr (PS3.3 C.7.6.3.1.2)."""
    path = shipped("SC_ybr_full_422_uncompressed.dcm")
    packed = np.frombuffer(pydicom.dcmread(path).PixelData, np.uint8)[: 100 * 50 * 4].reshape(100, 50, 4)
    ybr = np.empty((100, 100, 3), np.uint8)
    for half in range(2):
        ybr[:, half::2, 0], ybr[:, half::2, 1], ybr[:, half::2, 2] = packed[..., half], packed[..., 2], packed[..., 3]
    assert np.abs(read(path).pixels - rgb_of_ybr(ybr)).max() <= 1.0


def test_baseline_jpeg_is_what_a_jpeg_decoder_gives() -> None:
    path = shipped("SC_rgb_jpeg_dcmtk.dcm")
    with Pillow.open(io.BytesIO(next(generate_frames(pydicom.dcmread(path).PixelData)))) as picture:
        assert np.array_equal(read(path).pixels, np.asarray(picture.convert("RGB")))


def test_planar_configurations_are_one_picture() -> None:
    colour = np.random.default_rng(2).integers(0, 256, (6, 7, 3)).astype(np.uint8)
    dataset = dicom_dataset(colour, 8, photometric="RGB", PlanarConfiguration=1)
    dataset.PixelData = np.ascontiguousarray(np.moveaxis(colour, -1, 0)).tobytes()
    assert np.array_equal(read_bytes(as_bytes(dataset), "x").pixels, colour)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("first", [0, 5])
def test_palette_colours(depth: int, first: int) -> None:
    """PS3.3 C.7.6.3.1.5: inputs below the first map to the first entry, above the last to the last."""
    rng = np.random.default_rng(depth)
    tables = rng.integers(0, 2**depth, (3, 40))
    numbers = rng.integers(0, 64, (5, 6)).astype(np.uint8)
    words: dict[str, Any] = {}
    for colour, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        words[f"{colour}PaletteColorLookupTableDescriptor"] = [40, first, depth]
        words[f"{colour}PaletteColorLookupTableData"] = table.astype(f"<u{depth // 8}").tobytes()
    image = read_bytes(dicom_bytes(numbers, 8, photometric="PALETTE COLOR", **words), "x")
    places = np.clip(numbers.astype(int) - first, 0, 39)
    assert image.pixels.dtype == (np.uint8 if depth == 8 else np.uint16)
    assert np.array_equal(image.pixels, np.moveaxis(tables[:, places], 0, -1))
    assert image.facts["palette_bits"] == depth


def test_one_bit_float_and_32_bits_are_shown_whole() -> None:
    one = read(shipped("liver_1frame.dcm"))
    assert one.pixels.dtype == np.uint8
    assert np.array_equal(one.pixels[..., 0], stored_values(shipped("liver_1frame.dcm")) * 255)
    wide = read(shipped("rtdose_1frame.dcm"))
    values = stored_values(shipped("rtdose_1frame.dcm")).astype(np.float64)
    share = (values - values.min()) / (values.max() - values.min())
    assert np.abs(wide.pixels[..., 0] - share * 65535).max() <= 0.5 + 1e-6
    floats = np.linspace(-2.5, 7.25, 20, dtype=np.float32).reshape(4, 5)
    dataset = dicom_dataset(floats, 32)
    for keyword in ("PixelData", "BitsStored", "HighBit", "PixelRepresentation"):
        delattr(dataset, keyword)
    dataset.FloatPixelData = floats.tobytes()
    shown = read_bytes(as_bytes(dataset), "x").pixels[..., 0]
    assert np.abs(shown - (floats.astype(float) + 2.5) / 9.75 * 65535).max() <= 0.51


def test_a_file_without_preamble_is_read_and_said_so() -> None:
    stored = np.arange(12, dtype=np.uint16).reshape(3, 4)
    dataset = dicom_dataset(stored, 12, syntax=ImplicitVRLittleEndian)
    del dataset.file_meta
    dataset.preamble = None
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, implicit_vr=True, little_endian=True, enforce_file_format=False)
    bare = read_bytes(buffer.getvalue(), "x")
    assert bare.facts["preamble"] == "missing"
    whole = read_bytes(dicom_bytes(stored, 12), "x")
    assert whole.facts["preamble"] == "present"
    assert np.array_equal(bare.pixels, whole.pixels)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("rtplan.dcm", "no pixel data in it (RT Plan Storage)"),
        ("reportsi.dcm", "no pixel data in it (Basic Text SR Storage)"),
        ("MR_truncated.dcm", "cut short: 8,130 bytes, 8,192 expected"),
        ("JPGExtended.dcm", "pip install 'remedis[dicom-gpl]'"),
        ("JPEG-lossy.dcm", "pip install 'remedis[dicom-gpl]'"),
        ("README.txt", "is no image: it begins with text"),
    ],
)
def test_refusals_say_why(name: str, words: str) -> None:
    with pytest.raises(ReadError) as caught:
        read(shipped(name))
    assert words in one_line(caught, shipped(name))


def test_frames_are_counted_from_0_and_none_is_chosen_in_silence() -> None:
    path = shipped("SC_rgb_rle_2frame.dcm")
    both = read(path)
    assert both.pixels.shape == (2, 100, 100, 3)
    for number in range(2):
        assert np.array_equal(read(path, frame=number).pixels, both.pixels[number])
    for number in (2, -1):
        with pytest.raises(ReadError, match=r"the file holds 2 \(0 … 1\)"):
            read(path, frame=number)


def test_frames_beyond_the_header_are_left_out() -> None:
    """Eight JPEG frames behind a header of two: read is what the header says, which the limits were checked for."""
    frames = []
    for number in range(8):
        buffer = io.BytesIO()
        Pillow.fromarray(np.full((16, 16), 20 * number, np.uint8)).save(buffer, "JPEG")
        frames.append(buffer.getvalue())
    dataset = dicom_dataset(np.zeros((2, 16, 16), np.uint8), 8, frames=2, syntax=JPEGBaseline8Bit)
    dataset.PixelData = encapsulate(frames, has_bot=False)
    dataset["PixelData"].is_undefined_length = True
    image = read_bytes(as_bytes(dataset), "x")
    assert image.pixels.shape == (2, 16, 16, 3)
    assert image.frames == 2
    assert image.pixels[1].max() <= 22


def test_a_region_is_cut_out_after_the_profile() -> None:
    path = shipped("CT_small.dcm")
    whole = read(path).pixels
    assert np.array_equal(read(path, region=(5, 9, 30)).pixels, whole[9:39, 5:35])
    for region in ((100, 0, 30), (0, 100, 30), (-1, 0, 3), (0, 0, 0)):
        with pytest.raises(ReadError, match="is not inside 128 × 128 pixels"):
            read(path, region=region)


def test_remedis_read_is_the_same_function() -> None:
    image = remedis.read(str(shipped("CT_small.dcm")), profile="dicom-display")
    assert isinstance(image, remedis.Image)
    assert image.pixels.shape == (128, 128, 3)
    assert remedis.read(shipped("rtdose.dcm"), profile="dicom-display").pixels.shape == (15, 10, 10, 3)


def test_damage_that_kills_the_lossless_decoder_is_one_line_and_the_next_file_is_read() -> None:
    path = shipped("SC_rgb_jpeg_gdcm.dcm")
    data = bytearray(path.read_bytes())
    expected = read(path).pixels
    data[data.index(b"\xff\xd8\xff") + 17] = 0xFF  # GDCM calls std::terminate
    with pytest.raises(ReadError, match="decoder for lossless JPEG died of it") as caught:
        read_bytes(bytes(data), "damaged.dcm")
    one_line(caught, "damaged.dcm")
    assert np.array_equal(read(path).pixels, expected)


def test_threads_and_forked_processes_share_no_lossless_decoder() -> None:
    path = shipped("SC_rgb_jpeg_gdcm.dcm")
    expected = read(path).pixels
    with ThreadPoolExecutor(4) as pool:
        assert all(np.array_equal(image.pixels, expected) for image in pool.map(read, [path] * 12))
    # a process of its own, single-threaded, so that forking it is safe
    program = (
        "import os, sys, remedis; before = remedis.read(sys.argv[1]).pixels.tobytes(); child = os.fork(); "
        "differs = remedis.read(sys.argv[1]).pixels.tobytes() != before; "
        "sys.exit(differs or os.wait()[1]) if child else os._exit(differs)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(path)], check=False).returncode == 0
