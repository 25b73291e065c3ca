"""What an encoder has learnt from, as far as its name, its checkpoint and the run that made it tell. Without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from remedis.data.files import read_json
from remedis.data.inputs import open_any
from remedis.data.manifest import Manifest
from remedis.data.splits import split_column
from remedis.errors import CheckpointError, RemedisError, nearest
from remedis.models import zoo
from remedis.models.card import Facts
from remedis.models.overlaps import FOREIGN, bare
from remedis.models.store import CONFIG, Store, home

RUN, KEYS = "run.json", "_seen.parquet"
_CHECKPOINTS = ("best", "last")
_NO_LABELS = ("pretrain", "run")


@dataclass(frozen=True)
class Learnt:
    """What an encoder has learnt from.

    Attributes:
        name: The encoder, or the manifest, in words.
        seen: Data sets by name, of which more is not known.
        rows: The rows that its own run learnt from; None where they are not known. With `keys` all rows of that run's
            manifest, of which the keys tell those that were learnt from.
        labelled: Whether `rows` were learnt with labels.
        keys: Folder with the keys of the rows that were learnt from; None where a run left none.
        notes: What could not be found out, and why.
    """

    name: str
    seen: tuple[str, ...] = ()
    rows: Manifest | None = None
    labelled: bool = False
    keys: Path | None = None
    notes: tuple[str, ...] = ()


def learnt_by(name: str | Path) -> Learnt:
    """Return what an encoder has learnt from.

    Args:
        name: A checkpoint's folder, a run's folder, the name of a published model or of one that is kept here, or
            `timm:NAME`; a folder comes before a name.

    Raises:
        CheckpointError: There is no such encoder; names the nearest.
        InputError: Its `config.json` or `run.json` is damaged.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _of_folder(folder, str(name))
    foreign = _foreign(str(name))
    if foreign is not None:
        return foreign
    store = Store(home())
    if zoo.find(str(name)) is not None:
        return Learnt(str(name), zoo.seen_by(str(name)))
    if store.has(str(name)):
        return _of_folder(store.folder(str(name)), str(name))
    if str(name).startswith("timm:"):
        return Learnt(str(name), notes=(f"what {name} has learnt from is not known here; see its model card",))
    hint = nearest(str(name), [*zoo.names(), *store.names()])
    raise CheckpointError(f"there is no such folder and no encoder of this name, {hint}", where=name)


def learnt_in(facts: Facts, name: str) -> Learnt:
    """Return what an encoder that was loaded has learnt from, by its facts alone."""
    seen = zoo.seen_in(facts.extra)
    own = facts.extra.get("pretraining")
    if isinstance(own, Mapping) and own.get("left_out"):  # its training part alone is no fault
        seen = tuple(each for each in seen if each != own.get("data_set"))
    return Learnt(name, seen)


def rows_of(rows: Manifest, name: str, *, labelled: bool = False) -> Learnt:
    """Return what an encoder that learnt from all rows of a manifest has learnt from."""
    return Learnt(name, (rows.data_set,), rows, labelled)


def _foreign(name: str) -> Learnt | None:
    for spelling, (seen, source) in FOREIGN.items():
        if spelling in bare(name):
            return Learnt(name, seen, notes=(f"{name}: {', '.join(seen)} by {source}",))
    return None


def _of_folder(folder: Path, name: str) -> Learnt:
    """Return what stands in a checkpoint's config.json and in the run.json in it or above it."""
    run = next((place for place in (folder, folder.resolve().parent) if (place / RUN).is_file()), None)
    config = next(
        (place / CONFIG for place in (folder, *(folder / each for each in _CHECKPOINTS)) if (place / CONFIG).is_file()),
        None,
    )
    if run is None and config is None:
        raise CheckpointError(f"is neither a checkpoint ({CONFIG}) nor a run ({RUN})", where=folder)
    of_config = _of_config(config, name) if config is not None else Learnt(name)
    if run is None:
        return of_config
    said = read_json(run / RUN)
    keys = run if (run / KEYS).is_file() else None
    rows, notes = _rows_of_run(said, run, all_parts=keys is not None)
    own = rows.data_set if rows is not None else said.get("data_set") if keys is not None else None
    return Learnt(
        name=name,
        seen=tuple(each for each in of_config.seen if each != own),
        rows=rows,
        labelled=str(said.get("verb", "pretrain")) not in _NO_LABELS,
        keys=keys,
        notes=(*of_config.notes, *notes),
    )


def _of_config(path: Path, name: str) -> Learnt:
    ours = read_json(path).get("remedis")
    if not isinstance(ours, Mapping):
        return Learnt(name, notes=(f"{path} does not say what the encoder has learnt from",))
    return learnt_in(Facts.from_json(ours), name)


def _rows_of_run(said: Mapping[str, Any], run: Path, *, all_parts: bool) -> tuple[Manifest | None, tuple[str, ...]]:
    """Return the rows that a run learnt from, or all rows of its manifest, and why they are not known."""
    options = said.get("options") or {}
    job = said.get("job") or {}
    given = options.get("manifest")
    place = next((each for each in _places(given, run) if each.exists()), None) if given else None
    if place is None:
        return None, (f"the manifest that {run} learnt from ({given}) is not there: its rows are not compared",)
    root = Path(options["root"]) if options.get("root") else None
    try:
        rows = open_any(place, root=root, where=tuple(options.get("where") or ()))
    except RemedisError as error:
        return None, (f"the manifest that {run} learnt from cannot be read ({error}): its rows are not compared",)
    if job.get("manifest_hash") not in (None, rows.hash()):
        return None, (f"{place} has changed since {run} learnt from it: its rows are not compared",)
    words = split_column(rows.table).words
    if words is not None and not all_parts and options.get("splits", "train") != "all":
        return rows.select(np.flatnonzero(np.array(words.to_pylist(), dtype=object) == "train")), ()
    return rows, ()


def _places(given: str, run: Path) -> tuple[Path, ...]:
    """Return where a run's manifest may be: as it was given, beside the run, and beside the run by its name."""
    path = Path(given)
    return (path,) if path.is_absolute() else (path, run.resolve().parent / path, run.resolve().parent / path.name)
