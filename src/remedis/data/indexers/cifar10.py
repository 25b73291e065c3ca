"""CIFAR-10 (or CIFAR-100) as its author published it, binary or as Python's pickles, as the rows of a manifest."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data import cifar, manifest
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.words import counted
from remedis.errors import InputError, ReadError

_TEN = ("data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch")
_HUNDRED = ("train", "test")
_META = {
    "label": (("batches.meta", "label_names"), ("meta", "fine_label_names")),
    "coarse_label": (("meta", "coarse_label_names"),),
}
_TEXTS = {
    "label": ("batches.meta.txt", "fine_label_names.txt"),
    "coarse_label": ("coarse_label_names.txt",),
}


def find(data_dir: Path) -> Path | None:
    """Return the folder of CIFAR-10's batches in `data_dir`, or `data_dir` itself; None where there is none."""
    places = (data_dir / "cifar-10-batches-py", data_dir / "cifar-10-batches-bin", data_dir)
    return next((place for place in places if _files(place, _TEN)), None)


def _files(folder: Path, names: tuple[str, ...]) -> dict[str, Path]:
    """Return the files of these names that are there, as pickles or, where there is none, as binary files."""
    for ending in ("", ".bin"):
        found = {name: path for name in names if (path := folder / f"{name}{ending}").is_file()}
        if found:
            return found
    return {}


def located(folder: Path) -> Path:
    """Return the folder with the batches: the one given, or CIFAR-10's in it.

    Raises:
        InputError: There are none.
    """
    if not folder.is_dir():
        raise InputError(
            "there is no such folder" if not folder.exists() else "is a file, a folder was expected", where=folder
        )
    found = find(folder) or (folder if _files(folder, _HUNDRED) else None)
    if found is None:
        raise InputError(
            "there is no batch of CIFAR in it; data_batch_1 … data_batch_5 and test_batch, as in "
            "cifar-10-batches-py or cifar-10-batches-bin, were expected; unpack the archive",
            where=folder,
        )
    return found


def index(folder: Path, *, console: Console = QUIET) -> Indexed:
    """Return a row for each picture, in the order of the batches.

    The columns are image (the batch), frame, split, label (the class's name), label_index, of CIFAR-100 coarse_label
    and coarse_label_index too, and width and height, which are 32.

    Args:
        folder: The folder with the batches (`located`).
        console: Where progress is shown.

    Returns:
        The rows; the fact `damaged` lists what is missing or could not be read.

    Raises:
        InputError: No batch can be read.
    """
    wanted = _TEN if _files(folder, _TEN) else _HUNDRED
    files = _files(folder, wanted)
    damaged = [f"{name}: there is no such file" for name in wanted if name not in files]
    left_out = {"batches that are not there": len(damaged)} if damaged else {}
    parts: list[pa.Table] = []
    notes: list[str] = []
    names = {column: _names(folder, column, notes) for column in (("label",) if wanted is _TEN else _META)}
    with console.track(len(files), "batches", "reading batches") as track:
        for path in files.values():
            try:
                batch = cifar.open_batch(path)
                parts.append(_rows(batch, cifar.labels_of(batch), names))
            except ReadError as error:
                left_out["batches that cannot be read"] = left_out.get("batches that cannot be read", 0) + 1
                damaged.append(str(error).removeprefix(f"{folder}/"))
            else:
                if batch.left:
                    left_out["pictures that are cut short"] = left_out.get("pictures that are cut short", 0) + 1
                    damaged.append(f"{path.name}: {counted(batch.left, 'byte')} of a picture that is cut short")
            track.advance()
    if not sum(len(part) for part in parts):
        raise InputError(f"no batch can be read, the first: {damaged[0]}", where=folder)
    facts: dict[str, Any] = {
        "root": ".", "data_set": "cifar10" if wanted is _TEN else "cifar100", "left_out": left_out
    } | ({"damaged": damaged} if damaged else {})  # fmt: skip
    table = pa.concat_tables(parts)
    notes += [
        f"{name} is no class that has a name in {counted(table[name].null_count, 'picture')}: "
        "it counts as unknown there"
        for name in names
        if table[name].null_count
    ]
    notes += [f"damaged or missing: {'; '.join(damaged)}"] if damaged else []
    return Indexed(manifest.with_facts(table, facts), facts, tuple(notes))


def _names(folder: Path, column: str, notes: list[str]) -> tuple[str, ...] | None:
    """Return the names of a column's classes from the files beside the batches."""
    for name, key in _META[column]:
        if (folder / name).is_file():
            found = _from_pickle(folder / name, key)
            if found:
                return found
    for name in _TEXTS[column]:
        if (folder / name).is_file():
            lines = (folder / name).read_text(encoding="utf-8", errors="replace").splitlines()
            return tuple(line.strip() for line in lines if line.strip())
    if _files(folder, _TEN):
        notes.append("batches.meta is not there: the classes have the names that CIFAR-10's author gives them")
        return cifar.CIFAR10
    notes.append(f"no file names the classes of {column}: their numbers stand for them")
    return None


def _from_pickle(path: Path, key: str) -> tuple[str, ...]:
    found = cifar.read_dict(path).get(key)
    if not isinstance(found, list) or not all(isinstance(each, str | bytes) for each in found):
        raise ReadError(f"{key!r} is no list of names", where=path)
    return tuple(each.decode("latin-1") if isinstance(each, bytes) else each for each in found)


def _rows(batch: cifar.Batch, labels: dict[str, list[int]], names: dict[str, tuple[str, ...] | None]) -> pa.Table:
    columns = {
        "image": pa.array([batch.path.name] * batch.count, pa.string()),
        "frame": pa.array(range(batch.count), pa.int64()),
        "split": pa.array(["test" if re.match("test", batch.path.name) else "train"] * batch.count, pa.string()),
    }
    for column, known in names.items():
        numbers = labels.get(column)
        if numbers is None:
            raise ReadError(f"holds no labels for {column}", where=batch.path)
        inside = [number if 0 <= number < (1 << 31 if known is None else len(known)) else None for number in numbers]
        texts = [None if each is None else str(each) if known is None else known[each] for each in inside]
        columns |= {column: pa.array(texts, pa.string()), f"{column}_index": pa.array(inside, pa.int64())}
    side = pa.array([cifar.SIDE] * batch.count, pa.int64())
    return pa.table({**columns, "width": side, "height": side})
