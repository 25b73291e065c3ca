"""How often 95% intervals hold the truth, and tests of no difference say no: by simulation, small here, larger slow.

Binormal scores of 90 patients; two models whose true AUROCs are equal, 0.8.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom, kstest

from references import binormal
from remedis.evaluate.compare import delong_paired, paired_bootstrap, permutation
from remedis.evaluate.delong import delong_interval
from remedis.evaluate.intervals import bootstrap, interval, plain
from remedis.evaluate.metrics import Ranking

AUROC, PATIENTS = 0.8, 90
DISTANCE = binormal.distance(AUROC)
Simulated = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def simulated(seed: int, images: int) -> Simulated:
    """Return truth, two models' scores with much in common, and patients with `images` similar images each."""
    random = np.random.default_rng([seed, images])
    of = np.repeat(np.arange(PATIENTS), images)
    truth = (np.arange(PATIENTS) % 3 == 0)[of]
    shared = np.sqrt(0.5) * random.normal(size=PATIENTS)[of]
    scores = [
        DISTANCE * truth + shared + np.sqrt(0.3) * random.normal(size=PATIENTS)[of]
        + np.sqrt(0.2) * random.normal(size=len(of))
        for _ in range(2)
    ]  # fmt: skip
    return truth, scores[0], scores[1], of


def clustered(truth: np.ndarray, scores: np.ndarray, units: np.ndarray, seed: int, draws: int) -> tuple[float, float]:
    statistic, count = Ranking(truth, scores, units, ("auroc",)), int(units.max()) + 1
    drawn = bootstrap({"": statistic}, count, draws=draws, seed=seed)[""]["auroc"]
    found = interval(float(plain(statistic, count)["auroc"]), drawn)
    return found.low, found.high


def covered(sets: int, draws: int) -> dict[str, float]:
    """Return the share of sets in which each interval holds the truth."""
    held = dict.fromkeys(("delong", "bootstrap", "clustered", "by image", "paired delong", "paired bootstrap"), 0)
    for seed in range(sets):
        truth, one, other, units = simulated(seed, 1)
        low, high = delong_interval(truth, one)
        held["delong"] += low <= AUROC <= high
        low, high = clustered(truth, one, units, seed, draws)
        held["bootstrap"] += low <= AUROC <= high
        test = delong_paired(truth, one, other)
        held["paired delong"] += test.low <= 0 <= test.high
        truth, one, other, units = simulated(seed, 3)
        for name, drawn in (("clustered", units), ("by image", np.arange(len(units)))):
            low, high = clustered(truth, one, drawn, seed, draws)
            held[name] += low <= AUROC <= high
        pair = paired_bootstrap(truth, one, other, units, metrics=("auroc",), draws=draws, seed=seed)["auroc"]
        held["paired bootstrap"] += pair.difference.low <= 0 <= pair.difference.high
    return {name: count / sets for name, count in held.items()}


def check(found: dict[str, float], sets: int, least: float) -> None:
    """Shares may fall below `least` by what chance allows once in a thousand."""
    allowed = binom.ppf(0.001, sets, least) / sets
    for name, share in found.items():
        if name != "by image":
            assert share >= allowed, name
    assert found["by image"] < found["clustered"]


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    check(covered(50, 100), 50, 0.92)


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    found = covered(800, 500)
    print("\n800 sets: " + ", ".join(f"{name} {share:.4f}" for name, share in found.items()))
    check(found, 800, 0.935)
    assert found["by image"] < 0.90
    assert all(share <= 0.975 for share in found.values())


def p_values(sets: int, rounds: int) -> dict[str, np.ndarray]:
    found: dict[str, list[float]] = {"delong": [], "permutation": []}
    for seed in range(sets):
        found["delong"].append(delong_paired(*simulated(seed, 1)[:3]).p)
        found["permutation"].append(permutation(*simulated(seed, 3), rounds=rounds, seed=seed))
    return {name: np.array(values) for name, values in found.items()}


def test_of_equal_models_no_p_is_small_more_often_than_it_says() -> None:
    for name, p in p_values(60, 99).items():
        assert (p <= 0.05).sum() <= binom.ppf(0.999, 60, 0.06), name


@pytest.mark.slow
def test_of_equal_models_p_is_spread_evenly() -> None:
    for name, p in p_values(800, 299).items():
        print(f"\n{name}: {np.mean(p <= 0.05):.4f} of p at most 0.05, {np.mean(p <= 0.5):.4f} at most 0.5")
        assert np.mean(p <= 0.05) <= binom.ppf(0.999, 800, 0.055) / 800
        assert kstest(p, "uniform").statistic < 0.07, name
