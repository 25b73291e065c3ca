"""Pictures that are nearly the same: copies that were resized, recompressed, made lighter, or taken a moment apart.

A perceptual hash names the candidates, for it is compared in a nanosecond; all chest films look alike to it, so that a
pair counts only where small thumbnails of the two correlate.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from remedis.data.audit_files import digest
from remedis.data.decoded import Decoded
from remedis.data.finding import Finding, Severity, finding_of
from remedis.data.indexers.words import counted
from remedis.data.manifest import Manifest, patient_keys
from remedis.data.splits import SPLITS, split_column

Pairs = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

ALIKE = 0.995
"""Correlation of two thumbnails from which pictures count as nearly the same."""

MOST_BITS = 8
"""Bits of 64 in which the hashes of candidates differ at most; copies of JPEG quality 40 differ in 4, rarely 6."""

FLAT = 2.0
"""Standard deviation in grey levels below which a thumbnail shows nothing, and is like any other that shows nothing."""

_CELLS = 1 << 22
_PAIRS_AT_ONCE = 2048


def pairs_alike(one: Decoded, other: Decoded | None = None) -> tuple[Pairs, Floats]:
    """Return the pairs of pictures that are nearly the same.

    Args:
        one: Decoded pictures.
        other: Others that each of `one` is held against; among themselves without it.

    Returns:
        (n, 2) numbers of the two pictures, and (n,) the correlation of their thumbnails, each channel's mean removed.
    """
    found, values = [np.zeros((0, 2), np.int64)], [np.zeros(0)]
    against = one if other is None else other
    for candidates in _candidates(one.hashes, against.hashes, within=other is None):
        for start in range(0, len(candidates), _PAIRS_AT_ONCE):
            pairs = candidates[start : start + _PAIRS_AT_ONCE]
            correlations = _correlations(one.thumbnails[pairs[:, 0]], against.thumbnails[pairs[:, 1]])
            kept = correlations >= ALIKE
            found.append(pairs[kept])
            values.append(correlations[kept])
    return np.concatenate(found), np.concatenate(values)


def _candidates(
    one: npt.NDArray[np.uint64], other: npt.NDArray[np.uint64], *, within: bool
) -> Iterator[npt.NDArray[np.int64]]:
    """Yield blocks of pairs whose hashes differ in few bits; `within` one list each pair once."""
    block = max(1, _CELLS // max(1, len(other)))
    for start in range(0, len(one), block):
        first = start if within else 0
        differing = np.bitwise_count(one[start : start + block, None] ^ other[None, first:])
        rows, columns = np.nonzero(differing <= MOST_BITS)
        pairs = np.stack([rows + start, columns + first], axis=1)
        yield pairs[pairs[:, 0] < pairs[:, 1]] if within else pairs


def _correlations(one: npt.NDArray[np.uint8], other: npt.NDArray[np.uint8]) -> Floats:
    """Return (n,) correlations of thumbnails (n, S, S, 3); 0 where one of the two is flat."""
    centred = [_centred(each) for each in (one, other)]
    squares = [np.einsum("nij,nij->n", each, each) for each in centred]
    product = np.einsum("nij,nij->n", *centred)
    shown = np.minimum(*squares) >= FLAT**2 * centred[0][0].size if len(one) else np.zeros(0, bool)
    return np.asarray(np.where(shown, product / np.sqrt(np.maximum(squares[0] * squares[1], 1)), 0.0))


def _centred(thumbnails: npt.NDArray[np.uint8]) -> Floats:
    flat = thumbnails.reshape(len(thumbnails), -1, thumbnails.shape[-1]).astype(np.float64)
    return np.asarray(flat - flat.mean(axis=1, keepdims=True))


def of_near_duplicates(rows: Manifest, decoded: Decoded) -> Iterator[Finding]:
    """Find pictures that are nearly the same: in two parts of the split, of two patients, or of one.

    Files with the same bytes are `audit_files.of_files`'s to find, and frames of one file are no copies.
    """
    pairs, correlations = pairs_alike(decoded)
    sources = decoded.sources
    bytes_of = functools.cache(lambda picture: digest(sources[picture]))
    kept = [
        number
        for number, (one, other) in enumerate(pairs.tolist())
        if not _of_one_file(decoded, one, other) and bytes_of(one) != bytes_of(other)
    ]
    pairs, correlations = pairs[kept], correlations[kept]
    first = _first_rows(decoded)
    people = patient_keys(rows.table, data_set=rows.data_set)[first]
    across = _stand_apart(rows, decoded, pairs)
    strangers = people[pairs[:, 0]] != people[pairs[:, 1]]
    known = "patient_id" in rows.table.column_names
    groups: tuple[tuple[npt.NDArray[np.bool_], Severity, str], ...] = (
        (across, "error", " in two parts of the split"),
        (~across & strangers, "warning", " of two patients" if known else ""),
        (~across & ~strangers, "warning", " of one patient"),
    )
    for chosen, severity, where in groups:
        if chosen.any():
            named = [
                f"{sources[one].name} ≈ {sources[other].name} ({value:.4f})"
                for (one, other), value in zip(pairs[chosen].tolist(), correlations[chosen], strict=True)
            ]
            what = counted(int(chosen.sum()), "pair") + " of pictures nearly the same"
            yield finding_of("near-duplicate", severity, what + where, named)


def _of_one_file(decoded: Decoded, one: int, other: int) -> bool:
    """Return whether two pictures are frames or regions of one file; records of a container are files of their own."""
    pair = decoded.sources[one], decoded.sources[other]
    return pair[0].path == pair[1].path and pair[0].record == pair[1].record


def _first_rows(decoded: Decoded) -> npt.NDArray[np.int64]:
    """Return (P,) the first row that names each picture."""
    first = np.zeros(len(decoded.sources), np.int64)
    rows = np.flatnonzero(decoded.of_row >= 0)[::-1]
    first[decoded.of_row[rows]] = rows
    return first


def _stand_apart(rows: Manifest, decoded: Decoded, pairs: Pairs) -> npt.NDArray[np.bool_]:
    """Return (n,) whether the two pictures of a pair stand in two parts; rows that name none belong to none."""
    words = split_column(rows.table).words
    if words is None:
        return np.zeros(len(pairs), bool)
    parts = np.array([0 if word is None else 1 << SPLITS.index(word) for word in words.to_pylist()])
    of_picture = np.zeros(len(decoded.sources), np.int64)
    there = decoded.of_row >= 0
    np.bitwise_or.at(of_picture, decoded.of_row[there], parts[there])
    return np.asarray(np.bitwise_count(of_picture[pairs[:, 0]] | of_picture[pairs[:, 1]]) > 1)
