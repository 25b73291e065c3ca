"""What is told about a DICOM file besides its pixels: nobody's name, no date, no identifier."""

from __future__ import annotations

import re
from typing import Any

from remedis.data.dicom_meaning import group, of_windows

_WORDS = {
    "modality": "Modality",
    "body_part": "BodyPartExamined",
    "view": "ViewPosition",
    "manufacturer": "Manufacturer",
    "presentation_intent": "PresentationIntentType",
    "presentation_lut_shape": "PresentationLUTShape",
    "burned_in_annotation": "BurnedInAnnotation",
    "photometric": "PhotometricInterpretation",
}


_CODE = re.compile(r"[A-Z0-9_ ]{1,16}")
"""Value representation CS (PS3.5 6.2)."""


def of(dataset: Any, frame: int) -> dict[str, Any]:
    """Return facts as plain values, of `frame` where frames differ, without what the file does not say."""
    facts: dict[str, Any] = {"format": "DICOM"}
    if "SOPClassUID" in dataset:
        facts["sop_class"] = uid_name(dataset.SOPClassUID)
    facts["transfer_syntax"] = uid_name(dataset.file_meta.TransferSyntaxUID)
    facts |= {name: word for name, keyword in _WORDS.items() if (word := _word(dataset, keyword))}
    laterality = _word(dataset, "ImageLaterality") or _word(dataset, "Laterality")
    if laterality:
        facts["laterality"] = laterality
    facts |= _transformations(dataset, frame)
    spacing = _spacing(dataset, frame)
    if spacing:
        facts["spacing_mm"], facts["spacing_from"] = spacing
    overlays = sum(1 for first in range(0x6000, 0x6020, 2) if (first, 0x3000) in dataset)
    if overlays:
        facts["overlays"] = f"{overlays}, not drawn"
    if dataset.get("LossyImageCompression") == "01":
        facts["lossy"] = True
    if "ICCProfile" in dataset:
        facts["icc_profile"] = "present, not applied"
    return facts


def uid_name(uid: Any) -> str:
    """Return the standard's name for a UID; one that it does not name is not repeated, it may be an identifier."""
    from pydicom.uid import UID, UID_dictionary

    text = str(uid)
    return UID(text).name if text in UID_dictionary else "not named by the standard"


def _word(dataset: Any, keyword: str) -> str:
    """Return an element's value; nothing for a code with letters that no code has: it may be a name out of place."""
    word = str(dataset.get(keyword) or "")
    if keyword != "Manufacturer" and not _CODE.fullmatch(word):
        return ""
    return word


def _transformations(dataset: Any, frame: int) -> dict[str, Any]:
    transform = group(dataset, frame, "PixelValueTransformationSequence")
    voi = group(dataset, frame, "FrameVOILUTSequence")
    facts: dict[str, Any] = {}
    if transform.get("RescaleSlope") is not None and transform.get("RescaleIntercept") is not None:
        facts["rescale"] = [float(transform.RescaleSlope), float(transform.RescaleIntercept)]
    windows = of_windows(voi)
    if windows:
        facts["windows"] = [[float(centre), float(width)] for centre, width in windows]
        facts["voi_function"] = str(voi.get("VOILUTFunction", "") or "LINEAR")
    for name, where, keyword in (
        ("modality_luts", dataset, "ModalityLUTSequence"),
        ("voi_luts", voi, "VOILUTSequence"),
    ):
        if where.get(keyword):
            facts[name] = len(where.get(keyword))
    if dataset.get("PixelPaddingValue") not in (None, ""):
        facts["padding_value"] = int(dataset.PixelPaddingValue)
    return facts


def _spacing(dataset: Any, frame: int) -> tuple[tuple[float, float], str] | None:
    """Return (between rows, between columns) and its element: in the patient, else at the detector."""
    measures = group(dataset, frame, "PixelMeasuresSequence")
    for source, keyword in (
        (measures, "PixelSpacing"),
        (dataset, "ImagerPixelSpacing"),
        (dataset, "NominalScannedPixelSpacing"),
    ):
        value = source.get(keyword)
        if value is not None and not isinstance(value, str) and len(value) == 2:
            return (float(value[0]), float(value[1])), keyword
    return None
