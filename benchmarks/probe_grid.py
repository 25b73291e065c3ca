"""How fast is a whole grid of probes (shares of labels × draws × L2 strengths), and are its answers scikit-learn's?

    python benchmarks/probe_grid.py                              # scikit-learn on a sample, scaled to the grid
    python benchmarks/probe_grid.py --sklearn-draws 10 --every 1 # on the whole grid

The grid: 6 shares of 1,000 images, 10 draws of each, 45 values of C from 1e-6 to 1e5, on 2048 features a image. The
embeddings are simulated: rectified mixtures of directions whose variance decays as a power law, two classes that
differ in a few of the strong ones. Times `remedis.ops.logistic.solve` on the whole grid and scikit-learn's L-BFGS, a
fit at a time, at its default tolerance 1e-4 and at smaller ones, down to the first that gives the answers of a
converged reference (scikit-learn's Newton-Cholesky at 1e-10): coefficients within 1e-3 for every C up to 100, and
every AUROC within 1e-4. All answers compared, ours and
theirs, are of the first draw of each share. scikit-learn's sample is the first draw of each share at every fourth
strength; the draws of all images are one, and count as one for both sides. Beside the wall's seconds stand the
processor's, which other work on the machine disturbs less. Prints a table and writes results/probe_grid.csv.
"""

from __future__ import annotations

import argparse
import csv
import platform
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sklearn
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from remedis.ops.logistic import Problem, solve

HERE = Path(__file__).parent
SHARES = (0.05, 0.1, 0.25, 0.5, 0.75, 1.0)
DRAWS = 10
STRENGTHS = tuple(float(each) for each in np.logspace(-6, 5, 45))
ROWS, TESTED, WIDTH = 1000, 500, 2048
MOST_C, COEFFICIENTS, AUROC = 100.0, 1e-3, 1e-4
TOLERANCES = (1e-4, 1e-6, 1e-7, 1e-8, 1e-9, 1e-10)


@dataclass(frozen=True)
class Fits:
    """One side's answers for the first draw of each share, and its time for the whole grid."""

    name: str
    seconds: tuple[float, float]  # by the wall's clock and by the processor's
    timed: int
    coefficients: list[np.ndarray]  # of each share: (S, D)
    scores: list[np.ndarray]  # of each share: (S, tested)


def main() -> None:
    """Measure, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--sklearn-draws", type=int, default=1, help="draws of each share that scikit-learn is timed on"
    )
    parser.add_argument("--every", type=int, default=4, help="scikit-learn takes each so-many-th strength only")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "probe_grid.csv")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    with threadpool_limits(options.threads):
        bench(options)


def write(table: list[dict[str, object]], path: Path) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]))
        writer.writeheader()
        writer.writerows(table)


def bench(options: argparse.Namespace) -> None:
    features, codes, tested, truth = simulated(options.seed)
    draws = [list(subsets(codes, share, options.seed)) for share in SHARES]
    chosen = range(0, len(STRENGTHS), options.every)
    ours = batched(features, codes, draws, tested)
    reference = [exact(features[rows[0]], codes[rows[0]], tested, chosen) for rows in draws]
    table = [row_of(ours, ours, reference, truth, chosen, options)]
    print(table[0], flush=True)
    for tolerance in TOLERANCES:
        fits = looped(features, codes, draws, tested, tolerance, options)
        row = row_of(fits, ours, reference, truth, chosen, options)
        table.append(row)
        write(table, options.out)
        print(row, flush=True)
        if float(str(row["coefficient_error_to_100"])) <= COEFFICIENTS and float(str(row["auroc_error"])) <= AUROC:
            break


def simulated(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return standardised training rows, their classes, and rows and classes to test on."""
    random = np.random.default_rng(seed)
    spread = np.arange(1, WIDTH + 1) ** -0.7
    hidden = random.normal(size=(ROWS + TESTED, WIDTH)) * spread
    codes = (random.random(ROWS + TESTED) < 0.3).astype(np.int64)
    hidden[:, :20] += np.outer(codes, random.normal(size=20) * 0.6 * spread[:20])
    turned = hidden @ np.linalg.qr(random.normal(size=(WIDTH, WIDTH)))[0]
    features = np.maximum(turned + 0.5 * random.normal(size=WIDTH) * turned.std(axis=0), 0.0)
    mean, scale = features[:ROWS].mean(axis=0), features[:ROWS].std(axis=0)
    features = ((features - mean) / np.where(scale > 0, scale, 1.0)).astype(np.float32)
    return features[:ROWS], codes[:ROWS], features[ROWS:], codes[ROWS:]


def clocks() -> np.ndarray:
    """Return the wall's and the processor's seconds."""
    return np.array([time.perf_counter(), time.process_time()])


def subsets(codes: np.ndarray, share: float, seed: int) -> Iterator[np.ndarray]:
    """Yield the rows of each draw, nested in the larger shares, the classes in proportion."""
    for draw in range(DRAWS):
        random = np.random.default_rng([seed, draw])
        parts = [random.permutation(np.flatnonzero(codes == code)) for code in (0, 1)]
        yield np.concatenate([part[: max(1, round(share * len(part)))] for part in parts])


def batched(features: np.ndarray, codes: np.ndarray, draws: list[list[np.ndarray]], tested: np.ndarray) -> Fits:
    labels = torch.from_numpy(codes)
    problems = [Problem(torch.from_numpy(rows), labels[rows], 2) for each in draws for rows in each]
    start = clocks()
    found = solve(torch.from_numpy(features), problems, STRENGTHS)
    seconds = clocks() - start
    assert all(bool(each.converged.all()) for each in found)
    first = found[::DRAWS]
    return Fits(
        "remedis, whole grid at once",
        tuple(seconds),
        len(problems) * len(STRENGTHS),
        [each.coefficients[:, 0].numpy() for each in first],
        [each.logits(torch.from_numpy(tested))[..., 0].numpy() for each in first],
    )


def looped(
    features: np.ndarray,
    codes: np.ndarray,
    draws: list[list[np.ndarray]],
    tested: np.ndarray,
    tolerance: float,
    options: argparse.Namespace,
) -> Fits:
    """Fit one at a time; all rows are one draw, and counted as one."""
    chosen = STRENGTHS[:: options.every]
    wide, total, timed = features.astype(np.float64), np.zeros(2), 0
    coefficients, scores = [], []
    for each in draws:
        distinct = {rows.tobytes(): rows for rows in (np.sort(rows) for rows in each)}
        taken = list(distinct.values())[: options.sklearn_draws]
        models = []
        start = clocks()
        for rows in taken:
            for strength in chosen:
                model = LogisticRegression(C=strength, tol=tolerance, max_iter=20_000)
                models.append(model.fit(wide[rows], codes[rows]))
        total += (clocks() - start) * len(distinct) / len(taken) * len(STRENGTHS) / len(chosen)
        timed += len(models)
        found = models[: len(chosen)]
        coefficients.append(np.stack([model.coef_[0] for model in found]))
        scores.append(np.stack([model.decision_function(tested.astype(np.float64)) for model in found]))
    return Fits(f"scikit-learn, L-BFGS, tolerance {tolerance:g}", tuple(total), timed, coefficients, scores)


def exact(rows: np.ndarray, codes: np.ndarray, tested: np.ndarray, chosen: range) -> tuple[np.ndarray, np.ndarray]:
    """Return coefficients and scores of a converged fit, made in the span of the rows, where it must lie."""
    rows, tested = rows.astype(np.float64), tested.astype(np.float64)
    axes = np.linalg.svd(rows, full_matrices=False)[2]
    coefficients, scores = [], []
    for index in chosen:
        model = LogisticRegression(C=STRENGTHS[index], tol=1e-10, max_iter=1000, solver="newton-cholesky")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # its line search stops at rounding error
            model.fit(rows @ axes.T, codes)
        coefficients.append(model.coef_[0] @ axes)
        scores.append(tested @ coefficients[-1] + model.intercept_[0])
    return np.stack(coefficients), np.stack(scores)


def row_of(
    fits: Fits,
    ours: Fits,
    reference: list[tuple[np.ndarray, np.ndarray]],
    truth: np.ndarray,
    chosen: range,
    options: argparse.Namespace,
) -> dict[str, object]:
    near, far, area = 0.0, 0.0, 0.0
    places = chosen if fits is ours else range(len(chosen))
    for (exact_coefficients, exact_scores), coefficients, scores in zip(
        reference, fits.coefficients, fits.scores, strict=True
    ):
        for place, (index, own) in enumerate(zip(chosen, places, strict=True)):
            norm = np.linalg.norm(exact_coefficients[place])
            error = float(np.linalg.norm(coefficients[own] - exact_coefficients[place]) / norm)
            gap = abs(roc_auc_score(truth, scores[own]) - roc_auc_score(truth, exact_scores[place]))
            if STRENGTHS[index] <= MOST_C:
                near = max(near, error)
            else:
                far = max(far, error)
            area = max(area, float(gap))
    return {
        "solver": fits.name,
        "grid_seconds": round(float(fits.seconds[0]), 2),
        "grid_processor_seconds": round(float(fits.seconds[1]), 2),
        "fits_timed": fits.timed,
        "times_slower": round(float(fits.seconds[0] / ours.seconds[0]), 1),
        "times_slower_by_processor": round(float(fits.seconds[1] / ours.seconds[1]), 1),
        "coefficient_error_to_100": f"{near:.2g}",
        "coefficient_error_above": f"{far:.2g}",
        "auroc_error": f"{area:.2g}",
        "strengths_compared": len(chosen),
        "threads": options.threads,
        "seed": options.seed,
        "processor": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "sklearn": sklearn.__version__,
    }


if __name__ == "__main__":
    main()
