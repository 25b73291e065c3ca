"""Which public data sets are, hold or are made of each other's images, so that one is no test of the other."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Overlap:
    """A data set whose images, or whose patients, are those of another one.

    Attributes:
        part: The data set that is taken from the other.
        whole: The one that it is taken from.
        how: What was taken, in a sentence without its subject.
        source: Where that is said.
    """

    part: str
    whole: str
    how: str
    source: str


_SPELLINGS: dict[str, tuple[str, ...]] = {
    # Letters and digits of the names that people give them; a name that holds one of these means that data set.
    "NIH ChestX-ray14": ("nihchestxray", "chestxray14", "chestxray8", "nihcxr", "cxrnih", "nih14"),
    "RSNA pneumonia": ("rsnapneumonia", "rsnacxr", "cxrrsna"),
    "SIIM-ACR pneumothorax": ("siimacr", "siimpneumothorax", "siimcxr"),
    "NIH four findings (Google)": ("nihgoogle", "googlenih", "nihrelabel", "nihfourfindings"),
    "COVID-19 Radiography Database": ("covid19radiography", "covidradiography"),
    "Kermany chest X-rays": ("kermanychest", "kermanycxr", "chestxraypneumonia", "zhanglabchest"),
    "Kermany OCT": ("kermanyoct", "oct2017"),
    "MIMIC-CXR": ("mimiccxr",),
    "CheXpert": ("chexpert",),
    "CheXphoto": ("chexphoto",),
    "PadChest": ("padchest",),
    "BRAX": ("brax",),
    "TCGA": ("tcga", "thecancergenomeatlas"),
    "PatchCamelyon": ("patchcamelyon", "pcam"),
    "CAMELYON16": ("camelyon16",),
    "CAMELYON17": ("camelyon17",),
    "NCT-CRC-HE-100K": ("nctcrche", "crcvalhe"),
    "HAM10000": ("ham10000",),
    "ISIC": ("isic",),
    "LiTS": ("lits17", "livertumorsegmentation", "litschallenge"),
    "BUSI": ("busi", "breastultrasoundimages"),
    "DeepDRiD": ("deepdrid",),
    "ChestMNIST": ("chestmnist",),
    "PneumoniaMNIST": ("pneumoniamnist",),
    "OCTMNIST": ("octmnist",),
    "DermaMNIST": ("dermamnist",),
    "PathMNIST": ("pathmnist",),
    "OrganMNIST": ("organmnist", "organamnist", "organcmnist", "organsmnist"),
    "BreastMNIST": ("breastmnist",),
    "RetinaMNIST": ("retinamnist",),
}

_RSNA = "Shih et al., Radiology: Artificial Intelligence 1:e180041 (2019)"
_MEDMNIST = "Yang et al., Scientific Data 10:41 (2023)"
_COVID = "Rahman et al., Computers in Biology and Medicine 132:104319 (2021)"

OVERLAPS: tuple[Overlap, ...] = (
    Overlap("RSNA pneumonia", "NIH ChestX-ray14", "its frames are frames of ChestX-ray14, read anew", _RSNA),
    Overlap(
        "SIIM-ACR pneumothorax", "NIH ChestX-ray14", "its frames are frames of ChestX-ray14, read anew",
        "Filice et al., Journal of Digital Imaging 33:490 (2020)",
    ),
    Overlap(
        "NIH four findings (Google)", "NIH ChestX-ray14", "its labels are of frames of ChestX-ray14",
        "Majkowska et al., Radiology 294:421 (2020)",
    ),
    Overlap("COVID-19 Radiography Database", "RSNA pneumonia", "its normal adults are from there", _COVID),
    Overlap("COVID-19 Radiography Database", "NIH ChestX-ray14", "its normal adults are frames of it, by RSNA", _COVID),
    Overlap("COVID-19 Radiography Database", "Kermany chest X-rays", "its viral pneumonias are from there", _COVID),
    Overlap(
        "CheXphoto", "CheXpert", "its pictures are photographs of CheXpert's",
        "Phillips et al., Machine Learning for Health, PMLR 136 (2020)",
    ),
    Overlap(
        "PatchCamelyon", "CAMELYON16", "its patches are cut from those slides",
        "Veeling et al., MICCAI 2018, arXiv:1806.03962",
    ),
    Overlap(
        "CAMELYON16", "CAMELYON17", "its two hospitals are among the five of CAMELYON17",
        "Litjens et al., GigaScience 7:giy065 (2018)",
    ),
    Overlap(
        "HAM10000", "ISIC", "it is the training set of ISIC 2018", "Tschandl et al., Scientific Data 5:180161 (2018)"
    ),
    Overlap("ChestMNIST", "NIH ChestX-ray14", "its pictures are frames of it, made small", _MEDMNIST),
    Overlap("PneumoniaMNIST", "Kermany chest X-rays", "its pictures are those, made small", _MEDMNIST),
    Overlap("OCTMNIST", "Kermany OCT", "its pictures are those, made small", _MEDMNIST),
    Overlap("DermaMNIST", "HAM10000", "its pictures are those, made small", _MEDMNIST),
    Overlap("PathMNIST", "NCT-CRC-HE-100K", "its pictures are those, made small", _MEDMNIST),
    Overlap("OrganMNIST", "LiTS", "its pictures are cut from those volumes", _MEDMNIST),
    Overlap("BreastMNIST", "BUSI", "its pictures are those, made small", _MEDMNIST),
    Overlap("RetinaMNIST", "DeepDRiD", "its pictures are those, made small", _MEDMNIST),
)  # fmt: skip

FOREIGN: dict[str, tuple[tuple[str, ...], str]] = {
    # Encoders of others: letters and digits of their names, what they have learnt from, where that is said.
    "raddino": (
        ("MIMIC-CXR", "CheXpert", "NIH ChestX-ray14", "PadChest", "BRAX"),
        "Pérez-García et al., arXiv:2401.10815, which lists its training images",
    ),
    "pathfoundation": (("TCGA",), "Lai et al., arXiv:2310.13259"),
}


def bare(name: str) -> str:
    """Return a name's letters and digits in lower case, by which names are compared."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def known_as(name: str) -> tuple[str, ...]:
    """Return the public data sets that a name means: `nih-cxr14` is NIH ChestX-ray14."""
    letters = bare(name)
    return tuple(
        known
        for known, spellings in _SPELLINGS.items()
        if letters == bare(known) or any(each in letters for each in spellings)
    )


def overlap(one: str, other: str) -> str | None:
    """Return how two data sets share images or patients, a sentence with its source; None where nothing is known.

    Args:
        one: The name that a manifest or an encoder gives its data set.
        other: Another one.
    """
    if bare(one) == bare(other) and bare(one):
        return f"{one} and {other} are one data set" if one != other else f"both are {one}"
    ours, theirs = known_as(one), known_as(other)
    same = [name for name in ours if name in theirs]
    if same:
        return f"both are {same[0]}"
    for each in OVERLAPS:
        for part, whole in ((ours, theirs), (theirs, ours)):
            if each.part in part and each.whole in whole:
                return f"{each.part} overlaps {each.whole}: {each.how} ({each.source})"
    wholes = {each.whole for each in OVERLAPS if each.part in ours} & {
        each.whole for each in OVERLAPS if each.part in theirs
    }
    return f"both are taken from {min(wholes)}" if wholes else None
