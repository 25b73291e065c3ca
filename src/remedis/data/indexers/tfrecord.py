"""TFRecord files of tf.train.Examples, whose features the caller names, as the rows of a manifest: a row a record.

Every record is read and held against its check sums; what is damaged is left out, counted and named.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from remedis.console import QUIET, Console
from remedis.data import manifest, tfrecord
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.label_table import RESERVED
from remedis.data.indexers.words import counted
from remedis.data.readers import size_of_bytes
from remedis.data.splits import part_of
from remedis.errors import InputError, ReadError, UsageError, nearest

OURS = ("image", "frame", "split", "patient_id", "width", "height")
_NAMED = re.compile(r".*\.tfrecords?|.*tfrecord.*-\d{5,}-of-\d{5,}", re.I)
_TEXT = frozenset({"patient_id", "study_id", "series_id", "site", "view", "sex", "split"})
_HEAD = 16
_MOST_NAMED = 100


@dataclass(frozen=True)
class Keys:
    """Which features a record's columns are.

    Attributes:
        image: The encoded picture; `tfrecord.PICTURE_KEYS`, else the only one of bytes without it.
        columns: The feature of each column, the patient's and the split's among them.
    """

    image: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


def keys(
    image: str | None = None,
    labels: Sequence[str] = (),
    patient: str | None = None,
    split: str | None = None,
) -> Keys:
    """Return the keys that texts `COLUMN=FEATURE` or `FEATURE` name.

    Raises:
        UsageError: A text has another form, or two name one column.
    """
    columns: dict[str, str] = {}
    for text in labels:
        column, equals, feature = text.partition("=")
        name, key = (column, feature) if equals else (column.rpartition("/")[2], column)
        if not name or not key:
            raise UsageError(f"--label-key {text}: COLUMN=FEATURE was expected, as in edema=image/label")
        if name in columns or name in OURS or name in RESERVED:
            raise UsageError(f"--label-key {text}: the column {name!r} is taken, give another as COLUMN=FEATURE")
        columns[name] = key
    columns |= {"patient_id": patient} if patient else {}
    columns |= {"split": split} if split else {}
    return Keys(image, columns)


def located(place: Path) -> tuple[Path, tuple[Path, ...]]:
    """Return the folder that paths start from, and the files: one, a folder's, or those that fit a pattern.

    In a folder these are the files below it that begin as TFRecords do, or that are named so.

    Raises:
        InputError: There are none.
    """
    if place.is_file():
        return place.parent, (place,)
    if place.is_dir():
        below = (path for path in sorted(place.rglob("*")) if path.is_file() and not path.name.startswith("."))
        root, found = place, tuple(path for path in below if _NAMED.fullmatch(path.name) or _begins_as_record(path))
    elif re.search(r"[*?\[]", place.name) and place.parent.is_dir():
        root, found = place.parent, tuple(sorted(path for path in place.parent.glob(place.name) if path.is_file()))
    else:
        raise InputError("there is no such file or folder", where=place)
    if not found:
        raise InputError("there is no TFRecord file in it, one at least was expected", where=place)
    return root, found


def _begins_as_record(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return tfrecord.is_tfrecord(file.read(_HEAD))
    except OSError:
        return False


def index(root: Path, files: Sequence[Path], wanted: Keys, *, console: Console = QUIET) -> Indexed:
    """Return a row for each record, in the order of the files.

    The columns are image (the file), frame, split where a feature or all files' names tell it, the wanted ones, and
    width and height by the picture's header. A feature that is no single value in a record is unknown there.

    Args:
        root: The folder that paths start from.
        files: The files, in it or below it (`located`).
        wanted: Which features are wanted.
        console: Where progress is shown.

    Returns:
        The rows; the fact `damaged` lists what could not be read, by file and record.

    Raises:
        InputError: No record can be read.
        UsageError: No record has a wanted feature.
    """
    reading = _Reading(root, wanted)
    walks = {path: tfrecord.walk(path) for path in files}
    with console.track(sum(len(walk.offsets) for walk in walks.values()), "records", "reading records") as track:
        for path, walk in walks.items():
            for number in range(len(walk.offsets)):
                reading.record(path, number)
                track.advance()
            if walk.problem:
                reading.damage("files with an end that cannot be read", f"{reading.name(path)}: {walk.problem}")
    table = reading.table()
    facts: dict[str, Any] = {"root": ".", "data_set": _data_set(root, files), "left_out": dict(reading.left_out)}
    facts |= {"image_key": wanted.image} if wanted.image else {}
    facts |= {"damaged": reading.damaged[:_MOST_NAMED]} if reading.damaged else {}
    return Indexed(manifest.with_facts(table, facts), facts, tuple(reading.notes()), tuple(reading.said))


def _data_set(root: Path, files: Sequence[Path]) -> str:
    return files[0].name.split(".")[0] if len(files) == 1 else root.resolve().name


class _Reading:
    """Gathers the rows, and counts what is left out."""

    def __init__(self, root: Path, wanted: Keys) -> None:
        self.left_out: Counter[str] = Counter()
        self.damaged: list[str] = []
        self.said: list[str] = []
        self._root, self._wanted = root, wanted
        self._rows: dict[str, list[Any]] = {name: [] for name in ("image", "frame", "width", "height", *wanted.columns)}
        self._unknown: Counter[str] = Counter()
        self._seen: set[str] = set()
        self._unreadable: list[str] = []

    def name(self, path: Path) -> str:
        """Return a file's path as the manifest has it."""
        return path.relative_to(self._root).as_posix()

    def damage(self, reason: str, what: str) -> None:
        """Count and name something that cannot be read."""
        self.left_out[reason] += 1
        self.damaged.append(what)

    def record(self, path: Path, number: int) -> None:
        """Read one record and add its row."""
        where = tfrecord.record_name(self.name(path), number)
        try:
            features = tfrecord.example(tfrecord.record(path, number), where)
            self._seen |= set(features)
            picture = tfrecord.picture_of(features, where, self._wanted.image)
        except ReadError as error:
            self.damage("records that cannot be read", str(error).replace(f"{self._root}/", ""))
            return
        size = size_of_bytes(picture, where)
        if size is None:
            self._unreadable.append(where)
        width, height = size or (None, None)
        for column, value in {"image": self.name(path), "frame": number, "width": width, "height": height}.items():
            self._rows[column].append(value)
        for column, key in self._wanted.columns.items():
            value = _value(features.get(key, []))
            self._unknown[column] += value is None
            self._rows[column].append(value)

    def table(self) -> pa.Table:
        """Return the rows."""
        count = len(self._rows["image"])
        for key in (self._wanted.image, *self._wanted.columns.values()):
            if key is not None and self._seen and key not in self._seen:
                raise UsageError(f"there is no feature {key!r} in any record; {nearest(key, self._seen)}")
        if not count:
            first = f", the first: {self.damaged[0]}" if self.damaged else ""
            raise InputError(f"no record can be read{first}", where=self._root)
        columns = {name: _column(name, values) for name, values in self._rows.items()}
        if "split" not in columns and (parts := _parts(self._rows["image"])):
            columns["split"] = pa.array(parts, pa.string())
            self.said.append("the files' names tell the split")
        order = [name for name in (*OURS, *columns) if name in columns]
        return pa.table({name: columns[name] for name in dict.fromkeys(order)})

    def notes(self) -> Iterable[str]:
        """Yield what a person should not overlook."""
        for column, count in self._unknown.items():
            if count:
                yield f"{column} is no single value in {counted(count, 'record')}: it counts as unknown there"
        if self._unreadable:
            kept = counted(len(self._unreadable), "record is", "records are")
            yield f"{kept} kept that remedis embed will reject, the first: {self._unreadable[0]}"
        if self.damaged:
            more = f" and {len(self.damaged) - 3:,} more" if len(self.damaged) > 3 else ""
            yield f"damaged or missing: {'; '.join(self.damaged[:3])}{more}"


def _value(values: tfrecord.Values) -> Any:
    """Return the one value of a feature; None where there is none, several, or bytes that are no text."""
    value = values[0] if len(values) == 1 else None
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return None
    if isinstance(value, float):
        # the shortest decimal number that is this float32: 0.1 and not 0.10000000149
        return float(str(np.float32(value))) if np.isfinite(value) else None
    return value


def _column(name: str, values: Sequence[Any]) -> pa.Array:
    """Return a column of numbers where all are, else of text."""
    kinds = {type(value) for value in values if value is not None}
    if name in _TEXT or name.endswith("_id") or str in kinds or name == "image":
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    return pa.array(values, pa.float64() if float in kinds else pa.int64())


def _parts(names: Sequence[str]) -> list[str] | None:
    """Return the part that each file's path names; None where one names none, or several, or all the same."""
    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        parts = {part for word in re.split(r"[^A-Za-z]+", name) if (part := part_of(word))}
        if len(parts) != 1:
            return None
        found[name] = parts.pop()
    return [found[name] for name in names] if len(set(found.values())) > 1 else None
