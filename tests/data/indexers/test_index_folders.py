"""What folder names say: classes and splits in either order, and no class where each folder is a patient."""

from __future__ import annotations

import pytest

from remedis.data.indexers.folders import read_folders

SPLITS = ("train", "validation", "test")


def test_class_folders_are_labels() -> None:
    found = read_folders(["cat/1.png", "cat/2.png", "dog/1.png"])
    assert (found.labels, found.splits, found.notes) == (["cat", "cat", "dog"], None, ())


@pytest.mark.parametrize("word", ["val", "VALID", "Validation", "dev"])
def test_split_folders_stand_above_or_below_classes(word: str) -> None:
    above = read_folders(["train/cat/1.png", f"{word}/dog/1.png", "Test/cat/3.png"])
    below = read_folders(["cat/train/1.png", f"dog/{word}/1.png", "cat/Test/3.png"])
    for found in (above, below):
        assert found.labels == ["cat", "dog", "cat"]
        assert found.splits == list(SPLITS)


def test_folders_that_only_hold_others_are_no_class() -> None:
    found = read_folders(["data/v1/train/cat/1.png", "data/v1/test/dog/2.png"])
    assert (found.labels, found.splits) == (["cat", "dog"], ["train", "test"])


def test_one_class_folder_is_none_and_one_part_is_no_split() -> None:
    assert read_folders(["cat/1.png", "cat/2.png"]).labels is None
    found = read_folders(["train/cat/1.png", "train/dog/2.png"])
    assert found.splits is None
    assert "are train: no split" in found.notes[0]


def test_flat_folders_say_nothing() -> None:
    found = read_folders(["1.png", "2.png"])
    assert (found.labels, found.splits, found.notes) == (None, None, ())


def test_images_beside_the_class_folders_have_no_label() -> None:
    found = read_folders(["cat/1.png", "dog/1.png", "logo.png"])
    assert found.labels == ["cat", "dog", None]
    assert found.notes == ("1 image lies in no class folder: the label is unknown",)


@pytest.mark.parametrize(
    "names",
    [
        [f"patient{number:05}/study{study}/view1.jpg" for number in range(3) for study in (1, 2)],
        [f"sub-{number:02}/scan.dcm" for number in range(5)],
        [f"{number}/image{view}.png" for number in range(1000, 1030) for view in range(30)],
        [f"{name}/1.png" for name in ("ab", "cd", "ef", "gh", "ij", "kl", "mn")
         for name in (name + "x", name + "y", name + "z", name + "w")],
    ],
)  # fmt: skip
def test_a_folder_a_patient_is_no_class_and_it_is_said(names: list[str]) -> None:
    found = read_folders(names)
    assert found.labels is None
    assert "look like one a patient" in found.notes[0]


def test_grades_and_many_classes_with_many_files_are_classes() -> None:
    grades = read_folders([f"{grade}/{number}.jpg" for grade in range(1, 11) for number in range(3)])
    assert grades.labels is not None
    assert len(set(grades.labels)) == 10
    species = [f"{name}{other}/{number}.jpg" for name in "abcdef" for other in "vwxyz" for number in range(12)]
    found = read_folders(species)
    assert found.labels is not None
    assert len(set(found.labels)) == 30
