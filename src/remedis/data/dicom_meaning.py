"""What the header of a DICOM file says of its values: padding, modality LUT, windows, VOI LUT, inversion, palette.

In enhanced multi-frame files these stand in functional groups (PS3.3 C.7.6.16), a frame's own before the shared ones
before the top of the data set.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.data.stored import Meaning, Table
from remedis.errors import ReadError


def group(dataset: Any, frame: int, keyword: str) -> Any:
    """Return the first item of a functional group for a frame; without one the data set itself."""
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    shared = dataset.get("SharedFunctionalGroupsSequence") or []
    for item in (*per_frame[frame : frame + 1], *shared[:1]):
        macro = item.get(keyword)
        if macro:
            return macro[0]
    return dataset


def of_frame(dataset: Any, frame: int, bits: int, signed: bool) -> Meaning:
    """Return what the values of one frame mean.

    Raises:
        ReadError: A rescale slope of 0, or a table without data.
    """
    photometric = str(dataset.get("PhotometricInterpretation", ""))
    shape = str(dataset.get("PresentationLUTShape", "") or "").strip().upper()
    transform = group(dataset, frame, "PixelValueTransformationSequence")
    voi = group(dataset, frame, "FrameVOILUTSequence")
    modality = _table(dataset.get("ModalityLUTSequence"), signed=signed)
    rescale = None if modality else _rescale(transform)
    return Meaning(
        bits=bits,
        signed=signed,
        inverted=photometric == "MONOCHROME1" or shape == "INVERSE",
        monochrome1=photometric == "MONOCHROME1",
        rescale=rescale,
        modality_table=modality,
        voi_table=_table(voi.get("VOILUTSequence"), signed=_voi_input_signed(bits, signed, modality, rescale)),
        windows=of_windows(voi),
        function=str(voi.get("VOILUTFunction", "") or "LINEAR").strip().upper(),
        padding=_padding(dataset, signed),
    )


def _rescale(transform: Any) -> tuple[float, float] | None:
    slope, intercept = transform.get("RescaleSlope"), transform.get("RescaleIntercept")
    if slope is None or intercept is None:
        return None
    if float(slope) == 0:
        raise ReadError("(0028,1053) Rescale Slope is 0, which makes every pixel the same")
    return slope, intercept


def of_windows(voi: Any) -> tuple[tuple[float, float], ...]:
    """Return (centre, width) of every window that has both."""
    centres, widths = _several(voi.get("WindowCenter")), _several(voi.get("WindowWidth"))
    return tuple(zip(centres, widths, strict=False))


def _several(value: Any) -> list[Any]:
    values = list(value) if isinstance(value, (list, tuple)) or hasattr(value, "append") else [value]
    return [one for one in values if one is not None and one != ""]


def _voi_input_signed(bits: int, signed: bool, modality: Table | None, rescale: tuple[float, float] | None) -> bool:
    """Return whether inputs of the VOI LUT can be negative: its first input is then (C.11.2.1.1)."""
    if modality is not None:
        return False
    if rescale is None:
        return signed
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    slope, intercept = float(rescale[0]), float(rescale[1])
    return bool(min(low * slope, high * slope) + intercept < 0)


def _table(sequence: Any, *, signed: bool) -> Table | None:
    """Return the first table of a LUT sequence, with its descriptor read as the standard means it."""
    if not sequence:
        return None
    item = sequence[0]
    descriptor, data = item.get("LUTDescriptor"), item.get("LUTData")
    if descriptor is None or data is None or len(descriptor) != 3:
        raise ReadError("a LUT sequence has no descriptor of three values, or no data")
    count, first, bits = int(descriptor[0]) % 65536 or 65536, int(descriptor[1]), int(descriptor[2])
    first = first - 65536 if signed and first >= 32768 else first
    first = first + 65536 if not signed and first < 0 else first
    entries = _entries(data, count, little_endian=_is_little_endian(item))
    if len(entries) < count:
        raise ReadError(f"a LUT is cut short: {len(entries):,} entries, its descriptor says {count:,}")
    if not 1 <= bits <= 16:
        raise ReadError(f"a LUT has entries of {bits} bits, 8 to 16 were expected")
    entries = entries[:count]
    largest = int(entries.max())
    return Table(entries=entries, first=first, bits=max(bits, largest.bit_length()))


def _is_little_endian(item: Any) -> bool:
    return getattr(item, "original_encoding", (None, True))[1] is not False


def _entries(data: Any, count: int, *, little_endian: bool) -> npt.NDArray[np.int64]:
    if not isinstance(data, (bytes, bytearray)):
        return np.array(data, dtype=np.int64).reshape(-1)
    if len(data) < 2 * count:  # entries of 8 bits, two in a word
        return np.frombuffer(data, np.uint8).astype(np.int64)
    words = np.frombuffer(data[: 2 * count], "<u2" if little_endian else ">u2")
    return words.astype(np.int64)


def _padding(dataset: Any, signed: bool) -> tuple[float, float] | None:
    """Return the range of padding values in the sign that the pixels have."""
    value = dataset.get("PixelPaddingValue")
    if value is None or value == "":
        return None
    limit = dataset.get("PixelPaddingRangeLimit")
    ends = [_as_pixel(float(end), signed) for end in (value, value if limit in (None, "") else limit)]
    return min(ends), max(ends)


def _as_pixel(value: float, signed: bool) -> float:
    if signed and value >= 32768:
        return value - 65536
    return value + 65536 if not signed and value < 0 else value


def through_palette(pixels: npt.NDArray[Any], dataset: Any) -> tuple[npt.NDArray[Any], int]:
    """Return (F, H, W, 3) colours of palette numbers and the bits of a colour, 8 or 16 (PS3.3 C.7.6.3.1.5 and .6).

    A palette that declares 16 bits and holds no entry above 255 is one of 8 bits, as some writers make them.
    """
    from pydicom.pixels import apply_color_lut

    count, first, _ = dataset.RedPaletteColorLookupTableDescriptor
    palette = apply_color_lut(np.arange(first, first + (count or 65536)), dataset)
    colours = apply_color_lut(pixels, dataset)[..., :3]
    bits = 8 if int(palette.max()) < 256 else 16
    return np.ascontiguousarray(colours, np.uint8 if bits == 8 else np.uint16), bits
