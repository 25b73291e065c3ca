"""A phantom as a DICOM file: Computed Radiography Image (PS3.3 A.2), 12 bits, with its window."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ComputedRadiographyImageStorage, ExplicitVRLittleEndian

from remedis import __version__
from remedis.data.phantoms.acquisition import BITS, SITES, TOP
from remedis.data.phantoms.population import Exam
from remedis.data.phantoms.render import Phantom

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "remedis:phantoms")
STATEMENT = "SIMULATED: made by a program, there is no patient"


def data_set_of(phantom: Phantom) -> FileDataset:
    """Return the DICOM data set of a phantom, ready to save.

    Site B stores MONOCHROME1 (PS3.3 C.7.6.3.1.2): its stored values are 4095 minus those of the phantom, and the
    window's centre is 4096 minus its own, which makes the same picture (C.11.2.1.2.1).
    """
    exam = phantom.exam
    instance = _uid(f"image {exam.study_id} {len(phantom.stored)}")
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ComputedRadiographyImageStorage
    meta.MediaStorageSOPInstanceUID = instance
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    result = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    parts = (_identity(exam, instance), _patient(exam), _view(phantom), _pixels(phantom))
    for part in parts:
        for keyword, value in part.items():
            setattr(result, keyword, value)
    return result


def _uid(text: str) -> str:
    """Return a UID derived from a UUID (PS3.5 B.2), the same for the same text."""
    return f"2.25.{uuid.uuid5(_NAMESPACE, text).int}"


def _identity(exam: Exam, instance: str) -> dict[str, Any]:
    return {
        "SOPClassUID": ComputedRadiographyImageStorage,
        "SOPInstanceUID": instance,
        "StudyInstanceUID": _uid(f"study {exam.study_id}"),
        "SeriesInstanceUID": _uid(f"series {exam.study_id}"),
        "Modality": "CR",
        "StudyID": "",
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "AccessionNumber": "",
        "StudyDate": "",
        "StudyTime": "",
        "StudyDescription": STATEMENT,
        "SeriesDescription": STATEMENT,
        "ReferringPhysicianName": "",
        "Manufacturer": "remedis phantoms (no device)",
        "ManufacturerModelName": exam.patient.site,
        "SoftwareVersions": __version__,
    }


def _patient(exam: Exam) -> dict[str, Any]:
    patient = exam.patient
    return {
        "PatientName": f"SIMULATED^{patient.patient_id.removeprefix('SIMULATED-')}",
        "PatientID": patient.patient_id,
        "PatientBirthDate": "",
        "PatientSex": patient.sex,
        "PatientAge": f"{patient.age:03}Y",
        "PatientComments": STATEMENT,
        "PatientIdentityRemoved": "YES",
        "DeidentificationMethod": "None needed: simulated, there is no patient",
    }


def _view(phantom: Phantom) -> dict[str, Any]:
    spacing = [f"{phantom.pixel_mm:.6f}"] * 2
    return {
        "ImageType": ["DERIVED", "SECONDARY"],
        "DerivationDescription": STATEMENT,
        "ImageComments": STATEMENT,
        "QualityControlImage": "YES",  # PS3.3 C.7.6.1: a phantom image
        "BurnedInAnnotation": "YES",
        "BodyPartExamined": "CHEST",
        "ViewPosition": phantom.exam.projection,
        "PatientOrientation": ["L", "F"],
        "ImagerPixelSpacing": spacing,
        "PixelSpacing": spacing,
    }


def _pixels(phantom: Phantom) -> dict[str, Any]:
    size = len(phantom.stored)
    inverted = SITES[phantom.exam.patient.site].inverted
    centre, width = phantom.window
    values = TOP - phantom.stored if inverted else phantom.stored
    return {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME1" if inverted else "MONOCHROME2",
        "Rows": size,
        "Columns": size,
        "BitsAllocated": 16,
        "BitsStored": BITS,
        "HighBit": BITS - 1,
        "PixelRepresentation": 0,
        "WindowCenter": f"{TOP + 1 - centre if inverted else centre:g}",
        "WindowWidth": f"{width:g}",
        "VOILUTFunction": "LINEAR",
        "PixelData": np.ascontiguousarray(values, "<u2").tobytes(),
    }
