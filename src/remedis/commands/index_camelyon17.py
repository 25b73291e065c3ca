"""`remedis index camelyon17`: tiles of CAMELYON17's slides as a manifest."""

from __future__ import annotations

from remedis.commands.index_tiles import run_of
from remedis.console import QUIET, Console, Result
from remedis.data.indexers.camelyon_slides import Stages, read_stages
from remedis.options.index_pathology import IndexCamelyon17


def run(options: IndexCamelyon17, console: Console = QUIET) -> Result:
    """Write the manifest of `options.folder`.

    Returns:
        Images, patients, parts and labels, and what was left out.

    Raises:
        RemedisError: The folder, a table or an option cannot be used; nothing was written.
    """
    return run_of(options, 17, console, _stages(options))


def _stages(options: IndexCamelyon17) -> Stages | None:
    """Return the table that was given, or the one in the folder, under its newer or its older name."""
    there = (options.folder / name for name in ("stages.csv", "stage_labels.csv"))
    found = options.stages or next((path for path in there if path.is_file()), None)
    return read_stages(found) if found is not None else None
