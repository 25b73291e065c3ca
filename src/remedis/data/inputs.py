"""What a verb may be given as its images: a manifest, a pack, a folder, or one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from remedis.data import embeddings, manifest, pack
from remedis.data.indexers import folder as folder_indexer
from remedis.data.manifest import PACK_SUFFIX, Manifest
from remedis.data.readers import count_frames, is_image_file
from remedis.errors import InputError, ManifestError

_TABLES = (".csv", ".tsv", ".txt", ".xlsx", ".xls", ".json")


def open_any(path: Path, *, root: Path | None = None, where: Sequence[str] = ()) -> Manifest:
    """Return the rows of whatever was given.

    Args:
        path: Manifest (.parquet), pack (.arrow), folder of images, or one image.
        root: Folder that a manifest's image paths start from, instead of the one it names.
        where: Conditions on the rows.

    Raises:
        InputError: There is no such thing, it holds no image, or it is of another kind; says which verb takes it.
    """
    return _opened(path, root).where(where)


def _opened(path: Path, root: Path | None) -> Manifest:
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise ManifestError("there is no such file or folder", where=path)
    if path.suffix.lower() == ".parquet":
        return manifest.read(path, root=root)
    if path.suffix.lower() == PACK_SUFFIX:
        return pack.open_pack(path, root=root)
    if path.suffix.lower() in _TABLES and not is_image_file(path):
        raise ManifestError(
            f"is a table, a manifest was expected; remedis index folder DIR --labels {path} --out M.parquet makes one",
            where=path,
        )
    return single(path)


def _folder(path: Path) -> Manifest:
    if embeddings.is_embeddings(path):
        raise InputError(
            "is a folder of embeddings, images were expected; remedis probe and predict take embeddings",
            where=path,
        )
    if (path / "config.json").is_file() and (path / "model.safetensors").is_file():
        raise InputError("is a checkpoint or a probe, images were expected", where=path)
    indexed = folder_indexer.index(path)
    return Manifest(indexed.table, path.absolute(), indexed.facts, None)


def single(path: Path) -> Manifest:
    """Return one file as a manifest with a row a frame.

    Raises:
        ReadError: The file is no image, or its header cannot be read.
    """
    frames = count_frames(path)
    table = pa.table({"image": pa.array([path.name] * frames, pa.string())})
    if frames > 1:
        table = table.append_column("frame", pa.array(range(frames), pa.int64()))
    facts = {"data_set": path.stem, "root": "."}
    return Manifest(manifest.with_facts(table, facts), path.parent.absolute(), facts, None)
