"""`remedis index tfrecord`: TFRecord files of tf.train.Examples as a manifest, without TensorFlow."""

from __future__ import annotations

from remedis.commands.index_written import check_out, in_part, wishes_of, written
from remedis.console import QUIET, Console, Result
from remedis.data.indexers import tfrecord
from remedis.data.indexers.complete import complete
from remedis.options.index_records import IndexTfrecord


def run(options: IndexTfrecord, console: Console = QUIET) -> Result:
    """Write the manifest of `options.place`.

    Returns:
        Images, patients, parts and labels, and what was left out; exit status 1 where records are damaged.

    Raises:
        RemedisError: The files or an option cannot be used; nothing was written.
    """
    check_out(options.out)
    wanted = tfrecord.keys(options.image_key, options.label_key, options.patient_key, options.split_key)
    root, files = tfrecord.located(options.place)
    indexed = complete(tfrecord.index(root, files, wanted, console=console), wishes_of(options))
    return in_part(written(indexed, root, options.out, console), indexed)
