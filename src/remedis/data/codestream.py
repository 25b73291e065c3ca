"""The size that a compressed picture says of itself, read from its first bytes.

A decoder allocates what the compressed picture says, not what the file around it says, so both are compared before
anything is decoded.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xDA)})
_FRAME_MARKERS = frozenset({*range(0xC0, 0xD0), 0xF7}) - {0xC4, 0xC8, 0xCC}  # SOF0 … SOF15 and JPEG-LS's SOF55
_JP2_SIGNATURE = b"\x00\x00\x00\x0cjP  \r\n\x87\n"

SYNTAXES = {
    0xC0: "1.2.840.10008.1.2.4.50",  # JPEG Baseline
    0xC1: "1.2.840.10008.1.2.4.51",  # JPEG Extended
    0xC3: "1.2.840.10008.1.2.4.70",  # JPEG Lossless
    0xF7: "1.2.840.10008.1.2.4.80",  # JPEG-LS
    0x51: "1.2.840.10008.1.2.4.90",  # JPEG 2000
}
"""Transfer syntax by the kind of compressed picture, for files that name none."""


class Size(NamedTuple):
    """What a compressed picture says of itself; the marker tells its kind, 0x51 for JPEG 2000."""

    width: int
    height: int
    samples: int
    bits: int
    marker: int


def size_of(data: bytes) -> Size | None:
    """Return the size of a JPEG, JPEG-LS or JPEG 2000 picture; None where `data` begins like none or is cut short.

    Source: ITU-T T.81 B.2.2 (SOF), ITU-T T.87 C.2.2 (SOF55), ITU-T T.800 A.5.1 (SIZ) and I.5 (boxes).
    """
    try:
        if data[:4] == b"\xff\x4f\xff\x51":
            return _jpeg_2000(data, 0)
        if data[:12] == _JP2_SIGNATURE:
            return _jpeg_2000(data, data.index(b"\xff\x4f\xff\x51"))
        if data[:2] == b"\xff\xd8":
            return _jpeg(data)
    except (struct.error, ValueError, IndexError):
        return None
    return None


def _jpeg_2000(data: bytes, start: int) -> Size:
    x, y, x_offset, y_offset = struct.unpack_from(">4I", data, start + 8)
    (samples,) = struct.unpack_from(">H", data, start + 40)
    return Size(x - x_offset, y - y_offset, samples, (data[start + 42] & 0x7F) + 1, 0x51)


def _jpeg(data: bytes) -> Size | None:
    place = 2
    while place < len(data):
        if data[place] != 0xFF:
            return None
        marker = data[place + 1]
        if marker == 0xFF:  # fill bytes
            place += 1
        elif marker in _FRAME_MARKERS:
            bits, height, width, samples = struct.unpack_from(">BHHB", data, place + 4)
            return Size(width, height, samples, bits, marker)
        elif marker in _WITHOUT_LENGTH:
            place += 2
        else:
            place += 2 + struct.unpack_from(">H", data, place + 2)[0]
    return None
