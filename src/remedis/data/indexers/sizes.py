"""Width and height of the files that rows name, by their headers."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data.indexers.headers import read_headers
from remedis.data.indexers.words import counted


def with_sizes(
    rows: pa.Table, folder: Path, what: tuple[str, str], console: Console = QUIET
) -> tuple[pa.Table, list[str]]:
    """Return the rows with columns `width` and `height`, null where a header cannot be read, and a note of those.

    Args:
        rows: A row a file; `image` is its path from the folder.
        folder: Where the paths start.
        what: What a row is, in the singular and the plural.
        console: Where progress is shown.
    """
    headers = read_headers(folder, rows["image"].to_pylist(), sizes=True, console=console)
    for place, side in enumerate(("width", "height")):
        column = [each.size[place] if each.size else None for each in headers]
        rows = rows.append_column(side, pa.array(column, pa.int64()))
    problems = [each.problem for each in headers if each.problem]
    kept = counted(len(problems), f"{what[0]} is", f"{what[1]} are")
    return rows, [f"{kept} kept that remedis embed will reject, the first: {problems[0]}"] if problems else []
