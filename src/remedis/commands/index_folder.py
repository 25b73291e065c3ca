"""`remedis index folder`: a folder of images, with or without a table of labels, as a manifest."""

from __future__ import annotations

from remedis.commands.index_written import check_out, wishes_of, written
from remedis.console import QUIET, Console, Result
from remedis.data.indexers import folder
from remedis.data.indexers.complete import complete
from remedis.data.indexers.label_table import Columns, LabelTable, read_labels
from remedis.errors import UsageError
from remedis.options.index import IndexFolder


def run(options: IndexFolder, console: Console = QUIET) -> Result:
    """Write the manifest of `options.folder`.

    Returns:
        Images, patients, parts and labels, and what was left out.

    Raises:
        RemedisError: The folder, the table or an option cannot be used; nothing was written.
    """
    check_out(options.out)
    labels = _labels(options)
    indexed = complete(folder.index(options.folder, labels=labels, console=console), wishes_of(options))
    return written(indexed, options.folder, options.out, console)


def _labels(options: IndexFolder) -> LabelTable | None:
    columns = Columns(
        image=options.image_column,
        patient=options.patient_column,
        site=options.site_column,
        study=options.study_column,
        split=options.split_column,
        view=options.view_column,
        sex=options.sex_column,
        age=options.age_column,
    )
    if options.labels is not None:
        return read_labels(options.labels, columns)
    if columns.given():
        option, name = next(iter(columns.given().values()))
        raise UsageError(
            f"{option} {name} names a column of a table, and there is none; give it with --labels FILE.csv"
        )
    return None
