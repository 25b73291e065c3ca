"""`remedis index tfds`: a data set of TensorFlow Datasets as a manifest, without TensorFlow."""

from __future__ import annotations

from remedis.commands.index_written import check_out, in_part, wishes_of, written
from remedis.console import QUIET, Console, Result
from remedis.data.indexers import tfds
from remedis.data.indexers.complete import complete
from remedis.options.index import IndexTfds


def run(options: IndexTfds, console: Console = QUIET) -> Result:
    """Write the manifest of `options.folder`.

    Returns:
        Images, parts and labels, and what was left out; exit status 1 where records or shards are damaged or missing.

    Raises:
        RemedisError: The folder or an option cannot be used; nothing was written.
    """
    check_out(options.out)
    folder = tfds.located(options.folder)
    indexed = tfds.index(
        folder,
        image_key=options.image_key,
        label_key=options.label_key,
        splits=options.splits,
        console=console,
    )
    indexed = complete(indexed, wishes_of(options))
    return in_part(written(indexed, folder, options.out, console), indexed)
