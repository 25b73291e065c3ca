"""Predictions evaluated: choices frozen on validation rows, every figure on rows that neither saw."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from remedis.evaluate.aggregate import How
from remedis.evaluate.calibration import CalibrationGaps, calibration_interval
from remedis.evaluate.comparison_table import comparison_table, matched, refuse_other_classes
from remedis.evaluate.curve_tables import reliability_table, roc_table
from remedis.evaluate.evaluation_cautions import cautions_of
from remedis.evaluate.group_table import subgroup_table
from remedis.evaluate.intervals import DRAWS, bootstrap, interval, plain
from remedis.evaluate.label_tables import Frozen, Tables, freeze, tables_of
from remedis.evaluate.metrics import METRICS, RANK_METRICS, Floats, Integers, Ranking, SquaredError, Statistic
from remedis.evaluate.operating import Rule
from remedis.evaluate.predictions import Chosen, Predictions, choose_rows, patients_in
from remedis.evaluate.results import MACRO, Figure, figures
from remedis.evaluate.shift import shift_table
from remedis.evaluate.subgroups import AGE_BANDS
from remedis.evaluate.tested_rows import Per, Rows, refuse_one_class, rows_of

Plain = dict[str, Any]
RULES = (Rule("youden"), Rule("specificity", 0.95))
PREVALENCES = (0.01, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Settings:
    """What decides an evaluation besides the predictions.

    Attributes:
        rules: How thresholds are chosen.
        prevalences: Where predictive values are wanted.
        per: What a row is.
        how: How scores of one study or patient are put together.
        cluster: Column whose values are drawn as a whole, instead of patients.
        subgroups: Columns to group by.
        bands: Edges of age bands.
        draws: Bootstrap draws.
        seed: Of the draws.
    """

    rules: tuple[Rule, ...] = RULES
    prevalences: tuple[float, ...] = PREVALENCES
    per: Per = "image"
    how: How = "mean"
    cluster: str | None = None
    subgroups: tuple[str, ...] = ()
    bands: tuple[int, ...] = AGE_BANDS
    draws: int = DRAWS
    seed: int = 0


@dataclass(frozen=True)
class Planned:
    """One label, its rows found and checked.

    Attributes:
        chosen: Row numbers in the predictions.
        validation: The rows that choose; None where there are none.
        test: The tested rows.
        out: The tested rows of another site; None without one.
        other: The tested rows as another model scores them; None without one.
        left_out_of_out: Reason and number of the other site's rows that are not tested.
        notes: What a reader must know of how the files fit together.
    """

    chosen: Chosen
    validation: Rows | None
    test: Rows
    out: Rows | None = None
    other: Rows | None = None
    left_out_of_out: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The label's column."""
        return self.test.target.label


@dataclass
class Evaluated:
    """What came of all labels: figures, tables, choices and cautions."""

    planned: Sequence[Planned]
    figures: dict[str, list[Figure]] = field(default_factory=dict)
    figures_out: dict[str, list[Figure]] = field(default_factory=dict)
    frozen: dict[str, Frozen] = field(default_factory=dict)
    tables: dict[str, Tables] = field(default_factory=dict)
    tables_out: dict[str, Tables] = field(default_factory=dict)
    subgroups: list[Plain] = field(default_factory=list)
    comparison: list[Plain] = field(default_factory=list)
    shift: list[Plain] = field(default_factory=list)
    cautions: list[str] = field(default_factory=list)


def plan(
    found: Predictions, settings: Settings, *, out: Predictions | None = None, other: Predictions | None = None
) -> list[Planned]:
    """Return every label's rows.

    Args:
        found: The predictions.
        settings: How rows are put together and drawn.
        out: Those of another site by the same model.
        other: Those of another model on the same rows.

    Raises:
        RemedisError: Rows were seen, lack a class or do not fit together.
    """
    chosen = [choose_rows(found, each) for each in found.targets]
    tested = np.unique(np.concatenate([each.test for each in chosen]))
    paired = None if other is None else matched(found, other, tested)
    planned = []
    for place, rows in enumerate(chosen):
        test = _taken(found, place, rows.test, settings)
        refuse_one_class(test, str(found.path))
        validation = _taken(found, place, rows.validation, settings) if len(rows.validation) else None
        second, elsewhere, left_out, notes = None, None, {}, _unsaid(found)
        if paired is not None:
            second = _taken(paired, place, np.searchsorted(tested, rows.test), settings)
            refuse_other_classes(test, second, paired.path)
        if out is not None:
            of_out = choose_rows(out, out.targets[place], choosing=False)
            elsewhere, left_out = _taken(out, place, of_out.test, settings), dict(of_out.left_out)
            refuse_one_class(elsewhere, str(out.path))
            notes += [*_unsaid(out), *_shared(found, rows.test, out, of_out.test)]
        planned.append(Planned(rows, validation, test, elsewhere, second, left_out, tuple(notes)))
    return planned


def _unsaid(found: Predictions) -> list[str]:
    if "seen" in found.table.column_names or "split" in found.table.column_names:
        return []
    return [f"{found.path} has neither a column seen nor split: all rows count as new to the model"]


def _shared(here: Predictions, tested: Integers, there: Predictions, tested_there: Integers) -> list[str]:
    """Return a caution where patients stand in both sets: their difference is then not of independent patients."""
    shared = patients_in(here.table, tested) & patients_in(there.table, tested_there)
    if not shared:
        return []
    return [f"{len(shared):,} patients stand in {here.path} and in {there.path}; the shift's intervals assume none"]


def _taken(source: Predictions, place: int, rows: Integers, settings: Settings) -> Rows:
    """Return some rows of a file's label."""
    return rows_of(source, source.targets[place], rows, cluster=settings.cluster, per=settings.per, how=settings.how)


def evaluate(planned: Sequence[Planned], settings: Settings, *, done: Callable[[], None] = lambda: None) -> Evaluated:
    """Return the figures and tables of every label.

    Args:
        planned: From `plan`.
        settings: What else decides the result.
        done: Called after each label, and once more.
    """
    found = Evaluated(planned)
    numbers = {"draws": settings.draws, "seed": settings.seed}
    for each in planned:
        label, test = each.label, each.test
        frozen = freeze(each.validation, test, settings.rules)
        found.frozen[label] = frozen
        found.figures[label] = _figures(test, settings)
        found.tables[label] = _tables(test, frozen, settings)
        rows, cautions = subgroup_table(test, frozen, settings.subgroups, settings.bands, **numbers)
        found.subgroups += rows
        found.cautions += [*each.notes, *cautions_of(test, found.figures[label], each.validation)]
        found.cautions += [*frozen.cautions, *cautions]
        if each.out is not None:
            found.figures_out[label] = _figures(each.out, settings)
            found.cautions += cautions_of(each.out, found.figures_out[label], at=" at the other site")
            found.tables_out[label] = _tables(each.out, frozen, settings)
            found.shift += shift_table(test, each.out, frozen, **numbers)
        done()
    pairs = [(each.test, each.other) for each in planned if each.other is not None]
    found.comparison = comparison_table(pairs, **numbers) if pairs else []
    if len(planned) > 1:
        found.figures[MACRO] = macro([each.test for each in planned], settings)
        if all(each.out is not None for each in planned):
            found.figures_out[MACRO] = macro([each.out for each in planned if each.out is not None], settings)
    found.cautions = list(dict.fromkeys(found.cautions))
    done()
    return found


def _figures(rows: Rows, settings: Settings) -> list[Figure]:
    return figures(
        rows.truth, rows.scores, rows.units, classes=rows.target.classes, draws=settings.draws, seed=settings.seed
    )


def _tables(rows: Rows, frozen: Frozen, settings: Settings) -> Tables:
    numbers = {"draws": settings.draws, "seed": settings.seed}
    tables = tables_of(rows, frozen, prevalences=settings.prevalences, **numbers)
    tables.roc = roc_table(rows, **numbers)
    tables.reliability = reliability_table(rows, frozen, **numbers)
    return tables


def macro(found: Sequence[Rows], settings: Settings) -> list[Figure]:
    """Return the labels' means, each label of several classes counting by its own mean; all labels share each draw."""
    units, places = np.unique(np.concatenate([rows.keys for rows in found]), return_inverse=True)
    bounds = np.cumsum([0, *(len(rows.keys) for rows in found)])
    statistics = {
        str(number): _mean_metrics(rows, places[start:stop].astype(np.int64), len(units))
        for number, (rows, start, stop) in enumerate(zip(found, bounds, bounds[1:], strict=False))
    }
    values = {name: plain(statistic, len(units)) for name, statistic in statistics.items()}
    drawn = bootstrap(statistics, len(units), draws=settings.draws, seed=settings.seed)
    number = max(len(rows.keys) for rows in found)
    result = []
    for metric in METRICS:
        if metric == "ece":
            share = 1 / len(found)
            limits = calibration_interval(
                share * np.concatenate([values[name]["gaps"] for name in values]),
                share * np.concatenate([drawn[name]["gaps"] for name in drawn]),
            )
        else:
            value = float(np.mean([values[name][metric] for name in values]))
            limits = interval(value, np.mean([drawn[name][metric] for name in drawn], axis=0))
        result.append(Figure(MACRO, metric, limits, None, number, len(units)))
    return result


def _mean_metrics(rows: Rows, units: Integers, count: int) -> Statistic:
    """Return one label's metrics, of several classes their mean (of the Brier score the sum)."""
    columns = [(truth, scores) for _, truth, scores in rows.columns]
    told = [pair for pair in columns if 0 < pair[0].sum() < len(pair[0])]
    rankings = [Ranking(truth, scores, units) for truth, scores in told]
    gaps = [CalibrationGaps(truth, scores, units, count) for truth, scores in told]
    error = SquaredError(rows.truth, rows.scores, units, count)

    def statistic(counts: Floats) -> dict[str, Floats]:
        ranked = [ranking(counts) for ranking in rankings]
        means = {metric: np.mean([each[metric] for each in ranked], axis=0) for metric in RANK_METRICS}
        parts = np.concatenate([each(counts)["gaps"] for each in gaps]) / len(gaps)
        return means | error(counts) | {"gaps": parts}

    return statistic
