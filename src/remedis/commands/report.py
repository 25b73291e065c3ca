"""`remedis report`: a folder that a command wrote as a page for colleagues and a JSON file for programs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from remedis.console import QUIET, Console, Result
from remedis.data.files import read_json, write_json, write_text
from remedis.errors import FolderError, InputError, UsageError, nearest
from remedis.options.report import Report
from remedis.report import of_evaluation, of_run, of_study, page_data
from remedis.report.of_probe import Pages, probe_page
from remedis.report.page import is_page
from remedis.report.probe_folder import is_probe
from remedis.report.run_folder import is_run

KINDS: Mapping[str, tuple[Callable[[Path], bool], Callable[[Report, Console], Pages]]] = {
    "a probe": (is_probe, probe_page),
    "a pretraining": (is_run, of_run.run_page),
    "a study": (of_study.is_study, of_study.study_page),
    "an evaluation": (of_evaluation.is_evaluation, of_evaluation.evaluation_page),
}
"""What a folder is of, what tells it, and what makes its page."""

_JSON_KINDS = (page_data.KIND, of_run.KIND, of_study.KIND, of_evaluation.KIND)
_EXPECTED = "a folder that remedis probe, pretrain, evaluate or study wrote was expected"


def run(options: Report, console: Console = QUIET) -> Result:
    """Write the page of `options.folder` and the JSON beside it.

    A page and a JSON file that an earlier call wrote are replaced; other files of these names are refused.

    Returns:
        Where they lie and what was shown.

    Raises:
        RemedisError: The folder is none that a page can be made of, or the names are taken; nothing was written.
    """
    json_path = options.out.with_suffix(".json")
    _check_out(options.out, json_path)
    _check_folder(options.folder)
    kind = next((name for name, (tells, _) in KINDS.items() if tells(options.folder)), None)
    if kind is None:
        raise InputError(
            f"{_EXPECTED}, it has no config.json and results.csv, run.json, evaluation.json or study.json; run "
            f"remedis probe{_neighbour(options.folder)}",
            where=options.folder,
        )
    if options.before is not None and kind != "a probe":
        raise UsageError(f"--before compares probes, and this folder is of {kind}; leave it out")
    existed = options.out.exists()
    made = KINDS[kind][1](options, console)
    write_json(json_path, made.data)
    write_text(options.out, made.html)
    size = len(made.html.encode())
    lines = [
        f"{'replaced' if existed else 'wrote'} {options.out} ({size / 2**20:.1f} MiB, loads nothing) and {json_path}",
        *made.lines,
    ]
    data = {"out": str(options.out), "json": str(json_path), "bytes": size, **made.result}
    return Result(text="\n".join(lines), data=data)


def _check_out(out: Path, json_path: Path) -> None:
    if out.suffix.lower() not in (".html", ".htm"):
        raise UsageError(f"--out is {str(out)!r}, a file name that ends in .html was expected")
    for path in (out, json_path):
        if path.is_dir():
            raise UsageError(f"--out {out}: {str(path)!r} is a folder, a name for a file was expected")
    for path, ours in ((out, is_page), (json_path, _is_json)):
        if path.exists() and not ours(path):
            raise FolderError("exists and was not written by remedis report; choose another name for --out", where=path)


def _is_json(path: Path) -> bool:
    """Return whether a JSON file is one that this command wrote."""
    try:
        found = read_json(path)
    except InputError:
        return False
    return isinstance(found, dict) and found.get("kind") in _JSON_KINDS


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        beside = folder.parent.glob("*") if folder.parent.is_dir() else ()
        near = [path.name for path in beside if any(tells(path) for tells, _ in KINDS.values())]
        raise InputError(
            f"there is no such folder, {nearest(folder.name, near) or 'remedis probe makes one, and remedis pretrain'}",
            where=folder,
        )
    if not folder.is_dir():
        raise InputError(f"{_EXPECTED}, this is a file", where=folder)


def _neighbour(folder: Path) -> str:
    """Name the probe that a folder of embeddings was meant to become, if that is what was given."""
    return f" {folder} --label COLUMN --out probe" if (folder / "_embeddings.json").is_file() else ""
