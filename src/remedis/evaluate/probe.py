"""One label probed: fitted on one part, its strength chosen on another, every figure on rows that neither saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from remedis.data import manifest
from remedis.evaluate.folds import Fold, grouped_folds
from remedis.evaluate.intervals import DRAWS, FEW_UNITS
from remedis.evaluate.knn import NEIGHBOURS, knn_scores
from remedis.evaluate.logistic import Features, Logistic, choose_strength, fit
from remedis.evaluate.metrics import Floats, Integers
from remedis.evaluate.parts import (
    Evaluation,
    Parts,
    learnable,
    outer_folds,
    refuse_untestable,
    split_parts,
    whole,
)
from remedis.evaluate.results import Figure, figures
from remedis.evaluate.sources import Source
from remedis.evaluate.targets import Target, align

METHODS = ("logistic", "knn")
FOLDS = 5
_STRENGTH_UNCHOSEN = 1e-3


@dataclass(frozen=True)
class Settings:
    """Numbers that decide a probe's result besides the data."""

    methods: tuple[str, ...] = METHODS
    draws: int = DRAWS
    folds: int = FOLDS
    neighbours: int = NEIGHBOURS
    seed: int = 0


@dataclass(frozen=True)
class Probed:
    """What came of one label.

    Attributes:
        target: The label in the table that was learnt from.
        tested: The label in the table that was tested, which is the same but with other embeddings.
        parts: Row numbers.
        evaluation: How the tested rows were kept apart.
        model: The logistic probe that is saved.
        chosen_on: What chose its strength, in words; empty where nothing could.
        losses: Log loss at each strength that was looked at.
        scores: Method to the tested rows' scores, (n,) or (n, K).
        figures: Method to its figures.
        patients: Patients of the tested rows; where none is known, clusters or images.
        cautions: What a reader must know.
    """

    target: Target
    tested: Target
    parts: Parts
    evaluation: Evaluation
    model: Logistic
    chosen_on: str
    losses: Mapping[float, float]
    scores: Mapping[str, Floats]
    figures: Mapping[str, list[Figure]]
    patients: int
    cautions: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """One label's parts, checked, before anything is fitted; `folds` are numbered within `parts.train`."""

    target: Target
    tested: Target
    parts: Parts
    evaluation: Evaluation
    source: Source
    other: Source | None
    folds: list[Fold]

    @property
    def tested_in(self) -> Source:
        """What the tested rows are of."""
        return self.other or self.source

    @property
    def steps(self) -> int:
        """How often `probe` says that a step is done: each fit with the choice of its strength, and the figures."""
        return len(self.folds) + 2


def plan(
    target: Target, source: Source, other: Source | None, settings: Settings, *, exclude: Sequence[str] = ()
) -> Plan:
    """Return who is learnt from and who is tested.

    Args:
        target: The label in `source`.
        source: What is learnt from.
        other: Other embeddings to test on, if any.
        settings: Folds and seed.
        exclude: Classes that are left out on purpose.

    Raises:
        LabelError: A part lacks rows or classes.
    """
    target = learnable(target, _parts(target, source), where=source.where)
    parts, tested = _parts(target, source), target
    evaluation: Evaluation = "nested-cv" if source.split is None else "split"
    folds: list[Fold] = []
    if other is not None:
        tested = align(target, other.table, where=other.where, exclude=exclude)
        parts, evaluation = _tested_elsewhere(parts, tested), "external"
    elif evaluation == "nested-cv":
        folds = outer_folds(target, parts, source.units, count=settings.folds, seed=settings.seed, where=source.where)
    refuse_untestable(tested, parts, where=(other or source).where)
    return Plan(target, tested, parts, evaluation, source, other, folds)


def _tested_elsewhere(parts: Parts, tested: Target) -> Parts:
    """Return the parts with other rows tested; those that a split had kept for testing are used for nothing."""
    unused = 0 if parts.folded else len(parts.test)
    left_out = {**parts.left_out, **({"split is test, and other embeddings are tested": unused} if unused else {})}
    return replace(parts, test=tested.known, left_out=left_out)


def _parts(target: Target, source: Source) -> Parts:
    return whole(target) if source.split is None else split_parts(target, source.split)


def probe(planned: Plan, settings: Settings, *, done: Callable[[], None] = lambda: None) -> Probed:
    """Return the fitted probe of one label with the scores and figures of its tested rows.

    Args:
        planned: From `plan`.
        settings: What else decides the result.
        done: Called after each of `planned.steps` steps.
    """
    cautions: list[str] = []
    strength, losses, chosen_on = _strength(planned, planned.parts.train, settings, cautions)
    model = _fit(planned, planned.parts.train, strength)
    done()
    if not model.converged:
        cautions.append(f"{planned.target.label}: the solver had not converged when it stopped")
    if planned.evaluation == "nested-cv":
        scores = _scores_of_folds(planned, settings, cautions, done)
    else:
        scores = _scores_of_test(planned, model, settings)
    tested = planned.parts.test
    units, count = planned.tested_in.units.among(tested)
    truth, classes = planned.tested.truth(tested), planned.target.classes
    found = {
        method: figures(truth, values, units, classes=classes, draws=settings.draws, seed=settings.seed)
        for method, values in scores.items()
    }
    done()
    cautions += _cautions(planned.target, found, count, planned.tested_in.units.words, settings.draws)
    cautions += _shared_clusters(planned)
    return Probed(
        planned.target, planned.tested, planned.parts, planned.evaluation, model, chosen_on, losses, scores, found,
        _patients(planned, count), list(dict.fromkeys(cautions)),
    )  # fmt: skip


def _patients(planned: Plan, units: int) -> int:
    """Return how many patients the tested rows are of; where none is known, the number of units."""
    table = planned.tested_in.table
    if "patient_id" not in table.column_names or table["patient_id"].null_count == table.num_rows:
        return units
    return len(np.unique(manifest.patient_keys(table)[planned.parts.test]))


def _shared_clusters(planned: Plan) -> list[str]:
    """Return a caution where a split cuts what `--cluster` names; a cut patient was refused before."""
    units, parts = planned.source.units, planned.parts
    if planned.evaluation != "split" or units.name in ("patients", "images"):
        return []
    shared = len(np.intersect1d(units.codes[parts.train], units.codes[parts.test]))
    if not shared:
        return []
    return [f"{planned.target.label}: {shared:,} {units.words} stand in the training part and in the tested one"]


def _strength(
    planned: Plan, train: Integers, settings: Settings, cautions: list[str], *, fold: int = 0
) -> tuple[float, Mapping[float, float], str]:
    """Choose C on the validation part, or on folds of the training part where it has none that can decide."""
    codes, validation = planned.target.codes, planned.parts.validation
    label = planned.target.label
    if len(np.unique(codes[validation])) > 1:
        rows = np.concatenate([train, validation])
        folds = [Fold(np.arange(len(train)), np.arange(len(train), len(rows)))]
        chosen_on = "validation"
    else:
        if len(validation):
            cautions.append(f"{label}: the validation part has one class, folds of the training part chose instead")
        rows = train
        folds = grouped_folds(
            codes[rows],
            planned.source.units.codes[rows],
            count=settings.folds,
            seed=_inner_seed(settings.seed, fold),
        )
        chosen_on = f"{len(folds)} folds of the training part"
    if not folds:
        cautions.append(
            f"{label}: a class has too few {planned.source.units.words} for folds, C was not chosen but set to "
            f"{_STRENGTH_UNCHOSEN:g}"
        )
        return _STRENGTH_UNCHOSEN, {}, ""
    strength, losses = choose_strength(
        planned.source.features[rows], codes[rows], folds, classes=len(planned.target.classes)
    )
    return strength, losses, chosen_on


def _inner_seed(seed: int, fold: int) -> int:
    return int(np.random.SeedSequence([seed, fold]).generate_state(1)[0])


def _fit(planned: Plan, rows: Integers, strength: float) -> Logistic:
    return fit(planned.source.features[rows], planned.target.codes[rows], strength)


def _scores_of_test(planned: Plan, model: Logistic, settings: Settings) -> dict[str, Floats]:
    features = planned.tested_in.features[planned.parts.test]
    scores = {"logistic": model.scores(features)}
    if "knn" in settings.methods:
        scores["knn"] = _neighbours(planned, planned.parts.train, features, settings)
    return scores


def _scores_of_folds(
    planned: Plan, settings: Settings, cautions: list[str], done: Callable[[], None]
) -> dict[str, Floats]:
    """Return the pooled scores of nested folds: each row is scored by a model that saw none of its unit."""
    rows, features = planned.parts.train, planned.source.features
    if len(planned.folds) < settings.folds:
        cautions.append(
            f"{planned.target.label}: {len(planned.folds)} folds instead of {settings.folds}, because a class stands "
            f"in few {planned.source.units.words}"
        )
    classes = len(planned.target.classes)
    shape = (len(rows),) if classes == 2 else (len(rows), classes)
    scores = {method: np.full(shape, np.nan) for method in settings.methods}
    for number, fold in enumerate(planned.folds, start=1):
        train, test = rows[fold.train], rows[fold.test]
        strength, _, _ = _strength(planned, train, settings, cautions, fold=number)
        scores["logistic"][fold.test] = _fit(planned, train, strength).scores(features[test])
        if "knn" in settings.methods:
            scores["knn"][fold.test] = _neighbours(planned, train, features[test], settings)
        done()
    return scores


def _neighbours(planned: Plan, train: Integers, features: Features, settings: Settings) -> Floats:
    classes = len(planned.target.classes)
    votes = knn_scores(
        planned.source.features[train],
        planned.target.codes[train],
        features,
        classes=classes,
        k=settings.neighbours,
    )
    return votes[:, 1] if classes == 2 else votes


def _cautions(target: Target, found: Mapping[str, list[Figure]], units: int, unit_name: str, draws: int) -> list[str]:
    """Return what the figures alone do not say."""
    label, cautions = target.label, []
    logistic = found["logistic"]
    if units < FEW_UNITS:
        cautions.append(
            f"{label}: the intervals rest on {units} {unit_name}; under {FEW_UNITS} they are too narrow to be believed"
        )
    for figure in logistic:
        name = f"{label} {figure.name}".strip()
        if figure.metric != "auroc":
            continue
        if np.isnan(figure.interval.value):
            cautions.append(f"{name}: no tested row has this class, or all have it; it has no figures")
        elif figure.interval.undefined:
            cautions.append(
                f"{name}: {figure.interval.undefined:,} of {draws:,} draws lacked a class and were left out"
            )
        if figure.interval.value in (0.0, 1.0) and figure.name != "macro":
            cautions.append(
                f"{name}: the AUROC is {figure.interval.value:g}; an interval without width is no certainty"
            )
    return cautions
