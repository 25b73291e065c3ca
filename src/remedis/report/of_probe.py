"""A probe's page from its folder: values, thumbnails, HTML."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remedis.console import QUIET, Console
from remedis.data.embeddings import Embeddings
from remedis.data.manifest import Manifest
from remedis.data.readers import read_source
from remedis.options.report import Report
from remedis.report.before import open_other
from remedis.report.naming import path_shown
from remedis.report.page import render
from remedis.report.page_data import page_data
from remedis.report.probe_folder import ProbeFolder, open_probe
from remedis.report.thumbnails import EMPTY, Key, Pixels, Sheet, make_sheet

Plain = dict[str, Any]
DEFAULT_PROFILE = "dicom-display"


@dataclass(frozen=True)
class Pages:
    """A page, its values, and what the command says of it.

    Attributes:
        html: The page.
        data: What goes into report.json.
        lines: Lines for a person.
        result: Values for `--json`.
    """

    html: str
    data: Plain
    lines: list[str]
    result: Plain


def probe_page(options: Report, console: Console = QUIET) -> Pages:
    """Return the page of a probe.

    Raises:
        RemedisError: The folder is no probe's, a file in it is damaged, or `--before` cannot be compared with it.
    """
    probe = open_probe(options.folder)
    console.say(_understood(probe))
    other = open_other(options.before, probe) if options.before else None
    data = page_data(probe, names=options.names, report=_command(options), other=other)
    sheet = _sheet(probe, data, options, console) if options.images else EMPTY
    data |= {"images": options.images, "images_unreadable": sheet.unreadable}
    json_name = options.out.with_suffix(".json").name
    html = render(data, sheet, images=options.images, json_name=json_name)
    lines = [label["sentence"] for label in data["before"]["labels"]] if data["before"] else []
    if probe.gone:
        console.warn(f"{probe.gone}: the page has no map, no neighbours and no audit")
    if sheet.unreadable:
        lines.append(
            f"{sheet.unreadable:,} images could not be read any more; have they moved? --root FOLDER says where to"
        )
    result = {"labels": [label["label"] for label in data["labels"]], "images_unreadable": sheet.unreadable}
    if data["before"]:
        result["before"] = data["before"]["labels"]
    return Pages(html, data, lines, result)


def _command(options: Report) -> list[str]:
    """Return the words that made the page."""
    words = ["remedis", "report", path_shown(options.folder, names=options.names)]
    if options.before is not None:
        words += ["--before", path_shown(options.before, names=options.names)]
    words += ["--out", path_shown(options.out, names=options.names)]
    if options.root is not None:
        words += ["--root", path_shown(options.root, names=options.names)]
    return words + ["--names"] * options.names + ["--no-images"] * (not options.images)


def _understood(probe: ProbeFolder) -> str:
    labels = ", ".join(tested.label for tested in probe.tested)
    rows = sum(len(tested.rows) for tested in probe.tested)
    return f"probe of {labels} · {rows:,} tested rows · " + (
        f"embeddings: {probe.gone}" if probe.gone else "embeddings found"
    )


def _sheet(probe: ProbeFolder, data: Plain, options: Report, console: Console) -> Sheet:
    """Read every image that the page shows, once."""
    large = [tuple(image["key"]) for label in data["labels"] for image in shown_large(label)]
    small = [tuple(point["key"]) for point in data["map"]["points"]] if data["map"] else []
    return make_sheet(large, small, _reader(probe, options.root), console=console)


def shown_large(label: Plain) -> list[Plain]:
    """Return a label's images that are shown to be looked at."""
    examples = [image for kind in ("right", "wrong", "nearest") for image in label["examples"][kind]]
    return examples + [image for row in label["neighbours"] for image in (row["query"], *row["found"])]


def _reader(probe: ProbeFolder, root: Path | None) -> Callable[[Key], Pixels]:
    """Return what reads an image of the page with the profile that it was embedded with."""
    opened = {
        "test": _rows(probe, probe.test, root, "test"),
        "train": _rows(probe, probe.train, root, "train"),
    }

    def read(key: Key) -> Pixels:
        manifest, profile = opened[key[0]]
        pixels: Pixels = read_source(manifest.sources(range(key[1], key[1] + 1))[0], profile).pixels
        return pixels if pixels.ndim == 3 else pixels[0]

    return read


def _rows(probe: ProbeFolder, found: Embeddings | None, root: Path | None, which: str) -> tuple[Manifest, str]:
    """Return the rows that images are read of, and the profile."""
    noted = probe.config.get("test_root" if which == "test" and probe.external else "root")
    table = found.table if found else probe.predictions["logistic"]
    profile = str(found.facts.get("profile") or DEFAULT_PROFILE) if found else DEFAULT_PROFILE
    return Manifest(table=table, root=(root or Path(noted or ".")).resolve(), facts={}, path=None), profile
