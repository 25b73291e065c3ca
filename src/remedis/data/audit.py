"""What makes results wrong and can be found without a network: files, bytes, patients, parts and labels."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data import containers, pack, splits
from remedis.data.indexers.headers import touched
from remedis.data.indexers.summary import KNOWN, classes_of
from remedis.data.indexers.words import counted
from remedis.data.manifest import PACK_SUFFIX, Manifest, Source
from remedis.data.readers import image_size, size_of_bytes
from remedis.data.tfrecord import record_name
from remedis.errors import ManifestError, ReadError, nearest

Severity = Literal["error", "warning"]
FEW = 10
"""Rows of a class; fewer, and no figure of it means much."""

_EXAMPLES = 5


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: missing, path, header, duplicate, leak, patient, split, label or shortcut.
        severity: An error makes results wrong or images unreadable; a warning should be known.
        message: One line, without the kind.
        count: How many files, rows or patients it is about.
        examples: Some of them.
    """

    kind: str
    severity: Severity
    message: str
    count: int = 1
    examples: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The finding as one line that begins with its kind and a colon."""
        more = f": {', '.join(self.examples[:2])}{' …' if self.count > 2 else ''}" if self.examples else ""
        return f"{self.kind}: {self.message}{more} ({self.severity})"


def audit(rows: Manifest, labels: Sequence[str] = (), *, console: Console = QUIET) -> list[Finding]:
    """Return what is wrong with a manifest, errors first.

    Args:
        rows: The manifest.
        labels: Label columns that must be good enough to learn from; of others it is said where they are empty or
            have one class.
        console: Where progress is shown.

    Raises:
        ManifestError: There is no such label column.
    """
    for label in labels:
        if label not in rows.table.column_names:
            known = nearest(label, rows.table.column_names)
            raise ManifestError(f"there is no column {label!r}, {known}", where=rows.path or rows.root)
    found = [
        *of_paths(rows),
        *of_files(rows, console),
        *of_patients(rows),
        *of_split(rows.table),
        *of_labels(rows.table, labels),
    ]
    return sorted(found, key=lambda finding: finding.severity)


def of_paths(rows: Manifest) -> Iterator[Finding]:
    """Find paths that lead out of the root, that work on one machine only, or that may identify people."""
    names = rows.table["image"].unique().to_pylist()
    outside = [name for name in names if ".." in Path(name).parts]
    if outside:
        yield _finding(
            "path",
            "error",
            f"{counted(len(outside), 'path leads', 'paths lead')} out of the root, which is refused",
            outside,
        )
    absolute = [name for name in names if Path(name).is_absolute()]
    if absolute:
        yield _finding(
            "path",
            "warning",
            f"{counted(len(absolute), 'path is', 'paths are')} absolute and right on this machine only",
            absolute,
        )
    if rows.facts.get("paths_may_identify"):
        yield Finding("path", "warning", "paths of DICOM files can identify people; look at them before you share it")


def _finding(kind: str, severity: Severity, message: str, examples: Sequence[str]) -> Finding:
    return Finding(kind, severity, message, len(examples), tuple(examples[:_EXAMPLES]))


def of_files(rows: Manifest, console: Console = QUIET) -> Iterator[Finding]:
    """Find files that are missing, whose header cannot be read, or that hold the same bytes."""
    sources = list({_file_of(each, rows): each for each in rows.sources(range(len(rows)))}.values())
    missing = {each.name for each in sources if not each.path.is_file()}
    if missing:
        yield _finding(
            "missing", "error", f"{len(missing):,} of {counted(len(sources), 'file')} not there", sorted(missing)
        )
    there = [each for each in sources if each.name not in missing]
    unreadable = list(_unreadable(there, console))
    files = [each.name for each in unreadable if each.record is None]
    records = [record_name(each.name, each.record) for each in unreadable if each.record is not None]
    if files:
        message = f"{counted(len(files), 'file has', 'files have')} a header that cannot be read"
        yield _finding("header", "error", message, files)
    if records:
        yield _finding("header", "error", f"{counted(len(records), 'record')} cannot be read", records)
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
                hashes.append(_hash(source))
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


def _hash(source: Source) -> bytes:
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
        yield _finding(
            "duplicate",
            severity,
            f"{counted(len(several), 'image has', 'images have')} two rows or more{where}",
            several,
        )


def of_patients(rows: Manifest) -> Iterator[Finding]:
    """Find patients in two parts of the split, and rows whose patient is unknown."""
    if "patient_id" not in rows.table.column_names:
        return
    leaking = splits.leaking_patients(rows.table, data_set=rows.data_set)
    if len(leaking):
        who = [str(name) for name in rows.table["patient_id"].take(pa.array(leaking)).to_pylist()]
        yield _finding(
            "leak",
            "error",
            f"{counted(len(leaking), 'patient stands', 'patients stand')} in two parts of the split",
            who,
        )
    nulls = rows.table["patient_id"].null_count
    if nulls:
        message = f"patient_id is unknown in {counted(nulls, 'row')}: each counts as a patient of its own"
        yield Finding("patient", "warning", message, nulls)


def of_split(table: pa.Table) -> Iterator[Finding]:
    """Find words of the split that are none of its parts."""
    found = splits.split_column(table)
    if not found.other:
        return
    count = sum(found.other.values())
    words = tuple(f"{word} {times:,}" for word, times in found.other.items())
    if found.words is None:
        yield _finding("split", "warning", "no row says train, the column counts as absent", words)
    else:
        yield Finding(
            "split", "warning", f"{counted(count, 'row names', 'rows name')} no part and belong to none", count, words
        )


def of_labels(table: pa.Table, labels: Sequence[str]) -> Iterator[Finding]:
    """Find labels that cannot be learnt from; of columns that nobody named, only those that say nothing."""
    for name in labels or [each for each in table.column_names if each not in KNOWN and not each.endswith("_id")]:
        classes = classes_of(table[name])
        if len(classes) < 2:
            what = f"has one class ({next(iter(classes))})" if classes else "is empty"
            yield Finding("label", "error" if labels else "warning", f"{name} {what}", table.num_rows)
        elif labels:
            yield from _of_label(table, name, classes)


def _of_label(table: pa.Table, name: str, classes: dict[str, int]) -> Iterator[Finding]:
    words = splits.split_column(table).words
    if words is not None:
        column = np.array([word or "" for word in words.to_pylist()])
        found = {part: classes_of(table[name].filter(pa.array(column == part))) for part in splits.SPLITS}
        yield from _of_parts(name, found, {part: int((column == part).sum()) for part in splits.SPLITS})
    few = {each: count for each, count in classes.items() if count < FEW}
    if few:
        words_of = ", ".join(f"{each} in {count}" for each, count in few.items())
        yield Finding("label", "warning", f"{name} has classes with fewer than {FEW} rows: {words_of}", len(few))


def _of_parts(name: str, found: dict[str, dict[str, int]], rows: dict[str, int]) -> Iterator[Finding]:
    for part, classes in found.items():
        if rows[part] and len(classes) < 2:
            what = f"has one class ({next(iter(classes))})" if classes else "is empty"
            severity: Severity = "error" if part in ("train", "test") else "warning"
            yield Finding("label", severity, f"{name} {what} in the {part} part", rows[part])
    unlearnt = sorted(set(found["test"]) - set(found["train"]))
    if unlearnt and found["train"]:
        message = f"{name} has classes in the test part that the train part lacks"
        yield _finding("label", "warning", message, unlearnt)
