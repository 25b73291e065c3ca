"""What the tests of `remedis probe` share: embeddings of simulated patients, and what the command wrote."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np

from remedis import cli
from synthetic_embeddings import separable, write_embeddings

FILES = {
    "results.csv",
    "predictions.parquet",
    "predictions_knn.parquet",
    "model.safetensors",
    "config.json",
    "_seen.parquet",
}


def cohort(
    *, patients: int = 90, seed: int = 0, site: str | None = None
) -> tuple[np.ndarray[Any, Any], dict[str, list[Any]]]:
    """Return embeddings and columns of patients with one to three images, in parts by patient."""
    random = np.random.default_rng(seed)
    of = np.repeat(np.arange(patients), random.integers(1, 4, patients))
    kinds = random.integers(0, 3, patients)[of]
    effusion = (random.random(patients) < 0.4).astype(object)[of]
    effusion[random.random(len(of)) < 0.1] = None
    words = np.array(["train", "val", "test"])[np.searchsorted([0.5, 0.7], random.random(patients))][of]
    columns = {
        "patient_id": [f"p{number}" for number in of],
        "sick": (kinds > 0).astype(int).tolist(),
        "kind": [("none", "mild", "severe")[kind] for kind in kinds],
        "effusion": [None if value is None else int(value) for value in effusion],
        "field": [f"f{number % 30}" for number in of],
        "split": words.tolist(),
        "width": (100 + 30 * (kinds > 0) + random.integers(0, 40, len(of))).tolist(),
        "height": [100] * len(of),
    }
    if site is not None:
        columns["site"] = [site] * len(of)
    return separable(kinds, seed=seed), columns


def embedded(folder: Path) -> Path:
    """Write embeddings into a folder: with a split, without, of another site, of another encoder; return it."""
    features, columns = cohort()
    write_embeddings(folder / "emb", features, columns, manifest="here/one.parquet")
    write_embeddings(folder / "free", features, {name: value for name, value in columns.items() if name != "split"})
    features, columns = cohort(seed=1, site="elsewhere")
    write_embeddings(folder / "emb2", features, columns, data_set="two", manifest="two.parquet")
    write_embeddings(folder / "other", features, columns, encoder_hash="00" * 32)
    return folder


def run(*words: object, draws: int | None = 20) -> int:
    """Run `remedis probe` with few draws and folds and return its status."""
    more = [] if draws is None else ["--draws", str(draws), "--folds", "3"]
    return cli.run(["probe", *(str(word) for word in words), *more])


def results_of(folder: Path) -> list[dict[str, str]]:
    """Return the rows of `results.csv`."""
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def config_of(folder: Path) -> dict[str, Any]:
    """Return what `config.json` holds."""
    return json.loads((folder / "config.json").read_text())  # type: ignore[no-any-return]
