"""Small DICOM files for tests, written by pydicom element by element."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

DIGITAL_X_RAY = "1.2.840.10008.5.1.4.1.1.1.1"


def dicom_dataset(
    pixels: npt.NDArray[Any],
    bits: int,
    *,
    signed: bool = False,
    photometric: str = "MONOCHROME2",
    syntax: str = ExplicitVRLittleEndian,
    frames: int | None = None,
    **elements: Any,
) -> FileDataset:
    """A data set that holds (…, H, W) or (…, H, W, 3) values, and further elements by keyword."""
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = syntax
    meta.MediaStorageSOPClassUID = DIGITAL_X_RAY
    meta.MediaStorageSOPInstanceUID = "1.2.826.0.1.3680043.8.498.1"
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.Modality = "DX"
    colour = photometric not in ("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR")
    dataset.Rows, dataset.Columns = pixels.shape[-3:-1] if colour else pixels.shape[-2:]
    dataset.SamplesPerPixel = 3 if colour else 1
    if colour:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = 8 * pixels.dtype.itemsize
    dataset.BitsStored, dataset.HighBit = bits, bits - 1
    dataset.PixelRepresentation = int(signed)
    if frames is not None:
        dataset.NumberOfFrames = frames
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    dataset.add_new(0x7FE00010, "OB" if pixels.dtype.itemsize == 1 else "OW", pixels.tobytes())
    return dataset


def as_bytes(dataset: FileDataset) -> bytes:
    """The file."""
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def dicom_bytes(pixels: npt.NDArray[Any], bits: int, **rest: Any) -> bytes:
    """The file of `dicom_dataset`."""
    return as_bytes(dicom_dataset(pixels, bits, **rest))


def lut_item(entries: Sequence[int], first: int, bits: int, *, count: int | None = None) -> Dataset:
    """An item of a LUT sequence; 8-bit entries two in a word, as PS3.3 C.11.1.1.1 has it."""
    item = Dataset()
    descriptor = [len(entries) % 65536 if count is None else count, first, bits]
    item.add_new(0x00283002, "SS" if first < 0 else "US", descriptor)
    data = np.asarray(entries, "<u1" if bits == 8 else "<u2").tobytes()
    item.add_new(0x00283006, "OW", data + b"\0" * (len(data) % 2))
    return item
