"""`remedis index cifar10`: CIFAR-10 as its author published it as a manifest; no pickle is executed."""

from __future__ import annotations

from remedis.commands.index_written import check_out, in_part, wishes_of, written
from remedis.console import QUIET, Console, Result
from remedis.data.indexers import cifar10
from remedis.data.indexers.complete import complete
from remedis.options.index import IndexCifar10


def run(options: IndexCifar10, console: Console = QUIET) -> Result:
    """Write the manifest of `options.folder`.

    Returns:
        Images, parts and labels, and what was left out; exit status 1 where batches are damaged or missing.

    Raises:
        RemedisError: The folder or an option cannot be used; nothing was written.
    """
    check_out(options.out)
    folder = cifar10.located(options.folder)
    indexed = complete(cifar10.index(folder, console=console), wishes_of(options))
    return in_part(written(indexed, folder, options.out, console), indexed)
