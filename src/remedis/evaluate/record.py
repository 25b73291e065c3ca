"""What a probe's folder holds: the job, the settings with every choice and count, the figures, the predictions."""

from __future__ import annotations

import importlib.metadata
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from remedis import __version__
from remedis.data import manifest
from remedis.data.files import write_json, write_text
from remedis.errors import LeakError
from remedis.evaluate import saved, seen
from remedis.evaluate.metrics import Floats, Integers
from remedis.evaluate.parts import Units
from remedis.evaluate.probe import Plan, Probed, Settings
from remedis.evaluate.results import About, csv_text, rows
from remedis.evaluate.sources import Source, settings_of
from remedis.evaluate.targets import class_counts

RESULTS_NAME = "results.csv"
PREDICTIONS_NAMES = {"logistic": "predictions.parquet", "knn": "predictions_knn.parquet"}
_VERSIONS = ("numpy", "scipy", "scikit-learn", "pyarrow")

Plain = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What a person asked a probe for.

    Attributes:
        out: The folder to write.
        embeddings: The folder to learn from.
        test: Another folder to test on.
        labels: Label columns.
        where: Conditions on rows.
        cluster: Column that is kept whole instead of patients.
        positive: The class that the score is the probability of.
        exclude: Classes that are left out.
        settings: Methods, draws, folds, neighbours, seed.
    """

    out: Path
    embeddings: Path
    labels: tuple[str, ...]
    settings: Settings
    test: Path | None = None
    where: tuple[str, ...] = ()
    cluster: str | None = None
    positive: str | None = None
    exclude: tuple[str, ...] = ()

    def plain(self) -> Plain:
        """Return it as JSON values, paths as `noted` writes them."""
        settings = self.settings
        return {
            "embeddings": noted(self.embeddings, self.out),
            "test": None if self.test is None else noted(self.test, self.out),
            "label": list(self.labels), "where": list(self.where), "cluster": self.cluster,
            "positive": self.positive, "exclude_class": list(self.exclude), "methods": list(settings.methods),
            "draws": settings.draws, "folds": settings.folds, "neighbours": settings.neighbours, "seed": settings.seed,
        }  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What a probe found, all labels together.

    Attributes:
        plans: Each label's parts.
        probed: What came of each.
        seen: From `seen_rows`.
        cautions: Of all labels together.
        size_alone: Label to the AUROC of image size and aspect, None where unknown.
    """

    plans: Sequence[Plan]
    probed: Sequence[Probed]
    seen: SeenRows
    cautions: Sequence[str]
    size_alone: Mapping[str, float | None]


@dataclass(frozen=True)
class SeenRows:
    """What any label's model has seen.

    Attributes:
        keys: Of the rows that were seen, as `seen.remember` gives them.
        words: (N,) for each row of the tested table `train`, `validation` or `no`.
    """

    keys: pa.Table
    words: list[str]


def noted(path: Path, out: Path) -> str:
    """Return how a path is written into the folder `out`.

    Relative to that folder where both lie in one parent, so that the two may move together, else absolute.
    """
    here, there = path.resolve(), out.resolve()
    return os.path.relpath(here, there) if here.is_relative_to(there.parent) else str(here)


def job_of(asked: Asked, source: Source, other: Source | None) -> Plain:
    """Return what decides a probe's result, as JSON values: what was asked, and what made the embeddings."""
    job = asked.plain() | {key: value for key, value in source.job.items() if key != "manifest"}
    if other is not None:
        job |= {f"test_{key}": value for key, value in other.job.items() if key != "manifest"}
    plain: Plain = json.loads(json.dumps(job, default=str))
    return plain


def seen_rows(plans: Sequence[Plan]) -> SeenRows:
    """Return which rows any label's model will have seen, among those learnt from and among those tested.

    In folds each row is scored by a model that has not seen it; of a split the tested part was seen by none.

    Raises:
        LeakError: Every tested row of other embeddings was seen.
    """
    source, other = plans[0].source, plans[0].other
    parts: dict[str, Integers] = {
        name: np.unique(np.concatenate([getattr(planned.parts, name) for planned in plans]))
        for name in ("train", "validation")
    }
    keys = seen.remember(source.table, parts, dataset=source.data_set, root=source.root)
    if other is None:
        return SeenRows(keys, ["no"] * source.table.num_rows)
    words = seen.recognise(other.table, keys, dataset=other.data_set, root=other.root)
    if all(words[row] != "no" for planned in plans for row in planned.parts.test):
        raise LeakError(
            "every labelled row was learnt from or chose the penalty, rows that the probe has not seen were expected; "
            "name other embeddings",
            where=other.where,
        )
    return SeenRows(keys, words)


def write(folder: Path, asked: Asked, found: Found) -> None:
    """Write a probe's files into an empty folder, which is moved to `asked.out` later."""
    tested_in, methods = found.plans[0].tested_in, asked.settings.methods
    saved.save_models({each.target.label: each.model for each in found.probed}, folder / saved.MODEL_NAME)
    write_text(folder / RESULTS_NAME, csv_text(_result_rows(asked, found)))
    for method in methods:
        table = predictions(found.probed, method, tested_in, found.seen.words, asked.out)
        pq.write_table(table, folder / PREDICTIONS_NAMES[method], compression="zstd")
    seen.save(found.seen.keys, folder)
    write_json(folder / saved.CONFIG_NAME, config_of(asked, found))


def _result_rows(asked: Asked, found: Found) -> list[Plain]:
    """Return the rows of `results.csv`: label by label, method by method."""
    encoder = str(found.plans[0].source.job.get("encoder", ""))
    dataset = str(found.plans[0].tested_in.job.get("manifest", ""))
    return [
        row
        for each in found.probed
        for method in asked.settings.methods
        for row in rows(
            each.figures[method],
            About(encoder, method, dataset, each.target.label, seed=asked.settings.seed, patients=each.patients),
        )
    ]


def predictions(probed: Sequence[Probed], method: str, source: Source, words: Sequence[str], out: Path) -> pa.Table:
    """Return the rows that any label's figures are of, each label's scores (null where its figures are not of the row).

    Args:
        probed: Every label.
        method: `logistic` or `knn`.
        source: What the tested rows are of.
        words: (N,) whether each of its rows was seen.
        out: The folder that the table will lie in, which its image root is told from.
    """
    used = np.unique(np.concatenate([each.parts.test for each in probed]))
    scores: dict[str, Floats] = {}
    for each in probed:
        for name, values in saved.columns_of(list(each.tested.score_columns), each.scores[method]).items():
            column = np.full(source.table.num_rows, np.nan)
            column[each.parts.test] = values
            scores[name] = column[used]
    table = saved.predictions(source.table.take(used), scores, [words[row] for row in used])
    return rooted(table, source, out / PREDICTIONS_NAMES[method])


def rooted(table: pa.Table, source: Source, path: Path) -> pa.Table:
    """Return a table whose metadata says where image paths start from, seen from the file `path` that it becomes."""
    if source.root is None:
        return table
    facts = manifest.facts_of(table) | {"root": manifest.relative_root(source.root, path)}
    return manifest.with_facts(table, facts)


def config_of(asked: Asked, found: Found) -> Plain:
    """Return what `config.json` says."""
    plans = found.plans
    source, other = plans[0].source, plans[0].other
    encoder = str(source.job.get("encoder", ""))
    return {
        "kind": "probe",
        "format": saved.FORMAT,
        **{key: value for key, value in asked.plain().items() if key != "label"},
        "encoder": encoder,
        "encoder_at": noted(Path(encoder), asked.out) if encoder and Path(encoder).is_dir() else None,
        "encoder_hash": source.facts.get("encoder_hash"),
        "made_as": settings_of(source.facts) | {"batch_size": source.job.get("batch_size")},
        "manifest": source.job.get("manifest"),
        "test_manifest": other.job.get("manifest") if other else None,
        "root": str(source.root) if source.root else None,
        "test_root": str(other.root) if other and other.root else None,
        "data_set": source.data_set,
        "unit": plans[0].tested_in.units.name,
        "labels": [
            entry_of(planned, each) | {"size_alone": found.size_alone.get(each.target.label)}
            for planned, each in zip(plans, found.probed, strict=True)
        ],
        "cautions": list(found.cautions),
        "versions": {"remedis": __version__, **{name: importlib.metadata.version(name) for name in _VERSIONS}},
        "job": job_of(asked, source, other),
    }


def parts_of(planned: Plan) -> Plain:
    """Return who is learnt from, who is tested and who is left out, of one label."""
    target, tested, parts = planned.target, planned.tested, planned.parts
    learnt_in, tested_in = planned.source.units, planned.tested_in.units
    return {
        "label": target.label,
        "kind": target.kind,
        "classes": list(target.classes),
        "evaluation": planned.evaluation,
        "folds": len(planned.folds),
        "counts": {
            "train": _count(parts.train, learnt_in),
            "validation": _count(parts.validation, learnt_in),
            "test": _count(parts.test, tested_in),
        },
        "class_counts": class_counts(tested.codes[parts.test], target.classes),
        "left_out": {**target.left_out, **parts.left_out},
        "left_out_of_test": dict(tested.left_out) if planned.other is not None else {},
    }


def entry_of(planned: Plan, probed: Probed) -> Plain:
    """Return what `config.json` says of one label."""
    return parts_of(planned) | {
        "score_columns": list(probed.target.score_columns),
        "strength": probed.model.strength,
        "converged": probed.model.converged,
        "chosen_on": probed.chosen_on,
        "losses": [[strength, loss] for strength, loss in probed.losses.items()],
        "cautions": probed.cautions,
    }


def _count(rows: Integers, units: Units) -> Plain:
    return {"images": len(rows), "units": units.count(rows)}
