"""How few labels are enough, before and after pretraining? Prints the tables of docs/results.md and draws its curves.

    python benchmarks/label_efficiency.py FOLDER --work work

FOLDER holds the unpacked data sets (docs/results.md says what they are). The plan is printed first; every pretraining
and embedding is a `remedis` command, shown on stderr, and what is there already is not made again, so that the same
line goes on after a kill. Writes benchmarks/results/label_efficiency.csv and docs/images/label-efficiency.svg.

Of every training part a fraction of the patients is drawn, stratified by class, ten times; a smaller fraction lies in
a larger one. A logistic regression on standardised embeddings (C = 0.01, fixed beforehand, C = 1 for the few trivial
features) is tested on the whole test part. The gain's interval resamples test patients and draws together, paired.
"""

from __future__ import annotations

import argparse
import csv
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

sys.path.insert(0, str(Path(__file__).parent))
import trivial_features

from remedis.data import embeddings
from remedis.data.conditions import as_text, keep
from remedis.data.manifest import patient_keys
from remedis.data.splits import split_column
from remedis.evaluate.logistic import fit

CSV = Path(__file__).parent / "results" / "label_efficiency.csv"
FIGURE = Path(__file__).parent.parent / "docs" / "images" / "label-efficiency.svg"
FRACTIONS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
DRAWS, RESAMPLES, FEWEST, FEW = 10, 1000, 2, 5
ENCODERS = ("untrained", "pretrained", "trivial")
STRENGTH = {"untrained": 0.01, "pretrained": 0.01, "trivial": 1.0}
COMMON = ("--encoder", "bit-r26x1", "--image-size", "64", "--train-batch-size", "256", "--optimizer", "adamw",
          "--learning-rate", "1e-3", "--temperature", "0.2", "--precision", "fp32")  # fmt: skip

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pretraining:
    """One encoder: what it is trained on and how."""

    name: str
    data: str
    epochs: int
    options: tuple[str, ...]
    index: tuple[str, ...] = ()


PRETRAININGS = (
    Pretraining("cxr", "cxr-unlabelled", 10,
                ("--recipe", "cxr", "--use-elastic-deform", "False", "--equalize-histogram", "False")),
    Pretraining("cells", "white-cells", 48,
                ("--recipe", "path", "--use-blur", "False", "--label", "cell_type"),
                ("--where", "cell_type!=basophil")),
    Pretraining("crc", "histology-crc", 24,
                ("--recipe", "path", "--use-blur", "False", "--color-jitter-strength", "0.5", "--label", "cell_type"),
                ("--split-by", "block=stain03:test,stain04:test", "--patient-column", "field")),
)  # fmt: skip


@dataclass(frozen=True)
class Part:
    """Rows of a data set: all that fulfil a condition, of one part of its split."""

    data: str
    split: str | None = None
    where: tuple[str, ...] = ()


@dataclass(frozen=True)
class Question:
    """What is learnt from which rows, and tested on which."""

    name: str
    encoder: str
    label: str
    train: Part
    test: Part
    index: dict[str, tuple[str, ...]] = field(default_factory=dict)


NIH, CHILDREN = "cxr-nih", "cxr-pneumonia"
QUESTIONS = (
    Question("cxr-nih", "cxr", "pneumonia", Part(NIH, "train"), Part(NIH, "test")),
    Question("cxr-pneumonia → cxr-nih", "cxr", "pneumonia", Part(CHILDREN, "train"), Part(NIH, "test")),
    Question("cxr-pneumonia", "cxr", "pneumonia", Part(CHILDREN, "train"), Part(CHILDREN, "test")),
    Question("cxr-nih → cxr-pneumonia", "cxr", "pneumonia", Part(NIH, "train"), Part(CHILDREN, "test")),
    Question("histology-crc", "crc", "cell_type", Part("histology-crc", "train"), Part("histology-crc", "test")),
    Question("white-cells, bccd → jiangxi", "cells", "cell_type",
             Part("white-cells", where=("site=bccd",)), Part("white-cells", where=("site=jiangxi",))),
    Question("white-cells, jiangxi → bccd", "cells", "cell_type",
             Part("white-cells", where=("site=jiangxi",)), Part("white-cells", where=("site=bccd",))),
)  # fmt: skip


def remedis(*words: object) -> None:
    """Run one command and show it."""
    line = [str(word) for word in words]
    sys.stderr.write(f"$ remedis {shlex.join(line)}\n")
    done = subprocess.run([sys.executable, "-m", "remedis", *line], stdout=subprocess.DEVNULL, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"status {done.returncode}")


def manifest(name: str, options: argparse.Namespace) -> Path:
    """Index a data set where that was not done."""
    path = Path(options.work) / f"{name}.parquet"
    further = {made.data: made.index for made in PRETRAININGS}.get(name, ())
    if not path.exists():
        folder = options.folder / name
        remedis("index", "folder", folder, "--labels", folder / "labels.csv", *further, "--out", path)
    return path


def pretrained(made: Pretraining, options: argparse.Namespace) -> None:
    """Train one encoder, or go on with it."""
    remedis("pretrain", manifest(made.data, options), *COMMON, *made.options, "--train-epochs", made.epochs,
            "--out", options.work / f"run-{made.name}")  # fmt: skip


@dataclass(frozen=True)
class Embedded:
    """A data set's embeddings (N, D) with its rows."""

    vectors: npt.NDArray[np.float32]
    table: Any


def embedded(data: str, kind: str, encoder: str, options: argparse.Namespace) -> Embedded:
    """Return a data set's embeddings, of one encoder or of trivial features."""
    path = manifest(data, options)
    out = Path(options.work) / f"emb-{data}-{kind if kind != 'pretrained' else encoder}"
    if kind == "trivial":
        if not out.exists():
            trivial_features.write(path, out, ("size", "look"))
    else:
        weights = options.work / ("untrained" if kind == "untrained" else f"run-{encoder}/last")
        remedis("embed", path, "--encoder", weights, "--image-size", 64, "--out", out)
    found = embeddings.read(out)
    return Embedded(found.matrix, found.table)


def rows_of(table: Any, part: Part, label: str) -> Integers:
    """Return the rows of a part that have the label."""
    rows = keep(table, part.where, where=part.data)
    has = np.array([as_text(value) != "" for value in table[label].to_pylist()])
    if part.split is not None:
        words = np.array(split_column(table).words.to_pylist(), dtype=object)  # type: ignore[union-attr]
        has &= words == part.split
    return np.asarray(rows[has[rows]], np.int64)


def drawn(units: Integers, codes: Integers, fraction: float, draw: int) -> Integers:
    """Return places of the rows whose units are in the fraction; of each class's units as large a share, in one order.

    A unit is of its highest class. The order of a draw is the same for all fractions, so smaller lie in larger ones.
    """
    if fraction == 1:
        return np.arange(len(units))
    patients = np.unique(units)
    highest = np.array([codes[units == patient].max() for patient in patients])
    shuffled = np.random.default_rng([draw, 41]).permutation(len(patients))
    chosen: list[int] = []
    for code in np.unique(highest):
        own = patients[shuffled[highest[shuffled] == code]]
        chosen += own[: int(np.ceil(fraction * len(own)))].tolist()
    return np.flatnonzero(np.isin(units, chosen))


def scores_of(train: Floats, codes: Integers, test: Floats, strength: float, classes: int) -> Floats:
    """Return (n, K) probabilities; of two classes both."""
    found = fit(train.astype(np.float32), codes, strength).scores(test.astype(np.float32))
    return np.stack([1 - found, found], axis=1) if classes == 2 else np.asarray(found)


def macro_auroc(scores: Floats, codes: Integers, weights: Floats) -> Floats:
    """Return (B,) the classes' mean AUROC, one against the rest, for each row of weights (B, n); of two classes one.

    The AUROC is the weighted share of pairs in the right order, ties counting half (Hanley and McNeil, 1982).
    """
    classes = [1] if scores.shape[1] == 2 else range(scores.shape[1])
    values = []
    for code in classes:
        order = np.argsort(scores[:, code], kind="stable")
        positive = (codes[order] == code).astype(float)
        starts = np.flatnonzero(np.diff(scores[order, code], prepend=-np.inf))
        p = np.add.reduceat(weights[:, order] * positive, starts, axis=1)
        n = np.add.reduceat(weights[:, order] * (1 - positive), starts, axis=1)
        below = np.cumsum(n, axis=1) - n
        totals = p.sum(axis=1) * n.sum(axis=1)
        values.append(np.where(totals > 0, (p * (below + n / 2)).sum(axis=1) / np.maximum(totals, 1e-12), np.nan))
    return np.nanmean(values, axis=0)


def resampled(units: Integers) -> Floats:
    """Return (B, n) how often each row is drawn when whole units are drawn with replacement."""
    _, own = np.unique(units, return_inverse=True)
    rng = np.random.default_rng(17)
    counts = rng.multinomial(own.max() + 1, np.full(own.max() + 1, 1 / (own.max() + 1)), RESAMPLES)
    return np.asarray(counts[:, own], float)


def asked(question: Question, options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield a row for each fraction and encoder, and the gain's."""
    sides = {kind: [embedded(part.data, kind, question.encoder, options) for part in (question.train, question.test)]
             for kind in ENCODERS}  # fmt: skip
    first, second = sides["untrained"]
    train, test = (rows_of(side.table, part, question.label)
                   for side, part in ((first, question.train), (second, question.test)))  # fmt: skip
    words = [
        np.array([as_text(v) for v in side.table[question.label].to_pylist()], dtype=object) for side in (first, second)
    ]
    names = sorted(set(words[0][train]))
    test = test[np.isin(words[1][test], names)]
    codes, truth = (np.searchsorted(names, w[rows].astype(str)) for w, rows in ((words[0], train), (words[1], test)))
    units, tested = (patient_keys(side.table, data_set="x")[rows] for side, rows in ((first, train), (second, test)))
    weights = np.concatenate([np.ones((1, len(test))), resampled(tested)])
    for fraction in FRACTIONS:
        chosen = [drawn(units, codes, fraction, draw) for draw in range(DRAWS if fraction < 1 else 1)]
        counts = [np.bincount(codes[places], minlength=len(names)) for places in chosen]
        common = {
            "question": question.name,
            "label": question.label,
            "fraction": fraction,
            "n_train": round(np.mean([len(places) for places in chosen])),
            "n_test": len(test),
            "test_units": len(np.unique(tested)),
        }
        if min(count.min() for count in counts) < FEWEST:
            yield {**common, "encoder": "", "value": "", "note": "skipped: a class has fewer than two images"}
            continue
        few = [name for code, name in enumerate(names) if min(count[code] for count in counts) < FEW]
        note = f"fewer than five images of {', '.join(few)}" if few else ""
        values = {}
        for kind in ENCODERS:
            a, b = (side.vectors for side in sides[kind])
            values[kind] = np.stack([
                macro_auroc(scores_of(a[train[p]], codes[p], b[test], STRENGTH[kind], len(names)), truth, weights)
                for p in chosen
            ])  # fmt: skip
            yield {**common, "encoder": kind, **summary(values[kind]), "note": note}
        yield {**common, "encoder": "gain", **summary(values["pretrained"] - values["untrained"]), "note": note}


def summary(values: Floats) -> dict[str, float]:
    """Return the mean over draws (D, 1 + B) with an interval that resamples draws and test units together."""
    rng = np.random.default_rng(23)
    resamples = values[:, 1:]
    picked = rng.integers(0, len(values), (resamples.shape[1], len(values)))
    means = np.nanmean(resamples[picked.T, np.arange(resamples.shape[1])], axis=0)
    low, high = np.nanpercentile(means, [2.5, 97.5])
    return {"value": float(values[:, 0].mean()), "low": float(low), "high": float(high),
            "draws": len(values), "draws_sd": float(values[:, 0].std(ddof=1)) if len(values) > 1 else 0.0}  # fmt: skip


def table(rows: list[dict[str, Any]]) -> str:
    """Return the results as Markdown."""
    lines = ["| data | labels | images | untrained | pretrained | gain (95% interval, paired) | trivial features |",
             "|---|---|---|---|---|---|---|"]  # fmt: skip
    for name in dict.fromkeys(row["question"] for row in rows):
        for fraction in FRACTIONS:
            own = {row["encoder"]: row for row in rows if (row["question"], row["fraction"]) == (name, fraction)}
            head = f"| {name} | {fraction:.0%} |"
            if "" in own:
                lines.append(f"{head} {own['']['n_train']} | {own['']['note']} | | | |")
                continue
            gain = own["gain"]
            cells = [f"{own[kind]['value']:.3f}" for kind in ("untrained", "pretrained")]
            mark = f" ({gain['note']})" if gain["note"] else ""
            lines.append(
                f"{head} {gain['n_train']}{mark} | {cells[0]} | {cells[1]} | {gain['value']:+.3f} "
                f"({gain['low']:+.3f} to {gain['high']:+.3f}) | {own['trivial']['value']:.3f} |"
            )
    return "\n".join(lines)


def draw(rows: list[dict[str, Any]]) -> None:
    """Draw the curves of all questions."""
    import matplotlib as mpl

    mpl.use("Agg")
    mpl.rcParams.update({"svg.hashsalt": "remedis", "font.size": 9})
    from matplotlib import pyplot as plt

    names = list(dict.fromkeys(row["question"] for row in rows))
    figure, axes = plt.subplots(2, 4, figsize=(12, 6), layout="constrained")
    colours = {"untrained": "#E69F00", "pretrained": "#0072B2", "trivial": "#999999"}
    for axis, name in zip(axes.flat, names, strict=False):
        for kind, colour in colours.items():
            own = [row for row in rows if row["question"] == name and row["encoder"] == kind]
            x = [100 * row["fraction"] for row in own]
            axis.plot(x, [row["value"] for row in own], "o-", color=colour, label=kind, markersize=3)
            axis.fill_between(
                x, [row["low"] for row in own], [row["high"] for row in own], color=colour, alpha=0.18, lw=0
            )
        first = next(row for row in rows if row["question"] == name)
        axis.set(xscale="log", title=name, xlabel="labels used, %", ylabel="AUROC", xticks=[1, 5, 10, 25, 50, 100])
        axis.set_xticklabels(["1", "5", "10", "25", "50", "100"])
        axis.annotate(f"n = {first['n_test']}", (0.98, 0.03), xycoords="axes fraction", ha="right")
        axis.minorticks_off()
    for axis in axes.flat[len(names) :]:
        axis.axis("off")
    axes.flat[0].legend(frameon=False, loc="lower right", bbox_to_anchor=(1, 0.08))
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, metadata={"Date": None})


def main() -> None:
    """Print the plan, do it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--work", type=Path, default=Path("work"))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    for made in PRETRAININGS:
        sys.stderr.write(f"plan: pretrain on {made.data}, {made.epochs} epochs\n")
    for question in QUESTIONS:
        sys.stderr.write(
            f"plan: {question.name}: {len(FRACTIONS)} fractions, {DRAWS} draws, {len(ENCODERS)} encoders\n"
        )
    for made in PRETRAININGS:
        pretrained(made, options)
    if not (options.work / "untrained").exists():
        remedis("models", "init", "bit-r26x1", "--seed", 0, "--out", options.work / "untrained")
    rows = [row for question in QUESTIONS for row in asked(question, options)]
    CSV.parent.mkdir(exist_ok=True)
    with CSV.open("w", newline="", encoding="utf-8") as file:
        names = ["question", "label", "fraction", "encoder", "value", "low", "high", "draws", "draws_sd", "n_train",
                 "n_test", "test_units", "note"]  # fmt: skip
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    draw([row for row in rows if row["encoder"] in ENCODERS])
    sys.stdout.write(table(rows) + "\n")


if __name__ == "__main__":
    main()
