"""`remedis index camelyon16`: tiles of CAMELYON16's slides as a manifest."""

from __future__ import annotations

from remedis.commands.index_tiles import run_of
from remedis.console import QUIET, Console, Result
from remedis.options.index_pathology import IndexCamelyon16


def run(options: IndexCamelyon16, console: Console = QUIET) -> Result:
    """Write the manifest of `options.folder`.

    Returns:
        Images, patients, parts and labels, and what was left out.

    Raises:
        RemedisError: The folder, a table or an option cannot be used; nothing was written.
    """
    return run_of(options, 16, console)
