"""DICOM files: opened, checked, decoded, and every failure named.

pydicom and the decoders it calls do the work. Nothing is decoded before the file's promises about its size were held
against the bytes that are there. How the pixels lie is in `dicom_layout`, their decoding in `dicom_pixels`, what they
mean in `dicom_meaning`, the rest in `dicom_facts`.
"""

from __future__ import annotations

import io
import re
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy.typing as npt

from remedis.data import codestream, dicom_facts, dicom_layout, dicom_meaning, dicom_pixels
from remedis.data.limits import MAX_FRAMES_TOGETHER, max_pixels
from remedis.data.stored import Meaning, Stored
from remedis.errors import ReadError


def read(file: IO[bytes], where: str, frame: int | None) -> Stored:
    """Return the decoded frames of a DICOM file with what its header says of their values.

    Args:
        file: Open at its start.
        where: Its name, for messages.
        frame: One frame, counted from 0; all of them without it.

    Raises:
        ReadError: Names what is missing, damaged or not supported.
    """
    with explained(where) as caught:
        dataset = open_dataset(file, where)
        layout = dicom_layout.layout_of(dataset, where)
        pixels = dicom_pixels.decode(dataset, layout, frame, where)
        numbers = range(layout.frames) if frame is None else [frame]
        meanings = tuple(dicom_meaning.of_frame(dataset, number, layout.bits, layout.signed) for number in numbers)
        facts = dicom_facts.of(dataset, numbers[0]) | {"preamble": _preamble(dataset)}
        if layout.photometric == "PALETTE COLOR":
            pixels, depth = dicom_meaning.through_palette(pixels, dataset)
            meanings, facts["palette_bits"] = (Meaning(bits=depth),), depth
    facts |= {"bits": layout.bits, "bits_allocated": layout.bits_allocated, "signed": layout.signed}
    if caught:
        facts["warnings"] = caught
    return Stored(
        pixels=pixels,
        meanings=meanings,
        medical=True,
        facts=facts,
        frames_in_file=layout.frames,
        several=frame is None and layout.frames > 1,
        spacing_mm=facts.get("spacing_mm"),
    )


def stored_values(path: str | Path, frame: int | None = None) -> npt.NDArray[Any]:
    """Return the decoded stored values, before rescale, LUT and inversion.

    Args:
        path: A DICOM file.
        frame: One frame, counted from 0; all of them without it.

    Returns:
        (H, W), (H, W, 3), (F, H, W) or (F, H, W, 3) in the machine's byte order; YBR colours as RGB, palette colours as
        numbers of the palette, float where the file holds floats.

    Raises:
        ReadError: As `read`.
    """
    where = str(path)
    with explained(where), Path(path).open("rb") as file:
        dataset = open_dataset(file, where)
        layout = dicom_layout.layout_of(dataset, where)
        pixels = dicom_pixels.decode(dataset, layout, frame, where)
    return pixels if frame is None and layout.frames > 1 else pixels[0]


def count_frames(file: IO[bytes], where: str) -> int:
    """Return how many frames a file holds by its header, having compared that with the file's size."""
    with explained(where):
        dataset = open_dataset(file, where, pixels=False)
        layout = dicom_layout.layout_by_header(dataset, "PixelData", where)
        file.seek(0, io.SEEK_END)
        compressed = dicom_layout.is_compressed(layout)
        dicom_layout.check_promises(layout, file.tell(), where, compressed=compressed)
    return layout.frames


def size(file: IO[bytes], where: str) -> tuple[int, int]:
    """Return (width, height) by the header; the pixels are not read."""
    with explained(where):
        dataset = open_dataset(file, where, pixels=False)
        return int(dataset.Columns), int(dataset.Rows)


@contextmanager
def explained(where: str) -> Iterator[list[str]]:
    """Turn whatever a damaged file makes pydicom raise into one line, and gather its warnings.

    Yields:
        A list that holds the warnings after the block. Quoted values are taken out of both: they may identify a person.
    """
    found: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield found
        except ReadError as error:
            if str(error).startswith(f"{where}: "):
                raise
            raise ReadError(str(error), where=where) from error
        except MemoryError as error:
            raise ReadError("there is not enough memory for its pixels", where=where) from error
        except Exception as error:
            raise ReadError(
                f"the DICOM data set is damaged or incomplete ({_reason(error)}); get the file anew", where=where
            ) from error
    for warning in caught:
        text = _without_values(str(warning.message))
        if text not in found:
            found.append(text)


def _reason(error: Exception) -> str:
    from pydicom.datadict import tag_for_keyword

    name = getattr(error, "name", None)  # of an AttributeError: the element that was asked for
    if isinstance(name, str) and tag_for_keyword(name) is not None:
        return f"{name} is missing"
    return _without_values(str(error))[:300] or type(error).__name__


def _without_values(text: str) -> str:
    """Return a message in one line, with everything that stands in quotes replaced."""
    return re.sub(r"(?<!\w)(['\"]).*?\1(?!\w)", "'…'", " ".join(text.split()))


def open_dataset(file: IO[bytes], where: str, *, pixels: bool = True) -> Any:
    """Return the data set (a pydicom FileDataset) with its transfer syntax, guessed where the file names none.

    Raises:
        ReadError: There is no data set to be read, or unpacking it would take too much memory.
    """
    import pydicom

    _check_deflated(file, where)
    dataset = pydicom.dcmread(file, force=True, stop_before_pixels=not pixels)
    if len(dataset) == 0:
        raise ReadError("no DICOM data set can be read from it, it may be cut short; get the file anew", where=where)
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = _guessed_syntax(dataset)
    return dataset


def _preamble(dataset: Any) -> str:
    return "present" if dataset.preamble else "missing"


def _check_deflated(file: IO[bytes], where: str) -> None:
    """Unpack a deflated data set piece by piece to learn its size, before pydicom unpacks it at once."""
    from pydicom.filereader import read_dataset

    head = file.read(132)
    file.seek(132 if head[128:132] == b"DICM" else 0)
    meta = read_dataset(
        file, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, vr, length: tag >> 16 != 2
    )
    if str(meta.get("TransferSyntaxUID", "")) == dicom_layout.DEFLATED:
        limit = 2 * MAX_FRAMES_TOGETHER * max_pixels()
        unpacker, total = zlib.decompressobj(-zlib.MAX_WBITS), 0
        packed = file.read()
        while packed and not unpacker.eof:
            total += len(unpacker.decompress(packed, 1 << 20))
            packed = unpacker.unconsumed_tail
            if total > limit:
                raise ReadError(f"it unpacks to more than {limit:,} bytes, which no picture needs", where=where)
    file.seek(0)


def _guessed_syntax(dataset: Any) -> str:
    implicit, little_endian = dataset.original_encoding
    if "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
        from pydicom.encaps import generate_fragments

        found = codestream.size_of(next(iter(generate_fragments(dataset.PixelData)), b""))
        if found is not None and found.marker in codestream.SYNTAXES:
            return codestream.SYNTAXES[found.marker]
    if implicit:
        return "1.2.840.10008.1.2"
    return "1.2.840.10008.1.2.1" if little_endian else "1.2.840.10008.1.2.2"
