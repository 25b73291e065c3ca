"""Data sets that hold each other's images are known by their names, both ways round; strangers are not."""

from __future__ import annotations

import pytest

from remedis.models.overlaps import OVERLAPS, known_as, overlap


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        ("rsna-pneumonia", "nih-cxr14", "RSNA pneumonia overlaps NIH ChestX-ray14"),
        ("SIIM-ACR Pneumothorax", "NIH ChestX-ray14", "SIIM-ACR pneumothorax overlaps"),
        ("nih_google", "ChestX-ray14", "NIH four findings (Google) overlaps"),
        ("patch_camelyon", "CAMELYON16", "PatchCamelyon overlaps CAMELYON16"),
        ("pcam", "CAMELYON16", "PatchCamelyon overlaps CAMELYON16"),
        ("CAMELYON16", "camelyon17", "CAMELYON16 overlaps CAMELYON17"),
        ("chestmnist_64", "nih-cxr14", "ChestMNIST overlaps NIH ChestX-ray14"),
        ("dermamnist", "HAM10000", "DermaMNIST overlaps HAM10000"),
        ("pathmnist", "NCT-CRC-HE-100K", "PathMNIST overlaps"),
        ("organmnist3d", "LiTS17", "OrganMNIST overlaps LiTS"),
        ("rsna-pneumonia", "chestmnist", "both are taken from NIH ChestX-ray14"),
        ("cxr-nih", "NIH ChestX-ray14", "both are NIH ChestX-ray14"),
        ("mimic-cxr-jpg", "MIMIC-CXR", "both are MIMIC-CXR"),
        ("our archive", "Our-Archive", "our archive and Our-Archive are one data set"),
    ],
)
def test_known_overlaps_are_said_both_ways(one: str, other: str, words: str) -> None:
    for found in (overlap(one, other), overlap(other, one)):
        assert found is not None
        assert words.lower() in found.lower() or "are one data set" in found


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("cxr-pneumonia", "nih-cxr14"), ("chexpert", "mimic-cxr-jpg"), ("pathmnist", "CAMELYON16"),
        ("chestmnist", "pneumoniamnist"), ("TCGA-BRCA", "CAMELYON17"), ("", ""), ("x", ""),
    ],
)  # fmt: skip
def test_strangers_are_strangers(one: str, other: str) -> None:
    assert overlap(one, other) is None
    assert overlap(other, one) is None


def test_every_line_of_the_table_can_be_met_by_the_names_in_it() -> None:
    for each in OVERLAPS:
        assert each.part in known_as(each.part), each.part
        assert each.whole in known_as(each.whole), each.whole
        assert each.how
        assert any(mark in each.source for mark in ("19", "20")), each.source
