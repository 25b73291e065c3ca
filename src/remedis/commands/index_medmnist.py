"""`remedis index medmnist`: a two-dimensional set of MedMNIST as a manifest; nothing is unpacked."""

from __future__ import annotations

from remedis.commands.index_written import check_out, in_part, wishes_of, written
from remedis.console import QUIET, Console, Result
from remedis.data.indexers import medmnist
from remedis.data.indexers.complete import complete
from remedis.options.index_records import IndexMedmnist


def run(options: IndexMedmnist, console: Console = QUIET) -> Result:
    """Write the manifest of `options.file`.

    Returns:
        Images, parts and labels, and what was left out; exit status 1 where a part is damaged or missing.

    Raises:
        RemedisError: The file or an option cannot be used; nothing was written.
    """
    check_out(options.out)
    path = medmnist.located(options.file)
    indexed = complete(medmnist.index(path, console=console), wishes_of(options))
    return in_part(written(indexed, path.parent, options.out, console), indexed)
