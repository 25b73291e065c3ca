"""What is asked for beyond the files and their table: a site, a split, some rows only."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from remedis.data import manifest, splits
from remedis.data.conditions import as_text
from remedis.data.indexers.indexed import Indexed
from remedis.data.indexers.summary import classes_of, label_columns
from remedis.data.indexers.words import counted
from remedis.errors import ManifestError, UsageError, nearest


@dataclass(frozen=True)
class Wishes:
    """What is asked for.

    Attributes:
        site: Fills the column `site` where it is unknown.
        split: `patient:0.7,0.1,0.2`.
        split_by: `COLUMN=VALUE:PART,…`.
        stratify: Column for `split`; the first label column without it.
        seed: For `split`.
        licence: Kept in the facts.
        where: Conditions on the rows.
    """

    site: str | None = None
    split: str | None = None
    split_by: str | None = None
    stratify: str | None = None
    seed: int = 0
    licence: str | None = None
    where: tuple[str, ...] = ()


def complete(indexed: Indexed, wishes: Wishes) -> Indexed:
    """Return the rows with what is asked for, and notes on splits and patients.

    Raises:
        UsageError: Wishes contradict each other or the table.
        ManifestError: There is no such column, or no row is left.
    """
    _check(wishes)
    table, facts = indexed.table, dict(indexed.facts)
    if wishes.site is not None:
        table = _with_site(table, wishes.site)
    if wishes.where:
        before = table.num_rows
        table = manifest.where(table, wishes.where)
        if before > table.num_rows:
            facts["left_out"] = facts["left_out"] | {"rows by --where": before - table.num_rows}
    if wishes.licence is not None:
        facts["licence"] = wishes.licence
    table, said, notes = _with_split(table, wishes, facts["data_set"])
    if wishes.split or wishes.split_by:
        facts["split"] = {"rule": wishes.split or wishes.split_by} | ({"seed": wishes.seed} if wishes.split else {})
    notes += _of_patients(table, facts["data_set"])
    return replace(
        indexed,
        table=manifest.with_facts(table, facts),
        facts=facts,
        notes=(*indexed.notes, *notes),
        said=(*indexed.said, *said),
    )


def _check(wishes: Wishes) -> None:
    if wishes.split and wishes.split_by:
        raise UsageError("--split and --split-by both make the split, one was expected")
    if wishes.stratify and not wishes.split:
        raise UsageError("--stratify is for --split patient:0.7,0.1,0.2, which was not given")


def _with_site(table: pa.Table, site: str) -> pa.Table:
    if not site.strip():
        raise UsageError("--site is empty, a name was expected")
    if "site" not in table.column_names:
        return table.append_column("site", pa.array([site] * table.num_rows, pa.string()))
    if not table["site"].null_count:
        raise UsageError("--site is given and the table says the site in every row; leave --site out")
    return table.set_column(table.column_names.index("site"), "site", pc.fill_null(table["site"], site))


def _with_split(table: pa.Table, wishes: Wishes, data_set: str) -> tuple[pa.Table, list[str], list[str]]:
    """Return the table with its split, lines that tell what was understood, and warnings."""
    said: list[str] = []
    if wishes.split_by:
        words = splits.from_column(table, wishes.split_by)
    elif wishes.split:
        strata, name = _strata(table, wishes.stratify)
        words = splits.by_patient(table, wishes.split, strata=strata, seed=wishes.seed, data_set=data_set)
        said.append(
            f"split drawn by {'patient' if 'patient_id' in table.column_names else 'image'}, "
            f"{f'stratified by {name}' if name else 'not stratified'}, seed {wishes.seed}"
        )
    else:
        return _of_the_source(table)
    if "split" in table.column_names:
        said.append("the split of the table is replaced")
        table = table.drop_columns(["split"])
    return table.append_column("split", words), said, _lost(words)


def _strata(table: pa.Table, column: str | None) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]] | None, str]:
    if column is not None and column not in table.column_names:
        raise ManifestError(
            f"--stratify {column}: there is no column {column!r}, {nearest(column, table.column_names)}"
        )
    name = column or next(iter(label_columns(table)), "")
    return (_ranks(table[name]) if name else None), name


def _ranks(column: pa.ChunkedArray) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return each row's place among the sorted classes, -1 for a null: the same in any order of the rows."""
    places = {name: place for place, name in enumerate(classes_of(column))}
    return np.array([places.get(as_text(value), -1) for value in column.to_pylist()], np.int64)


def _lost(words: pa.Array) -> list[str]:
    return [f"{counted(words.null_count, 'row is', 'rows are')} in no part of the split"] if words.null_count else []


def _of_the_source(table: pa.Table) -> tuple[pa.Table, list[str], list[str]]:
    """Bring the source's words for the parts into ours; words that name no part stay as they are."""
    found = splits.split_column(table)
    if "split" not in table.column_names:
        return table, [], []
    other = ", ".join(f"{word} {count:,}" for word, count in found.other.items())
    if found.words is None:
        return table, [], [f"no row of the column split says train ({other}): it counts as absent"]
    kept = pc.coalesce(found.words, table["split"].combine_chunks().cast(pa.string()))
    table = table.set_column(table.column_names.index("split"), "split", kept)
    notes = [f"split: rows that name no part ({other}) are kept and belong to none"] if other else []
    return table, [], notes


def _of_patients(table: pa.Table, data_set: str) -> list[str]:
    if "patient_id" not in table.column_names:
        return []
    notes = []
    if nulls := table["patient_id"].null_count:
        notes.append(f"patient_id is unknown in {counted(nulls, 'row')}: each counts as a patient of its own")
    leaking = splits.leaking_patients(table, data_set=data_set)
    if len(leaking):
        row = int(leaking[0])
        notes.append(
            f"{counted(len(leaking), 'patient stands', 'patients stand')} in two parts of the split, the first is that "
            f"of {table['image'][row].as_py()}: remedis probe refuses that; "
            "--split patient:0.7,0.1,0.2 makes a split by patient"
        )
    return notes
