"""What the verbs that make a manifest share: where it may be written, and what is said of it."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from remedis.console import Console, Result
from remedis.data import manifest
from remedis.data.indexers.complete import Wishes
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.summary import lines, summary
from remedis.errors import FolderError, UsageError
from remedis.options.index import SplitOptions


def check_out(out: Path) -> None:
    """Refuse a place where a manifest cannot or must not be written.

    Raises:
        UsageError: It does not end in .parquet.
        FolderError: There is something that is no manifest of ours.
    """
    if out.suffix.lower() != ".parquet":
        raise UsageError(f"--out is {str(out)!r}, a file name that ends in .parquet was expected")
    if not out.exists():
        return
    if out.is_dir():
        raise FolderError("is a folder, a file to write was expected; choose another --out", where=out)
    try:
        metadata = pq.read_schema(out).metadata or {}
    except (pa.ArrowInvalid, OSError):
        metadata = {}
    if manifest.KEY not in metadata:
        raise FolderError(
            "exists and is no manifest that remedis index wrote; choose another --out or remove it", where=out
        )


def wishes_of(options: SplitOptions) -> Wishes:
    """Return what the options ask for beyond the files and their table."""
    return Wishes(
        site=options.site,
        split=options.split,
        split_by=options.split_by,
        stratify=options.stratify,
        seed=options.seed,
        licence=options.licence,
        where=options.where,
    )


def in_part(result: Result, indexed: Indexed) -> Result:
    """Return the result with exit status 1 where some of the source is damaged or missing."""
    return replace(result, exit_status=1) if indexed.facts.get("damaged") else result


def written(indexed: Indexed, folder: Path, out: Path, console: Console) -> Result:
    """Write the manifest and return what it holds."""
    existed = out.exists()
    facts = indexed.facts | {"root": manifest.relative_root(folder, out)}
    for line in indexed.said:
        console.say(line)
    for note in indexed.notes:
        console.warn(note)
    made = replace(indexed, facts=facts)
    manifest.write(made.table, out, facts)
    found = summary(made.table, facts)
    text = [
        *lines(found),
        f"{'replaced' if existed else 'wrote'} {out}      next: remedis index check {shlex.quote(str(out))}",
    ]
    data = {"out": str(out), **found, "replaced": existed, "warnings": list(indexed.notes), "facts": facts}
    return Result(text="\n".join(text), data=data)
