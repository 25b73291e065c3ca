"""What a DICOM header says of a person is in no fact, no step and no error line, wherever in the header it stands."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from references.written_dicom import as_bytes, dicom_bytes, dicom_dataset
from remedis.data.readers import read_bytes
from remedis.errors import ReadError

PLANTED = {
    "PatientName": "DOE^JANE",
    "PatientID": "ID4711",
    "PatientBirthDate": "19610203",
    "StudyDate": "20190405",
    "SeriesDate": "20190405",
    "StudyTime": "101112.131415",
    "AccessionNumber": "ACC998877",
    "InstitutionName": "DOE^JANE HOSPITAL",
    "ReferringPhysicianName": "DOE^JANE",
    "OperatorsName": "DOE^JANE",
    "StudyDescription": "DOE^JANE",
    "PatientComments": "DOE^JANE",
    "StudyID": "DOE^JANE",
    "StudyInstanceUID": "1.2.4711.20190405",
    "DeviceSerialNumber": "ID4711",
}
SECRETS = ("DOE", "JANE", "4711", "19610203", "20190405", "998877", "101112")


def assert_silent(text: str) -> None:
    assert not [secret for secret in SECRETS if secret in text], text


@pytest.mark.parametrize("profile", ["dicom-display", "xrv", "cxr-foundation", "mimic-jpg", "remedis-cxr"])
def test_facts_and_steps_name_nobody(profile: str) -> None:
    image = read_bytes(dicom_bytes(np.arange(12, dtype=np.uint16).reshape(3, 4), 12, **PLANTED), "x", profile)
    assert_silent(repr(image.facts) + repr(image.steps) + repr(image))


NUMERIC = {
    "WindowCenter": "1234.567",
    "WindowWidth": "1234.567",
    "RescaleSlope": "1234.567",
    "RescaleIntercept": "1234.567",
    "NumberOfFrames": "12345678",
    "PixelSpacing": ["1234.567", "1234.567"],
    "ImagerPixelSpacing": ["1234.567", "1234.567"],
    "PhotometricInterpretation": "MONOCHROME2 ",
    "VOILUTFunction": "12345678",
    "StudyInstanceUID": "1.2.3.45",
    "SOPClassUID": "1.2.3.45",
    "BodyPartExamined": "12345678",
    "ViewPosition": "12345678",
    "ImageLaterality": "12345678",
    "BurnedInAnnotation": "12345678",
    "PatientAge": "12345678",
}


@pytest.mark.parametrize("keyword", NUMERIC)
@pytest.mark.parametrize("name", [b"DOE^JANE", b"D'E^JANE", b'D"E^JANE'])
def test_a_name_in_the_place_of_a_number_is_not_repeated(keyword: str, name: bytes) -> None:
    words = {"RescaleSlope": "1", "RescaleIntercept": "0", "WindowCenter": "5", "WindowWidth": "9"}
    dataset = dicom_dataset(np.arange(12, dtype=np.uint16).reshape(3, 4), 12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for word, value in (words | {keyword: NUMERIC[keyword]}).items():
            setattr(dataset, word, value)
        data = as_bytes(dataset)
    planted = data.replace(b"1234.567", name).replace(b"12345678", name).replace(b"1.2.3.45", name)
    if keyword == "PhotometricInterpretation":
        planted = planted.replace(b"MONOCHROME2 ", name + b"^MRS")
    assert planted != data
    try:
        image = read_bytes(planted, "x")
    except ReadError as error:
        assert_silent(str(error))
    else:
        assert_silent(repr(image.facts) + repr(image.steps))
