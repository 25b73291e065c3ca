"""A table of predictions: its labels with their classes, which rows may choose, and which may be reported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from remedis.data import manifest, splits
from remedis.data.conditions import as_text, keep
from remedis.data.files import read_json
from remedis.errors import InputError, LeakError, UsageError, nearest
from remedis.evaluate.metrics import Booleans, Floats, Integers
from remedis.evaluate.targets import UNKNOWN, Target, align, target

SCORE = "score_"
SEEN = ("train", "validation", "no")
_METHODS = {"predictions.parquet": "logistic", "predictions_knn.parquet": "knn"}


@dataclass(frozen=True)
class Predictions:
    """Rows with scores.

    Attributes:
        table: The manifest's columns, scores, `seen`.
        path: The file.
        facts: `encoder`, `method` and `classes` (label to class names) as far as they are known.
        targets: Each label with its classes; `score_columns` names its scores.
    """

    table: pa.Table
    path: Path
    facts: Mapping[str, Any]
    targets: tuple[Target, ...]

    def scores(self, of: Target) -> Floats:
        """Return (N,) the positive class's probability, or (N, K); NaN where a row has none.

        Raises:
            InputError: They are no numbers, or not from 0 to 1.
        """
        try:
            columns = [self.table[name].cast(pa.float64()).to_numpy(zero_copy_only=False) for name in of.score_columns]
        except pa.ArrowInvalid as error:
            raise InputError(f"the scores of {of.label!r} are no numbers ({error})", where=self.path) from error
        values = np.stack(columns, axis=1)
        wrong = values[~np.isnan(values) & ~((values >= 0) & (values <= 1))]
        if len(wrong):
            raise InputError(
                f"label {of.label!r} has a score of {wrong[0]:g}, probabilities from 0 to 1 were expected",
                where=self.path,
            )
        return values[:, 0] if values.shape[1] == 1 else values


def open_predictions(
    path: Path, *, labels: Sequence[str] = (), positive: str | None = None, where: Sequence[str] = ()
) -> Predictions:
    """Return the predictions in a file.

    Args:
        path: What `remedis predict` or `remedis probe` wrote.
        labels: Which labels; all that have scores without it.
        positive: The positive class of labels with two, where the file does not say; else the one that sorts last.
        where: Conditions that rows must meet.

    Raises:
        InputError: It is no table of predictions.
        ManifestError: A label's column is missing.
        LabelError: A label has one class.
        UsageError: A label has no scores, or `positive` is no class of it.
    """
    table, facts = _read(path)
    if where:
        table = table.take(pa.array(np.asarray(keep(table, where, where=str(path)))))
    found = _scored(table, path)
    for label in labels:
        if label not in found:
            raise UsageError(f"--label {label}: {path} has no scores of it, {nearest(label, found)}")
    chosen = tuple(dict.fromkeys(labels)) or tuple(found)
    return Predictions(
        table, path, facts, tuple(_target(table, label, found[label], facts, positive, path) for label in chosen)
    )


def like(other: Path, first: Predictions, *, where: Sequence[str] = ()) -> Predictions:
    """Return other predictions with the labels and the classes of the first.

    Raises:
        InputError: It is no table of predictions, or lacks a score column of the first.
        ManifestError: A label's column is missing.
        LabelError: A label has fewer than two of its classes.
    """
    table, facts = _read(other)
    if where:
        table = table.take(pa.array(np.asarray(keep(table, where, where=str(other)))))
    for each in first.targets:
        lacking = [name for name in each.score_columns if name not in table.column_names]
        if lacking:
            raise InputError(f"there is no column {lacking[0]!r}, which {first.path} has", where=other)
    return Predictions(table, other, facts, tuple(align(each, table, where=str(other)) for each in first.targets))


def _read(path: Path) -> tuple[pa.Table, dict[str, Any]]:
    if not path.is_file():
        raise InputError("there is no such file; predictions (.parquet) were expected", where=path)
    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(
            f"predictions (.parquet) were expected, this is something else ({error})", where=path
        ) from error
    if not any(name.startswith(SCORE) for name in table.column_names):
        raise InputError(
            f"no column begins with {SCORE}, predictions were expected; remedis predict makes them", where=path
        )
    if not table.num_rows:
        raise InputError("there is no row, predictions were expected", where=path)
    return table, _facts(table, path)


def _facts(table: pa.Table, path: Path) -> dict[str, Any]:
    """Return what the file's metadata, or the probe's folder it lies in, says of the model."""
    noted = manifest.facts_of(table, where=str(path)).get("model")
    facts: dict[str, Any] = dict(noted) if isinstance(noted, Mapping) else {}
    beside = path.parent / "config.json"
    if path.name in _METHODS and beside.is_file():
        config = read_json(beside)
        if isinstance(config, dict) and config.get("kind") == "probe":
            classes = {entry["label"]: entry["classes"] for entry in config.get("labels", ())}
            facts = {"encoder": config.get("encoder"), "method": _METHODS[path.name], "classes": classes} | facts
    return facts


def _scored(table: pa.Table, path: Path) -> dict[str, tuple[str, ...]]:
    """Return each label that has scores, with the classes that the columns' names say (none for two classes)."""
    found: dict[str, tuple[str, ...]] = {}
    for name in table.column_names:
        if not name.startswith(SCORE):
            continue
        label, of_class = _parted(name.removeprefix(SCORE), table.column_names)
        if label is None:
            raise InputError(
                f"column {name!r} has no label beside it, a column {name.removeprefix(SCORE).partition('=')[0]!r} with "
                "the true classes was expected; join the labels to the manifest before remedis predict",
                where=path,
            )
        found[label] = (*found.get(label, ()), *([] if of_class is None else [of_class]))
    return found


def _parted(name: str, columns: Sequence[str]) -> tuple[str | None, str | None]:
    """Return label and class; a label may itself hold `=`."""
    if name in columns:
        return name, None
    places = [place for place, letter in enumerate(name) if letter == "="]
    for place in places:
        if name[:place] in columns:
            return name[:place], name[place + 1 :]
    return None, None


def _target(
    table: pa.Table, label: str, classes: tuple[str, ...], facts: Mapping[str, Any], positive: str | None, path: Path
) -> Target:
    noted = tuple(str(name) for name in (facts.get("classes") or {}).get(label, ()))
    if not classes and positive is None and len(noted) == 2:
        classes = noted
    if classes:
        empty = Target(label, classes, np.full(table.num_rows, UNKNOWN), {})
        return align(empty, table, where=str(path))
    found = target(table, label, positive=positive, where=str(path))
    if found.kind != "binary":
        raise InputError(
            f"label {label!r} has {len(found.classes)} classes ({', '.join(found.classes[:5])}) and one score column, "
            "two classes were expected",
            where=path,
        )
    return found


@dataclass(frozen=True)
class Chosen:
    """Row numbers of one label: those that may choose thresholds, and those that are reported.

    Attributes:
        validation: Rows of the validation part that the model was not fitted on.
        test: Rows that no choice was made on.
        by: What made them the tested rows: `split` (they say test) or `seen` (the model saw none of them).
        left_out: Reason and number of the others.
    """

    validation: Integers
    test: Integers
    by: str
    left_out: Mapping[str, int] = field(default_factory=dict)


def choose_rows(found: Predictions, of: Target, *, choosing: bool = True) -> Chosen:
    """Return which rows of a label choose and which are reported.

    Args:
        found: The predictions.
        of: One of its targets.
        choosing: Whether this file's validation rows choose; else they are tested as others are.

    Raises:
        LeakError: Every row was seen by the model.
        InputError: `seen` holds another word.
    """
    seen, split = _seen_words(found), _split_words(found.table)
    scored = ~np.isnan(found.scores(of).reshape(len(seen), -1)).any(axis=1)
    known = (of.codes != UNKNOWN) & scored
    validation = known & ((seen == "validation") | ((split == "validation") & (seen == "no")))
    unseen = known & (seen == "no")
    tested = unseen & (split == "test")
    by = "split" if tested.any() else "seen"
    if not tested.any():
        tested = unseen & ~validation if choosing else unseen
    if not tested.any():
        raise LeakError(
            f"label {of.label!r}: every row was seen by the model or is validation, rows that it has not seen were "
            "expected; predict other images, or the test part",
            where=found.path,
        )
    left_out = {
        **of.left_out,
        "no score": int(((of.codes != UNKNOWN) & ~scored).sum()),
        "seen in training": int((known & (seen == "train")).sum()),
        "not in the test part": int((unseen & ~tested & ~validation).sum()),
    }
    if not choosing:
        left_out["validation"] = int((validation & ~tested).sum())
    return Chosen(
        np.flatnonzero(validation) if choosing else np.array([], np.int64), np.flatnonzero(tested), by,
        {why: count for why, count in left_out.items() if count},
    )  # fmt: skip


def _seen_words(found: Predictions) -> Booleans:
    """Return (N,) `seen`; without the column, what `split` says of train and validation."""
    table = found.table
    if "seen" not in table.column_names:
        split = _split_words(table)
        return np.where(np.isin(split, ("train", "validation")), split, "no")
    words = np.array([as_text(word) for word in table["seen"].to_pylist()])
    wrong = [word for word in np.unique(words).tolist() if word not in SEEN]
    if wrong:
        raise InputError(f"seen is {wrong[0]!r} in a row, {', '.join(SEEN)} were expected", where=found.path)
    return words


def _split_words(table: pa.Table) -> Any:
    if "split" not in table.column_names:
        return np.full(table.num_rows, "")
    words = table["split"].to_pylist()
    parts = {word: splits.part_of(word) or "" for word in set(words)}
    return np.array([parts[word] for word in words])


def keys_of(table: pa.Table) -> list[tuple[object, ...]]:
    """Return each row's image, with its frame and region where there are such columns."""
    names = [name for name in ("image", "frame", *manifest.REGION) if name in table.column_names]
    return list(zip(*(table[name].to_pylist() for name in names), strict=True))


def with_rows(found: Predictions, rows: Integers) -> Predictions:
    """Return the numbered rows only, in their order."""
    targets = tuple(replace(each, codes=each.codes[rows]) for each in found.targets)
    return replace(found, table=found.table.take(pa.array(rows)), targets=targets)


def patients_in(table: pa.Table, rows: Integers) -> set[tuple[str, str]]:
    """Return the (site, patient_id) of some rows; a row of which either is unknown is passed over."""
    if "patient_id" not in table.column_names:
        return set()
    own = table.take(pa.array(rows))
    name = str(manifest.facts_of(table).get("data_set", ""))
    sites = own["site"].to_pylist() if "site" in table.column_names else [None] * len(rows)
    pairs = zip(sites, own["patient_id"].to_pylist(), strict=True)
    known = ((site or name, patient) for site, patient in pairs)
    return {(str(site), str(patient)) for site, patient in known if site and patient is not None}
