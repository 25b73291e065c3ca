"""How many images and patients a study's figures stand on, in words: ranges where labels or repetitions differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from remedis.report.numbers import counted
from remedis.report.study_folder import StudyFolder
from remedis.report.study_names import Names, listed


@dataclass(frozen=True)
class Size:
    """How many rows of a part are used for a label.

    Attributes:
        label: The label.
        repeat: The repetition.
        images: How many.
        patients: Whose they are.
    """

    label: str
    repeat: int
    images: int
    patients: int


def people(images: int, patients: int, units: str) -> str:
    """Return `27 images of 17 patients`; `27 images` where the units are images, as no patient is known."""
    return ranged([images], "images") + ("" if units == "images" else f" of {ranged([patients], 'patients')}")


def ranged(values: Iterable[int], noun: str) -> str:
    """Return `18 images`, or `18 to 20 images` where the values differ."""
    ends = sorted(set(values))
    return counted(ends[0], noun) if len(ends) == 1 else f"{ends[0]:,} to {counted(ends[-1], noun)}"


def images_tested(study: StudyFolder, data_set: str, of: str = "") -> str:
    """Return `18 to 20 images of 14 patients (by label)`: what the figures of a data set stand on; empty of none.

    Args:
        study: The opened study.
        data_set: As typed.
        of: Stands before the bracket.
    """
    rows = [row for row in study.tables["curves"] if row["dataset"] == data_set]
    sizes = [Size(row["label"], row.get("repeat") or 0, row["n"], row["n_patients"]) for row in rows]
    return _words(sizes, study.units(data_set), of)


def part_words(study: StudyFolder, data_set: str) -> dict[str, str]:
    """Return the parts of a data set that are used, with their rows that have a label, as far as the folder tells."""
    learnt = [row for row in study.tables["curves"] if row["train_dataset"] == data_set and row["fraction"] == 1]
    train = [
        Size(row["label"], row.get("repeat") or 0, round(row["labelled_images"]), round(row["labelled_patients"]))
        for row in learnt
    ]
    found = {
        "train": _words(train, study.units(data_set)),
        "validation": _validation(study, data_set) if learnt else "",
        "test": images_tested(study, data_set),
    }
    return {part: words for part, words in found.items() if words}


def _validation(study: StudyFolder, data_set: str) -> str:
    said = study.flow.get(data_set, {})
    by_label = {label: each["parts"]["validation"] for label, each in said.get("labels", {}).items()}
    if not by_label and "validation" in said.get("parts", {}):
        by_label = {"": said["parts"]["validation"]}
    words = _words([Size(label, 0, each["images"], each["patients"]) for label, each in by_label.items()],
                   study.units(data_set))  # fmt: skip
    return f"{words} in the first repetition" if words and study.repeats > 1 else words


def _words(sizes: Sequence[Size], units: str, of: str = "") -> str:
    if not sizes:
        return ""
    words = ranged((each.images for each in sizes), "images")
    if units != "images":
        words += f" of {ranged((each.patients for each in sizes), 'patients')}"
    by = [word for word, differs in (("label", _by_label(sizes)), ("repetition", _by_repeat(sizes))) if differs]
    return f"{words}{of} (by {listed(by)})" if by else f"{words}{of}"


def _by_label(sizes: Sequence[Size]) -> bool:
    return any(
        len({(each.images, each.patients) for each in sizes if each.repeat == repeat}) > 1
        for repeat in {each.repeat for each in sizes}
    )


def _by_repeat(sizes: Sequence[Size]) -> bool:
    return any(
        len({(each.images, each.patients) for each in sizes if each.label == label}) > 1
        for label in {each.label for each in sizes}
    )


def nameless(study: StudyFolder, names: Names) -> str:
    """Return `a and b name no patients`, the beginning of a sentence; empty where all data sets do.

    Their images are drawn and resampled one by one.
    """
    found = [names.data_set(each) for each in study.job["data_sets"] if study.units(each) == "images"]
    return f"{listed(found)} name{'s' * (len(found) == 1)} no patients" if found else ""
