"""`remedis index pack`: a manifest and the bytes of its files in one file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from remedis.console import QUIET, Console, Result
from remedis.data import pack
from remedis.data.indexers.words import in_binary_units
from remedis.data.inputs import open_any
from remedis.data.manifest import KEY, PACK_SUFFIX
from remedis.errors import FolderError, UsageError
from remedis.options.index import IndexPack


def run(options: IndexPack, console: Console = QUIET) -> Result:
    """Write the pack of `options.manifest`.

    Returns:
        How many rows and bytes it holds.

    Raises:
        RemedisError: The manifest or one of its files cannot be read, or the disk is full; nothing is left of the pack.
    """
    _check_out(options.out)
    rows = open_any(options.manifest, root=options.root, where=options.where)
    existed = options.out.exists()
    with console.track(len(rows), "images", "packing") as track:
        for count in pack.write(rows, options.out):
            track.advance(count)
    size = options.out.stat().st_size
    text = (
        f"{'replaced' if existed else 'wrote'} {options.out}: {len(rows):,} images, {in_binary_units(size)}"
        f"      next: remedis embed {options.out} --encoder ENCODER --out emb"
    )
    data = {"out": str(options.out), "images": len(rows), "bytes": size, "replaced": existed}
    return Result(text=text, data=data)


def _check_out(out: Path) -> None:
    if out.suffix.lower() != PACK_SUFFIX:
        raise UsageError(f"--out is {str(out)!r}, a file name that ends in {PACK_SUFFIX} was expected")
    if not out.exists():
        return
    if out.is_dir():
        raise FolderError("is a folder, a file to write was expected; choose another --out", where=out)
    try:
        with pa.memory_map(str(out)) as source:
            schema = pa.ipc.open_file(source).schema
        is_pack = KEY in (schema.metadata or {}) and pack.BYTES in schema.names
    except (pa.ArrowInvalid, OSError):
        is_pack = False
    if not is_pack:
        raise FolderError("exists and is no pack that remedis wrote; choose another --out or remove it", where=out)
