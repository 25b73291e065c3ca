"""Where a data set of TensorFlow Datasets lies on disk: its folders, and the shards that dataset_info.json names.

The file's numbers are text, its templates and lengths are taken for what a stranger wrote. Source: tensorflow/datasets,
core/proto/dataset_info.proto and core/naming.py (`ShardedFileTemplate`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from remedis.errors import InputError, nearest

INFO = "dataset_info.json"
LARGEST = 1 << 26  # bytes of a JSON file that are read
TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
"""How shards are named where nothing else is said."""

_VERSION = re.compile(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})", re.ASCII)
_WORD = re.compile(r"[\w.+-]+")
_DIGITS, _INDEX = 5, "{SHARD_INDEX}"


@dataclass(frozen=True)
class Shard:
    """One file of records.

    Attributes:
        name: Its path, from the folder on.
        length: How many records it should hold; None where nothing says it.
    """

    name: str
    length: int | None = None


@dataclass(frozen=True)
class Layout:
    """What dataset_info.json says.

    Attributes:
        folder: Where it lies.
        name: The data set's name.
        splits: The shards of each split.
        licence: Terms of use, where they are given.
    """

    folder: Path
    name: str
    splits: dict[str, tuple[Shard, ...]]
    licence: str | None = None


def find(data_dir: Path, name: str) -> Path | None:
    """Return the folder of a data set's newest version in `data_dir`; None where there is none.

    Args:
        data_dir: The folder that TensorFlow Datasets calls so.
        name: `NAME` or `NAME/CONFIG`, with or without `:VERSION`. A data set that has configurations and is named
            without one is found where it has only one here.
    """
    path, _, version = name.partition(":")
    words = path.split("/")
    if not all(_WORD.fullmatch(word) and word.strip(".") for word in words) or len(words) > 2:
        return None
    if version:
        exact = data_dir.joinpath(*words, version)
        return exact if _VERSION.fullmatch(version) and (exact / INFO).is_file() else None
    return _newest(data_dir.joinpath(*words))


def _newest(folder: Path) -> Path | None:
    """Return the newest version below a data set's folder, of its configuration where it has one."""
    if not folder.is_dir():
        return None
    inside = sorted(each for each in folder.iterdir() if each.is_dir())
    versions = [each for each in inside if _VERSION.fullmatch(each.name) and (each / INFO).is_file()]
    if versions:
        return max(versions, key=lambda each: tuple(int(part) for part in each.name.split(".")))
    below = [found for each in inside if (found := _newest_version(each)) is not None]
    return below[0] if len(below) == 1 else None


def _newest_version(folder: Path) -> Path | None:
    found = [each for each in folder.iterdir() if _VERSION.fullmatch(each.name) and (each / INFO).is_file()]
    return max(found, key=lambda each: tuple(int(part) for part in each.name.split(".")), default=None)


def located(folder: Path) -> Path:
    """Return the folder with dataset_info.json: the one given, or the newest version below it.

    Raises:
        InputError: There is none.
    """
    if not folder.is_dir():
        raise InputError(
            "there is no such folder" if not folder.exists() else "is a file, a folder was expected", where=folder
        )
    found = folder if (folder / INFO).is_file() else _newest(folder)
    if found is None:
        raise InputError(
            f"there is no {INFO} in it; the folder of one version of a data set, such as cifar10/3.0.2, was expected",
            where=folder,
        )
    return found


def read_json(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises:
        InputError: The file is missing, too large, or holds something else.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"is larger than {LARGEST:,} bytes, which no such file is", where=path)
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("there is no such file; get the data set anew", where=path) from error
    except (ValueError, RecursionError, OSError) as error:
        raise InputError(f"JSON was expected ({error}); get the file anew", where=path) from error
    if not isinstance(found, dict):
        raise InputError("a JSON object was expected; get the file anew", where=path)
    return found


def read_layout(folder: Path) -> Layout:
    """Return what the folder's dataset_info.json says.

    Raises:
        InputError: It cannot be used: another file format, no splits, a path that leads out of the folder.
    """
    path = folder / INFO
    info = read_json(path)
    name = info.get("name") or folder.parent.name
    kind = info.get("fileFormat") or "tfrecord"
    if not isinstance(name, str) or kind != "tfrecord":
        raise InputError(f"fileFormat is {kind!r}, tfrecord was expected; make the data set in that format", where=path)
    splits: dict[str, tuple[Shard, ...]] = {}
    entries = info.get("splits")
    for entry in entries if isinstance(entries, list) else []:
        split = entry.get("name") if isinstance(entry, dict) else None
        if not isinstance(split, str) or not split or split in splits:
            raise InputError("names no split, or one twice; get the file anew", where=path)
        splits[split] = _shards(folder, name, split, entry)
    if not splits:
        raise InputError("names no splits; the data set was not made to its end", where=path)
    terms = info.get("redistributionInfo")
    licence = terms.get("license") if isinstance(terms, dict) else None
    return Layout(folder, name, splits, licence if isinstance(licence, str) and licence else None)


def _shards(folder: Path, name: str, split: str, entry: dict[str, Any]) -> tuple[Shard, ...]:
    template = entry.get("filepathTemplate") or TEMPLATE
    lengths = entry.get("shardLengths")
    if lengths is None:
        return _shards_there(folder, name, split)
    if not isinstance(lengths, list) or not isinstance(template, str):
        raise InputError(f"the shards of {split} are no list; get the file anew", where=folder / INFO)
    count = len(lengths)
    pattern = _pattern(folder, template, name, split, count)
    return tuple(
        Shard(pattern.replace(_INDEX, _number(number, count)), _whole(folder, length))
        for number, length in enumerate(lengths)
    )


def _shards_there(folder: Path, name: str, split: str) -> tuple[Shard, ...]:
    """Return the shards on disk: what wrote the file before `shardLengths` were counted named them the usual way."""
    usual = re.compile(rf"{re.escape(name)}-{re.escape(split)}\.tfrecord(-\d{{5,}}-of-\d{{5,}})?", re.ASCII)
    return tuple(Shard(each.name) for each in sorted(folder.iterdir()) if usual.fullmatch(each.name))


def _whole(folder: Path, text: Any) -> int:
    if not re.fullmatch(r"\d{1,20}", str(text), re.ASCII):
        raise InputError(f"shardLengths has {str(text)[:30]!r}, a whole number was expected", where=folder / INFO)
    return int(text)


def _pattern(folder: Path, template: str, name: str, split: str, count: int) -> str:
    """Return the path of a split's shards with {SHARD_INDEX} left open; text is put in for text, nothing evaluated."""
    known = {
        "DATASET": name, "SPLIT": split, "FILEFORMAT": "tfrecord", "SHARD_INDEX": _INDEX,
        "NUM_SHARDS": _number(count, count), "SHARD_X_OF_Y": f"{_INDEX}-of-{_number(count, count)}",
    }  # fmt: skip
    unknown = [word for word in re.findall(r"\{([^{}]*)\}", template) if word not in known]
    if unknown:
        hint = nearest(unknown[0], known)
        raise InputError(f"filepathTemplate {template!r} has {{{unknown[0]}}}; {hint}", where=folder / INFO)
    path = re.sub(r"\{([^{}]*)\}", lambda match: known[match[1]], template)
    if (
        ".." in PurePosixPath(path).parts
        or any(kind(path).is_absolute() for kind in (PurePosixPath, Path))
        or "\0" in path
    ):
        raise InputError(
            f"filepathTemplate {template!r} leads out of the folder, which is refused", where=folder / INFO
        )
    return path


def _number(number: int, count: int) -> str:
    return f"{number:0{max(_DIGITS, len(str(count)))}d}"
