"""`remedis index vindr-cxr`: VinDr-CXR as a manifest."""

from __future__ import annotations

from remedis.commands.index_written import check_out, wishes_of, written
from remedis.console import QUIET, Console, Result
from remedis.data.indexers import vindr_cxr
from remedis.data.indexers.complete import complete
from remedis.options.index_chest import IndexVindrCxr


def run(options: IndexVindrCxr, console: Console = QUIET) -> Result:
    """Write the manifest of `options.folder`.

    Returns:
        Images, patients, parts and labels, and what was left out.

    Raises:
        RemedisError: The folder, a table or an option cannot be used; nothing was written.
    """
    check_out(options.out)
    folder = vindr_cxr.located(options.folder)
    indexed = vindr_cxr.index(folder, vote=options.vote, console=console)
    return written(complete(indexed, wishes_of(options)), folder, options.out, console)
