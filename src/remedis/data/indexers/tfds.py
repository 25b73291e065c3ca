"""A data set of TensorFlow Datasets as the rows of a manifest, without TensorFlow: a row a record of its files.

Every record is read and held against its check sums; what is damaged is left out, counted and named.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from remedis.console import QUIET, Console, Track
from remedis.data import manifest, tfrecord
from remedis.data.indexers.cells import sexes
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.label_table import RESERVED
from remedis.data.indexers.tfds_features import Feature, Features, read_features
from remedis.data.indexers.tfds_layout import Layout, Shard, find, located, read_layout
from remedis.data.indexers.words import counted
from remedis.data.readers import size_of_bytes
from remedis.errors import InputError, ReadError, UsageError, nearest

__all__ = ["find", "index", "located"]

OURS = ("image", "frame", "split", "width", "height")
TAKEN = RESERVED | {*OURS, *manifest.REGION, "mpp"}
"""Names of columns that no feature may take; such a feature becomes `tfds_NAME`."""

_TEXT = frozenset({"patient_id", "study_id", "series_id", "site", "view", "sex"})
_TYPES = {
    "class": pa.string(), "whole": pa.int64(), "number": pa.float64(), "truth": pa.bool_(), "text": pa.string()
}  # fmt: skip
_MOST_NAMED = 100


def index(
    folder: Path,
    *,
    image_key: str | None = None,
    label_key: str | None = None,
    splits: Sequence[str] = (),
    console: Console = QUIET,
) -> Indexed:
    """Return a row for each record, in the order of splits and shards.

    A ClassLabel `K` becomes `K` (its name, or its number as text where no file names it) and `K_index`; scalars and
    texts become columns. Sequences and arrays are left out and said.

    Args:
        folder: The folder with dataset_info.json (`located`).
        image_key: The feature that holds the picture; needed where there are several and none is named image.
        label_key: The feature that becomes the column `label`.
        splits: The splits that are wanted; all without it.
        console: Where progress is shown.

    Returns:
        The rows; the fact `damaged` lists what could not be read, by file and record.

    Raises:
        InputError: The folder holds no such data set, or no record of it can be read.
        UsageError: There is no such feature or split.
    """
    layout, features = read_layout(folder), read_features(folder)
    key = _image_key(features, image_key, folder)
    reading = _Reading(layout, key, _columns(features, label_key))
    for split, shards in _chosen(layout, splits, reading.left_out).items():
        reading.split(split, shards)
    with console.track(reading.total, "records", "reading records") as track:
        reading.run(track)
    table = reading.table()
    if table is None:
        first = f", the first: {reading.damaged[0]}" if reading.damaged else ""
        raise InputError(f"no record can be read{first}; get the data set anew", where=folder)
    facts: dict[str, Any] = {"root": ".", "data_set": layout.name, "left_out": dict(reading.left_out), "image_key": key}
    facts |= {"licence": layout.licence} if layout.licence else {}
    facts |= {"damaged": reading.damaged[:_MOST_NAMED]} if reading.damaged else {}
    said = [f"the picture is the feature {key}"]
    if features.left_out or len(features.of("image")) > 1:
        others = [*(each for each in features.of("image") if each != key), *features.left_out]
        said.append(f"features left out, they are neither one number nor one text: {', '.join(others)}")
    return Indexed(manifest.with_facts(table, facts), facts, tuple(reading.notes()), tuple(said))


def _image_key(features: Features, wanted: str | None, folder: Path) -> str:
    images = features.of("image")
    if wanted is not None and wanted not in images:
        raise UsageError(f"--image-key {wanted}: there is no such Image feature; {nearest(wanted, images)}")
    if not images:
        raise InputError("features.json names no Image; a data set of pictures was expected", where=folder)
    if wanted is None and len(images) > 1 and "image" not in images:
        raise UsageError(f"there are several Image features ({', '.join(images)}); choose one with --image-key")
    return wanted or (images[0] if len(images) == 1 else "image")


def _chosen(layout: Layout, wanted: Sequence[str], left_out: Counter[str]) -> dict[str, tuple[Shard, ...]]:
    for name in wanted:
        if name not in layout.splits:
            raise UsageError(f"--splits {name}: there is no such split; {nearest(name, layout.splits)}")
    for name, shards in layout.splits.items():
        if wanted and name not in wanted:
            left_out[f"shards of the split {name}"] = len(shards)
    return {name: shards for name, shards in layout.splits.items() if not wanted or name in wanted}


def _columns(features: Features, label_key: str | None) -> dict[str, Feature]:
    """Return the feature of each column."""
    found = [each for each in features.found if each.kind != "image"]
    if label_key is not None and label_key not in [each.key for each in found]:
        known = nearest(label_key, [each.key for each in found])
        raise UsageError(f"--label-key {label_key}: there is no such feature of one number or text; {known}")
    columns: dict[str, Feature] = {}
    taken = set(TAKEN)
    for feature in sorted(found, key=lambda each: (each.key != label_key, each.kind != "class")):
        name = "label" if feature.key == label_key else feature.key
        while not taken.isdisjoint(_names(name, feature)):
            name = f"tfds_{name}"
        columns[name] = feature
        taken |= _names(name, feature)
    return columns


def _names(name: str, feature: Feature) -> set[str]:
    """Return the columns that a feature fills."""
    return {name, f"{name}_index"} if feature.kind == "class" else {name}


class _Reading:
    """Reads the shards, gathers columns, and counts what is left out."""

    def __init__(self, layout: Layout, key: str, columns: dict[str, Feature]) -> None:
        self.left_out: Counter[str] = Counter()
        self.damaged: list[str] = []
        self.total = 0
        self._layout, self._key, self._columns = layout, key, columns
        self._shards: list[tuple[str, Shard, int]] = []
        self._odd: Counter[str] = Counter()
        self._unreadable: list[str] = []
        self._column_names = [*OURS, *(column for name in columns for column in sorted(_names(name, columns[name])))]
        self._rows: dict[str, list[Any]] = {}
        self._tables: list[pa.Table] = []

    def split(self, split: str, shards: Sequence[Shard]) -> None:
        """Find the records of one split, and hold their numbers against what dataset_info.json promises."""
        for shard in shards:
            path = self._layout.folder / shard.name
            if not path.is_file():
                self._damage("shards that are not there", f"{shard.name}: there is no such file")
                continue
            walk = tfrecord.walk(path)
            count = len(walk.offsets)
            if walk.problem:
                self._damage("shards with an end that cannot be read", f"{shard.name}: {walk.problem}")
            elif shard.length not in (None, count):
                self._damage(
                    "shards of another length than dataset_info.json says",
                    f"{shard.name}: dataset_info.json says {shard.length:,} records, it holds {count:,}",
                )
            self._shards.append((split, shard, count))
            self.total += count

    def _damage(self, reason: str, what: str) -> None:
        self.left_out[reason] += 1
        self.damaged.append(what)

    def run(self, track: Track) -> None:
        """Read every record; no more than one shard's values are held as Python's objects."""
        for split, shard, count in self._shards:
            self._rows = {name: [] for name in self._column_names}
            for number in range(count):
                self._record(split, shard, number)
                track.advance()
            self._tables.append(self._table())

    def _record(self, split: str, shard: Shard, number: int) -> None:
        path, where = self._layout.folder / shard.name, tfrecord.record_name(shard.name, number)
        try:
            features = tfrecord.example(tfrecord.record(path, number), where)
            picture = tfrecord.picture_of(features, where, self._key)
        except ReadError as error:
            self._damage("records that cannot be read", str(error).removeprefix(f"{self._layout.folder}/"))
            return
        size = size_of_bytes(picture, where)
        if size is None:
            self._unreadable.append(where)
        for name, value in zip(OURS, (shard.name, number, split, *(size or (None, None))), strict=True):
            self._rows[name].append(value)
        for name, feature in self._columns.items():
            for column, value in self._cells(name, feature, features.get(feature.key, [])):
                self._rows[column].append(value)

    def _cells(self, name: str, feature: Feature, values: tfrecord.Values) -> Iterator[tuple[str, Any]]:
        value = _value(feature, values)
        if value is None and values and not (feature.kind == "class" and values == [-1]):  # -1: not labelled
            self._odd[name] += 1
        if feature.kind == "class":
            yield f"{name}_index", value
            value = value if value is None or feature.names is None else feature.names[value]
            value = None if value is None else str(value)
        yield name, value

    def _table(self) -> pa.Table:
        types = {name: _TYPES[feature.kind] for name, feature in self._columns.items()}
        types |= {"image": pa.string(), "split": pa.string()}
        columns = {}
        for name, values in self._rows.items():
            column = pa.array(values, types.get(name, pa.int64()))
            column = column.cast(pa.string()) if name in _TEXT or name.endswith("_id") else column
            columns[name] = column if name != "sex" else self._sexes(column)
        return pa.table(columns)

    def _sexes(self, column: pa.Array) -> pa.Array:
        found, other = sexes(column)
        self._odd["sex"] += other.total()
        return found

    def table(self) -> pa.Table | None:
        """Return the rows; None where there is none."""
        table = pa.concat_tables(self._tables) if self._tables else None
        return table if table is not None and len(table) else None

    def notes(self) -> list[str]:
        """Return what a person should not overlook."""
        notes = [
            f"{name} is no {'class that has a name' if self._columns[name].names else 'value of its kind'} in "
            f"{counted(count, 'record')}: it counts as unknown there"
            for name, count in self._odd.items()
            if count
        ]
        for name, feature in self._columns.items():
            if feature.kind == "class" and feature.names is None:
                notes.append(f"{name} has no names, {feature.key}.labels.txt is not there: its numbers stand for them")
        if self._unreadable:
            kept = counted(len(self._unreadable), "record is", "records are")
            notes.append(f"{kept} kept that remedis embed will reject, the first: {self._unreadable[0]}")
        if self.damaged:
            more = f" and {len(self.damaged) - 3:,} more" if len(self.damaged) > 3 else ""
            notes.append(f"damaged or missing: {'; '.join(self.damaged[:3])}{more}")
        return notes


def _value(feature: Feature, values: tfrecord.Values) -> Any:
    """Return the one value of a feature; None where there is none, several, or one of another kind."""
    value = values[0] if len(values) == 1 else None
    if feature.kind == "text":
        return _text(value) if isinstance(value, bytes) else None
    if feature.kind == "number":
        # the shortest decimal number that is this float32: 0.1 and not 0.10000000149
        return float(str(np.float32(value))) if isinstance(value, float) and math.isfinite(value) else None
    if not isinstance(value, int):
        return None
    if feature.kind == "class":
        return value if value >= 0 and (feature.names is None or value < len(feature.names)) else None
    return bool(value) if feature.kind == "truth" else value


def _text(value: bytes) -> str | None:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return None
