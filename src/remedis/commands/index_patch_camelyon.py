"""`remedis index patch-camelyon`: PatchCamelyon as a manifest; the HDF5 files stay as they are."""

from __future__ import annotations

from remedis.commands.index_written import check_out, in_part, wishes_of, written
from remedis.console import QUIET, Console, Result
from remedis.data.indexers import patch_camelyon
from remedis.data.indexers.complete import complete
from remedis.options.index_pathology import IndexPatchCamelyon


def run(options: IndexPatchCamelyon, console: Console = QUIET) -> Result:
    """Write the manifest of `options.folder`.

    Returns:
        Images, patients, parts and labels, and what was left out; exit status 1 where parts are missing or damaged.

    Raises:
        RemedisError: The folder or an option cannot be used; nothing was written.
    """
    check_out(options.out)
    folder = patch_camelyon.located(options.folder)
    indexed = complete(patch_camelyon.index(folder, console=console), wishes_of(options))
    return in_part(written(indexed, folder, options.out, console), indexed)
