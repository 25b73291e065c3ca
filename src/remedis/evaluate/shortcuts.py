"""How well a label is told by what says nothing of the disease: the size of the files, their brightness, the site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import comb, inf

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from remedis.data.trivial import log_sides
from remedis.evaluate.folds import Fold, grouped_folds
from remedis.evaluate.intervals import LEVEL
from remedis.evaluate.knn import standard
from remedis.evaluate.logistic import Features, fit
from remedis.evaluate.metrics import Booleans, Floats, Integers
from remedis.evaluate.targets import Target

TELLING = 0.65
"""From this AUROC on, size and shape alone are worth a caution beside a figure."""

SHORTCUT = 0.6
"""From this AUROC on, a trivial feature is a finding, where the data leave no doubt that it is above 0.5."""

DOUBT = 0.05
"""Chance, for each label, that a feature which says nothing is called a shortcut."""

_STRENGTH = 1.0
_FOLDS = 5
_PERMUTATIONS = 199
_BEYOND_DOUBT = 1e-6
"""A smaller p by the standard error is believed without permutations."""


@dataclass(frozen=True)
class Alone:
    """What one group of trivial features reaches on its own, learnt and told in folds by patient.

    Attributes:
        feature: Its name.
        auroc: AUROC of the pooled out-of-fold scores; of several classes the mean, one class against the rest.
        low: Lower limit of its interval over patients.
        high: Upper limit.
        p: One-sided p of an AUROC of 0.5.
        adjusted: The same by Holm, over all features that were looked at for this label.
        images: Rows with a known label and known features.
        units: Their patients.
    """

    feature: str
    auroc: float
    low: float
    high: float
    p: float
    adjusted: float
    images: int
    units: int

    @property
    def telling(self) -> bool:
        """Whether it is a shortcut: an AUROC of 0.6 or more, and no chance find."""
        return self.auroc >= SHORTCUT and self.adjusted < DOUBT


def alone(features: Mapping[str, Features], target: Target, units: Integers, *, seed: int = 0) -> list[Alone]:
    """Return what each group of features reaches on its own.

    A logistic regression (C = 1, standardised features) is fitted on four fifths of the patients and scores the rest,
    five times; the AUROC is that of all scores together.

    Args:
        features: Name to (N, D); a row with NaN is left out for that group.
        target: The label, of the same rows.
        units: (N,) each row's patient.
        seed: Decides the folds and the permutations.

    Returns:
        In the order of `features`, those where every class stands in two patients at least.
    """
    told: dict[str, _Told] = {}
    folds: dict[bytes, list[Fold]] = {}  # most groups are known in the same rows
    for name, values in features.items():
        rows = np.flatnonzero((target.codes >= 0) & ~np.isnan(values).any(axis=1))
        present, codes = np.unique(target.codes[rows], return_inverse=True)
        if len(present) < 2:
            continue
        codes = codes.reshape(-1)
        if rows.tobytes() not in folds:
            folds[rows.tobytes()] = grouped_folds(codes, units[rows], count=_FOLDS, seed=seed)
        if folds[rows.tobytes()]:
            told[name] = _Told(values[rows], codes, units[rows], folds[rows.tobytes()])
    raw = {name: each.p for name, each in told.items()}
    for name, adjusted in zip(raw, holm(list(raw.values())), strict=True):
        if told[name].auroc >= SHORTCUT and _BEYOND_DOUBT < adjusted < DOUBT:
            raw[name] = max(raw[name], told[name].p_of_permutations(seed))
    adjusted_p = holm(list(raw.values()))
    return [told[name].alone(name, p, adjusted) for (name, p), adjusted in zip(raw.items(), adjusted_p, strict=True)]


class _Told:
    """A label told by one group of features, in folds."""

    def __init__(self, features: Features, codes: Integers, units: Integers, folds: list[Fold]) -> None:
        self._features, self._codes, self._units, self._folds = features, codes, units, folds
        self._truth = _truth(codes)
        scores = _out_of_fold(features, codes, folds, self._truth)
        self.auroc, self._error = auroc_by_unit(self._truth, scores, units)

    @property
    def p(self) -> float:
        """One-sided p of 0.5 by the standard error, never smaller than a permutation of whole units could give.

        The error is 0 where the classes are told apart without a fault, which a few units do by chance.
        """
        error = self._error
        normal = float(norm.sf((self.auroc - 0.5) / error)) if error > 0 else float(self.auroc <= 0.5)
        return max(normal, 1 / _arrangements(self._codes, self._units))

    def p_of_permutations(self, seed: int) -> float:
        """Return the one-sided p with the features of whole units dealt out anew, folds and labels as they are.

        Scores of several fits vary more than the standard error of one knows, so that a p of it that is only just
        small is not believed. What is compared is the AUROC of least squares in place of the logistic regression,
        dealt and undealt alike: it orders rows much the same, and takes a hundredth of the time.
        """
        random = np.random.default_rng(seed)
        places = np.unique(self._units, return_inverse=True)[1].reshape(-1)
        target = np.argsort(places, kind="stable")
        own = self._auroc_of_least_squares(self._features)
        reached = 0
        for _ in range(_PERMUTATIONS):
            source = np.argsort(random.permutation(int(places.max()) + 1)[places], kind="stable")
            dealt = np.empty_like(self._features)
            dealt[target] = self._features[source]
            reached += self._auroc_of_least_squares(dealt) >= own
        return (1 + reached) / (1 + _PERMUTATIONS)

    def _auroc_of_least_squares(self, features: Features) -> float:
        truth = self._truth.reshape(len(features), -1)
        scores = np.empty(truth.shape)
        for fold in self._folds:
            mean, scale = standard(features[fold.train])
            rows, wanted = (features[fold.train] - mean) / scale, truth[fold.train].astype(np.float64)
            share = wanted.mean(axis=0)
            penalised = rows.T @ rows + np.eye(rows.shape[1]) / _STRENGTH
            weights = np.linalg.solve(penalised, rows.T @ (wanted - share))
            scores[fold.test] = (features[fold.test] - mean) / scale @ weights + share
        ranks, positives = rankdata(scores, axis=0), truth.sum(axis=0)
        below = (ranks * truth).sum(axis=0) - positives * (positives + 1) / 2
        return float(np.mean(below / (positives * (len(truth) - positives))))

    def alone(self, name: str, p: float, adjusted: float) -> Alone:
        """Return the figures."""
        half = float(norm.ppf(0.5 + LEVEL / 2)) * self._error
        low, high = max(0.0, self.auroc - half), min(1.0, self.auroc + half)
        return Alone(name, self.auroc, low, high, p, adjusted, len(self._codes), len(np.unique(self._units)))


def auroc_by_unit(truth: Booleans, scores: Floats, units: Integers) -> tuple[float, float]:
    """Return the AUROC, of several classes the mean, and its standard error where rows of a unit depend on each other.

    Args:
        truth: (N,), or (N, K) for K classes, each against the rest; every class must be there and absent.
        scores: The same shape; a higher score means more likely of the class.
        units: (N,) each row's patient, two at least.

    Source: Obuchowski, Biometrics 53:567 (1997): the structural components of DeLong et al. (1988), summed within a
    unit. With a row a unit it is DeLong's variance but for the factors n / (n - 1).
    """
    truth, scores = truth.reshape(len(truth), -1), scores.reshape(len(scores), -1)
    parts = [_components(truth[:, column], scores[:, column]) for column in range(truth.shape[1])]
    auroc = float(np.mean([value for value, _ in parts]))
    influence = np.mean([shares for _, shares in parts], axis=0)
    places = np.unique(units, return_inverse=True)[1].reshape(-1)
    sums = np.bincount(places, weights=influence)
    return auroc, float(np.sqrt(len(sums) / (len(sums) - 1) * np.square(sums).sum()))


def holm(p: list[float]) -> list[float]:
    """Return the p values adjusted by Holm's step-down procedure (Scandinavian Journal of Statistics 6:65, 1979)."""
    adjusted, highest = [0.0] * len(p), 0.0
    for rank, place in enumerate(sorted(range(len(p)), key=lambda each: p[each])):
        highest = max(highest, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = highest
    return adjusted


def size_features(table: pa.Table) -> NDArray[np.float32] | None:
    """Return (N, 3) logarithms of width, height and aspect; None where sizes are unknown or all the same."""
    features = log_sides(table)
    return features if not np.isnan(features).any() and np.ptp(features, axis=0).max() > 0 else None


def auroc_of_size(
    train: tuple[NDArray[np.float32], Integers],
    test: tuple[NDArray[np.float32], Booleans],
) -> float | None:
    """Return the AUROC (of several classes the mean) of a logistic regression on size features, None if undefined.

    Args:
        train: Features and classes to fit on.
        test: Features and truth, (n,) or (n, K), to be scored.
    """
    features, codes = train
    if len(np.unique(codes)) < 2:
        return None
    return _mean_auroc(fit(features, codes, _STRENGTH).scores(test[0]), test[1])


def auroc_of_size_in_folds(
    features: NDArray[np.float32], codes: Integers, truth: Booleans, units: Integers, *, seed: int
) -> float | None:
    """Return the same from pooled out-of-fold scores, for labels that are evaluated without a split."""
    folds = grouped_folds(codes, units, count=_FOLDS, seed=seed)
    scores = _out_of_fold(features, codes, folds, truth)
    return None if np.isnan(scores).any() else _mean_auroc(scores, truth)


def _truth(codes: Integers) -> Booleans:
    classes = int(codes.max()) + 1
    return np.asarray(codes == 1 if classes == 2 else codes[:, None] == np.arange(classes))


def _out_of_fold(features: Features, codes: Integers, folds: list[Fold], truth: Booleans) -> Floats:
    scores = np.full(truth.shape, np.nan)
    for fold in folds:
        scores[fold.test] = fit(features[fold.train], codes[fold.train], _STRENGTH).scores(features[fold.test])
    return scores


def _components(truth: Booleans, scores: Floats) -> tuple[float, Floats]:
    """Return the AUROC and (N,) how much each row pulls it up or down; these sum to 0."""
    positives, negatives = int(truth.sum()), int((~truth).sum())
    pooled = rankdata(scores)
    shares = np.empty(len(scores))
    shares[truth] = (pooled[truth] - rankdata(scores[truth])) / negatives  # of negatives below each positive
    shares[~truth] = 1 - (pooled[~truth] - rankdata(scores[~truth])) / positives  # of positives above each negative
    auroc = float(shares[truth].mean())
    return auroc, (shares - auroc) / np.where(truth, positives, negatives)


def _arrangements(codes: Integers, units: Integers) -> float:
    """Return in how many ways the units' classes (each unit's highest) can be dealt out anew, at least."""
    places = np.unique(units, return_inverse=True)[1].reshape(-1)
    highest = np.full(int(places.max()) + 1, -1, np.int64)
    np.maximum.at(highest, places, codes)
    counts = np.bincount(highest)
    rarest = int(counts[counts > 0].min())
    ways = comb(len(highest), rarest)
    return float(ways) if ways < 10**300 else inf


def _mean_auroc(scores: Floats, truth: Booleans) -> float | None:
    truth, scores = truth.reshape(len(truth), -1), scores.reshape(len(scores), -1)
    present = [column for column in range(truth.shape[1]) if 0 < truth[:, column].sum() < len(truth)]
    values = [_components(truth[:, column], scores[:, column])[0] for column in present]
    return float(np.mean(values)) if values else None
