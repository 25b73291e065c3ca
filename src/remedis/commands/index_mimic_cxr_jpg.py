"""`remedis index mimic-cxr-jpg`: MIMIC-CXR-JPG's release as a manifest."""

from __future__ import annotations

from remedis.commands.index_written import check_out, wishes_of, written
from remedis.console import QUIET, Console, Result
from remedis.data.indexers import mimic_cxr_jpg
from remedis.data.indexers.complete import complete
from remedis.data.indexers.uncertain import policies
from remedis.options.index_chest import IndexMimicCxrJpg


def run(options: IndexMimicCxrJpg, console: Console = QUIET) -> Result:
    """Write the manifest of `options.folder`.

    Returns:
        Images, patients, parts and labels, and what was left out.

    Raises:
        RemedisError: The folder, a table or an option cannot be used; nothing was written.
    """
    check_out(options.out)
    folder = mimic_cxr_jpg.located(options.folder)
    indexed = mimic_cxr_jpg.index(
        folder,
        labeller=options.labeller,
        radiologists=options.radiologists,
        chosen=policies(options.uncertain, options.blank),
        console=console,
    )
    return written(complete(indexed, wishes_of(options)), folder, options.out, console)
