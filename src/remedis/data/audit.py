"""What makes results wrong and can be found without a network: files, bytes, patients, parts and labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data import splits
from remedis.data.audit_files import of_files
from remedis.data.audit_labels import of_balance, of_labels
from remedis.data.finding import Finding, finding_of
from remedis.data.indexers.words import counted
from remedis.data.manifest import Manifest
from remedis.errors import ManifestError, nearest


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
        *of_balance(rows, labels),
    ]
    return sorted(found, key=lambda finding: finding.severity)


def of_paths(rows: Manifest) -> Iterator[Finding]:
    """Find paths that lead out of the root, that work on one machine only, or that may identify people."""
    names = rows.table["image"].unique().to_pylist()
    outside = [name for name in names if ".." in Path(name).parts]
    if outside:
        yield finding_of(
            "path",
            "error",
            f"{counted(len(outside), 'path leads', 'paths lead')} out of the root, which is refused",
            outside,
        )
    absolute = [name for name in names if Path(name).is_absolute()]
    if absolute:
        yield finding_of(
            "path",
            "warning",
            f"{counted(len(absolute), 'path is', 'paths are')} absolute and right on this machine only",
            absolute,
        )
    if rows.facts.get("paths_may_identify"):
        yield Finding("path", "warning", "paths of DICOM files can identify people; look at them before you share it")


def of_patients(rows: Manifest) -> Iterator[Finding]:
    """Find patients in two parts of the split, and rows whose patient is unknown."""
    if "patient_id" not in rows.table.column_names:
        return
    leaking = splits.leaking_patients(rows.table, data_set=rows.data_set)
    if len(leaking):
        who = [str(name) for name in rows.table["patient_id"].take(pa.array(leaking)).to_pylist()]
        yield finding_of(
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
        yield finding_of("split", "warning", "no row says train, the column counts as absent", words)
    else:
        yield Finding(
            "split", "warning", f"{counted(count, 'row names', 'rows name')} no part and belong to none", count, words
        )
