"""What the records of a data set of TensorFlow Datasets hold, by its features.json; no class that it names is imported.

Three writings are read: `pythonClassName` beside one key with the particulars, the older `type` and `content`, and
`content` as text that holds JSON again. Source: tensorflow/datasets, core/proto/feature.proto and
core/features/feature_lib (`to_json`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from remedis.data.indexers.tfds_layout import read_json
from remedis.errors import InputError

FILE = "features.json"
Kind = Literal["image", "class", "whole", "number", "truth", "text"]
_DEEPEST = 20
_PARTICULARS = ("featuresDict", "image", "classLabel", "tensor", "text")
_BY_TAIL = {
    "FeaturesDict": "featuresDict", "Image": "image", "ClassLabel": "classLabel", "Tensor": "tensor",
    "Scalar": "tensor", "Text": "text",
}  # fmt: skip


@dataclass(frozen=True)
class Feature:
    """One feature that becomes a column, or the picture.

    Attributes:
        key: Its name in the records; `a/b` for b inside of a.
        kind: What it is.
        names: Of a class, the names of the numbers; None where no file gives them.
    """

    key: str
    kind: Kind
    names: tuple[str, ...] | None = None


@dataclass
class Features:
    """The features of a data set.

    Attributes:
        found: Those that can be read.
        left_out: What the others are, by their names.
    """

    found: list[Feature] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)

    def of(self, kind: Kind) -> list[str]:
        """Return the names of the features of one kind."""
        return [each.key for each in self.found if each.kind == kind]


def read_features(folder: Path) -> Features:
    """Return what the folder's features.json says, with the classes' names from the files beside it.

    Raises:
        InputError: The file is missing or holds no features.
    """
    features = Features()
    _add(features, folder, (), read_json(folder / FILE))
    if not features.found and not features.left_out:
        raise InputError("names no features; get the file anew", where=folder / FILE)
    return features


def _add(features: Features, folder: Path, path: tuple[str, ...], entry: Any) -> None:
    tail, content = _read(entry)
    key = "/".join(path)
    if tail == "featuresDict" and len(path) < _DEEPEST:
        inside = content.get("features", content)
        for name, each in inside.items() if isinstance(inside, dict) else ():
            _add(features, folder, (*path, name), each)
    elif not path:
        raise InputError(f"is about a {tail}, a FeaturesDict was expected", where=folder / FILE)
    elif tail == "classLabel":
        features.found.append(Feature(key, "class", class_names(folder, path)))
    elif (kind := _kind(tail, content)) is not None:
        features.found.append(Feature(key, kind))
    else:
        features.left_out[key] = f"{tail} with axes" if tail == "tensor" else tail


def _read(entry: Any) -> tuple[str, dict[str, Any]]:
    """Return what a feature is, and its particulars, in any of the three writings."""
    entry = entry if isinstance(entry, dict) else {}
    tail = str(entry.get("pythonClassName") or entry.get("type") or "").rpartition(".")[2]
    content = entry.get("content")
    if isinstance(content, str):
        try:
            content = json.loads(content)
        except (ValueError, RecursionError):
            content = None
    found = _BY_TAIL.get(tail) or (next((name for name in _PARTICULARS if name in entry), "") if not tail else "")
    particulars = content if content is not None else entry.get(found)
    return found or tail or "feature without a class", particulars if isinstance(particulars, dict) else {}


def _kind(what: str, content: dict[str, Any]) -> Kind | None:
    if what == "image":
        return "image"
    if what == "text":
        return "text"
    if what != "tensor" or _axes(content.get("shape")):
        return None
    dtype = str(content.get("dtype", ""))
    kinds: dict[str, Kind] = {"int": "whole", "uint": "whole", "float": "number", "bfloat": "number", "bool": "truth"}
    return "text" if dtype in ("string", "str", "object") else kinds.get(dtype.rstrip("0123456789"))


def _axes(shape: Any) -> int:
    sides = shape.get("dimensions", []) if isinstance(shape, dict) else shape
    return len(sides) if isinstance(sides, list) else 0


def class_names(folder: Path, path: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the names of a ClassLabel's classes, from `a-b.labels.txt` for b inside of a; None without the file."""
    name = "-".join(path)
    file = folder / f"{name}.labels.txt"
    if "/" in name or name.startswith(".") or "\0" in name or not file.is_file():
        return None
    names = [line.strip() for line in file.read_text(encoding="utf-8", errors="replace").splitlines()]
    return tuple(each for each in names if each) or None
