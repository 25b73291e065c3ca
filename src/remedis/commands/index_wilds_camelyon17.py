"""`remedis index wilds-camelyon17`: CAMELYON17-WILDS as a manifest, hospitals as sites."""

from __future__ import annotations

from remedis.commands.index_written import check_out, in_part, wishes_of, written
from remedis.console import QUIET, Console, Result
from remedis.data.indexers import wilds_camelyon17
from remedis.data.indexers.complete import complete
from remedis.options.index_pathology import IndexWildsCamelyon17


def run(options: IndexWildsCamelyon17, console: Console = QUIET) -> Result:
    """Write the manifest of `options.folder`.

    Returns:
        Images, patients, parts and labels, and what was left out; exit status 1 where patches are missing or damaged.

    Raises:
        RemedisError: The folder or an option cannot be used; nothing was written.
    """
    check_out(options.out)
    folder = wilds_camelyon17.located(options.folder)
    indexed = complete(wilds_camelyon17.index(folder, console=console), wishes_of(options))
    return in_part(written(indexed, folder, options.out, console), indexed)
