"""`remedis index dicom`: a tree of DICOM studies as a manifest that names nobody."""

from __future__ import annotations

from remedis.commands.index_written import check_out, wishes_of, written
from remedis.console import QUIET, Console, Result
from remedis.data.indexers import dicom
from remedis.data.indexers.complete import complete
from remedis.data.indexers.label_table import Columns, read_labels
from remedis.data.indexers.secret import default_place, find_secret, keep_secret, new_secret
from remedis.errors import UsageError
from remedis.options.index import IndexDicom


def run(options: IndexDicom, console: Console = QUIET) -> Result:
    """Write the manifest of `options.folder`, and the secret of its keys where there was none.

    Returns:
        Images, patients and parts, and what was left out.

    Raises:
        RemedisError: The folder, the secret or an option cannot be used; nothing was written.
    """
    check_out(options.out)
    if options.image_column is not None and options.labels is None:
        raise UsageError("--image-column names a column of a table, and there is none; give it with --labels FILE.csv")
    place = options.key_file or default_place()
    known = find_secret(place)
    secret = known or new_secret()
    labels = read_labels(options.labels, Columns(image=options.image_column)) if options.labels else None
    indexed = dicom.index(options.folder, secret, labels=labels, console=console)
    indexed = complete(indexed, wishes_of(options))
    if known is None:
        keep_secret(place, secret)
    console.say(f"patients' keys: secret in {place}, {'made now; keep it' if known is None else 'as before'}")
    return written(indexed, options.folder, options.out, console)
