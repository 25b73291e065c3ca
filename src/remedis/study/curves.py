"""What a study answers: curves of AUROC by share of labels, the share that reaches the baseline, and differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from remedis.evaluate.compare import delong_paired, holm, permutation
from remedis.evaluate.efficiency import Curve, curve, difference, match, non_inferior
from remedis.study.fits import Fit
from remedis.study.gathered import Answer
from remedis.study.question import METHOD_NAMES

Row = dict[str, Any]
Key = tuple[str, str, str, str, int]  # scenario, tested data set, label, method, repetition


@dataclass(frozen=True)
class Asked:
    """One question: every encoder's answers of one scenario, tested data set, label, method and repetition.

    Attributes:
        key: Which.
        answers: Encoder to the answers, by fraction and draw.
        curves: Encoder to its curve.
    """

    key: Key
    answers: dict[str, dict[tuple[float, int], Answer]]
    curves: dict[str, Curve]

    @property
    def named(self) -> Row:
        """The columns that say which question it is."""
        scenario, data_set, label, method, repeat = self.key
        train = next(iter(next(iter(self.answers.values())).values())).fit.train
        return {
            "scenario": scenario, "dataset": data_set, "train_dataset": train, "label": label,
            "method": METHOD_NAMES[method], "repeat": repeat,
        }  # fmt: skip


def questions(answers: Sequence[Answer], *, draws: int, seed: int) -> list[Asked]:
    """Return the questions with their curves, in the order of the answers.

    Where several data sets are in distribution, each is a question of its own.
    """
    found: dict[tuple[Key, str], dict[str, dict[tuple[float, int], Answer]]] = {}
    for answer in answers:
        if not answer.scenario:
            continue
        fit = answer.fit
        key = (answer.scenario, answer.data_set.name, answer.label.label, fit.method, fit.repeat)
        encoders = found.setdefault((key, fit.train), {})
        encoders.setdefault(fit.encoder, {})[fit.fraction, fit.draw] = answer
    return [
        Asked(key, encoders, {name: _curve(each, draws, seed) for name, each in encoders.items()})
        for (key, _), encoders in found.items()
    ]


def _curve(answers: dict[tuple[float, int], Answer], draws: int, seed: int) -> Curve:
    scores: dict[float, list[Any]] = {}
    for (fraction, _), answer in sorted(answers.items(), key=lambda item: item[0]):
        scores.setdefault(fraction, []).append(answer.scores)
    one = next(iter(answers.values()))
    return curve(scores, one.truth, one.units, draws=draws, seed=seed)


def curve_rows(asked: Sequence[Asked], labelled: dict[Fit, tuple[int, int]]) -> list[Row]:
    """Return a row for each point of each curve.

    Args:
        asked: The questions.
        labelled: Fit to the images and patients that it learns from.
    """
    found = []
    for each in asked:
        for encoder, line in each.curves.items():
            fits = [answer.fit for answer in each.answers[encoder].values()]
            for place, fraction in enumerate(line.fractions):
                counts = [labelled[fit] for fit in fits if fit.fraction == fraction]
                one = next(iter(each.answers[encoder].values()))
                found.append({
                    **each.named, "encoder": encoder, "fraction": float(fraction), "draws": len(counts),
                    "labelled_images": float(np.mean([images for images, _ in counts])),
                    "labelled_patients": float(np.mean([patients for _, patients in counts])),
                    "auroc": _known(line.values[place]), "low": _known(line.low[place]),
                    "high": _known(line.high[place]), "n": len(one.rows), "n_patients": one.patients,
                })  # fmt: skip
    return found


def match_rows(asked: Sequence[Asked], baseline: str) -> list[Row]:
    """Return for each encoder the share of labels that reaches what the baseline needs all of them for."""
    found = []
    for each in asked:
        line = each.curves.get(baseline)
        if line is None:
            continue
        for encoder, own in each.curves.items():
            reached = match(own, line.drawn[-1], float(line.values[-1]))
            found.append({
                **each.named, "encoder": encoder, "baseline": baseline, "line": _known(line.values[-1]),
                "line_low": _known(line.low[-1]), "line_high": _known(line.high[-1]),
                "fraction": _known(reached.fraction), "low": _known(reached.low), "high": _known(reached.high),
                "reached": _known(reached.reached), "at_most": reached.at_most,
            })  # fmt: skip
    return found


def difference_rows(asked: Sequence[Asked], baseline: str, *, rounds: int, seed: int) -> list[Row]:
    """Return each encoder's difference from the baseline at each share, paired, with tests at 100 % of the labels.

    The permutation test swaps whole patients; its p is adjusted by Holm for all encoders and labels of a scenario,
    tested data set and method. DeLong's stands beside it where every patient has one image.
    """
    found = []
    for each in asked:
        if baseline not in each.curves:
            continue
        for encoder in each.curves:
            if encoder != baseline:
                found += _differences(each, encoder, baseline, rounds, seed)
    families: dict[tuple[Any, ...], list[Row]] = {}
    for row in found:
        if row["p"] is not None:
            families.setdefault((row["scenario"], row["dataset"], row["method"], row["repeat"]), []).append(row)
    for family in families.values():
        for row, adjusted in zip(family, holm([row["p"] for row in family]), strict=True):
            row["p_holm"] = _known(adjusted)
    return found


def _differences(each: Asked, encoder: str, baseline: str, rounds: int, seed: int) -> list[Row]:
    own, line = each.curves[encoder], each.curves[baseline]
    gap = difference(own, line)
    accepted = non_inferior(gap)
    found = []
    for place, fraction in enumerate(gap.fractions):
        tests = _tests(each, encoder, baseline, rounds, seed) if fraction == 1 else {}
        found.append({
            **each.named, "encoder": encoder, "baseline": baseline, "fraction": float(fraction),
            "difference": _known(gap.values[place]), "low": _known(gap.low[place]), "high": _known(gap.high[place]),
            "non_inferior": bool(accepted[place]), "p": tests.get("p"), "p_holm": None, "p_delong": tests.get("delong"),
        })  # fmt: skip
    return found


def _tests(each: Asked, encoder: str, baseline: str, rounds: int, seed: int) -> dict[str, float | None]:
    one, other = (each.answers[name][1.0, 0] for name in (encoder, baseline))
    p = permutation(one.truth, one.scores, other.scores, one.units, rounds=rounds, seed=seed)
    alone = one.truth.ndim == 1 and one.patients == len(one.rows)
    delong = delong_paired(one.truth, one.scores, other.scores).p if alone else float("nan")
    return {"p": _known(p), "delong": _known(delong)}


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
