"""`dicom-display` against the formulas of PS3.3 in references/dicom_display.py, over the matrix of headers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from references import dicom_display
from references.dicom_display import Header, Lut
from references.written_dicom import dicom_bytes, dicom_dataset, lut_item
from remedis.data.readers import read_bytes
from remedis.errors import ReadError

WINDOWS: list[tuple[int, str | None]] = [
    (0, None),
    *itertools.product((1, 3), (None, "LINEAR", "LINEAR_EXACT", "SIGMOID")),
]


def stored_values(bits: int, signed: bool) -> npt.NDArray[Any]:
    """A frame with both ends of the range, everything near 0, and values in between."""
    low = -(2 ** (bits - 1)) if signed else 0
    high = low + 2**bits - 1
    known = [low, low + 1, high, high - 1, 0, 1, 5, 6, (low + high) // 2, (low + high) // 2 + 1]
    rng = np.random.default_rng(bits + signed)
    values = np.concatenate([known, rng.integers(low, high, 38, endpoint=True)]).reshape(6, 8)
    return values.astype(f"{'i' if signed else 'u'}{1 if bits == 8 else 2}")


def assert_shown(pixels: npt.NDArray[Any], expected: npt.NDArray[np.float64], deep: bool) -> None:
    """Grey in three channels, and every value the nearest whole number to the formula's."""
    assert pixels.dtype == (np.uint16 if deep else np.uint8)
    assert np.array_equal(pixels[..., 0], pixels[..., 1])
    assert np.array_equal(pixels[..., 0], pixels[..., 2])
    top = 65535 if deep else 255
    apart = np.abs(pixels[..., 0] - expected * top)
    assert apart.max() <= 0.5 + 1e-6, float(apart.max())  # half a step: rounding; 1e-6: two orders in float64


def window_elements(count: int, function: str | None, centre: float, width: float) -> dict[str, Any]:
    if count == 0:
        return {}
    several = count > 1
    elements: dict[str, Any] = {
        "WindowCenter": [str(centre), "7", "8"] if several else str(centre),
        "WindowWidth": [str(width), "9", "10"] if several else str(width),
    }
    return elements if function is None else elements | {"VOILUTFunction": function}


def padding_elements(kind: str, stored: npt.NDArray[Any]) -> tuple[dict[str, int], tuple[int, int] | None]:
    value, limit = int(stored.min()), 5
    if kind == "value":
        return {"PixelPaddingValue": value}, (value, value)
    if kind == "range":
        return {"PixelPaddingValue": limit, "PixelPaddingRangeLimit": value}, (value, limit)
    return {}, None


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("padding", ["none", "value", "range"])
def test_windows_rescale_padding_and_polarity(bits: int, signed: bool, photometric: str, padding: str) -> None:
    stored = stored_values(bits, signed)
    padding_words, ends = padding_elements(padding, stored)
    for (count, function), slope in itertools.product(WINDOWS, (None, -1.0, 0.37)):
        middle, width = (int(stored.max()) + int(stored.min())) * (slope or 1.0) / 2 + 3.5, 2 ** (bits - 1) * 0.6
        rescale = {} if slope is None else {"RescaleSlope": str(slope), "RescaleIntercept": "-10.5"}
        words = rescale | padding_words | window_elements(count, function, middle, width)
        data = dicom_bytes(stored, bits, signed=signed, photometric=photometric, **words)
        expected = dicom_display.display(
            stored,
            Header(
                bits=bits,
                signed=signed,
                monochrome1=photometric == "MONOCHROME1",
                slope=slope,
                intercept=-10.5,
                window=(middle, width) if count else None,
                function=function or "LINEAR",
                padding=ends,
            ),
        )
        assert_shown(read_bytes(data, "x").pixels, expected, deep=bits > 8)


@pytest.mark.parametrize("bits", [8, 12, 16])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("padding", ["none", "value"])
def test_voi_lut_sequences(bits: int, signed: bool, photometric: str, padding: str) -> None:
    stored = stored_values(bits, signed)
    padding_words, ends = padding_elements(padding, stored)
    rng = np.random.default_rng(3)
    for (entry_bits, first), given in itertools.product(
        ((8, 0), (8, -3), (12, -40), (16, 3), (16, -40)), (None, -1.0, 0.37)
    ):
        slope = 1.0 if given is None and first < 0 and not signed else given  # below 0 only a rescale leads
        intercept = -20.0
        rescale = {} if slope is None else {"RescaleSlope": str(slope), "RescaleIntercept": str(intercept)}
        entries = rng.integers(0, 2**entry_bits, 131).tolist()
        item = lut_item(entries, first, entry_bits)
        words = rescale | padding_words | window_elements(1, None, 10, 20) | {"VOILUTSequence": [item]}
        data = dicom_bytes(stored, bits, signed=signed, photometric=photometric, **words)
        header = Header(
            bits=bits,
            signed=signed,
            monochrome1=photometric == "MONOCHROME1",
            slope=slope,
            intercept=intercept,
            voi_lut=Lut(entries, first, entry_bits),
            padding=ends,
        )
        image = read_bytes(data, "x")
        assert_shown(image.pixels, dicom_display.display(stored, header), deep=bits > 8 or entry_bits > 8)
        assert image.facts["lut_used"] == "VOI LUT"
        assert "window_used" not in image.facts


def test_a_table_of_65536_entries_is_written_as_0() -> None:
    stored = np.array([[0, 1, 40000, 65534, 65535]], np.uint16)
    entries = np.arange(65536)[::-1].tolist()
    data = dicom_bytes(stored, 16, VOILUTSequence=[lut_item(entries, 0, 16, count=0)])
    assert read_bytes(data, "x").pixels[0, :, 0].tolist() == [65535, 65534, 25535, 1, 0]


def test_a_negative_first_input_may_be_written_unsigned() -> None:
    """Implicit VR has no sign: -3 is read as 65533, and means -3 where the inputs are signed (C.11.2.1.1)."""
    stored = np.array([[-9, -3, -2, -1, 9]], np.int16)
    item = Dataset()
    item.add_new(0x00283002, "US", [3, 65533, 8])
    item.add_new(0x00283006, "OW", bytes([10, 20, 30, 0]))
    data = dicom_bytes(stored, 16, signed=True, VOILUTSequence=[item])
    shown = read_bytes(data, "x").pixels[0, :, 0]
    assert np.allclose(shown / 65535 * 255, [10, 10, 20, 30, 30], atol=0.003)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("first", [-20, 0, 7])
def test_modality_lut_sequence_comes_before_the_window_and_in_place_of_the_rescale(
    photometric: str, first: int
) -> None:
    signed = first < 0
    stored = stored_values(12, signed)
    entries = np.random.default_rng(5).integers(0, 4096, 200).tolist()
    words = {"ModalityLUTSequence": [lut_item(entries, first, 12)], "RescaleSlope": "9", "RescaleIntercept": "9"}
    data = dicom_bytes(
        stored, 12, signed=signed, photometric=photometric, WindowCenter="2000", WindowWidth="3000", **words
    )
    header = Header(
        bits=12,
        signed=signed,
        monochrome1=photometric == "MONOCHROME1",
        modality_lut=Lut(entries, first, 12),
        window=(2000, 3000),
    )
    assert_shown(read_bytes(data, "x").pixels, dicom_display.display(stored, header), deep=True)


@pytest.mark.parametrize(
    ("photometric", "shape", "inverted"),
    [
        ("MONOCHROME2", None, False),
        ("MONOCHROME2", "IDENTITY", False),
        ("MONOCHROME2", "INVERSE", True),
        ("MONOCHROME1", None, True),
        ("MONOCHROME1", "INVERSE", True),
    ],
)
def test_an_image_is_inverted_once(photometric: str, shape: str | None, inverted: bool) -> None:
    stored = np.arange(0, 4096, 65, dtype=np.uint16).reshape(8, 8)
    words = {} if shape is None else {"PresentationLUTShape": shape}
    data = dicom_bytes(stored, 12, photometric=photometric, WindowCenter="2048", WindowWidth="4096", **words)
    image = read_bytes(data, "x")
    header = Header(bits=12, inverse=inverted, window=(2048, 4096))
    assert_shown(image.pixels, dicom_display.display(stored, header), deep=True)
    assert image.facts["inverted"] is inverted
    assert sum(step.name == "invert" for step in image.steps) == inverted


def test_linear_over_the_whole_range_reaches_both_ends() -> None:
    """PS3.3 C.11.2.1.2.1, example: centre 2048 and width 4096 map 0 to 0 and 4095 to 4095."""
    stored = np.array([[0, 1, 2047, 2048, 4094, 4095]], np.uint16)
    words = {"WindowCenter": "2048", "WindowWidth": "4096"}
    shown = read_bytes(dicom_bytes(stored, 12, **words), "x").pixels[0, :, 0]
    assert np.abs(shown / 65535 * 4095 - stored[0]).max() <= 4095 / 65535 / 2
    exact = read_bytes(dicom_bytes(stored, 12, VOILUTFunction="LINEAR_EXACT", **words), "x").pixels[0, :, 0]
    assert abs(exact[3] / 65535 * 4095 - 2047.5) <= 4095 / 65535 / 2 + 1e-9


def test_a_window_of_width_1_is_a_step() -> None:
    stored = np.array([[98, 99, 100, 101]], np.uint16)
    shown = read_bytes(dicom_bytes(stored, 12, WindowCenter="100", WindowWidth="1"), "x").pixels[0, :, 0]
    assert shown.tolist() == [0, 0, 65535, 65535]


@pytest.mark.parametrize(
    ("function", "width"),
    [(None, "0.5"), (None, "0"), (None, "-4"), ("LINEAR_EXACT", "0"), ("SIGMOID", "0"), ("CUBIC", "10")],
)
def test_windows_that_the_standard_forbids_are_refused(function: str | None, width: str) -> None:
    words = {"WindowCenter": "100", "WindowWidth": width} | ({"VOILUTFunction": function} if function else {})
    with pytest.raises(ReadError, match=r"^x: .*(Window Width|VOI LUT Function)") as caught:
        read_bytes(dicom_bytes(stored_values(12, False), 12, **words), "x")
    assert "\n" not in str(caught.value)


def test_a_rescale_slope_of_0_is_refused() -> None:
    with pytest.raises(ReadError, match="Rescale Slope is 0"):
        read_bytes(dicom_bytes(stored_values(12, False), 12, RescaleSlope="0", RescaleIntercept="1"), "x")


@pytest.mark.parametrize("function", [None, "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("slope", ["2", "-1"])
@pytest.mark.parametrize("signed", [False, True])
def test_pydicom_as_second_witness(function: str | None, slope: str, signed: bool) -> None:
    """pydicom answers in the units of the rescale, between the images of the stored range's two ends.

    With a negative slope these ends are upside down (its answer falls where the share of white rises), which is where
    it parts from the standard's display; the share between the ends is the same.
    """
    stored = stored_values(12, signed)
    words = window_elements(1, function, 150.5 * float(slope), 900.25)
    dataset = dicom_dataset(stored, 12, signed=signed, RescaleSlope=slope, RescaleIntercept="-100", **words)
    data = dicom_bytes(stored, 12, signed=signed, RescaleSlope=slope, RescaleIntercept="-100", **words)
    with np.errstate(over="ignore"):
        theirs = apply_voi_lut(apply_modality_lut(stored, dataset), dataset)
    low = -2048 if signed else 0
    black, white = low * float(slope) - 100, (low + 4095) * float(slope) - 100
    assert_shown(read_bytes(data, "x").pixels, (theirs - black) / (white - black), deep=True)


def test_pydicom_agrees_on_voi_luts() -> None:
    """Of 16 bits and unsigned; with 8-bit entries pydicom narrows the inputs before it looks them up."""
    stored = stored_values(12, False)
    entries = np.random.default_rng(8).integers(0, 65536, 1000).tolist()
    words: dict[str, Any] = {"VOILUTSequence": [lut_item(entries, 100, 16)]}
    theirs = apply_voi_lut(stored, dicom_dataset(stored, 12, **words))
    assert np.array_equal(read_bytes(dicom_bytes(stored, 12, **words), "x").pixels[..., 0], theirs)


def functional_group(centre: str, width: str, slope: str | None = None) -> Dataset:
    window, rescale, group = Dataset(), Dataset(), Dataset()
    window.WindowCenter, window.WindowWidth = centre, width
    group.FrameVOILUTSequence = [window]
    if slope is not None:
        rescale.RescaleSlope, rescale.RescaleIntercept, rescale.RescaleType = slope, "-3", "US"
        group.PixelValueTransformationSequence = [rescale]
    return group


def test_enhanced_frames_have_windows_and_rescales_of_their_own() -> None:
    stored = np.stack([stored_values(12, False)] * 3)
    own = [functional_group("100", "50", "1"), functional_group("900", "600", "2"), functional_group("70", "9")]
    shared = functional_group("5", "7", "-1")
    data = dicom_bytes(
        stored, 12, frames=3, PerFrameFunctionalGroupsSequence=own, SharedFunctionalGroupsSequence=[shared]
    )
    image = read_bytes(data, "x")
    assert image.pixels.shape == (3, 6, 8, 3)
    for number, (window, slope) in enumerate([((100, 50), 1), ((900, 600), 2), ((70, 9), -1)]):
        header = Header(bits=12, slope=slope, intercept=-3, window=window)
        assert_shown(image.pixels[number], dicom_display.display(stored[number], header), deep=True)
        alone = read_bytes(data, "x", frame=number)
        assert np.array_equal(alone.pixels, image.pixels[number])
        assert alone.facts["window_used"] == list(window)
        assert alone.frames == 3


def test_frames_without_a_window_are_stretched_one_by_one() -> None:
    stored = np.stack([stored_values(12, False) // 2, stored_values(12, False) // 5 + 7])
    image = read_bytes(dicom_bytes(stored, 12, frames=2), "x")
    for number in range(2):
        assert_shown(image.pixels[number], dicom_display.display(stored[number], Header(bits=12)), deep=True)


def test_a_frame_of_padding_alone_is_black() -> None:
    stored = np.full((4, 5), 9, np.uint16)
    image = read_bytes(dicom_bytes(stored, 12, photometric="MONOCHROME1", PixelPaddingValue=9), "x")
    assert image.pixels.max() == 0


def test_bits_above_the_stored_ones_are_taken_off() -> None:
    """Older files keep an overlay there (PS3.5 8.1.1: what they hold is not to be relied on)."""
    stored = stored_values(12, True)
    cells = (stored.view(np.uint16) & 0x0FFF) | 0x5000
    plain = dicom_bytes(stored, 12, signed=True, WindowCenter="0", WindowWidth="4000")
    laden = dicom_bytes(cells, 12, signed=True, WindowCenter="0", WindowWidth="4000")
    assert np.array_equal(read_bytes(laden, "x").pixels, read_bytes(plain, "x").pixels)


@pytest.mark.parametrize("signed", [False, True])
def test_stored_bits_may_begin_above_bit_0(signed: bool) -> None:
    stored = stored_values(12, signed)
    cells = (stored.astype(np.int32) << 4).astype(np.uint16) | np.uint16(0xA)
    plain = dicom_bytes(stored, 12, signed=signed, WindowCenter="50", WindowWidth="4000")
    high = dicom_bytes(cells, 12, signed=signed, WindowCenter="50", WindowWidth="4000", HighBit=15)
    assert np.array_equal(read_bytes(high, "x").pixels, read_bytes(plain, "x").pixels)


def test_a_high_bit_outside_the_cell_is_refused() -> None:
    with pytest.raises(ReadError, match="High Bit 16 in 16 bits"):
        read_bytes(dicom_bytes(stored_values(12, False), 12, HighBit=16), "x")


def test_a_short_table_is_refused() -> None:
    item = lut_item([1, 2, 3], 0, 16, count=9)
    with pytest.raises(ReadError, match="LUT is cut short"):
        read_bytes(dicom_bytes(stored_values(12, False), 12, VOILUTSequence=[item]), "x")


def test_the_steps_tell_the_true_ranges() -> None:
    stored = np.array([[7, 100, 200, 4000]], np.uint16)
    words = {"RescaleSlope": "2", "RescaleIntercept": "-5", "WindowCenter": "400", "WindowWidth": "401"}
    image = read_bytes(dicom_bytes(stored, 12, PixelPaddingValue=7, **words), "x")
    ranges = {step.name: (step.low, step.high) for step in image.steps}
    assert ranges["stored"] == (7, 4000)
    assert ranges["padding"] == (100, 4000)
    assert ranges["rescale"] == (195, 7995)
    assert ranges["window"] == (0, 1)
    assert ranges["to 16 bits"] == (0, 65535)
    detail = next(step.detail for step in image.steps if step.name == "window")
    assert "1 pixels below and 1 above" in detail
