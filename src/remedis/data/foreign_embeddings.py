"""Embeddings that were made elsewhere: a Parquet, npz or HDF5 file with an image column."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any
from zipfile import BadZipFile, is_zipfile

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from remedis.data.hdf5 import check_installed
from remedis.data.manifest import Manifest
from remedis.errors import InputError, nearest

IMAGES = ("image", "images", "image_id", "path", "file", "filename", "name", "dicom_id")
VECTORS = ("embedding", "embeddings", "features", "feats", "vector", "vectors")
Matrix = npt.NDArray[np.float32]


def vectors_of(path: Path, manifest: Manifest) -> tuple[npt.NDArray[np.int64], Matrix]:
    """Return the rows of a manifest that a file has a vector of, ascending, and the vectors.

    An image is found by its path as the manifest has it, else by its file name without suffix where that name stands
    once in the file and once in the manifest, and the folders do not contradict.

    Args:
        path: `.parquet` (a column of names, and a column of lists, or numbered columns such as f0, f1 …), `.npz` or
            `.h5` (an array of names and an array (N, D)). Names: image, path, file …; vectors: embedding, features …
        manifest: The rows.

    Raises:
        InputError: The file is none of these, lacks a column, has a vector that is not finite, or none of the images;
            or an image stands twice.
        MissingExtraError: h5py is needed and not installed.
    """
    names, vectors = _read(path)
    if not names:
        raise InputError("has no image", where=path)
    if not np.issubdtype(np.asarray(vectors).dtype, np.number):
        raise InputError(f"vectors of {np.asarray(vectors).dtype}, numbers were expected", where=path)
    matrix = np.asarray(vectors, np.float32)
    if matrix.ndim == 3 and 1 in matrix.shape[:2]:  # (1, N, D) or (N, 1, D), as some tools write them
        matrix = matrix.reshape(-1, matrix.shape[-1])
    if matrix.ndim != 2 or len(matrix) != len(names):
        raise InputError(f"vectors of shape {matrix.shape} for {len(names):,} images, (N, D) was expected", where=path)
    if not np.isfinite(matrix).all():
        raise InputError("a vector is not finite; make the embeddings again", where=path)
    images = [str(name) for name in manifest.table["image"].to_pylist()]
    _refuse_twice(names, "it names", path)
    _refuse_twice(images, "the manifest names", path)
    places = _places(names, images)
    rows = np.flatnonzero(places >= 0)
    if not len(rows):
        raise InputError(
            f"none of the manifest's images is in it; it has {names[0]!r}, the manifest {images[0]!r}", where=path
        )
    return rows, matrix[places[rows]]


def _places(names: Sequence[str], images: Sequence[str]) -> npt.NDArray[np.int64]:
    """Return (N,) each image's place among the names, -1 where it has none."""
    exact = {name: place for place, name in enumerate(names)}
    parts = [_parts(name) for name in names]
    by_stem, once = _once([each[-1] for each in parts]), _once([_parts(image)[-1] for image in images])
    found = []
    for image in images:
        own = _parts(image)
        place = by_stem.get(own[-1], -1) if own[-1] in once else -1
        found.append(exact.get(image, place if place >= 0 and _agree(own, parts[place]) else -1))
    return np.array(found, np.int64)


def _once(stems: Sequence[str]) -> dict[str, int]:
    """Return the place of each name that stands once."""
    counts = Counter(stems)
    return {stem: place for place, stem in enumerate(stems) if counts[stem] == 1}


def _parts(name: str) -> tuple[str, ...]:
    """Return folders and file name without its suffix."""
    return PurePosixPath(name.replace("\\", "/")).with_suffix("").parts


def _agree(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Return whether one path ends as the other does: `b/7` may be `/data/b/7`, and not `a/7` of another data set."""
    length = min(len(one), len(other))
    return one[-length:] == other[-length:]


def _refuse_twice(names: Sequence[str], what: str, path: Path) -> None:
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice is not None:
        raise InputError(f"{what} {twice!r} twice, a vector for each image was expected", where=path)


def _read(path: Path) -> tuple[list[str], Any]:
    readers = {".parquet": _of_parquet, ".npz": _of_npz, ".h5": _of_hdf5, ".hdf5": _of_hdf5}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError("a .parquet, .npz or .h5 file of embeddings was expected", where=path)
    if not path.is_file():
        raise InputError("there is no such file", where=path)
    return reader(path)


def _key(names: Sequence[str], wanted: Sequence[str], what: str, path: Path) -> str:
    found = next((name for word in wanted for name in names if name.lower() == word), None)
    if found is None:
        raise InputError(f"no {what} among {', '.join(names)}; {nearest(wanted[0], names)}", where=path)
    return found


def _of_parquet(path: Path) -> tuple[list[str], Any]:
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"a Parquet file was expected ({error})", where=path) from error
    names = [str(name) for name in table[_key(table.column_names, IMAGES, "column of images", path)].to_pylist()]
    wide = _numbered([field.name for field in table.schema if pa.types.is_floating(field.type)], path)
    lists = [each for each in table.column_names if _is_list(table.schema.field(each).type)]
    if not lists and len(wide) > 1:
        return names, np.stack([table[name].to_numpy() for name in wide], axis=1)
    if not lists:
        raise InputError(
            f"no column of vectors and no numbered columns (f0, f1 …) among {', '.join(table.column_names[:20])}",
            where=path,
        )
    column = table[_key(lists, VECTORS, "column of vectors", path) if len(lists) != 1 else lists[0]].combine_chunks()
    if column.null_count or len(pc.unique(pc.list_value_length(column))) > 1:
        raise InputError("the vectors have different lengths, or some are missing", where=path)
    flat = column.flatten().to_numpy(zero_copy_only=False)
    return names, flat.reshape(len(names), -1) if names else flat


def _numbered(names: Sequence[str], path: Path) -> list[str]:
    """Return the columns that are one vector: a common beginning and every number from 0 or 1 on, in their order.

    Other columns of numbers, such as a label or an age, are none of it.
    """
    groups: dict[str, dict[int, str]] = {}
    for name in names:
        beginning, digits = re.fullmatch(r"(.*?)(\d*)", name, re.DOTALL).groups()  # type: ignore[union-attr]
        if digits:
            groups.setdefault(beginning, {})[int(digits)] = name
    found = max(groups.values(), key=len, default={})
    if len(found) < 2:
        return []
    first = min(found)
    lacking = [number for number in range(first, max(found) + 1) if number not in found]
    if first > 1 or lacking:
        missing = 0 if first > 1 else lacking[0]
        raise InputError(
            f"there are columns {found[first]} … {found[max(found)]}, number {missing} is missing", where=path
        )
    return [found[number] for number in sorted(found)]


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _of_npz(path: Path) -> tuple[list[str], Any]:
    if not is_zipfile(path):
        raise InputError("an npz file was expected, which is a zip archive of arrays", where=path)
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            names = file[_key(file.files, IMAGES, "array of images", path)]
            vectors = file[_key(file.files, VECTORS, "array of vectors", path)]
    except (OSError, ValueError, BadZipFile, EOFError) as error:
        raise InputError(f"an npz file of plain arrays was expected ({error})", where=path) from error
    return _words(names), vectors


def _of_hdf5(path: Path) -> tuple[list[str], Any]:
    check_installed()
    import h5py

    try:
        with h5py.File(path, "r") as file:
            keys = [key for key in file if isinstance(file[key], h5py.Dataset)]
            names = file[_key(keys, IMAGES, "data set of images", path)][:]
            vectors = file[_key(keys, VECTORS, "data set of vectors", path)][:]
    except OSError as error:
        raise InputError(f"an HDF5 file was expected ({error})", where=path) from error
    return _words(names), vectors


def _words(names: npt.NDArray[Any]) -> list[str]:
    return [name.decode() if isinstance(name, bytes) else str(name) for name in np.asarray(names).reshape(-1).tolist()]
