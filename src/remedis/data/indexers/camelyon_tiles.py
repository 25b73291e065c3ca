"""Tiles of CAMELYON16's or CAMELYON17's slides, cut elsewhere, as the rows of a manifest: a row a tile."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from remedis.console import QUIET, Console
from remedis.data import manifest
from remedis.data.conditions import as_text
from remedis.data.indexers import folder as folder_indexer
from remedis.data.indexers.camelyon_slides import Slide, Stages, Year, slide_of
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.label_table import LabelTable
from remedis.data.indexers.scan import scan
from remedis.data.indexers.sizes import with_sizes
from remedis.data.indexers.words import counted
from remedis.errors import InputError, ManifestError

LICENCE = "CC0-1.0"
TUMOUR = frozenset({"tumor", "tumour", "metastasis", "metastases", "positive", "1"})
NORMAL = frozenset({"normal", "non_tumor", "non-tumor", "nontumor", "no_tumor", "negative", "0"})
"""Names of folders that tell what is on a tile, in lower case."""

_PLACE = re.compile(r"_x_?(\d+)_y_?(\d+)(?!\d)|(?<=\d)_(\d+)_(\d+)\.\w+$", re.I)


def index(
    folder: Path,
    year: Year,
    *,
    labels: LabelTable | None = None,
    stages: Stages | None = None,
    sites: Mapping[tuple[str, int], str] | None = None,
    console: Console = QUIET,
) -> Indexed:
    """Return a row for each tile whose path names its slide, sorted by path or in the order of the table.

    The columns are image, patient_id, site where something tells it, split where both parts are there, label (1 for
    tumour, 0 for none, null where nothing tells), slide, slide_label, of CAMELYON17 node and pn_stage, x_coord and
    y_coord where the names hold them, width and height. What the table of labels says goes before it.

    Args:
        folder: SLIDE/TILE, CLASS/SLIDE_…, or CLASS/SLIDE/TILE; further levels do no harm.
        year: Which challenge.
        labels: A table with a row a tile.
        stages: Of CAMELYON17, the table of stages.
        sites: The site of each (kind, number), see `camelyon_slides.ranges`.
        console: Where progress is shown.

    Raises:
        InputError: There is no tile whose path names a slide.
    """
    stages, sites = stages or Stages(), sites or {}
    base, left_out, notes = _base(folder, labels, console)
    names = base["image"].to_pylist()
    found = [slide_of(name, year) for name in names]
    kept = [place for place, slide in enumerate(found) if slide is not None]
    if not kept:
        wanted = "tumor_001, normal_001 or test_001" if year == 16 else "patient_004_node_4"
        raise InputError(f"no path names a slide such as {wanted}, the first is {names[0]}", where=folder)
    if len(kept) < len(names):
        left_out["tiles whose path names no slide"] = len(names) - len(kept)
    base = base.take(pa.array(kept))
    slides = [slide for slide in found if slide is not None]
    columns = _columns([names[place] for place in kept], slides, stages, sites)
    for name, column in columns.items():
        if name not in base.column_names and column.null_count < len(column):
            base = base.append_column(name, column)
        elif name in ("site", "patient_id") and name in base.column_names:
            known = pc.coalesce(base[name].cast(pa.string()), column)
            base = base.set_column(base.column_names.index(name), name, known)
    facts: dict[str, Any] = {"root": ".", "data_set": f"camelyon{year}", "licence": LICENCE, "left_out": left_out}
    said = ("CAMELYON16 names no patients: the slide counts as the patient",) if year == 16 else ()
    return Indexed(manifest.with_facts(base, facts), facts, (*notes, *_notes(base, slides, stages, year)), said)


def _base(folder: Path, labels: LabelTable | None, console: Console) -> tuple[pa.Table, dict[str, int], list[str]]:
    """Return the tiles with their sizes and what the table says, what was left out, and notes."""
    if labels is not None:
        indexed = folder_indexer.index(folder, labels=labels, console=console)
        _refuse_other_labels(indexed.table, folder)
        return indexed.table, dict(indexed.left_out), list(indexed.notes)
    found = scan(folder)
    table, notes = with_sizes(pa.table({"image": pa.array(found.names)}), folder, ("tile", "tiles"), console)
    return table, dict(found.left_out), notes


def _refuse_other_labels(table: pa.Table, folder: Path) -> None:
    """Refuse numbers in a column `label` that are neither 0 nor 1; words are classes of their own.

    Raises:
        ManifestError: Names the first of them.
    """
    if "label" not in table.column_names:
        return
    for image, label in zip(table["image"].to_pylist(), table["label"].to_pylist(), strict=True):
        text = as_text(label)
        if text not in ("", "0", "1") and text.lstrip("-").replace(".", "", 1).isdigit():
            raise ManifestError(f"label of {image} is {text}, 0 (none) or 1 (tumour) was expected", where=folder)


def _columns(
    names: Sequence[str], slides: Sequence[Slide], stages: Stages, sites: Mapping[tuple[str, int], str]
) -> dict[str, pa.Array]:
    test = [slide.is_test for slide in slides]
    both = any(test) and not all(test)
    places = [_place(name) for name in names]
    of_slides = {slide.name: _slide_label(slide, stages) for slide in slides}
    return {
        "patient_id": pa.array([slide.patient for slide in slides]),
        "site": pa.array([_site(slide, stages, sites) for slide in slides], pa.string()),
        "split": pa.array([("test" if each else "train") if both else None for each in test], pa.string()),
        "label": pa.array(_labels(names, slides, of_slides), pa.int64()),
        "slide": pa.array([slide.name for slide in slides]),
        "slide_label": pa.array([of_slides[slide.name] for slide in slides], pa.string()),
        "node": pa.array([slide.node for slide in slides], pa.int64()),
        "pn_stage": pa.array([stages.patients.get(slide.patient) for slide in slides], pa.string()),
        "x_coord": pa.array([place[0] if place else None for place in places], pa.int64()),
        "y_coord": pa.array([place[1] if place else None for place in places], pa.int64()),
    }


def _place(name: str) -> tuple[int, int] | None:
    """Return a tile's place as its name gives it, `_x_1024_y_2048` or `_1024_2048` at the end."""
    match = _PLACE.search(name.rpartition("/")[2])
    return (int(match[1] or match[3]), int(match[2] or match[4])) if match else None


def _slide_label(slide: Slide, stages: Stages) -> str | None:
    return slide.kind if slide.kind in ("normal", "tumor") else stages.slides.get(slide.name)


def _site(slide: Slide, stages: Stages, sites: Mapping[tuple[str, int], str]) -> str | None:
    centre = stages.centres.get(slide.patient)
    return f"centre_{centre}" if centre is not None else sites.get((slide.kind, slide.number))


def _labels(names: Sequence[str], slides: Sequence[Slide], of_slides: Mapping[str, str | None]) -> list[int | None]:
    """Return what is on each tile: by its folder, else 0 where the whole slide is without tumour."""
    folders = [_class(name) for name in names]
    if _repeats(folders, slides):
        folders = [None] * len(names)
    clean = ("normal", "negative")
    return [
        known if known is not None else 0 if of_slides[slide.name] in clean else None
        for known, slide in zip(folders, slides, strict=True)
    ]


def _class(name: str) -> int | None:
    for part in reversed(name.lower().split("/")[:-1]):
        if part in TUMOUR or part in NORMAL:
            return int(part in TUMOUR)
    return None


def _repeats(folders: Sequence[int | None], slides: Sequence[Slide]) -> bool:
    """Return whether folders named tumor and normal only repeat the slides' names, as CAMELYON16's own folders do.

    A slide with tumour has tiles without; where each of its tiles is said to have tumour, the slide is meant.
    """
    pairs = {(known, slide.kind) for known, slide in zip(folders, slides, strict=True) if known is not None}
    return (1, "tumor") in pairs and pairs <= {(1, "tumor"), (0, "normal")}


def _notes(table: pa.Table, slides: Sequence[Slide], stages: Stages, year: Year) -> list[str]:
    notes = []
    if "label" not in table.column_names or table["label"].null_count:
        unknown = table["label"].null_count if "label" in table.column_names else len(table)
        notes.append(
            f"label is unknown for {counted(unknown, 'tile')}: neither a table (--labels) nor a folder tumor or normal "
            "tells what is on them; a folder that repeats the slide's name does not"
        )
    if "site" not in table.column_names or table["site"].null_count:
        unknown = table["site"].null_count if "site" in table.column_names else len(table)
        how = "--stages with a column center, or --site-ranges" if year == 17 else "--site-ranges"
        notes.append(f"the hospital of {counted(unknown, 'tile')} is unknown; {how} gives it")
    unnamed = Counter(slide.name for slide in slides if stages.slides and slide.name not in stages.slides)
    if unnamed:
        slides_are = counted(len(unnamed), "slide is", "slides are")
        notes.append(f"{slides_are} not in the table of stages, the first: {min(unnamed)}")
    return notes
