"""Make the stored SavedModels again, byte for byte as TensorFlow wrote them, without TensorFlow.

What is kept in `stored/` is everything but the weights; those come from seeded.py. `make.py --store` writes it.
"""

from __future__ import annotations

import functools
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from savedmodels import seeded

STORED = Path(__file__).parent / "stored"
NAMES = STORED / "names.json"  # name to archive, so that listing the names opens none


def fixtures() -> list[str]:
    """Return the names of all stored SavedModels, sorted."""
    return sorted(json.loads(NAMES.read_text(encoding="utf-8")))


def record(name: str) -> dict[str, Any]:
    """Return what make.py wrote: `seed`, `variant`, `files`, `expected` (what a converter has to find out), ..."""
    found: dict[str, Any] = json.loads(_members(name)["record.json"])
    return found


def outputs(name: str) -> dict[str, npt.NDArray[Any]]:
    """Return the stored outputs, of every `record(name)["every"]`-th channel from the first on.

    Returns:
        `tensorflow_SIDE`: the SavedModel's own output in TensorFlow, float32, under the key `expected["output_key"]`;
        `map_SIDE` (N, h, w, C) and `embedding_SIDE` (N, C): the same network in float64, absent for those that have to
        be refused. The images are `images(name, SIDE)`.
    """
    ending = ".npy"
    return {
        member.removesuffix(ending): np.load(io.BytesIO(content), allow_pickle=False)
        for member, content in _members(name).items()
        if member.endswith(ending)
    }


def images(name: str, side: int) -> npt.NDArray[Any]:
    """Return the images (N, side, side, 3) that the stored outputs of this side are of, in the original's own range."""
    found = record(name)
    drawn = seeded.images(found["seed"], found["images"][str(side)], side, found["expected"]["high"])
    return drawn.astype(found["expected"]["dtype"])


def rebuild(name: str, folder: Path) -> Path:
    """Write a SavedModel's files into `folder`, which is made, and return it; see `differences`."""
    members, found = _members(name), record(name)
    for path, described in found["files"].items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        kept = memoryview(members[f"files/{path}"])
        with place.open("wb") as file:
            for part in described["parts"]:
                if isinstance(part, int):
                    file.write(kept[:part])
                    kept = kept[part:]
                else:
                    file.write(seeded.value(found["seed"], part[0], part[1], found["ready_eps"]).tobytes())
    return folder


def differences(name: str, folder: Path) -> list[str]:
    """Return the files whose SHA-256 is not that of what TensorFlow wrote."""
    files = record(name)["files"]
    found = {path: hashlib.sha256((folder / path).read_bytes()).hexdigest() for path in files}
    return [path for path, made in files.items() if found[path] != made["sha256"]]


def _members(name: str) -> dict[str, bytes]:
    """Return what is stored of one, by path."""
    archive = json.loads(NAMES.read_text(encoding="utf-8"))[name]
    start = f"{name}/"
    return {path.removeprefix(start): data for path, data in _archive(archive).items() if path.startswith(start)}


@functools.cache  # 25 MB in all
def _archive(name: str) -> dict[str, bytes]:
    """Return every file of an archive; reading one means unpacking those before it anyway."""
    with tarfile.open(STORED / name, "r:xz") as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]
