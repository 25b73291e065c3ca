"""CAMELYON17-WILDS, patches of five hospitals with an official split by hospital, as the rows of a manifest.

Source: P. W. Koh et al., WILDS: A Benchmark of in-the-Wild Distribution Shifts, ICML 2021, section 4 and appendix.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data import manifest
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.sizes import with_sizes
from remedis.data.indexers.text_table import read_text_table
from remedis.data.indexers.words import counted
from remedis.errors import InputError, ManifestError, nearest

TABLE = "metadata.csv"
COLUMNS = ("patient", "node", "x_coord", "y_coord", "tumor", "slide", "center", "split")
VALIDATION_CENTRE, TEST_CENTRE = "1", "2"
"""The hospitals that no training patch comes from, whatever the file's own split says."""

PARTS = {"train": "train", "id_val": "id_val", "val": "validation", "test": "test"}
"""WILDS' words and ours. id_val shares its patients with train, so it is a part of its own that no verb takes."""

LICENCE = "CC0-1.0"
_WORDS = {"0": "train", "1": "id_val"}
_MOST_NAMED = 100


def located(place: Path) -> Path:
    """Return the folder with metadata.csv: the one given, or the only one below it.

    Raises:
        InputError: There is none.
    """
    if not place.is_dir():
        raise InputError(
            "is a file, a folder was expected" if place.exists() else "there is no such folder", where=place
        )
    found = [place] if (place / TABLE).is_file() else sorted(each.parent for each in place.glob(f"*/{TABLE}"))
    if len(found) != 1:
        raise InputError(f"{TABLE} and patches/ were expected in it, as in camelyon17_v1.0", where=place)
    return found[0]


def index(folder: Path, *, console: Console = QUIET) -> Indexed:
    """Return a row for each patch that is there, in the order of the table.

    The columns are image, patient_id (as written: 004), site (centre_0 …), split, label (1 where the centre 32 × 32
    pixels hold tumour), wilds_split (train, id_val, val, test), slide, node, x_coord, y_coord, width and height.

    Args:
        folder: The folder (`located`).
        console: Where progress is shown.

    Returns:
        The rows; the fact `damaged` lists patches that the table names and that are not there.

    Raises:
        InputError: No patch is there, or the table is not that of WILDS.
    """
    table = _read(folder / TABLE)
    cells = {name: [str(cell) for cell in table[name].to_pylist()] for name in COLUMNS}
    places = zip(*(cells[name] for name in ("patient", "node", "x_coord", "y_coord")), strict=True)
    names = [_name(*place) for place in places]
    there = _files(folder, names)
    kept = [place for place, name in enumerate(names) if name in there]
    missing = [name for name in names if name not in there]
    if not kept:
        raise InputError(f"no patch is there, the first would be {names[0]}; unpack the whole archive", where=folder)
    rows = pa.table(_columns(names, cells)).take(pa.array(kept))
    rows, notes = with_sizes(rows, folder, ("patch", "patches"), console)
    facts: dict[str, Any] = {"root": ".", "data_set": "camelyon17-wilds", "licence": LICENCE, "left_out": {}}
    if missing:
        facts |= {"left_out": {"patches that are not there": len(missing)}, "damaged": missing[:_MOST_NAMED]}
        notes.append(f"{counted(len(missing), 'patch is', 'patches are')} not there, the first: {missing[0]}")
    said = ("split by hospital: train 0, 3 and 4 · validation 1 · test 2; id_val, of train's patients, is no part",)
    return Indexed(manifest.with_facts(rows, facts), facts, tuple(notes), said)


def _columns(names: list[str], cells: dict[str, list[str]]) -> dict[str, pa.Array]:
    wilds = [_split(centre, split) for centre, split in zip(cells["center"], cells["split"], strict=True)]
    return {
        "image": pa.array(names),
        "patient_id": pa.array(cells["patient"]),
        "site": pa.array([f"centre_{centre}" for centre in cells["center"]]),
        "split": pa.array([PARTS[word] for word in wilds]),
        "label": pa.array([int(cell) for cell in cells["tumor"]]),
        "wilds_split": pa.array(wilds),
        "slide": pa.array(cells["slide"]),
        **{name: pa.array([int(cell) for cell in cells[name]]) for name in ("node", "x_coord", "y_coord")},
    }


def _read(path: Path) -> pa.Table:
    table = read_text_table(path)
    for name in COLUMNS:
        if name not in table.column_names:
            raise ManifestError(f"there is no column {name!r}, {nearest(name, table.column_names)}", where=path)
        if table[name].null_count:
            raise ManifestError(f"the column {name!r} has empty cells; get the file anew", where=path)
    for name, allowed in (("tumor", {"0", "1"}), ("split", set(_WORDS)), ("center", set("01234"))):
        other = sorted(set(table[name].to_pylist()) - allowed)
        if other:
            words = ", ".join(sorted(allowed))
            raise ManifestError(f"the column {name!r} says {other[0]!r}, one of {words} was expected", where=path)
    for name in ("node", "x_coord", "y_coord"):
        other = [cell for cell in table[name].unique().to_pylist() if not cell.isascii() or not cell.isdigit()]
        if other:
            raise ManifestError(f"the column {name!r} says {other[0]!r}, a whole number was expected", where=path)
    short = [cell for cell in table["patient"].unique().to_pylist() if len(cell) != 3 or not cell.isdigit()]
    if short:
        raise ManifestError(
            f"the column 'patient' says {short[0]!r}, three digits such as 004 were expected: a program that took them "
            "for numbers wrote the file anew; get the file anew",
            where=path,
        )
    return table


def _name(patient: str, node: str, x: str, y: str) -> str:
    slide = f"patient_{patient}_node_{node}"
    return f"patches/{slide}/patch_{slide}_x_{x}_y_{y}.png"


def _files(folder: Path, names: list[str]) -> set[str]:
    """Return which of the names are there; each folder is listed once."""
    folders = dict.fromkeys(name.rpartition("/")[0] for name in names)
    return {f"{each}/{path.name}" for each in folders if (folder / each).is_dir() for path in (folder / each).iterdir()}


def _split(centre: str, split: str) -> str:
    return {VALIDATION_CENTRE: "val", TEST_CENTRE: "test"}.get(centre, _WORDS[split])
