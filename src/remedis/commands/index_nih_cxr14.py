"""`remedis index nih-cxr14`: NIH ChestX-ray14 as a manifest."""

from __future__ import annotations

from remedis.commands.index_written import check_out, wishes_of, written
from remedis.console import QUIET, Console, Result
from remedis.data.indexers import nih_cxr14
from remedis.data.indexers.complete import complete
from remedis.options.index_chest import IndexNihCxr14


def run(options: IndexNihCxr14, console: Console = QUIET) -> Result:
    """Write the manifest of `options.folder`.

    Returns:
        Images, patients, parts and labels, and what was left out.

    Raises:
        RemedisError: The folder, a table or an option cannot be used; nothing was written.
    """
    check_out(options.out)
    folder = nih_cxr14.located(options.folder)
    indexed = nih_cxr14.index(folder, validation=options.validation, seed=options.seed, console=console)
    return written(complete(indexed, wishes_of(options)), folder, options.out, console)
