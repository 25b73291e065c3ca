"""A folder of embeddings: Parquet parts with the manifest's columns and `embedding`, facts beside them.

    emb/part-00000.parquet …   what `pyarrow.dataset.dataset("emb")` opens, rows in the manifest's order
    emb/_embeddings.json       the job (encoder, weights' hash, profile, precision, image size …) and versions
    emb/_rejected.csv          image, reason

What is no table begins with `_`. A part holds a fixed range of the manifest's rows less the rejected, and keeps the
rejected in its own metadata, so that a killed run loses nothing that was finished.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from remedis.data import manifest
from remedis.data.files import read_json, write_atomic, write_text
from remedis.errors import InputError

FACTS_NAME = "_embeddings.json"
REJECTED_NAME = "_rejected.csv"
_REJECTED_KEY = b"remedis_rejected"

Rejected = tuple[str, str]  # image, reason


@dataclass(frozen=True)
class Embeddings:
    """Rows and their embeddings.

    Attributes:
        table: The manifest's columns, without `embedding`.
        matrix: (N, D) float32, row i belongs to row i of the table.
        facts: What `_embeddings.json` says; `facts["job"]` decides the values.
        path: The folder.
    """

    table: pa.Table
    matrix: npt.NDArray[np.float32]
    facts: dict[str, Any]
    path: Path


def is_embeddings(folder: Path) -> bool:
    """Return whether a folder holds embeddings, finished or not."""
    return (folder / FACTS_NAME).is_file()


def read(folder: Path, *, where: Sequence[str] = ()) -> Embeddings:
    """Return the rows and embeddings of a finished folder, in the manifest's order.

    Args:
        folder: What `remedis embed` wrote.
        where: Conditions `COLUMN=VALUE` or `COLUMN!=VALUE`, all of which must hold.

    Raises:
        InputError: The folder is missing, no folder of embeddings, or not finished.
    """
    if not folder.is_dir():
        raise InputError("there is no such folder; remedis embed makes one", where=folder)
    if not is_embeddings(folder):
        raise InputError(
            f"a folder of embeddings was expected, it has no {FACTS_NAME}; run remedis embed", where=folder
        )
    facts = read_json(folder / FACTS_NAME)
    if not facts.get("complete"):
        raise InputError("the embeddings are not finished; run the same remedis embed again to go on", where=folder)
    table = pa.concat_tables(_tables(folder), promote_options="permissive")
    if not table.num_rows:
        raise InputError(f"no image was embedded, {REJECTED_NAME} says why", where=folder)
    table = manifest.where(table, where).combine_chunks()
    return Embeddings(
        table=table.drop_columns(["embedding"]), matrix=_matrix(table["embedding"]), facts=facts, path=folder
    )


def _tables(folder: Path) -> list[pa.Table]:
    paths = part_paths(folder)
    try:
        return [pq.read_table(path, memory_map=True) for path in paths]
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"a part cannot be read ({error}); remove the folder and embed again", where=folder) from error


def _matrix(column: pa.ChunkedArray) -> npt.NDArray[np.float32]:
    flat = column.combine_chunks()
    flat = flat.chunk(0) if isinstance(flat, pa.ChunkedArray) else flat
    values = flat.flatten().to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(values.reshape(len(flat), -1), dtype=np.float32)


def part_paths(folder: Path) -> list[Path]:
    """Return the parts that are there, in order."""
    return sorted(folder.glob("part-*.parquet"))


def part_path(folder: Path, number: int) -> Path:
    """Return where a part lies; enough digits that names sort as numbers do."""
    return folder / f"part-{number:06}.parquet"


def number_of(path: Path) -> int:
    """Return a part's number, from its name."""
    return int(path.stem.partition("-")[2])


def write_part(
    path: Path, rows: pa.Table, embeddings: npt.NDArray[np.floating[Any]], rejected: Sequence[Rejected]
) -> None:
    """Write one part atomically.

    Args:
        path: Where, from `part_path`.
        rows: The n rows that were embedded.
        embeddings: (n, D) float32 or float16.
        rejected: Rows of the same range that were set aside.
    """
    width = embeddings.shape[1]
    flat = pa.array(np.ascontiguousarray(embeddings).reshape(-1))
    column = pa.FixedSizeListArray.from_arrays(flat, width)
    table = rows.append_column("embedding", column)
    table = table.replace_schema_metadata(
        {**(rows.schema.metadata or {}), _REJECTED_KEY: json.dumps(rejected).encode()}
    )
    with write_atomic(path) as temporary:
        sink = io.BytesIO()
        pq.write_table(table, sink, compression={"embedding": "none"} | dict.fromkeys(rows.column_names, "zstd"))
        temporary.write_bytes(sink.getbuffer())


def rejected_in(folder: Path) -> list[Rejected]:
    """Return what the parts set aside, in the manifest's order."""
    found: list[Rejected] = []
    for path in part_paths(folder):
        metadata = pq.read_schema(path).metadata or {}
        found += [(image, reason) for image, reason in json.loads(metadata.get(_REJECTED_KEY, b"[]"))]
    return found


def read_rejected(folder: Path) -> list[Rejected]:
    """Return what `write_rejected` wrote; nothing where it did not."""
    path = folder / REJECTED_NAME
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [(row["image"], row["reason"]) for row in csv.DictReader(file)]


def write_rejected(folder: Path, rejected: Sequence[Rejected]) -> None:
    """Write `_rejected.csv`, with its header alone where nothing was rejected."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["image", "reason"])
    writer.writerows(rejected)
    write_text(folder / REJECTED_NAME, text.getvalue())
