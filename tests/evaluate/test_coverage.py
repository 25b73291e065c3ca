"""How often 95% intervals hold the truth over thousands of simulated sets: what they promise, where they must fail.

Binormal scores of AUROC 0.8, 200 patients, prevalence 0.3; the truth by integration. `pytest -m slow -s` prints the
coverages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from scipy.special import expit, logit

from references import binormal
from remedis.evaluate.calibration import CalibrationGaps, calibration_interval
from remedis.evaluate.delong import delong_interval
from remedis.evaluate.intervals import bootstrap, interval, plain
from remedis.evaluate.metrics import Ranking, SquaredError

pytestmark = pytest.mark.slow

AUROC, PREVALENCE, PATIENTS, DRAWS = 0.8, 0.3, 200, 1000
DISTANCE = binormal.distance(AUROC)
TRUTH = {
    "auroc": AUROC,
    "average_precision": binormal.average_precision(DISTANCE, PREVALENCE),
    "brier": binormal.brier(DISTANCE, PREVALENCE),
}

Limits = Mapping[str, tuple[float, float]]


def simulated(seed: int, *, images: int = 1, shared: float = 0.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return truth, probabilities and patients, whose images have `shared` of their scores' variance in common."""
    random = np.random.default_rng([seed, images])
    patients = np.repeat(np.arange(PATIENTS), images)
    positive = random.random(PATIENTS) < PREVALENCE
    of_patient, of_image = random.normal(size=PATIENTS), random.normal(size=len(patients))
    x = DISTANCE * positive[patients] + np.sqrt(shared) * of_patient[patients] + np.sqrt(1 - shared) * of_image
    return positive[patients], binormal.probability(x, DISTANCE, PREVALENCE), patients


def limits_of(truth: np.ndarray, scores: np.ndarray, units: np.ndarray, seed: int) -> dict[str, tuple[float, float]]:
    """Return what the product's own interval of each metric is."""
    count = int(units.max()) + 1
    parts = {
        "rank": Ranking(truth, scores, units, ("auroc", "average_precision")),
        "error": SquaredError(truth, scores, units, count),
    }
    drawn = bootstrap(parts, count, draws=DRAWS, seed=seed)
    found = {}
    for name, metrics in drawn.items():
        values = plain(parts[name], count)
        for metric, draws in metrics.items():
            limits = interval(float(values[metric]), draws)
            found[metric] = (limits.low, limits.high)
    return found


def coverage(sets: int, limits: Callable[[int], Limits], truth: Mapping[str, float]) -> dict[str, float]:
    """Return the share of sets whose interval holds the truth."""
    held = dict.fromkeys(truth, 0)
    for seed in range(sets):
        for metric, (low, high) in limits(seed).items():
            held[metric] += low <= truth[metric] <= high
    return {metric: count / sets for metric, count in held.items()}


def shown(title: str, found: Mapping[str, float]) -> None:
    print(f"\n{title}: " + ", ".join(f"{metric} {share:.4f}" for metric, share in found.items()))


def test_with_one_image_a_patient_intervals_hold_the_truth_as_often_as_they_say() -> None:
    def limits(seed: int) -> Limits:
        truth, scores, units = simulated(seed)
        return limits_of(truth, scores, units, seed) | {"delong": delong_interval(truth, scores)}

    found = coverage(4000, limits, TRUTH | {"delong": AUROC})
    shown("one image a patient, 4,000 sets", found)
    assert 0.93 <= found["auroc"] <= 0.97
    assert 0.92 <= found["average_precision"] <= 0.97  # the percentile bootstrap reaches about 93.4% there
    assert 0.93 <= found["brier"] <= 0.97
    assert 0.93 <= found["delong"] <= 0.97


def test_with_several_images_a_patient_only_patients_as_units_hold_the_truth() -> None:
    def limits(seed: int) -> Limits:
        truth, scores, patients = simulated(seed, images=4, shared=0.7)
        by_patient = limits_of(truth, scores, patients, seed)
        by_image = limits_of(truth, scores, np.arange(len(truth)), seed)
        return by_patient | {f"{metric} by image": pair for metric, pair in by_image.items()}

    truths = TRUTH | {f"{metric} by image": value for metric, value in TRUTH.items()}
    found = coverage(2000, limits, truths)
    shown("four images a patient, 2,000 sets", found)
    for metric in TRUTH:
        low = 0.92 if metric == "average_precision" else 0.93
        assert low <= found[metric] <= 0.97, metric
        assert found[f"{metric} by image"] < 0.85, metric


@pytest.mark.parametrize(("scale", "least"), [(1.0, 0.93), (2.5, 0.90)])
def test_the_calibration_error_s_interval_holds_the_truth_with_and_without_error(scale: float, least: float) -> None:
    """Probabilities as they are (no error: 0 must lie inside), and made too sure by a factor on their logits."""
    true_error = binormal.calibration_error(DISTANCE, PREVALENCE, scale)

    def limits(seed: int) -> Limits:
        truth, scores, units = simulated(seed)
        statistic = CalibrationGaps(truth, expit(scale * logit(scores)), units, PATIENTS)
        drawn = bootstrap({"": statistic}, PATIENTS, draws=DRAWS, seed=seed)[""]["gaps"]
        found = calibration_interval(plain(statistic, PATIENTS)["gaps"], drawn)
        return {"ece": (found.low, found.high)}

    found = coverage(1000, limits, {"ece": true_error})
    shown(f"calibration error {true_error:.3f}, 1,000 sets", found)
    assert found["ece"] >= least
