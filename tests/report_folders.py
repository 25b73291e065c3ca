"""Small probe folders of every kind, made by the commands themselves from simulated embeddings and tiny pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image

from remedis.commands import probe as probe_command
from remedis.commands import report as report_command
from remedis.options.probe import Probe
from remedis.options.report import Report
from synthetic_embeddings import separable, write_embeddings

DRAWS = 60


def draw_images(folder: Path, names: Sequence[str]) -> None:
    """Write a tiny PNG of one grey for each name: row i is of grey 2 i (mod 256), 24 px wide and 16 high."""
    folder.mkdir(exist_ok=True)
    for row, name in enumerate(names):
        Image.new("L", (24, 16), 2 * row % 256).save(folder / name)


def people(count: int, *, seed: int = 0) -> dict[str, list[Any]]:
    """Return columns of patients with two images each, with sex, age, view and site, some of them unknown."""
    random = np.random.default_rng(seed)
    who = np.arange(count) // 2
    sexes, ages = random.integers(0, 2, count)[who], random.integers(1, 95, count)[who]
    return {
        "patient_id": [f"PAT{number:04}" for number in who],
        "sex": ["FM"[code] for code in sexes],
        "age": [None if number % 9 == 0 else int(age) for number, age in zip(who, ages, strict=True)],
        "view": ["PA" if number % 3 else "AP" for number in range(count)],
        "site": ["north" if number % 2 else "south" for number in who],
    }


def labels(count: int, classes: int, *, seed: int = 1) -> np.ndarray[Any, Any]:
    """Return (count,) codes that neighbours (images of one patient) share."""
    return np.repeat(np.random.default_rng(seed).integers(0, classes, count // 2 + 1), 2)[:count]


def binary(
    folder: Path, *, count: int = 160, distance: float = 1.2, job: Mapping[str, Any] | None = None, **changes: Any
) -> Path:
    """A label of 1 and 0 with a split column, patients, and pictures that are there; `changes` are of its columns."""
    codes = labels(count, 2)
    columns: dict[str, Any] = {
        "image": [f"{row:05}.png" for row in range(count)], **people(count),
        "pneumonia": codes.tolist(), "split": _split(count), **changes,
    }  # fmt: skip
    embedded = write_embeddings(folder / "emb", separable(codes, distance=distance), columns, **(job or {}))
    draw_images(folder / "images", columns["image"])
    return probed(embedded, folder / "probe", label=("pneumonia",))


def _split(count: int) -> list[str]:
    """Return parts by patient: half train, a sixth validation, a third test."""
    return ["train" if who % 6 < 3 else "validation" if who % 6 == 3 else "test" for who in np.arange(count) // 2]


def clustered(folder: Path, *, count: int = 120) -> Path:
    """Three classes without a split, kept whole by `field`; pictures are gone."""
    codes = np.random.default_rng(2).integers(0, 3, count)
    columns = {
        "cell_type": [("a", "b", "c")[code] for code in codes],
        "field": [f"f{row // 4}" for row in range(count)],
    }
    embedded = write_embeddings(folder / "emb", separable(codes), columns)
    return probed(embedded, folder / "probe", label=("cell_type",), cluster="field")


def several(folder: Path, *, count: int = 120) -> Path:
    """Two labels of one table, the second unknown in places, with a condition that keeps three quarters."""
    codes = labels(count, 2)
    other: list[int | None] = [
        None if row % 10 == 0 else int(code) for row, code in enumerate(labels(count, 2, seed=5))
    ]
    columns = people(count) | {
        "edema": codes.tolist(), "mass": other, "batch": [row % 4 for row in range(count)], "split": _split(count),
    }  # fmt: skip
    embedded = write_embeddings(folder / "emb", separable(codes, distance=2.5), columns)
    return probed(embedded, folder / "probe", label=("edema", "mass"), where=("batch!=3",))


def external(folder: Path, *, count: int = 80) -> Path:
    """Learnt from one site, tested on another; one class of the tested ones is excluded, one row has no patient."""
    words = ("lymphocyte", "monocyte", "basophil")
    found = {}
    for seed, site in enumerate(("bccd", "jiangxi")):
        codes = np.random.default_rng(seed).integers(0, 3, count)
        columns = {"cell": [words[code] for code in codes], "site": [site] * count}
        found[site] = write_embeddings(
            folder / site, separable(codes, seed=seed), columns, data_set=site, manifest=f"deep/{site}.parquet"
        )
    return probed(
        found["bccd"], folder / "probe", label=("cell",), test=found["jiangxi"], exclude_class=("basophil",)
    )  # fmt: skip


def probed(embedded: Path, out: Path, **options: Any) -> Path:
    """Run `remedis probe` with few draws."""
    probe_command.run(Probe(embeddings=embedded, out=out, **({"draws": DRAWS} | options)))
    return out


def reported(folder: Path, out: Path, **options: Any) -> tuple[str, dict[str, Any]]:
    """Run `remedis report` and return the page and its JSON."""
    report_command.run(Report(folder=folder, out=out, **options))
    return out.read_text(encoding="utf-8"), json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))


def predictions(folder: Path, label: str, columns: Sequence[str] = ()) -> dict[str, Any]:
    """Return a label's tested rows as plain columns: those of predictions.parquet with a score."""
    table = pq.read_table(folder / "predictions.parquet")
    score = [name for name in table.column_names if name == f"score_{label}" or name.startswith(f"score_{label}=")]
    rows = [row for row in table.to_pylist() if row[score[0]] is not None]
    return {name: [row[name] for row in rows] for name in ("image", label, *score, *columns)}
