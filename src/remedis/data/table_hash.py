"""One hash for the rows of a table, however they are cut into chunks or stored."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def table_hash(table: pa.Table) -> str:
    """Return the SHA-256 of a table: names, types and values of all columns; not chunks, not metadata."""
    digest = hashlib.sha256()
    for name in table.column_names:
        column = plain(table[name])
        digest.update(f"{name}\0{column.type}\0{len(column)}\0".encode())
        digest.update(np.packbits(column.is_null().to_numpy()).data)
        for data in _bytes_of(column.drop_null()):
            digest.update(data)
    return digest.hexdigest()


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column with its values in it, not in a dictionary beside it (as pandas and polars store categories)."""
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _bytes_of(column: pa.ChunkedArray) -> Iterator[Any]:
    """Yield the values of a column without nulls: of text first the lengths, so that no two columns look alike."""
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        yield np.ascontiguousarray(pc.binary_length(column).to_numpy().astype(np.int64))
        for chunk in column.cast(pa.large_string()).chunks:
            _, ends, text = chunk.buffers()
            places = np.frombuffer(ends, np.int64)[chunk.offset : chunk.offset + len(chunk) + 1]
            if text is not None and len(chunk):
                yield text.slice(places[0], places[-1] - places[0])
    elif pa.types.is_primitive(column.type):
        yield np.ascontiguousarray(column.to_numpy()).view(np.uint8)
    else:
        yield repr(column.to_pylist()).encode()
