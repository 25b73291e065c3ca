"""What `remedis index camelyon16` and `camelyon17` share."""

from __future__ import annotations

from remedis.commands.index_written import check_out, wishes_of, written
from remedis.console import Console, Result
from remedis.data.indexers import camelyon_tiles
from remedis.data.indexers.camelyon_slides import Stages, Year, ranges
from remedis.data.indexers.complete import complete
from remedis.data.indexers.label_table import Columns, LabelTable, read_labels
from remedis.errors import UsageError
from remedis.options.index_pathology import TileOptions


def run_of(options: TileOptions, year: Year, console: Console, stages: Stages | None = None) -> Result:
    """Write the manifest of a folder of tiles."""
    check_out(options.out)
    sites = ranges(options.site_ranges)
    indexed = camelyon_tiles.index(
        options.folder, year, labels=_labels(options), stages=stages, sites=sites, console=console
    )
    return written(complete(indexed, wishes_of(options)), options.folder, options.out, console)


def _labels(options: TileOptions) -> LabelTable | None:
    if options.labels is not None:
        return read_labels(options.labels, Columns(image=options.image_column))
    if options.image_column is not None:
        raise UsageError("--image-column names a column of a table, and there is none; give it with --labels FILE.csv")
    return None
