"""Studies whose truth is known: simulated patients of two sites, and embeddings into which signals were planted."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from remedis.commands import study
from remedis.data import manifest
from remedis.options.study import Study

Floats = npt.NDArray[np.float64]
HEADER = (
    "encoder,method,label_fraction,seed,dataset,label,class,metric,value,low,high,low_delong,high_delong,n,n_patients,"
    "scenario,train_dataset,target_fraction,subgroup,n_positive"
)


@dataclass(frozen=True)
class Site:
    """A manifest of patients who do not exist; no picture is behind its rows.

    Attributes:
        path: The manifest.
        images: (N,) names.
        patients: (N,) numbers.
        sick: (N,) 0 or 1.
        female: (N,) whether sex is F.
    """

    path: Path
    images: tuple[str, ...]
    patients: npt.NDArray[np.int64]
    sick: npt.NDArray[np.int64]
    female: npt.NDArray[np.bool_]


def site(
    folder: Path,
    name: str,
    patients: int,
    *,
    seed: int,
    images: int = 1,
    sexes: bool = False,
    parts: Sequence[float] = (),
    columns: Callable[[npt.NDArray[np.int64], np.random.Generator], Mapping[str, Any]] | None = None,
) -> Site:
    """Write the manifest of so many patients, half of them sick.

    Args:
        folder: Where to.
        name: Of the data set and the file.
        patients: How many.
        seed: Decides all.
        images: Of each patient.
        sexes: Whether there is a column `sex`.
        parts: Shares of train and validation; without them there is no column `split`.
        columns: Further columns, from (N,) the state of the rows.
    """
    random = np.random.default_rng([seed, len(name), *name.encode()])
    numbers = np.repeat(np.arange(patients), images)
    state = random.permutation(patients) % 2
    female = random.permutation(patients) % 2 == 0
    table: dict[str, Any] = {
        "image": [f"{name}/{row:05}.png" for row in range(len(numbers))],
        "patient_id": [f"{name}-{number}" for number in numbers],
        "sick": state[numbers],
    }
    if sexes:
        table["sex"] = np.where(female, "F", "M")[numbers]
    if parts:
        bounds = np.cumsum(parts)
        place = np.searchsorted(bounds, random.permutation(patients) / patients, side="right")
        table["split"] = np.array(["train", "validation", "test"])[place][numbers]
    if columns is not None:
        table |= columns(state[numbers], random)
    facts = {"root": ".", "data_set": name, "simulated": True}
    manifest.write(pa.table(table), folder / f"{name}.parquet", facts)
    return Site(folder / f"{name}.parquet", tuple(table["image"]), numbers, state[numbers], female[numbers])


def planted(
    where: Site, strength: float | Floats, *, width: int, seed: int, direction: int = 0, sigma: float = 1.0
) -> Floats:
    """Return (N, width) noise; the sick are moved by `strength` standard deviations along one axis."""
    found = np.random.default_rng([seed, len(where.images), width]).normal(size=(len(where.images), width)) * sigma
    found[:, direction] += strength * (where.sick - 0.5)
    return found


def write_vectors(path: Path, sites: Sequence[Site], vectors: Sequence[Floats]) -> Path:
    """Write the vectors of several sites as one npz file; return it."""
    names = np.array([name for each in sites for name in each.images])
    np.savez(path, image=names, embedding=np.concatenate(vectors).astype(np.float32))
    return path


def studied(out: Path, here: Site, there: Site | None = None, **options: Any) -> list[dict[str, str]]:
    """Do a study in this process and return the rows of results.csv."""
    given = {"label": ("sick",), "bootstrap": 40, "device": "cpu", "workers": 0, **options}
    ood = () if there is None else (there.path,)
    study.run(Study(out=out, manifest=(here.path,), ood=ood, **given))
    return table_of(out / "results.csv")


def table_of(path: Path) -> list[dict[str, str]]:
    """Return a CSV table's rows as text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def chosen(rows: Sequence[Mapping[str, str]], **values: Any) -> list[Mapping[str, str]]:
    """Return the rows that have these values."""
    return [row for row in rows if all(row[name] == str(value) for name, value in values.items())]


def predictions_of(out: Path, encoder: str, train: Path, tested: Path) -> pa.Table:
    """Return the predictions of one encoder, learnt from one manifest, of another one's rows."""
    for path in sorted((out / "predictions").glob("*.parquet")):
        table = pq.read_table(path)
        facts = manifest.facts_of(table)
        if (facts["model"]["encoder"], facts["train_dataset"], facts["data_set"]) == (encoder, str(train), tested.stem):
            return table
    raise LookupError(f"no predictions of {encoder} from {train} on {tested}")
