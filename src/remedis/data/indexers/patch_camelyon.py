"""PatchCamelyon as its authors published it (HDF5 and CSV), or as Kaggle did (TIFF), as the rows of a manifest.

Source: B. S. Veeling et al., Rotation Equivariant CNNs for Digital Pathology, MICCAI 2018, and the data set's README.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data import hdf5, manifest
from remedis.data.indexers import folder as folder_indexer
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.label_table import Columns, read_labels
from remedis.data.indexers.text_table import read_text_table
from remedis.errors import InputError, ReadError

PARTS = {"train": "train", "valid": "validation", "test": "test"}
"""PatchCamelyon's words for the parts, and ours."""

STEM = "camelyonpatch_level_2_split_"
KAGGLE = "train_labels.csv"
LICENCE = "CC0-1.0"
_TRUTHS = {"True": 1, "False": 0, "1": 1, "0": 0}
_OTHER = {"valid": "_test_", "test": "_train_"}  # what the names of a part's slides do not say


def located(place: Path) -> Path:
    """Return the folder with the files: the one given, `pcam` in it (torchvision's), or Kaggle's.

    Raises:
        InputError: There is none.
    """
    if not place.is_dir():
        raise InputError(
            "is a file, a folder was expected" if place.exists() else "there is no such folder", where=place
        )
    for folder in (place, place / "pcam"):
        if any(_there(folder, f"{STEM}{part}_x.h5") for part in PARTS) or (folder / KAGGLE).is_file():
            return folder
    packed = sorted(each for folder in (place, place / "pcam") for each in folder.glob(f"{STEM}*_x.h5.gz"))
    if packed:
        raise InputError(
            f"the files are packed and cannot be read in any order; unpack them: gunzip {packed[0].parent}/{STEM}*.gz",
            where=packed[0],
        )
    raise InputError(f"{STEM}train_x.h5 and its neighbours, or Kaggle's {KAGGLE}, were expected in it", where=place)


def _there(folder: Path, name: str) -> Path | None:
    """Return a file that lies in the folder, or in a folder of its own name, as some archives unpack."""
    return next((path for path in (folder / name, folder / name / name) if path.is_file()), None)


def index(folder: Path, *, console: Console = QUIET) -> Indexed:
    """Return a row for each patch, in the order of the parts.

    The columns are image, frame, split, label (1 where the centre 32 × 32 pixels hold tumour), of the CSV files
    patient_id (the slide: CAMELYON16 has no nearer name of a patient), tumour_anywhere (1 where any of the 96 × 96
    do), x_coord and y_coord on the slide, and width and height. Kaggle's files have image and label alone.

    Args:
        folder: The folder (`located`).
        console: Where progress is shown.

    Returns:
        The rows; the fact `damaged` lists the parts that are missing or cannot be read.

    Raises:
        InputError: No part can be read, or files of two parts are swapped.
        MissingExtraError: h5py is not installed.
    """
    if (folder / KAGGLE).is_file() and not _there(folder, f"{STEM}train_x.h5"):
        return _of_kaggle(folder, console)
    hdf5.check_installed()
    tables = {part: _meta(folder, part) for part in PARTS}
    parts: list[pa.Table] = []
    damaged: list[str] = []
    with console.track(len(PARTS), "parts", "reading parts") as track:
        for part in PARTS:
            try:
                parts.append(_rows(folder, part, tables))
            except ReadError as error:
                damaged.append(str(error).removeprefix(f"{folder}/"))
            track.advance()
    if not parts:
        raise InputError(f"no part can be read, the first: {damaged[0]}", where=folder)
    table = pa.concat_tables(parts, promote_options="default")
    facts: dict[str, Any] = {"root": ".", "data_set": "patch_camelyon", "licence": LICENCE, "image_key": "x"}
    facts["left_out"] = {"parts that cannot be read": len(damaged)} if damaged else {}
    facts |= {"damaged": damaged} if damaged else {}
    lacking = [part for part, found in tables.items() if found is None]
    notes = [f"damaged or missing: {'; '.join(damaged)}"] if damaged else []
    if lacking:
        notes.append(
            f"{STEM}{lacking[0]}_meta.csv is not there: the slides of {', '.join(lacking)} are unknown, every patch "
            "counts as a patient of its own and intervals come out too narrow"
        )
    said = ("label is 1 where the centre 32 × 32 pixels hold tumour; a patient is a slide",)
    return Indexed(manifest.with_facts(table, facts), facts, tuple(notes), said)


def _meta(folder: Path, part: str) -> pa.Table | None:
    """Return the table of a part's patches; None where there is none.

    Raises:
        InputError: Its slides are those of another part, or a column is missing.
    """
    path = _there(folder, f"{STEM}{part}_meta.csv")
    if path is None:
        return None
    table = read_text_table(path)
    for name in ("coord_x", "coord_y", "tumor_patch", "center_tumor_patch", "wsi"):
        if name not in table.column_names:
            raise InputError(f"there is no column {name!r}; get the file anew", where=path)
    slides = [str(name) for name in table["wsi"].unique().to_pylist()]
    if part in _OTHER and all(_OTHER[part] in name for name in slides):
        raise InputError(f"its slides are not those of {part} ({slides[0]}): valid and test are swapped", where=path)
    return table


def _rows(folder: Path, part: str, tables: dict[str, pa.Table | None]) -> pa.Table:
    images, label = _file(folder, part, "x"), _file(folder, part, "y")
    held = hdf5.pictures(images, "x")[0]
    count, height, width = held.shape[:3]
    values = hdf5.array(label, "y").reshape(-1).astype(np.int64)
    if len(values) != count:
        raise ReadError(f"holds {len(values):,} labels, {count:,} were expected, one a patch", where=label)
    if (other := np.flatnonzero(~np.isin(values, (0, 1)))).size:
        raise ReadError(f"label {other[0]:,} is {values[other[0]]}, 0 or 1 was expected", where=label)
    hdf5.picture(images, count - 1, "x")  # a file that is cut short lacks its end
    columns = {
        "image": pa.array([images.relative_to(folder).as_posix()] * count, pa.string()),
        "frame": pa.array(range(count), pa.int64()),
        "split": pa.array([PARTS[part]] * count, pa.string()),
        "label": pa.array(values),
    }
    table = tables[part]
    if table is not None:
        _check(part, label, values, tables)
        columns |= {
            "patient_id": table["wsi"].combine_chunks(),
            "tumour_anywhere": pa.array(_truths(table, "tumor_patch")),
            "x_coord": table["coord_x"].combine_chunks().cast(pa.int64()),
            "y_coord": table["coord_y"].combine_chunks().cast(pa.int64()),
        }
    sides = {"width": width, "height": height}
    return pa.table(columns | {name: pa.array([side] * count, pa.int64()) for name, side in sides.items()})


def _file(folder: Path, part: str, kind: str) -> Path:
    name = f"{STEM}{part}_{kind}.h5"
    found = _there(folder, name)
    if found is not None:
        return found
    packed = _there(folder, f"{name}.gz")
    if packed is not None:
        raise ReadError(f"is packed; unpack it: gunzip {packed}", where=packed)
    raise ReadError("there is no such file", where=folder / name)


def _truths(table: pa.Table, name: str) -> npt.NDArray[np.int64]:
    """Return 1 for True and 0 for False, which the file writes as words; -1 for another word."""
    return np.array([_TRUTHS.get(str(word), -1) for word in table[name].to_pylist()], np.int64)


def _check(part: str, label: Path, values: npt.NDArray[np.int64], tables: dict[str, pa.Table | None]) -> None:
    """Hold the labels against the table: a published list of MD5 sums has the files of valid and test swapped."""
    fitting = [
        other
        for other, table in tables.items()
        if table is not None and np.array_equal(_truths(table, "center_tumor_patch"), values)
    ]
    if part in fitting:
        return
    if fitting:
        raise InputError(
            f"its labels are those of {STEM}{fitting[0]}_meta.csv: the files of two parts are swapped, as in a list of "
            "MD5 sums that was published; swap their names, of x and of y",
            where=label,
        )
    raise InputError(f"its labels are not those of {STEM}{part}_meta.csv; get the files anew", where=label)


def _of_kaggle(folder: Path, console: Console) -> Indexed:
    """Return the rows of Kaggle's variant: train/ID.tif and train_labels.csv; test/ has no labels."""
    labels = read_labels(folder / KAGGLE, Columns(image="id"))
    indexed = folder_indexer.index(folder, labels=labels, console=console)
    rows = indexed.table
    if "split" in rows.column_names:
        rows = rows.drop_columns(["split"])  # of the folder train, which is Kaggle's word for all that has a label
    facts = indexed.facts | {"data_set": "patch_camelyon_kaggle"}
    notes = (
        *indexed.notes,
        "Kaggle's variant names neither slides nor parts: every patch counts as a patient of its own, and a split by "
        "patch parts neighbours of one slide",
    )
    return replace(indexed, table=manifest.with_facts(rows, facts), facts=facts, notes=notes)
