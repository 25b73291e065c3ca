"""A two-dimensional set of MedMNIST, one .npz file, as the rows of a manifest: a row a picture, nothing unpacked."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data import manifest, npz
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.medmnist_facts import Facts, facts_of
from remedis.data.indexers.words import counted
from remedis.data.picture_arrays import Held, are_pictures
from remedis.errors import InputError, ReadError

PARTS = {"train": "train", "val": "validation", "test": "test"}
"""MedMNIST's words for the parts, and ours."""


def located(place: Path) -> Path:
    """Return the npz file: the one given, or the only one in a folder.

    Raises:
        InputError: There is none, or several.
    """
    if not place.exists():
        raise InputError("there is no such file", where=place)
    if place.is_file():
        if place.suffix.lower() != ".npz":
            raise InputError("a file such as pneumoniamnist.npz was expected", where=place)
        return place
    found = sorted(place.glob("*.npz"))
    if len(found) != 1:
        names = f"{len(found)} files ({', '.join(each.name for each in found[:4])} …)" if found else "none"
        raise InputError(f"one .npz file was expected, it holds {names}; name the file", where=place)
    return found[0]


def index(path: Path, *, console: Console = QUIET) -> Indexed:
    """Return a row for each picture, in the order of the file's parts.

    The columns are image (the file), frame, split, label (the number), label_name where the file's name tells the
    classes, width and height. A set with several labels has a column for each. Of a set of two classes the column
    that is named after the disease is 1 for the ill, whatever `label` calls 1.

    Args:
        path: The file (`located`). Every array is held against its check sum.
        console: Where progress is shown.

    Returns:
        The rows; the fact `damaged` lists the parts that are missing or damaged.

    Raises:
        InputError: It is no such file, holds volumes, or no part can be read.
    """
    held = {name: member.held for name, member in npz.members(path).items()}
    _check(path, held)
    known = facts_of(path)
    parts: list[pa.Table] = []
    damaged: list[str] = []
    unnamed: Counter[str] = Counter()
    with console.track(len(PARTS), "parts", "reading parts") as track:
        for part in PARTS:
            try:
                parts.append(_rows(path, held, part, known, unnamed))
            except ReadError as error:
                damaged.append(str(error).removeprefix(f"{path}: "))
            track.advance()
    if not parts:
        raise InputError(f"no part can be read, the first: {damaged[0]}", where=path)
    table = pa.concat_tables(parts)
    facts: dict[str, Any] = {"root": ".", "data_set": path.stem, "left_out": {}}
    facts |= {"licence": known.licence} if known else {}
    facts |= {"damaged": damaged, "left_out": {"parts that cannot be read": len(damaged)}} if damaged else {}
    return Indexed(manifest.with_facts(table, facts), facts, tuple(_notes(path, known, damaged, unnamed)))


def _check(path: Path, held: dict[str, Held]) -> None:
    images = [held[f"{part}_images"] for part in PARTS if f"{part}_images" in held]
    if not images:
        there = ", ".join(list(held)[:6]) or "no array"
        raise InputError(f"train_images, val_images and test_images were expected, it holds {there}", where=path)
    volumes = [each for each in images if len(each.shape) in (4, 5) and not are_pictures(each)]
    if volumes:
        sides = " × ".join(str(side) for side in volumes[0].shape[1:4])
        raise InputError(f"holds volumes of {sides} voxels, pictures were expected: take a 2-D set", where=path)


def _rows(path: Path, held: dict[str, Held], part: str, known: Facts | None, unnamed: Counter[str]) -> pa.Table:
    images, labels = f"{part}_images", f"{part}_labels"
    if images not in held:
        raise ReadError(f"there is no array {images}", where=path)
    numbers = _labels(path, held, labels, held[images].shape[0])
    npz.check(path, images)
    first = _first(path, images)
    count, height, width = held[images].shape[:3]
    columns: dict[str, pa.Array] = {
        "image": pa.array([path.name] * count, pa.string()),
        "frame": pa.array(range(first, first + count), pa.int64()),
        "split": pa.array([PARTS[part]] * count, pa.string()),
    }
    columns |= _label_columns(numbers, known, unnamed)
    sides = {"width": width, "height": height}
    return pa.table(columns | {name: pa.array([side] * count, pa.int64()) for name, side in sides.items()})


def _first(path: Path, images: str) -> int:
    """Return the number of an array's first record in the file, where all of them are counted through."""
    first = 0
    for each in npz.pictures(path):
        if each.name == images:
            return first
        first += each.shape[0]
    raise ReadError(f"{images} holds no pictures", where=path)


def _labels(path: Path, held: dict[str, Held], name: str, count: int) -> npt.NDArray[np.int64]:
    """Return (N, L) numbers."""
    if name not in held:
        raise ReadError(f"there is no array {name}", where=path)
    found = held[name]
    if found.dtype.kind not in "iub" or len(found.shape) not in (1, 2) or found.shape[0] != count:
        raise ReadError(f"{found.described} was found, whole numbers ({count}, L) were expected", where=path)
    return npz.array(path, name).astype(np.int64).reshape(count, -1)


def _label_columns(numbers: npt.NDArray[np.int64], known: Facts | None, unnamed: Counter[str]) -> dict[str, pa.Array]:
    several = numbers.shape[1] > 1
    if known and (known.several != several or (several and len(known.classes) != numbers.shape[1])):
        known = None  # another set under this name
    if several:
        names = known.classes if known else tuple(f"label_{number}" for number in range(numbers.shape[1]))
        return {name: pa.array(numbers[:, place]) for place, name in enumerate(names)}
    values = numbers[:, 0]
    inside = (values >= 0) & (values < len(known.classes)) if known else values >= 0
    unnamed["label"] += int((~inside).sum())
    columns = {"label": pa.array(values, mask=~inside)}
    if known:
        names_of = [known.classes[value] if ok else None for value, ok in zip(values, inside, strict=True)]
        columns["label_name"] = pa.array(names_of, pa.string())
        if known.ill:
            columns[known.ill[0]] = pa.array((values == known.ill[1]).astype(np.int64), mask=~inside)
    return columns


def _notes(path: Path, known: Facts | None, damaged: list[str], unnamed: Counter[str]) -> list[str]:
    notes = ["MedMNIST names no patients: every picture counts as one of its own, so intervals come out too narrow"]
    if known is None:
        notes.append(f"{path.name} is no name of MedMNIST's: the numbers of the classes stand without names")
    elif known.warning:
        notes.append(known.warning)
    if unnamed["label"]:
        pictures = counted(unnamed["label"], "picture")
        notes.append(f"label is no class that has a name in {pictures}: it counts as unknown there")
    if damaged:
        notes.append(f"damaged or missing: {'; '.join(damaged)}")
    return notes
