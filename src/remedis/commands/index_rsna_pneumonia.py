"""`remedis index rsna-pneumonia`: the RSNA Pneumonia Detection Challenge as a manifest."""

from __future__ import annotations

from remedis.commands.index_written import check_out, wishes_of, written
from remedis.console import QUIET, Console, Result
from remedis.data.indexers import rsna_pneumonia
from remedis.data.indexers.complete import complete
from remedis.options.index_chest import IndexRsnaPneumonia


def run(options: IndexRsnaPneumonia, console: Console = QUIET) -> Result:
    """Write the manifest of `options.folder`.

    Returns:
        Images, patients, parts and labels, and what was left out.

    Raises:
        RemedisError: The folder, a table or an option cannot be used; nothing was written.
    """
    check_out(options.out)
    folder = rsna_pneumonia.located(options.folder)
    indexed = rsna_pneumonia.index(folder, nih_mapping=options.nih_mapping, console=console)
    return written(complete(indexed, wishes_of(options)), folder, options.out, console)
