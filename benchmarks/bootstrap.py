"""How long do the intervals of a large test set take, beside a loop over scikit-learn? Both in one run.

    python benchmarks/bootstrap.py

10,000 bootstrap draws of the AUROC of 20,000 images with 5 labels, one image a patient. The loop draws rows and calls
scikit-learn's roc_auc_score, as is commonly done; it is timed over a few draws and extrapolated. That both compute the
same is checked first, draw by draw. Writes benchmarks/results/bootstrap.csv.
"""

from __future__ import annotations

import argparse
import csv
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from remedis.evaluate.intervals import bootstrap, counts_of_draws
from remedis.evaluate.metrics import Booleans, Floats, Ranking

CSV = Path(__file__).parent / "results" / "bootstrap.csv"
CHECKED = 10
Labels = dict[str, tuple[Booleans, Floats]]


def simulated(images: int, labels: int) -> Labels:
    """Return truth and scores of labels with prevalences from 0.1 to 0.5."""
    random = np.random.default_rng(0)
    found = {}
    for label, prevalence in enumerate(np.linspace(0.1, 0.5, labels)):
        truth = random.random(images) < prevalence
        found[str(label)] = truth, 1 / (1 + np.exp(-(1.2 * truth + random.normal(size=images))))
    return found


def ours(data: Labels, images: int, draws: int) -> dict[str, Floats]:
    """Return each label's AUROC in every draw."""
    units = np.arange(images)
    rankings = {name: Ranking(truth, scores, units, ("auroc",)) for name, (truth, scores) in data.items()}
    return {name: found["auroc"] for name, found in bootstrap(rankings, images, draws=draws).items()}


def loop(data: Labels, drawn: NDArray[np.int64]) -> dict[str, Floats]:
    """Return the same by scikit-learn; drawn (draws, images) row numbers."""
    return {
        name: np.array([roc_auc_score(truth[rows], scores[rows]) for rows in drawn])
        for name, (truth, scores) in data.items()
    }


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds that some work takes by the clock, and of the processor: a busy machine makes them differ."""
    start, used = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - start, time.process_time() - used


def main() -> None:
    """Check, time, print, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=20_000)
    parser.add_argument("--labels", type=int, default=5)
    parser.add_argument("--draws", type=int, default=10_000)
    parser.add_argument("--loop-draws", type=int, default=40)
    parser.add_argument("--out", type=Path, default=CSV)
    options = parser.parse_args()
    data = simulated(options.images, options.labels)
    counts = next(counts_of_draws(options.images, CHECKED, 0)).astype(np.int64)
    drawn = np.stack([np.repeat(np.arange(options.images), column) for column in counts.T])
    expected = loop(data, drawn)
    for name, found in ours(data, options.images, CHECKED).items():
        np.testing.assert_allclose(found, expected[name], rtol=1e-12)
    seconds, used = timed(lambda: ours(data, options.images, options.draws))
    random = np.random.default_rng(1)

    def looped() -> None:
        loop(data, random.integers(0, options.images, (options.loop_draws, options.images)))

    factor = options.draws / options.loop_draws
    looped_seconds, looped_used = (factor * each for each in timed(looped))
    rows = [
        {"side": "remedis", "seconds": round(seconds, 2), "processor_seconds": round(used, 2),
         "draws_timed": options.draws},
        {"side": "loop over scikit-learn, extrapolated", "seconds": round(looped_seconds, 1),
         "processor_seconds": round(looped_used, 1), "draws_timed": options.loop_draws},
    ]  # fmt: skip
    about = {
        "images": options.images, "labels": options.labels, "draws": options.draws,
        "ratio": round(looped_used / used, 1), "machine": platform.machine(), "python": platform.python_version(),
    }  # fmt: skip
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], *about], lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | about for row in rows)
    print(f"{options.draws:,} draws of {options.labels} AUROCs of {options.images:,} images:")
    print(f"remedis {seconds:.1f} s, of the processor {used:.1f} s")
    print(f"loop over scikit-learn {looped_seconds:.0f} s, of the processor {looped_used:.0f} s", end="")
    print(f", extrapolated from {options.loop_draws} draws")
    print(f"ratio of the processor's seconds {looped_used / used:.0f}")


if __name__ == "__main__":
    main()
