"""Folders of simulated embeddings, written as `remedis embed` writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from remedis.data import embeddings, manifest
from remedis.data.files import write_json

HASH = "ab" * 32


def job_facts(rows: int, **changes: Any) -> dict[str, Any]:
    """Return the job of made-up embeddings, with some of its values changed."""
    return {
        "encoder": "enc", "encoder_hash": HASH, "manifest": "some.parquet", "manifest_hash": "cd" * 32, "rows": rows,
        "profile": "dicom-display", "profile_version": 1, "fit": "squash", "image_size": 32, "precision": "fp32",
        "engine": "torch", "device": "cpu", "dtype": "float32", "batch_size": 8, "rows_a_part": 64,
    } | changes  # fmt: skip


def write_embeddings(
    folder: Path,
    features: np.ndarray[Any, Any],
    columns: Mapping[str, Sequence[Any]],
    *,
    complete: bool = True,
    parts: int = 2,
    data_set: str = "some",
    **changes: Any,
) -> Path:
    """Write (N, D) features and the manifest's columns as a folder of embeddings; `changes` are of its job."""
    count = len(features)
    table = pa.table({"image": [f"{data_set}/{row:05}.png" for row in range(count)], **columns})
    table = manifest.with_facts(table, {"root": "images", "data_set": data_set})
    folder.mkdir(parents=True)
    for part, rows in enumerate(np.array_split(np.arange(count), parts)):
        vectors = features[rows].astype(np.float32)
        embeddings.write_part(embeddings.part_path(folder, part), table.take(rows), vectors, [])
    embeddings.write_rejected(folder, [])
    job = job_facts(count, **changes)
    facts = {
        "job": job, "encoder": "simulated", "encoder_hash": job["encoder_hash"], "width": features.shape[1],
        "root": str(folder.parent / "images"), "data_set": data_set, "contract": {}, "images": count, "rejected": 0,
        **{name: job[name] for name in ("profile", "fit", "image_size", "precision", "engine")},
    }  # fmt: skip
    write_json(folder / embeddings.FACTS_NAME, facts | ({"complete": True} if complete else {}))
    return folder


def separable(
    codes: np.ndarray[Any, Any], *, width: int = 12, distance: float = 1.0, seed: int = 0
) -> np.ndarray[Any, Any]:
    """Return (N, width) noise, moved by `distance` along an axis of its own for each class but the first."""
    found = np.random.default_rng(seed).normal(size=(len(codes), width))
    for code in np.unique(codes[codes > 0]):
        found[codes == code, int(code) - 1] += distance
    return found
