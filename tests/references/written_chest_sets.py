"""Tiny copies of chest data sets as they are published: the layouts, headers and oddities of the real releases.

Every table is written out here as its data set's page and paper describe it, none by our own code.
"""

from __future__ import annotations

import gzip
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from references.written_dicom import as_bytes, dicom_dataset

CHEXPERT_HEADER = (
    "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,"
    "Edema,Consolidation,Pneumonia,Atelectasis,Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices"
)
CHEXPERT_COLUMNS = (
    "no_finding", "enlarged_cardiomediastinum", "cardiomegaly", "lung_opacity", "lung_lesion", "edema",
    "consolidation", "pneumonia", "atelectasis", "pneumothorax", "pleural_effusion", "pleural_other", "fracture",
    "support_devices",
)  # fmt: skip
# labels: a normal study with a device; an uncertain one; only blanks
_NORMAL = "1.0,,,,,,,,,,0.0,,,1.0"
_DOUBT = ",,-1.0,1.0,,-1.0,0.0,,1.0,,-1.0,,,"
_BLANK = ",,,,,,,,,,,,,"
_PLAIN = ",,0.0,,,,,,1.0,,,,,"
CHEXPERT_TRAIN = [  # path without the release's name, then the cells
    ("train/patient00001/study1/view1_frontal.jpg", "Female,68,Frontal,AP", _NORMAL),
    ("train/patient00002/study2/view1_frontal.jpg", "Female,87,Frontal,AP", _DOUBT),
    ("train/patient00002/study1/view1_frontal.jpg", "Female,83,Frontal,AP", _PLAIN),
    ("train/patient00002/study1/view2_lateral.jpg", "Female,83,Lateral,", _PLAIN),
    ("train/patient00003/study1/view1_frontal.jpg", "Male,41,Frontal,PA", _BLANK),
    ("train/patient00004/study1/view1_frontal.jpg", "Male,0,Frontal,LL", _PLAIN),
    ("train/patient00004/study1/view2_lateral.jpg", "Male,0,Lateral,", _PLAIN),
    ("train/patient00005/study1/view1_frontal.jpg", "Unknown,90,Frontal,RL", _DOUBT),
    ("train/patient00006/study1/view1_frontal.jpg", "Male,33,Frontal,PA", _NORMAL),
    ("train/patient00006/study2/view1_frontal.jpg", "Male,33,Frontal,AP", _DOUBT),
    ("train/patient00006/study3/view1_frontal.jpg", "Male,34,Frontal,AP", _PLAIN),
    ("train/patient00007/study1/view1_frontal.jpg", "Female,90,Frontal,AP", _PLAIN),
    ("train/patient00008/study1/view1_frontal.jpg", "Female,55,Frontal,AP", _PLAIN),
]
_READ = "0.0,0.0,1.0,1.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,0.0,0.0,0.0"
CHEXPERT_VALID = [
    ("valid/patient64541/study1/view1_frontal.jpg", "Male,73,Frontal,AP", _READ),
    ("valid/patient64541/study1/view2_lateral.jpg", "Male,73,Lateral,", _READ),
    ("valid/patient64542/study1/view1_frontal.jpg", "Female,70,Frontal,PA", "1.0" + ",0.0" * 13),
]
CHEXPERT_TEST_HEADER = (
    "Path,Enlarged Cardiomediastinum,Cardiomegaly,Lung Opacity,Lung Lesion,Edema,Consolidation,Pneumonia,Atelectasis,"
    "Pneumothorax,Pleural Effusion,Pleural Other,Fracture,Support Devices,No Finding"
)
CHEXPERT_TEST = [
    ("test/patient64741/study1/view1_frontal.jpg", "0,1,1,0,1,0,0,0,0,1,0,0,1,0"),
    ("test/patient64741/study1/view2_lateral.jpg", "0,1,1,0,1,0,0,0,0,1,0,0,1,0"),
    ("test/patient64742/study1/view1_frontal.jpg", "0,0,0,0,0,0,0,0,0,0,0,0,0,1"),
]


def picture(path: Path, size: tuple[int, int] = (8, 6), mode: str = "L") -> Path:
    """Write a picture of (width, height) pixels of noise that its path decides."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(zlib.crc32("/".join(path.parts[-4:]).encode()))
    shape = (size[1], size[0], 4) if mode == "RGBA" else (size[1], size[0])
    kind = np.uint16 if mode == "I;16" else np.uint8
    Image.fromarray(noise.integers(0, np.iinfo(kind).max, shape, kind)).save(path)
    return path


def lines(path: Path, *texts: str) -> Path:
    """Write a table, packed where its name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = ("\n".join(texts) + "\n").encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def chexpert(folder: Path, release: str = "CheXpert-v1.0-small") -> Path:
    """Write CheXpert with train.csv and valid.csv whose paths begin with the name of the release."""
    for name, rows in (("train.csv", CHEXPERT_TRAIN), ("valid.csv", CHEXPERT_VALID)):
        lines(folder / name, CHEXPERT_HEADER, *(f"{release}/{path},{who},{found}" for path, who, found in rows))
        for path, _, _ in rows:
            picture(folder / path)
    return folder


def chexpert_test(folder: Path, prefix: str = "") -> Path:
    """Add the test part, which was published later: paths and labels alone, No Finding last, whole numbers."""
    lines(folder / "test.csv", CHEXPERT_TEST_HEADER, *(f"{prefix}{path},{found}" for path, found in CHEXPERT_TEST))
    for path, _ in CHEXPERT_TEST:
        picture(folder / path)
    return folder


MIMIC_FINDINGS = (
    "Atelectasis,Cardiomegaly,Consolidation,Edema,Enlarged Cardiomediastinum,Fracture,Lung Lesion,Lung Opacity,"
    "No Finding,Pleural Effusion,Pleural Other,Pneumonia,Pneumothorax,Support Devices"
)
MIMIC_METADATA = [  # dicom_id, subject_id, study_id, procedure, view, rows, columns, date, time, three code meanings
    'a-1,10000032,50414267,CHEST (PA AND LAT),PA,3056,2544,21800506,213014.531,"CHEST (PA AND LAT)",'
    "postero-anterior,Erect",
    "a-2,10000032,50414267,CHEST (PA AND LAT),LATERAL,3056,2544,21800506,213014.531,CHEST (PA AND LAT),lateral,Erect",
    "a-3,10000032,50414267,CHEST (PA AND LAT),LL,3056,2544,21800506,213014.531,CHEST (PA AND LAT),left lateral,Erect",
    "b-1,10000032,53189527,CHEST (PORTABLE AP),AP,2705,2539,21800626,93012.0,CHEST (PORTABLE AP),antero-posterior,",
    "c-1,11000011,51029426,CHEST (PORTABLE AP),,2022,1736,21510104,712.0,CHEST (PORTABLE AP),,Recumbent",
    "d-1,11000566,52401526,CHEST (PORTABLE AP),AP,1024,2048,21320601,,CHEST (PORTABLE AP),antero-posterior,",
]
MIMIC_SPLIT = [
    "a-1,50414267,10000032,train", "a-2,50414267,10000032,train", "a-3,50414267,10000032,train",
    "b-1,53189527,10000032,train", "c-1,51029426,11000011,validate", "d-1,52401526,11000566,test",
]  # fmt: skip
MIMIC_CHEXPERT = [  # 53189527 is not in it
    "10000032,50414267,,-1.0,0.0,,,,,1.0,,,,-1.0,,",
    "11000011,51029426,,,,,,,,,1.0,,,,,1.0",
    "11000566,52401526,1.0,,,,,,,,,,,,,",
]


def mimic(folder: Path, ending: str = ".csv.gz") -> Path:
    """Write MIMIC-CXR-JPG 2.0.0: two groups of patients, a study of three images, one that CheXpert did not label."""
    codes = "ProcedureCodeSequence_CodeMeaning,ViewCodeSequence_CodeMeaning,PatientOrientationCodeSequence_CodeMeaning"
    header = f"dicom_id,subject_id,study_id,PerformedProcedureStepDescription,ViewPosition,Rows,Columns,StudyDate,StudyTime,{codes}"  # noqa: E501  # as it is
    lines(folder / f"mimic-cxr-2.0.0-metadata{ending}", header, *MIMIC_METADATA)
    lines(folder / f"mimic-cxr-2.0.0-split{ending}", "dicom_id,study_id,subject_id,split", *MIMIC_SPLIT)
    lines(folder / f"mimic-cxr-2.0.0-chexpert{ending}", f"subject_id,study_id,{MIMIC_FINDINGS}", *MIMIC_CHEXPERT)
    negbio = "10000032,50414267,1.0,,,,,,,,,,,,,"
    lines(folder / f"mimic-cxr-2.0.0-negbio{ending}", f"subject_id,study_id,{MIMIC_FINDINGS}", negbio)
    for path in (
        "p10/p10000032/s50414267/a-1", "p10/p10000032/s50414267/a-2", "p10/p10000032/s50414267/a-3",
        "p10/p10000032/s53189527/b-1", "p11/p11000011/s51029426/c-1", "p11/p11000566/s52401526/d-1",
    ):  # fmt: skip
        picture(folder / f"files/{path}.jpg")
    return folder


def mimic_test_labels(folder: Path) -> Path:
    """Add version 2.1.0's labels by hand: no subject_id, and Airspace Opacity for Lung Opacity."""
    findings = MIMIC_FINDINGS.replace("Lung Opacity", "Airspace Opacity")
    row = "52401526,0,-1,,,,,,1,,,,,,"
    return lines(folder / "mimic-cxr-2.1.0-test-set-labeled.csv", f"study_id,{findings}", row)


NIH_HEADER = (
    "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
    "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y]"
)
NIH_ROWS = [
    "00000001_000.png,Cardiomegaly,0,1,57,M,PA,2682,2749,0.143,0.143",
    "00000001_001.png,Cardiomegaly|Emphysema,1,1,58,M,PA,2894,2729,0.143,0.143",
    "00000002_000.png,No Finding,0,2,80,M,PA,2500,2048,0.171,0.171",
    "00000003_000.png,Infiltration,0,3,74,F,AP,2500,2048,0.168,0.168",
    "00000003_002.png,Pleural_Thickening|Infiltration,2,3,75,F,PA,2048,2500,0.168,0.168",
    "00000004_000.png,Hernia,0,4,82,F,AP,2500,2048,0.168,0.168",
]


def nih(folder: Path, *, old: bool = False) -> Path:
    """Write ChestX-ray14 as its boxes of archives unpack; the older table ends lines in a comma and has odd ages."""
    if old:
        rows = [f"{row}," for row in NIH_ROWS]
        rows[2] = rows[2].replace(",80,", ",412,")
        lines(folder / "Data_Entry_2017.csv", f"{NIH_HEADER},", *rows)
    else:
        lines(folder / "Data_Entry_2017_v2020.csv", NIH_HEADER, *NIH_ROWS)
    lines(folder / "BBox_List_2017.csv", "Image Index,Finding Label,Bbox [x,y,w,h],,,",
          "00000003_000.png,Infiltrate,225.08,547.01,86.7,79.5,,,")  # fmt: skip
    lines(folder / "train_val_list.txt", "00000001_000.png", "00000001_001.png", "00000002_000.png", "00000004_000.png")
    lines(folder / "test_list.txt", "00000003_000.png", "00000003_002.png")
    for row in NIH_ROWS[:4]:
        name = row.partition(",")[0]
        picture(folder / "images_001/images" / name, mode="RGBA" if name == "00000002_000.png" else "L")
    picture(folder / "images_002/images/00000003_002.png")
    picture(folder / "images/00000004_000.png")
    return folder


VINDR_FINDINGS = (
    "Aortic enlargement,Atelectasis,Calcification,Cardiomegaly,Clavicle fracture,Consolidation,Edema,Emphysema,"
    "Enlarged PA,ILD,Infiltration,Lung Opacity,Lung cavity,Lung cyst,Mediastinal shift,Nodule/Mass,Pleural effusion,"
    "Pleural thickening,Pneumothorax,Pulmonary fibrosis,Rib fracture,Other lesion,COPD,Lung tumor,Pneumonia,"
    "Tuberculosis,Other diseases,No finding"
)


def _vindr_row(*names: str) -> str:
    return ",".join(str(int(name in names)) for name in VINDR_FINDINGS.split(","))


def a_dicom(path: Path, **elements: Any) -> Path:
    """Write a DICOM radiograph of 5 x 4 pixels of noise that its name decides."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(zlib.crc32(path.name.encode()))
    with warnings.catch_warnings(action="ignore"):  # pydicom dislikes the ages of the RSNA challenge
        data = as_bytes(dicom_dataset(noise.integers(0, 4096, (4, 5), np.uint16), 12, **elements))
    path.write_bytes(data)
    return path


def vindr(folder: Path) -> Path:
    """Write VinDr-CXR 1.0.0: three readers an image who disagree, a consensus for the test part."""
    train = [
        "aaa,R8," + _vindr_row("Cardiomegaly", "Aortic enlargement"),
        "aaa,R9," + _vindr_row("Cardiomegaly"),
        "aaa,R10," + _vindr_row("No finding"),
        "bbb,R8," + _vindr_row("No finding"),
        "bbb,R1," + _vindr_row("No finding"),
        "bbb,R2," + _vindr_row("Nodule/Mass", "Other diseases"),
    ]
    lines(folder / "annotations/image_labels_train.csv", f"image_id,rad_id,{VINDR_FINDINGS}", *train)
    test = f"image_id,{VINDR_FINDINGS}".replace("Other diseases", "Other disease")
    lines(folder / "annotations/image_labels_test.csv", test, "ccc," + _vindr_row("Cardiomegaly", "Other diseases"))
    for name in ("train/aaa", "train/bbb", "test/ccc"):
        a_dicom(folder / f"{name}.dicom", PatientSex="F", PatientAge="045Y")
    return folder


def vindr_kaggle(folder: Path) -> Path:
    """Write Kaggle's twin: a row for each box, empty boxes for No finding, images without labels in test."""
    lines(
        folder / "train.csv", "image_id,class_name,class_id,rad_id,x_min,y_min,x_max,y_max",
        "aaa,Cardiomegaly,3,R8,691.0,1375.0,1653.0,1831.0",
        "aaa,Aortic enlargement,0,R8,1264.0,743.0,1611.0,1019.0",
        "aaa,Cardiomegaly,3,R9,691.0,1375.0,1653.0,1831.0",
        "aaa,Cardiomegaly,3,R9,700.0,1380.0,1640.0,1822.0",
        "aaa,No finding,14,R10,,,,",
        "bbb,No finding,14,R11,,,,",
        "bbb,No finding,14,R7,,,,",
        "bbb,Nodule/Mass,8,R10,1857.0,1607.0,2126.0,2036.0",
    )  # fmt: skip
    for name in ("train/aaa", "train/bbb", "test/zzz"):
        a_dicom(folder / f"{name}.dicom")
    return folder


RSNA_KEYS = ("0004cfab-14fd", "00436515-870c", "000db696-cf54", "00313ee0-9eaa")


def rsna(folder: Path) -> Path:
    """Write stage 2 of the challenge: two boxes in one image, all three classes, test images without labels."""
    healthy, boxed, other, normal = RSNA_KEYS
    lines(
        folder / "stage_2_train_labels.csv", "patientId,x,y,width,height,Target",
        f"{healthy},,,,,0", f"{boxed},264.0,152.0,213.0,379.0,1", f"{boxed},562.0,152.0,256.0,453.0,1",
        f"{other},,,,,0", f"{normal},,,,,0",
    )  # fmt: skip
    lines(
        folder / "stage_2_detailed_class_info.csv", "patientId,class",
        f"{healthy},No Lung Opacity / Not Normal", f"{boxed},Lung Opacity", f"{boxed},Lung Opacity",
        f"{other},Normal", f"{normal},Normal",
    )  # fmt: skip
    for number, key in enumerate(RSNA_KEYS):
        view = "PA" if number % 2 else "AP"
        header = {"PatientID": key, "PatientSex": "M", "PatientAge": "51", "ViewPosition": view}
        a_dicom(folder / f"stage_2_train_images/{key}.dcm", **header)
    a_dicom(folder / "stage_2_test_images/0000a175-0e68.dcm")
    return folder


PADCHEST_HEADER = (
    ",ImageID,ImageDir,StudyDate_DICOM,StudyID,PatientID,PatientBirth,PatientSex_DICOM,ViewPosition_DICOM,Projection,"
    "MethodProjection,Pediatric,Modality_DICOM,ReportID,Report,MethodLabel,Labels,Localizations,"
    "LabelsLocalizationsBySentence,labelCUIS,LocalizationsCUIS"
)
PADCHEST_ROWS = [
    "0,20536686640136348236148679891455886468_k6ga29.png,0,20140915,2053,839860488694292331637988235681460987,1930.0,"
    'F,POSTEROANTERIOR,PA,Manual review of DICOM fields,No,CR,4765777,"sin hallazgos, control",Physician,'
    "\"['pulmonary fibrosis', ' pneumonia', 'pneumonia']\",\"['loc basal']\",\"[['pneumonia', ['loc basal']]]\","
    "['C0034069' 'C0032285'],[]",
    "1,135803415504923515076821959678074435083_fzis7b.png,54,20150914,1358,313572750430997347502932654319389875966,"
    "1929.0,M,ANTEROPOSTERIOR,AP_horizontal,Manual review of DICOM fields,No,DX,4991845,texto,RNN_model,"
    '"[\'atypical pneumonia\', ""fibrotic band""]",[],[],[],[]',
    "2,113855343774216031107737439268243531979_3k951l.png,0,20150831,1138,50783093527901818115970441183967159682,"
    "1962.0,F,LATERAL,L,Manual review of DICOM fields,No,CR,4979820,,Physician,,,,,",
    "3,short.png,0,20150831,1138,50783093527901818115970441183967159682,2016.0,O,LATERAL,L,Manual,No,CR,1,x,"
    "Physician,['normal'],[],[],[],[]",
]


def padchest(folder: Path) -> Path:
    """Write PadChest: lists as text, an empty list of labels, 16-bit PNG files of which one is cut short."""
    lines(folder / "PADCHEST_chest_x_ray_images_labels_160K_01.02.19.csv", PADCHEST_HEADER, *PADCHEST_ROWS)
    for row in PADCHEST_ROWS:
        _, name, number = row.split(",")[:3]
        picture(folder / number / name, mode="I;16")
    cut = folder / "0/short.png"
    cut.write_bytes(cut.read_bytes()[:-7])
    return folder
