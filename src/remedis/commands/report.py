"""`remedis report`: a folder that a command wrote as a page for colleagues and a JSON file for programs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from remedis.console import QUIET, Console, Result
from remedis.data.files import write_json, write_text
from remedis.errors import InputError, UsageError, nearest
from remedis.options.report import Report
from remedis.report.of_probe import Pages, probe_page
from remedis.report.probe_folder import is_probe

KINDS: tuple[tuple[Callable[[Path], bool], Callable[[Report, Console], Pages]], ...] = ((is_probe, probe_page),)
"""What tells a kind of folder, and what makes its page."""


def run(options: Report, console: Console = QUIET) -> Result:
    """Write the page of `options.folder` and the JSON beside it.

    Returns:
        Where they lie and what was shown.

    Raises:
        RemedisError: The folder is none that a page can be made of; nothing was written.
    """
    _check(options)
    make = next((page for tells, page in KINDS if tells(options.folder)), None)
    if make is None:
        raise InputError(
            "a folder that remedis probe wrote was expected, it has no config.json and results.csv; run remedis "
            f"probe{_neighbour(options.folder)}",
            where=options.folder,
        )
    existed = options.out.exists()
    made = make(options, console)
    json_path = options.out.with_suffix(".json")
    write_json(json_path, made.data)
    write_text(options.out, made.html)
    size = len(made.html.encode()) / 2**20
    lines = [
        f"{'replaced' if existed else 'wrote'} {options.out} ({size:.1f} MiB, loads nothing) and {json_path}",
        *made.lines,
    ]
    data = {"out": str(options.out), "json": str(json_path), "bytes": len(made.html.encode()), **made.result}
    return Result(text="\n".join(lines), data=data)


def _check(options: Report) -> None:
    if options.out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out is {str(options.out)!r}, a file name that ends in .html was expected")
    if options.out.is_dir():
        raise UsageError(f"--out is the folder {str(options.out)!r}, a file name that ends in .html was expected")
    if not options.folder.exists():
        near = (
            [path.name for path in options.folder.parent.glob("*") if is_probe(path)]
            if options.folder.parent.is_dir()
            else []
        )
        raise InputError(
            f"there is no such folder, {nearest(options.folder.name, near) or 'remedis probe makes one'}",
            where=options.folder,
        )
    if not options.folder.is_dir():
        raise InputError("a folder that remedis probe wrote was expected, this is a file", where=options.folder)


def _neighbour(folder: Path) -> str:
    """Name the probe that a folder of embeddings was meant to become, if that is what was given."""
    return f" {folder} --label COLUMN --out probe" if (folder / "_embeddings.json").is_file() else ""
