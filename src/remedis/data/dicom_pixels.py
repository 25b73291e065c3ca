"""Stored values of DICOM frames: each kind of compression goes to the decoder that is known to refuse damage.

pydicom by itself tries GDCM first for nearly everything, which ends the process on some damaged pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from remedis.data import codestream, lossless_jpeg
from remedis.data.dicom_facts import uid_name
from remedis.data.dicom_layout import Layout
from remedis.data.limits import check_size
from remedis.errors import ReadError

_BASELINE, _EXTENDED = "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"
_DECODERS = {
    _BASELINE: "pillow",
    _EXTENDED: "pillow",  # 8 bits
    "1.2.840.10008.1.2.4.80": "pyjpegls",  # JPEG-LS lossless
    "1.2.840.10008.1.2.4.81": "pyjpegls",  # JPEG-LS near-lossless
    "1.2.840.10008.1.2.4.90": "pylibjpeg",  # JPEG 2000 lossless, by openjpeg
    "1.2.840.10008.1.2.4.91": "pylibjpeg",
}


def decode(dataset: Any, layout: Layout, frame: int | None, where: str) -> npt.NDArray[Any]:
    """Return (F, H, W) or (F, H, W, 3) stored values in the machine's byte order.

    Args:
        dataset: A pydicom FileDataset.
        layout: What its header says, checked.
        frame: One frame, counted from 0; all of them without it.
        where: The file's name, for messages.

    Raises:
        ReadError: There is no such frame, it is damaged or not what the header says, or nothing decodes its kind.
    """
    if frame is not None and not 0 <= frame < layout.frames:
        raise ReadError(
            f"frame {frame} was asked for, the file holds {layout.frames} (0 … {layout.frames - 1})",
            where=where,
        )
    check_size(where, layout.columns, layout.rows, layout.frames if frame is None else 1)
    compressed = dataset[layout.element].is_undefined_length
    if compressed:
        _check_codestreams(dataset, layout, frame, where)
    try:
        if layout.syntax in lossless_jpeg.SYNTAXES:
            pixels = _lossless_jpeg(dataset, layout, frame)
        elif compressed:
            pixels = _by_pydicom(dataset, layout, frame)
        else:
            pixels = _native(dataset, layout, frame)
    except (NotImplementedError, RuntimeError) as error:
        raise _undecodable(error, layout, where) from error
    shape = (layout.rows, layout.columns) + ((3,) if layout.samples == 3 else ())
    return pixels.reshape((-1, *shape)).astype(pixels.dtype.newbyteorder("="), copy=False)


def _by_pydicom(dataset: Any, layout: Layout, frame: int | None) -> npt.NDArray[Any]:
    from pydicom.pixels import pixel_array

    name = _DECODERS.get(layout.syntax, "")
    if layout.syntax == _EXTENDED and layout.bits > 8:
        name = "pylibjpeg"  # with the extra dicom-gpl
    pixels: npt.NDArray[Any] = pixel_array(dataset, index=frame, decoding_plugin=name, allow_excess_frames=False)
    return pixels


def _native(dataset: Any, layout: Layout, frame: int | None) -> npt.NDArray[Any]:
    """Return uncompressed values; bits above and, in older files, below the stored ones are taken off.

    PS3.5 8.1.1 has the stored bits begin at bit 0 of a cell; before 2014 it left that to (0028,0102) High Bit.
    """
    from pydicom.pixels import pixel_array

    below = max(0, layout.high_bit + 1 - layout.bits)
    if layout.element != "PixelData" or below == 0:
        plain: npt.NDArray[Any] = pixel_array(dataset, index=frame, allow_excess_frames=False)
        return plain
    pixels = pixel_array(dataset, index=frame, allow_excess_frames=False, bits_stored=layout.bits + below)
    shifted: npt.NDArray[Any] = np.right_shift(pixels, below)
    return shifted


def _lossless_jpeg(dataset: Any, layout: Layout, frame: int | None) -> npt.NDArray[Any]:
    from pydicom.pixels.utils import as_pixel_options

    options = {
        name: value if isinstance(value, int) else str(value)
        for name, value in as_pixel_options(dataset).items()
        if isinstance(value, (int, str))
    }
    options |= {"number_of_frames": 1, "transfer_syntax_uid": layout.syntax}
    return np.stack([lossless_jpeg.decode(data, options) for _, data in _frames(dataset, layout, frame)])


def _frames(dataset: Any, layout: Layout, frame: int | None) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the compressed bytes of the wanted frames."""
    from pydicom.encaps import generate_frames

    for number, data in enumerate(generate_frames(dataset.PixelData, number_of_frames=layout.frames)):
        if number >= layout.frames:
            return
        if frame is None or number == frame:
            yield number, data


def _check_codestreams(dataset: Any, layout: Layout, frame: int | None, where: str) -> None:
    """Compare the size of each compressed frame with the header, on which the limits were checked."""
    for number, data in _frames(dataset, layout, frame):
        found = codestream.size_of(data)
        if found is None:
            if data[:2] in (b"\xff\xd8", b"\xff\x4f"):
                raise ReadError(
                    f"the compressed frame {number} is damaged or cut short; get the file anew", where=where
                )
            continue
        if (found.width, found.height, found.samples) != (layout.columns, layout.rows, layout.samples):
            raise ReadError(
                f"the compressed frame {number} is {found.width} × {found.height} with {found.samples} samples, "
                f"the header says {layout.columns} × {layout.rows} with {layout.samples}; get the file anew",
                where=where,
            )


def _undecodable(error: Exception, layout: Layout, where: str) -> ReadError:
    name = uid_name(layout.syntax)
    reason = " ".join(str(error).split()).removeprefix(
        "Unable to decode as exceptions were raised by all available plugins: "
    )
    missing = isinstance(error, NotImplementedError) or "missing dependencies" in reason
    if layout.syntax == _EXTENDED and layout.bits > 8 and missing:
        return ReadError(
            f"{name} with 12 bits needs another decoder (GPL); pip install 'remedis[dicom-gpl]'", where=where
        )
    if missing:
        return ReadError(f"the pixels are compressed as {name}, which cannot be decoded ({reason[:200]})", where=where)
    return ReadError(f"the pixels cannot be decoded ({reason[:200]}); get the file anew", where=where)
