"""What is known of MedMNIST's two-dimensional sets by their names: classes, kind of task, licence.

Source: J. Yang et al., MedMNIST v2, Scientific Data 10:41, 2023, and the set's own table (medmnist/info.py).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_BY = "CC BY 4.0"
_ORGANS = (
    "bladder", "femur-left", "femur-right", "heart", "kidney-left", "kidney-right", "liver", "lung-left", "lung-right",
    "pancreas", "spleen",
)  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What one set is.

    Attributes:
        classes: Names in the order of the numbers; of several labels the labels' names.
        licence: Terms of use.
        several: Whether a picture has several labels, each yes or no.
        ill: Of a set of two classes, the column that says who is ill, and the number that means it.
        warning: What a person should not overlook.
    """

    classes: tuple[str, ...]
    licence: str = _BY
    several: bool = False
    ill: tuple[str, int] | None = None
    warning: str = ""


SETS: dict[str, Facts] = {
    "pathmnist": Facts((
        "adipose", "background", "debris", "lymphocytes", "mucus", "smooth muscle", "normal colon mucosa",
        "cancer-associated stroma", "colorectal adenocarcinoma epithelium",
    )),
    "chestmnist": Facts(
        (
            "atelectasis", "cardiomegaly", "effusion", "infiltration", "mass", "nodule", "pneumonia", "pneumothorax",
            "consolidation", "edema", "emphysema", "fibrosis", "pleural", "hernia",
        ),
        several=True,
        warning="chestmnist's test part has 22,433 images and is not that of NIH ChestX-ray14 (25,596): figures of the "
        "one are not comparable with those of the other",
    ),
    "dermamnist": Facts(
        (
            "actinic keratoses and intraepithelial carcinoma", "basal cell carcinoma", "benign keratosis-like lesions",
            "dermatofibroma", "melanoma", "melanocytic nevi", "vascular lesions",
        ),
        licence="CC BY-NC 4.0",
        warning="dermamnist has pictures of the same lesions in train and test (Scientific Data 12:196, 2025, which "
        "publishes corrected sets): figures come out too good",
    ),
    "octmnist": Facts(("choroidal neovascularization", "diabetic macular edema", "drusen", "normal")),
    "pneumoniamnist": Facts(("normal", "pneumonia"), ill=("pneumonia", 1)),
    "retinamnist": Facts(("grade 0", "grade 1", "grade 2", "grade 3", "grade 4")),
    "breastmnist": Facts(
        ("malignant", "normal or benign"),
        ill=("malignant", 0),
        warning="breastmnist's label is 1 for normal or benign, the healthy: the column malignant is 1 for the ill",
    ),
    "bloodmnist": Facts((
        "basophil", "eosinophil", "erythroblast", "immature granulocytes", "lymphocyte", "monocyte", "neutrophil",
        "platelet",
    )),
    "tissuemnist": Facts((
        "collecting duct, connecting tubule", "distal convoluted tubule", "glomerular endothelial cells",
        "interstitial endothelial cells", "leukocytes", "podocytes", "proximal tubule segments", "thick ascending limb",
    )),
    "organamnist": Facts(_ORGANS),
    "organcmnist": Facts(_ORGANS),
    "organsmnist": Facts(_ORGANS),
}  # fmt: skip
"""By the name that a file begins with."""


def facts_of(path: Path) -> Facts | None:
    """Return what is known of a file by its name, `pathmnist.npz` or `pathmnist_224.npz`; None for another name.

    Of a set that somebody corrected (`dermamnist_corrected_28.npz`) the warning is left out.
    """
    match = re.fullmatch(r"([a-z]+mnist)((?:_\d+)?)((?:_.*)?)", path.stem.lower())
    found = SETS.get(match[1]) if match else None
    if match is None or found is None or not match[3] or found.ill:
        return found
    return Facts(found.classes, found.licence, found.several)
