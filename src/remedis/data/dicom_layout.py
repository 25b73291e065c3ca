"""How the pixels of a DICOM file lie by its header, held against itself, our limits and the bytes that are there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from remedis.data.dicom_facts import uid_name
from remedis.data.limits import check_size
from remedis.errors import ReadError

GREY = ("MONOCHROME1", "MONOCHROME2")
COLOUR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")
_OTHERS = ("ARGB", "HSV", "CMYK", "YBR_PARTIAL_420", "YBR_PARTIAL_422", "XYB")
"""Named in messages; a value that is none of the standard's may be anything, a name included."""
DEFLATED = "1.2.840.10008.1.2.1.99"
_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")


@dataclass(frozen=True)
class Layout:
    """How the pixels lie in the file, as its header says."""

    rows: int
    columns: int
    frames: int
    samples: int
    bits_allocated: int
    bits: int
    high_bit: int
    signed: bool
    photometric: str
    syntax: str
    element: str

    @property
    def bytes_a_frame(self) -> float:
        """Bytes of one uncompressed frame (two thirds for YBR_FULL_422, whose colours are halved)."""
        whole = self.rows * self.columns * self.samples * self.bits_allocated / 8
        return whole * 2 / 3 if self.photometric == "YBR_FULL_422" else whole


def layout_of(dataset: Any, where: str) -> Layout:
    """Return how the pixels lie, having checked that the header is complete and of a kind that can be shown.

    Raises:
        ReadError: Names the element that is missing or not supported.
    """
    element = next((keyword for keyword in _PIXELS if keyword in dataset), None)
    if element is None:
        raise _no_pixels(dataset, where)
    layout = layout_by_header(dataset, element, where)
    found = len(dataset[element].value or b"")
    check_promises(layout, found, where, compressed=dataset[element].is_undefined_length)
    return layout


def _no_pixels(dataset: Any, where: str) -> ReadError:
    kind = uid_name(dataset.SOPClassUID) if "SOPClassUID" in dataset else "of no named kind"
    return ReadError(f"there is no pixel data in it ({kind}); give an image", where=where)


def layout_by_header(dataset: Any, element: str, where: str) -> Layout:
    """Return how the pixels in `element` lie, by the header alone.

    Raises:
        ReadError: It is no image at all, or the photometric interpretation is missing or cannot be shown.
    """
    if not any(keyword in dataset for keyword in ("PhotometricInterpretation", "Rows", "Columns", "BitsAllocated")):
        raise _no_pixels(dataset, where)
    photometric = str(dataset.get("PhotometricInterpretation", "") or "")
    if photometric not in (*GREY, *COLOUR, "PALETTE COLOR"):
        named = photometric if photometric in _OTHERS else "missing" if not photometric else "none of the standard's"
        raise ReadError(
            f"(0028,0004) Photometric Interpretation is {named}; "
            f"{', '.join((*GREY, *COLOUR, 'PALETTE COLOR'))} can be shown; convert it first",
            where=where,
        )
    is_float = element != "PixelData" or "BitsStored" not in dataset
    allocated = int(dataset.BitsAllocated)
    bits = allocated if is_float else int(dataset.BitsStored)
    high_bit = dataset.get("HighBit")
    return Layout(
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        frames=int(dataset.get("NumberOfFrames", None) or 1),
        samples=int(dataset.SamplesPerPixel),
        bits_allocated=allocated,
        bits=bits,
        high_bit=bits - 1 if is_float or high_bit is None else int(high_bit),
        signed=not is_float and int(dataset.PixelRepresentation) == 1,
        photometric=photometric,
        syntax=str(dataset.file_meta.TransferSyntaxUID),
        element=element,
    )


def is_compressed(layout: Layout) -> bool:
    """Return whether the file may be smaller than its pixels; True for a transfer syntax that is not known."""
    from pydicom.uid import UID

    syntax = UID(layout.syntax)
    return layout.syntax == DEFLATED or not syntax.is_transfer_syntax or syntax.is_encapsulated


def check_promises(layout: Layout, found: int, where: str, *, compressed: bool) -> None:
    """Compare the header with itself, with our limits and with the bytes that are there.

    Args:
        layout: What the header says.
        found: Bytes of the pixel data, or of the whole file.
        where: The file, for messages.
        compressed: Whether fewer bytes than the pixels have are right.

    Raises:
        ReadError: It contradicts itself, is above the limits, or promises more than there is.
    """
    if layout.samples != (3 if layout.photometric in COLOUR else 1):
        raise ReadError(f"{layout.photometric} with {layout.samples} samples a pixel contradicts itself", where=where)
    if not 1 <= layout.bits <= layout.bits_allocated <= 64:
        raise ReadError(f"{layout.bits} bits stored in {layout.bits_allocated} contradicts itself", where=where)
    if not compressed and layout.high_bit >= layout.bits_allocated:
        raise ReadError(
            f"(0028,0102) High Bit {layout.high_bit} in {layout.bits_allocated} bits contradicts itself", where=where
        )
    check_size(where, layout.columns, layout.rows)
    if compressed and layout.frames > found // 10 + 1:  # a compressed frame is an item of at least 10 bytes
        raise ReadError(f"the header says {layout.frames:,} frames, there are {found:,} bytes", where=where)
    needed = math.ceil(layout.bytes_a_frame * layout.frames)
    if not compressed and found < needed:
        raise ReadError(
            f"the pixel data is cut short: {found:,} bytes, {needed:,} expected for {layout.frames:,} frames "
            f"of {layout.columns} × {layout.rows}; get the file anew",
            where=where,
        )
