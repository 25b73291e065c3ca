"""The profile `dicom-display` (PS3.3 C.7.6.3, C.11.1, C.11.2, C.11.6) and the two that REMEDIS's encoders take.

Grey: padding is set apart, then modality LUT or rescale, then VOI LUT or window, then at most one inversion, then
rounding to 8 or 16 bits. Ordinary pictures of 8 or 16 bits, and colour, stay as stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.data import lut
from remedis.data.frame import Frame, Painted, quantised, range_step, to_8_bits
from remedis.data.image import Step
from remedis.data.levels import Levels
from remedis.data.stored import Meaning

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def grey(frame: Frame) -> Painted:
    """Return (H, W) as a workstation shows it: uint8 for up to 8 bits, stored and in tables, else uint16."""
    stored = range_step("stored", frame.pixels, f"{frame.meaning.bits} bits{', signed' * frame.meaning.signed}")
    if not frame.medical and frame.meaning.bits in (8, 16) and not frame.meaning.inverted:
        return Painted(frame.pixels, (stored, _as_stored(frame.pixels)))
    levels, meaning = frame.levels, frame.meaning
    shown, steps = _without_padding(levels, meaning)
    values = lut.modality(levels.values, meaning)
    steps += _modality_step(values[shown], meaning)
    shares, voi_steps, used = _voi(values, shown, frame)
    if meaning.inverted:
        shares = 1.0 - shares
        voi_steps.append(range_step("invert", shares[shown], "the lowest value is meant to be white: 1 - x, once"))
    bits = 16 if _is_wide(frame) else 8
    curve = quantised(shares, bits)
    curve[~shown] = 0  # the background stays black, inverted or not
    last = range_step(f"to {bits} bits", curve[shown], f"× {2**bits - 1}, rounded; 0 is black, {2**bits - 1} white")
    used["inverted"] = meaning.inverted
    return Painted(levels.paint(curve), (stored, *steps, *voi_steps, last), used)


def colour(frame: Frame) -> Painted:
    """Return (H, W, 3): 8 and 16 bits as stored, other depths stretched from their nominal range."""
    bits, pixels = frame.meaning.bits, frame.pixels
    stored = range_step("stored", pixels, f"{bits} bits, colour")
    if bits == 8 * pixels.dtype.itemsize and bits <= 16:
        return Painted(pixels, (stored, _as_stored(pixels)))
    top, depth = 2**bits - 1, 8 if bits < 8 else 16
    above = int(np.count_nonzero(pixels > top))
    result = quantised(np.minimum(pixels / top, 1.0), depth)
    detail = f"0 … {top} becomes 0 … {2**depth - 1}, rounded{_limited(0, above)}"
    return Painted(result, (stored, range_step(f"to {depth} bits", result, detail)))


def grey_8_bits(frame: Frame) -> Painted:
    """Return what `grey` gives in 8 bits, as the JPEG files were that REMEDIS's encoders saw."""
    return _in_8_bits(grey(frame))


def colour_8_bits(frame: Frame) -> Painted:
    """Return what `colour` gives in 8 bits."""
    return _in_8_bits(colour(frame))


def _in_8_bits(painted: Painted) -> Painted:
    if painted.pixels.dtype == np.uint8:
        return painted
    pixels = to_8_bits(painted.pixels)
    step = range_step("to 8 bits", pixels, "/ 257, rounded: the encoders were trained on 8-bit pictures divided by 255")
    return Painted(pixels, (*painted.steps, step), painted.used)


def _as_stored(pixels: npt.NDArray[Any]) -> Step:
    return range_step("as stored", pixels, "left as stored")


def _is_wide(frame: Frame) -> bool:
    """Return whether the file has more than 8 bits, in its samples or in its last table."""
    last_table = frame.meaning.voi_table or frame.meaning.modality_table
    too_deep = last_table is not None and last_table.bits > 8
    return frame.meaning.bits > 8 or too_deep or frame.pixels.dtype.kind == "f"


def _without_padding(levels: Levels, meaning: Meaning) -> tuple[Mask, list[Step]]:
    """Return which levels are picture (PS3.3 C.7.5.1.1.2: the padding value is one of the stored values)."""
    shown = np.ones(len(levels.values), np.bool_)
    if meaning.padding is None:
        return shown, []
    low, high = meaning.padding
    shown = (levels.values < low) | (levels.values > high)
    named = f"{low:g}" if low == high else f"{low:g} … {high:g}"
    count = levels.pixels_where(~shown)
    detail = f"{count:,} pixels hold the padding value {named}: background, left out of the range"
    return shown, [range_step("padding", levels.values[shown], detail)]


def _modality_step(values: Floats, meaning: Meaning) -> list[Step]:
    table = meaning.modality_table
    if table is not None:
        detail = f"table of {len(table.entries)} entries from {table.first}, {table.bits} bits"
        return [range_step("modality LUT", values, detail)]
    if meaning.rescale is None:
        return []
    slope, intercept = meaning.rescale
    return [range_step("rescale", values, f"× {slope:g} {'-' if intercept < 0 else '+'} {abs(intercept):g}")]


def _voi(values: Floats, shown: Mask, frame: Frame) -> tuple[Floats, list[Step], dict[str, Any]]:
    """Return shares of the output range in [0, 1]: by a VOI LUT, else a window, else the range found."""
    levels, meaning = frame.levels, frame.meaning
    if meaning.voi_table is not None:
        return _through_table(values, shown, meaning)
    if meaning.windows:
        return _through_window(values, shown, levels, meaning)
    if meaning.bits <= 8 or not frame.medical:
        return _nominal(values, shown, levels, meaning)
    return _stretched(values, shown)


def _through_table(values: Floats, shown: Mask, meaning: Meaning) -> tuple[Floats, list[Step], dict[str, Any]]:
    table = meaning.voi_table
    assert table is not None
    outputs = lut.look_up(values, table)
    detail = f"table of {len(table.entries)} entries from {table.first}, {table.bits} bits"
    if meaning.windows:
        detail += "; preferred to the window"
    return (
        outputs / (2**table.bits - 1),
        [range_step("VOI LUT", outputs[shown], detail)],
        {"lut_used": "VOI LUT"},
    )


def _through_window(
    values: Floats, shown: Mask, levels: Levels, meaning: Meaning
) -> tuple[Floats, list[Step], dict[str, Any]]:
    centre, width = meaning.windows[0]
    shares = lut.window(values, meaning)
    black, white = lut.window_limits(meaning)
    below = levels.pixels_where(shown & (values < black))
    above = levels.pixels_where(shown & (values > white))
    which = f"the first of {len(meaning.windows)} windows, " if len(meaning.windows) > 1 else ""
    detail = f"{which}{meaning.function}, centre {centre:g}, width {width:g}{_limited(below, above)}"
    return (
        shares,
        [range_step("window", shares[shown], detail)],
        {"window_used": [float(centre), float(width)]},
    )


def _nominal(
    values: Floats, shown: Mask, levels: Levels, meaning: Meaning
) -> tuple[Floats, list[Step], dict[str, Any]]:
    low, high = lut.modality_range(meaning)
    below = levels.pixels_where(shown & (values < low))
    above = levels.pixels_where(shown & (values > high))
    shares = np.clip((values - low) / (high - low), 0.0, 1.0)
    if meaning.bits == 8 and (low, high) == (0.0, 255.0):
        return shares, [range_step("as stored", values[shown], "no window and 8 bits: left as stored")], {}
    detail = f"no window, {meaning.bits} bits: the whole range {low:g} … {high:g} is shown{_limited(below, above)}"
    return shares, [range_step("whole range", shares[shown], detail)], {}


def _stretched(values: Floats, shown: Mask) -> tuple[Floats, list[Step], dict[str, Any]]:
    picture = values[shown]
    low, high = (float(picture.min()), float(picture.max())) if picture.size else (0.0, 0.0)
    shares = np.clip((values - low) / (high - low), 0.0, 1.0) if high > low else np.zeros(values.shape)
    detail = f"no window and no VOI LUT: {low:g} … {high:g}, the range of the frame, becomes black to white"
    return shares, [range_step("stretch", shares[shown], detail)], {}


def _limited(below: int, above: int) -> str:
    if not below and not above:
        return ""
    return f"; {below:,} pixels below and {above:,} above it become its ends"
