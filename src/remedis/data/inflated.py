"""Rows of a deflated stream in any order, in bounded memory and without a temporary file.

A deflate stream can only be read from its beginning. So it is unpacked in chunks of whole rows, the state of the
decoder at each chunk's beginning is kept (about 50 KB), and so are the chunks read last. Reading all rows in order
unpacks the stream once; a row out of order costs one chunk.
"""

from __future__ import annotations

import itertools
import os
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any, NamedTuple

from remedis.errors import ReadError

CACHE_BYTES = 1 << 28
"""Unpacked bytes that a process keeps, of all its files together."""

CHUNK_BYTES = 1 << 20
MOST_CHUNKS = 1024
"""States that are kept of one stream at most: chunks are larger where it is long."""

_BLOCK = 1 << 14
_RAW = -15  # zlib's word for deflate without a header of its own, as zip files hold it

_streams = itertools.count()
_kept: OrderedDict[tuple[int, int], bytes] = OrderedDict()  # (stream, chunk), the oldest first


class Deflated(NamedTuple):
    """Where a deflated stream lies.

    Attributes:
        path: The file.
        start: Where it begins.
        packed: How many bytes it takes there.
        header: How many unpacked bytes come before the first row.
    """

    path: Path
    start: int
    packed: int
    header: int


class Inflated:
    """The rows of one stream.

    Args:
        stream: Where it lies.
        row_bytes: Unpacked bytes of a row.
        rows: How many there are.
    """

    def __init__(self, stream: Deflated, row_bytes: int, rows: int) -> None:
        self._stream, self._row_bytes, self._rows = stream, row_bytes, rows
        self._number = next(_streams)
        self._rows_a_chunk = max(1, CHUNK_BYTES // row_bytes, -(-rows // MOST_CHUNKS))
        self._states: list[tuple[Any, int]] = []  # (decoder, packed bytes it has taken) at each chunk's beginning

    def row(self, number: int) -> bytes:
        """Return the bytes of one row.

        Raises:
            ReadError: The stream is damaged or cut short.
        """
        chunk, place = divmod(number, self._rows_a_chunk)
        data = self._chunk(chunk)
        return data[place * self._row_bytes : (place + 1) * self._row_bytes]

    def _chunk(self, number: int) -> bytes:
        key = (self._number, number)
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
        if number + 1 < len(self._states):
            decoder, taken = self._states[number]
            data, _, _ = self._unpacked(decoder, taken, self._length(number))
            _keep(key, data)
        for each in range(len(self._states) - 1, number + 1):
            data = self._advance(each)
        return data

    def _length(self, chunk: int) -> int:
        """Return the unpacked bytes of a chunk; of the one before the first, the header's."""
        if chunk < 0:
            return self._stream.header
        return min(self._rows_a_chunk, self._rows - chunk * self._rows_a_chunk) * self._row_bytes

    def _advance(self, chunk: int) -> bytes:
        """Unpack the first chunk behind which no state is known, and keep it and that state."""
        decoder, taken = self._states[chunk] if chunk >= 0 else (zlib.decompressobj(_RAW), 0)
        data, decoder, taken = self._unpacked(decoder, taken, self._length(chunk))
        self._states.append((decoder, taken))
        if chunk >= 0:
            _keep((self._number, chunk), data)
        return data

    def _unpacked(self, decoder: Any, taken: int, length: int) -> tuple[bytes, Any, int]:
        """Return `length` unpacked bytes, the decoder behind them, and the packed bytes it has taken."""
        decoder = decoder.copy()
        parts = []
        try:
            with self._stream.path.open("rb") as file:
                file.seek(self._stream.start + taken)
                while length > 0:
                    block = file.read(min(_BLOCK, self._stream.packed - taken))
                    part = decoder.decompress(block, length)
                    taken += len(block) - len(decoder.unconsumed_tail)
                    if not part and (not block or decoder.eof):
                        raise ReadError("a member is cut short; get the file anew", where=self._stream.path)
                    length -= len(part)
                    parts.append(part)
        except zlib.error as error:
            raise ReadError(
                f"a member cannot be unpacked ({error}); get the file anew", where=self._stream.path
            ) from error
        except OSError as error:
            raise ReadError(f"cannot be read ({os.strerror(error.errno or 0)})", where=self._stream.path) from error
        return b"".join(parts), decoder, taken


def _keep(key: tuple[int, int], data: bytes) -> None:
    """Keep a chunk, and let the oldest go while there are more bytes than allowed."""
    _kept[key] = data
    held = sum(len(each) for each in _kept.values())
    while held > CACHE_BYTES and len(_kept) > 1:
        held -= len(_kept.popitem(last=False)[1])
