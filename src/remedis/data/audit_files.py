"""What an audit finds in the files: missing ones, headers that cannot be read, the same bytes twice."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from remedis.console import QUIET, Console
from remedis.data import containers, pack, splits
from remedis.data.finding import Finding, Severity, finding_of
from remedis.data.indexers.headers import touched
from remedis.data.indexers.words import counted
from remedis.data.manifest import PACK_SUFFIX, Manifest, Source
from remedis.data.readers import image_size, size_of_bytes
from remedis.data.tfrecord import record_name
from remedis.errors import ReadError

_EXAMPLES = 5


def of_files(rows: Manifest, console: Console = QUIET) -> Iterator[Finding]:
    """Find files that are missing, whose header cannot be read, or that hold the same bytes."""
    sources = list({_file_of(each, rows): each for each in rows.sources(range(len(rows)))}.values())
    missing = {each.name for each in sources if not each.path.is_file()}
    if missing:
        yield finding_of(
            "missing", "error", f"{len(missing):,} of {counted(len(sources), 'file')} not there", sorted(missing)
        )
    there = [each for each in sources if each.name not in missing]
    unreadable = list(_unreadable(there, console))
    files = [each.name for each in unreadable if each.record is None]
    records = [record_name(each.name, each.record) for each in unreadable if each.record is not None]
    if files:
        message = f"{counted(len(files), 'file has', 'files have')} a header that cannot be read"
        yield finding_of("header", "error", message, files)
    if records:
        yield finding_of("header", "error", f"{counted(len(records), 'record')} cannot be read", records)
    damaged = {each for each in unreadable if each.record is not None}
    yield from _of_bytes(rows, [each for each in there if each not in damaged], console)
    yield from _of_rows(rows)


def _file_of(source: Source, rows: Manifest) -> tuple[object, ...]:
    """Return what tells files apart: the path, in a pack the name they had, in another container the record."""
    return (source.path, source.name) if rows.records is not None else (source.path, source.record)


def _unreadable(sources: Sequence[Source], console: Console) -> Iterator[Source]:
    files = [each for each in sources if each.record is None]
    if files:
        with console.track(len(files), "files", "reading headers") as track:
            for source, path in zip(files, touched([each.path for each in files]), strict=True):
                if image_size(path) is None:
                    yield source
                track.advance()
    records = [each for each in sources if each.record is not None and each.path.suffix != PACK_SUFFIX]
    if records:
        with console.track(len(records), "records", "reading records") as track:
            for source in records:
                if not _is_picture(source):
                    yield source
                track.advance()


def _is_picture(source: Source) -> bool:
    try:
        found = containers.content(source.path, source.record or 0, source.key)
    except ReadError:
        return False
    return not isinstance(found, bytes) or size_of_bytes(found, source.name) is not None


def _of_bytes(rows: Manifest, sources: Sequence[Source], console: Console) -> Iterator[Finding]:
    """Compare by size first, then by SHA-256."""
    by_size = _grouped(sources, [_size(each) for each in sources])
    alike = [each for group in by_size for each in group]
    hashes = []
    if alike:
        with console.track(len(alike), "files", "comparing bytes") as track:
            for source in alike:
                hashes.append(digest(source))
                track.advance()
    parts = _parts_of(rows)
    groups = [[_place(each, parts) for each in group] for group in _grouped(alike, hashes)]
    across = [group for group in groups if len(set().union(*(parts[name] for name in group)) - {None}) > 1]
    within = [group for group in groups if group not in across]
    for found, severity, where in ((across, "error", "in two parts of the split"), (within, "warning", "")):
        if found:
            message = f"{counted(len(found), 'group')} of files with the same bytes {where}".rstrip()
            examples = tuple(" = ".join(group[:3]) for group in found[:_EXAMPLES])
            yield Finding("duplicate", "error" if severity == "error" else "warning", message, len(found), examples)


def _grouped(sources: Sequence[Source], keys: Sequence[object]) -> list[list[Source]]:
    """Return the groups of two or more with one key, in order."""
    groups: dict[object, list[Source]] = {}
    for source, key in zip(sources, keys, strict=True):
        groups.setdefault(key, []).append(source)
    return [group for group in groups.values() if len(group) > 1]


def equal_files(one: Manifest, other: Manifest) -> list[tuple[Source, Source]]:
    """Return the files, or records, of one manifest that stand with the same bytes in another one."""
    sizes: dict[int, list[Source]] = {}
    for source in _distinct(other):
        sizes.setdefault(_size(source), []).append(source)
    hashes: dict[Source, bytes] = {}
    found = []
    for source in _distinct(one):
        alike = sizes.get(_size(source), [])
        if alike:
            own = digest(source)
            for each in alike:
                hashes.setdefault(each, digest(each))
            found += [(source, each) for each in alike if hashes[each] == own][:1]
    return found


def _distinct(rows: Manifest) -> list[Source]:
    """Return the files that are there, each once."""
    sources = {_file_of(each, rows): each for each in rows.sources(range(len(rows)))}.values()
    return [each for each in sources if each.path.is_file()]


def _size(source: Source) -> int:
    if source.record is None:
        return source.path.stat().st_size
    return len(_data(source))


def _data(source: Source) -> Any:
    """Return the bytes of one record, as a pack or another container holds them."""
    if source.path.suffix == PACK_SUFFIX:
        return pack.record(source.path, source.record or 0).data
    found = containers.content(source.path, source.record or 0, source.key)
    return found if isinstance(found, bytes) else found.tobytes()


def digest(source: Source) -> bytes:
    """Return the SHA-256 of a file, or of a record's bytes."""
    if source.record is not None:
        return hashlib.sha256(_data(source)).digest()
    with source.path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _place(source: Source, parts: dict[str, set[str | None]]) -> str:
    """Return how `_parts_of` names a source: a record of another container than a pack by its number."""
    name = source.name if source.record is None else record_name(source.name, source.record)
    return name if name in parts else source.name


def _parts_of(rows: Manifest) -> dict[str, set[str | None]]:
    """Return the parts that each image's rows belong to, and those of each frame or record of it."""
    words = splits.split_column(rows.table).words
    parts: dict[str, set[str | None]] = {}
    names = rows.table["image"].to_pylist()
    frames = rows.table["frame"].to_pylist() if "frame" in rows.table.column_names else [None] * len(names)
    found = words.to_pylist() if words is not None else [None] * len(names)
    for name, frame, word in zip(names, frames, found, strict=True):
        parts.setdefault(name, set()).add(word)
        if frame is not None:
            parts.setdefault(record_name(name, int(frame)), set()).add(word)
    return parts


def _of_rows(rows: Manifest) -> Iterator[Finding]:
    """Find rows that are the same picture: image, frame and region."""
    columns = [name for name in ("image", "frame", "x", "y", "size") if name in rows.table.column_names]
    groups = rows.table.select(columns).group_by(columns).aggregate([([], "count_all")])
    several = [row["image"] for row in groups.to_pylist() if row["count_all"] > 1]
    if several:
        parts = _parts_of(rows)
        across = any(len(parts[name] - {None}) > 1 for name in several)
        where = ", in two parts of the split" if across else ""
        severity: Severity = "error" if across else "warning"
        yield finding_of(
            "duplicate",
            severity,
            f"{counted(len(several), 'image has', 'images have')} two rows or more{where}",
            several,
        )
