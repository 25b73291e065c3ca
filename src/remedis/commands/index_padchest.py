"""`remedis index padchest`: PadChest as a manifest."""

from __future__ import annotations

from remedis.commands.index_written import check_out, in_part, wishes_of, written
from remedis.console import QUIET, Console, Result
from remedis.data.indexers import padchest
from remedis.data.indexers.complete import complete
from remedis.options.index_chest import IndexPadchest


def run(options: IndexPadchest, console: Console = QUIET) -> Result:
    """Write the manifest of `options.folder`.

    Returns:
        Images, patients, parts and labels, and what was left out; exit status 1 where images are cut short.

    Raises:
        RemedisError: The folder, a table or an option cannot be used; nothing was written.
    """
    check_out(options.out)
    folder = padchest.located(options.folder)
    indexed = padchest.index(folder, findings=options.findings, least=options.least, console=console)
    indexed = complete(indexed, wishes_of(options))
    return in_part(written(indexed, folder, options.out, console), indexed)
