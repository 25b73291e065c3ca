"""What an evaluation's folder holds: the figures and tables as CSV, and every choice, count and caution as JSON."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remedis import __version__
from remedis.data import manifest
from remedis.data.files import differences, read_json, sha256, write_json, write_text
from remedis.errors import FolderError
from remedis.evaluate.evaluation import Evaluated, Planned, Settings
from remedis.evaluate.predictions import Predictions
from remedis.evaluate.record import noted
from remedis.evaluate.results import MACRO, About, csv_text, rows
from remedis.evaluate.targets import class_counts
from remedis.evaluate.tested_rows import Rows

RESULTS_NAME, FACTS_NAME = "results.csv", "evaluation.json"
FORMAT = 1
_VERSIONS = ("numpy", "scipy", "scikit-learn", "pyarrow")
_OF, _LIMITS, _SIZES = ("dataset", "label", "class"), ("metric", "value", "low", "high"), ("n", "n_patients")
_POINT = ("rule", "threshold", "chosen_on")
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "operating_points.csv": (*_OF, *_POINT, *_LIMITS, "low_wilson", "high_wilson", "tp", "fp", "fn", "tn", *_SIZES),
    "prevalence.csv": (*_OF, *_POINT, "prevalence", "of", *_LIMITS, *_SIZES),
    "decision_curve.csv": (
        *_OF, "scores", "threshold", "net_benefit", "low", "high", "treat_all", "treat_none", *_SIZES,
    ),
    "calibration.csv": (*_OF, "scores", "temperature", *_LIMITS, *_SIZES),
    "roc.csv": (*_OF, "threshold", "false_positive_rate", "sensitivity", "low", "high", "precision", *_SIZES),
    "reliability.csv": (*_OF, "scores", "from", "to", "mean", "share", "low", "high", "count", *_SIZES),
    "subgroups.csv": ("label", "column", "kind", "group", "against", *_LIMITS, *_SIZES, "n_positive", "skipped"),
    "comparison.csv": (
        "label", "class", "metric", "value", "other", "difference", "low", "high", "low_delong", "high_delong",
        "p_delong", "p_delong_holm", "p_permutation", "p_permutation_holm", *_SIZES,
    ),
    "shift.csv": (
        "label", "class", "rule", "threshold", "scores", "metric", "in", "out", "difference", "low", "high", "n_in",
        "n_patients_in", "n_out", "n_patients_out",
    ),
}  # fmt: skip

Plain = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What a person asked for: where to write, the settings, and the files as they were opened."""

    out: Path
    settings: Settings
    predictions: Predictions
    ood: Predictions | None = None
    compare: Predictions | None = None
    where: tuple[str, ...] = ()
    positive: str | None = None

    @property
    def files(self) -> dict[str, Predictions | None]:
        """The option's name and what was opened."""
        return {"predictions": self.predictions, "ood": self.ood, "compare": self.compare}


def job_of(asked: Asked) -> Plain:
    """Return what decides the result, as JSON values: the files by their hashes, and the settings."""
    settings = asked.settings
    job = {
        **{f"{name}_sha256": sha256(found.path) if found else None for name, found in asked.files.items()},
        "labels": [each.label for each in asked.predictions.targets],
        "classes": {each.label: list(each.classes) for each in asked.predictions.targets},
        "where": list(asked.where), "at": [rule.words for rule in settings.rules],
        "prevalence": list(settings.prevalences), "per": settings.per, "aggregate": settings.how,
        "cluster": settings.cluster, "subgroups": list(settings.subgroups), "age_bands": list(settings.bands),
        "draws": settings.draws, "seed": settings.seed,
    }  # fmt: skip
    plain: Plain = json.loads(json.dumps(job))
    return plain


def holds(folder: Path, job: Mapping[str, Any]) -> bool:
    """Return whether a folder holds the evaluation of this very job.

    Raises:
        FolderError: It holds another, or something else; names what differs.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return False
    facts = read_json(folder / FACTS_NAME) if (folder / FACTS_NAME).is_file() else None
    if not isinstance(facts, dict) or facts.get("kind") != "evaluation":
        raise FolderError("exists and was not made by this command; choose another --out", where=folder)
    differing = differences(facts.get("job", {}), job)
    if differing:
        raise FolderError(
            f"the folder holds another job ({'; '.join(differing)}); choose another --out or remove it", where=folder
        )
    return True


def write(folder: Path, asked: Asked, found: Evaluated) -> None:
    """Write an evaluation's files into an empty folder, which is moved to `asked.out` later."""
    write_text(folder / RESULTS_NAME, csv_text(_result_rows(asked, found)))
    for name, table in tables(asked, found).items():
        if table:
            write_text(folder / name, csv_text(table, COLUMNS[name]))
    write_json(folder / FACTS_NAME, facts_of(asked, found))


def tables(asked: Asked, found: Evaluated) -> dict[str, list[Plain]]:
    """Return the rows of every table beside `results.csv`, by file name; a table that does not apply is empty."""
    sources = [(asked.predictions, found.tables), *([(asked.ood, found.tables_out)] if asked.ood else [])]
    own = [(str(source.path), by_kind) for source, by_label in sources for by_kind in by_label.values()]
    kinds = ("operating_points", "prevalence", "decision_curve", "calibration", "roc", "reliability")
    made = {
        f"{kind}.csv": [{"dataset": name} | row for name, each in own for row in getattr(each, kind)] for kind in kinds
    }
    others = {"subgroups": found.subgroups, "comparison": found.comparison, "shift": found.shift}
    return made | {f"{kind}.csv": rows for kind, rows in others.items()}


def _result_rows(asked: Asked, found: Evaluated) -> list[Plain]:
    """Return the rows of `results.csv`: the predictions' labels, their macro mean, then the other site's."""
    patients = {each.label: each.test.patients for each in found.planned}
    table = _rows_of(asked, asked.predictions, found.figures, patients)
    if asked.ood is not None:
        patients = {each.label: each.out.patients for each in found.planned if each.out is not None}
        table += _rows_of(asked, asked.ood, found.figures_out, patients)
    return table


def _rows_of(
    asked: Asked, source: Predictions, found: Mapping[str, Sequence[Any]], patients: Mapping[str, int]
) -> list[Plain]:
    facts = source.facts or asked.predictions.facts
    encoder, method = str(facts.get("encoder") or ""), str(facts.get("method") or "")
    return [
        row
        for label, own in found.items()
        for row in rows(
            own,
            About(
                encoder, method, str(source.path), label, label_fraction=facts.get("label_fraction", 1.0),
                seed=asked.settings.seed, patients=patients.get(label),
            ),
        )
    ]  # fmt: skip


def facts_of(asked: Asked, found: Evaluated) -> Plain:
    """Return what `evaluation.json` says."""
    settings = asked.settings
    return {
        "kind": "evaluation",
        "format": FORMAT,
        "files": {
            name: None if source is None else noted(source.path, asked.out) for name, source in asked.files.items()
        },
        "model": {name: asked.predictions.facts.get(name) for name in ("encoder", "method", "label_fraction")},
        "simulated": manifest.says_simulated(asked.predictions.table),
        "unit": found.planned[0].test.unit_name,
        "draws": settings.draws,
        "labels": [_entry(each, found) for each in found.planned],
        "several": len(found.planned) > 1,
        "cautions": found.cautions,
        "versions": {"remedis": __version__, **{name: importlib.metadata.version(name) for name in _VERSIONS}},
        "job": job_of(asked),
    }


def _entry(each: Planned, found: Evaluated) -> Plain:
    """Return one label's counts and frozen choices."""
    frozen, target = found.frozen[each.label], each.test.target
    return {
        "label": each.label,
        "kind": target.kind,
        "classes": list(target.classes),
        "tested_by": each.chosen.by,
        "counts": {
            name: None if part is None else _count(part)
            for name, part in (("validation", each.validation), ("test", each.test), ("ood", each.out))
        },
        "left_out": dict(each.chosen.left_out),
        "left_out_of_ood": each.left_out_of_out,
        "temperature": frozen.temperature,
        "thresholds": [
            {"class": point.name, "rule": point.rule.words, "threshold": point.threshold, "chosen_on": point.chosen_on}
            for point in frozen.points
        ],
        "macro": MACRO if target.kind == "multiclass" else "",
    }


def _count(part: Rows) -> Plain:
    return {
        "rows": len(part.units), "units": part.count, "patients": part.patients,
        "classes": class_counts(part.target.codes, part.target.classes),
    }  # fmt: skip
