"""All three stages of REMEDIS in miniature, on real images: natural images, unlabelled medical ones, few labels.

    python benchmarks/three_stages.py FOLDER --work work

FOLDER holds the unpacked data sets (docs/results.md says what they are). Every step is a `remedis` command, shown on
stderr; what is done already is not done again, so that the same line goes on after a kill. Prints the tables of
docs/results.md and writes benchmarks/results/three_stages.csv.

Stage 1 learns the classes of 1,700 natural images; stage 2 learns without labels from medical images, from random
weights (`medical`) or from stage 1 (`both`); stage 3 is `remedis study`: probes everywhere, fine-tuning where --tune
names the question.
"""

from __future__ import annotations

import argparse
import csv
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SHOWN = (0.05, 0.25, 1.0)
METHODS = {"logistic": "probe", "finetune": "fine-tuned"}
THE_OTHER_WAY = ("adults-children", "jiangxi-bccd")
"""Questions whose probes in distribution are another's adapted ones, and the other way round."""

CSV = Path(__file__).parent / "results" / "three_stages.csv"
NATURAL = (
    "--label", "label", "--image-size", "64", "--train-epochs", "50",
    "--train-batch-size", "128", "--optimizer", "adamw", "--learning-rate", "1e-3", "--learning-rate-scaling", "none",
    "--weight-decay", "0.05", "--warmup-share", "0.05",
    "--crop-area", "0.25", "--patience", "0", "--precision", "fp32",
)  # fmt: skip
WITHOUT_LABELS = (
    "--image-size", "64", "--train-batch-size", "256", "--optimizer", "adamw", "--learning-rate", "1e-3",
    "--temperature", "0.2", "--precision", "fp32",
)  # fmt: skip
TUNING = (
    "--train-steps", "100", "--train-batch-size", "64", "--crop-area", "0.4", "--flip", "False", "--precision", "fp32",
)  # fmt: skip


@dataclass(frozen=True)
class Archive:
    """Images that stage 2 learns from without labels."""

    name: str
    data: str
    epochs: int
    options: tuple[str, ...]


ARCHIVES = (
    Archive("cxr", "cxr-unlabelled", 10,
            ("--recipe", "cxr", "--use-elastic-deform", "False", "--equalize-histogram", "False")),
    Archive("crc", "histology-crc", 24,
            ("--recipe", "path", "--use-blur", "False", "--color-jitter-strength", "0.5", "--label", "cell_type")),
    Archive("cells", "white-cells", 48, ("--recipe", "path", "--use-blur", "False", "--label", "cell_type")),
    Archive("fundus", "fundus-dr", 40,
            ("--recipe", "path", "--use-blur", "False", "--color-jitter-strength", "0.5", "--label", "maculopathy")),
)  # fmt: skip


@dataclass(frozen=True)
class Question:
    """One study."""

    name: str
    archive: str
    label: str
    here: str
    there: str = ""


QUESTIONS = (
    Question("children-adults", "cxr", "pneumonia", "cxr-pneumonia", "cxr-nih"),
    Question("adults-children", "cxr", "pneumonia", "cxr-nih", "cxr-pneumonia"),
    Question("histology", "crc", "cell_type", "histology-crc"),
    Question("bccd-jiangxi", "cells", "cell_type", "bccd", "jiangxi"),
    Question("jiangxi-bccd", "cells", "cell_type", "jiangxi", "bccd"),
    Question("hannover", "cxr", "in_icu", "cxr-hannover"),
    Question("fundus", "fundus", "maculopathy", "fundus-dr"),
)
INDEX: dict[str, tuple[str, ...]] = {
    "histology-crc": ("--split-by", "block=stain03:test,stain04:test", "--patient-column", "field"),
    "white-cells": ("--where", "cell_type!=basophil"),
    "bccd": ("--where", "site=bccd", "--where", "cell_type!=basophil"),
    "jiangxi": ("--where", "site=jiangxi", "--where", "cell_type!=basophil"),
}
FOLDERS = {"bccd": "white-cells", "jiangxi": "white-cells"}


def remedis(work: Path, *words: object) -> None:
    """Run one command in the work folder and show it."""
    line = [str(word) for word in words]
    sys.stderr.write(f"$ remedis {shlex.join(line)}\n")
    done = subprocess.run([sys.executable, "-m", "remedis", *line], cwd=work, stdout=subprocess.DEVNULL, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"status {done.returncode}")


def manifest(name: str, data: Path, work: Path) -> str:
    """Index a data set where that was not done; return the manifest's name."""
    path = f"{name}.parquet"
    if not (work / path).exists():
        folder = data / FOLDERS.get(name, name)
        remedis(work, "index", "folder", folder, "--labels", folder / "labels.csv", *INDEX.get(name, ()), "--out", path)
    return path


def encoders(archive: Archive, data: Path, work: Path) -> list[str]:
    """Return the four encoders of an archive, made where they are missing."""
    if not (work / "untrained").exists():
        remedis(work, "models", "init", "bit-r26x1", "--seed", 0, "--out", "untrained")
    natural = manifest("cifar10", data, work)
    remedis(work, "finetune", natural, "--encoder", "bit-r26x1", *NATURAL, "--out", "natural")
    images = manifest(archive.data, data, work)
    for name, start in (("medical", "bit-r26x1"), ("both", "natural/best")):
        remedis(
            work, "pretrain", images, "--encoder", start, *WITHOUT_LABELS, *archive.options,
            "--train-epochs", archive.epochs, "--out", f"{name}-{archive.name}",
        )  # fmt: skip
    return ["untrained", "natural/best", f"medical-{archive.name}/last", f"both-{archive.name}/last"]


def study(question: Question, data: Path, work: Path, *, tuned: bool) -> Path:
    """Do one study and return its folder."""
    archive = next(each for each in ARCHIVES if each.name == question.archive)
    words = ["--manifest", manifest(question.here, data, work)]
    words += ["--ood", manifest(question.there, data, work)] if question.there else []
    words += ["--encoders", ",".join(encoders(archive, data, work)), "--baseline", "untrained"]
    words += ["--label", question.label, "--image-size", "64"]
    if tuned:
        words += ["--methods", "finetune", "--label-fractions", "0.05,0.25,1", "--draws", "3", *TUNING]
        words += ["--scenarios", "in_distribution,out_of_distribution"] if question.there else []
    out = folder_of(question, tuned=tuned)
    remedis(work, "study", *words, "--out", out)
    return work / out


def folder_of(question: Question, *, tuned: bool) -> str:
    """Return the name of a study's folder."""
    return f"study-{question.name}" + ("-tuned" if tuned else "")


def rows_of(folder: Path, question: Question) -> list[dict[str, str]]:
    """Return the points of a study's curves with the name of the question."""
    with (folder / "curves.csv").open(encoding="utf-8", newline="") as file:
        return [{"question": question.name, **row} for row in csv.DictReader(file)]


def table(rows: list[dict[str, str]]) -> str:
    """Return a Markdown table: a line for each scenario, method and share of labels, a column an encoder.

    Of the shares 5, 25 and 100 %; every share is in the CSV.
    """
    rows = [row for row in rows if float(row["fraction"]) in SHOWN and not _twice(row)]
    lines = []
    questions = dict.fromkeys(
        (row["question"], row["scenario"], row["dataset"], row["method"], row["fraction"]) for row in rows
    )
    for key in questions:
        own = [
            row
            for row in rows
            if tuple(row[name] for name in ("question", "scenario", "dataset", "method", "fraction")) == key
        ]
        values = {row["encoder"].split("-")[0].split("/")[0]: row for row in own}
        cells = [
            f"{float(row['auroc']):.3f} ({float(row['low']):.3f} to {float(row['high']):.3f})" if row else "–"
            for row in (values.get(name) for name in ("untrained", "natural", "medical", "both"))
        ]
        question, scenario, _, method, fraction = key
        images = float(own[0]["labelled_images"])
        share = f"{float(fraction):.0%} ({images:,.0f})"
        lines.append(
            f"| {question} | {scenario.replace('_', ' ')} | {METHODS[method]} | {share} | {' | '.join(cells)} |"
        )
    head = "| question | scenario | method | labels (images) | untrained | stage 1 | stage 2 | stages 1 and 2 |"
    return "\n".join([head, "|---|---|---|---|---|---|---|---|", *lines])


def _twice(row: dict[str, str]) -> bool:
    return row["question"] in THE_OTHER_WAY and row["method"] == "logistic" and row["scenario"] != "out_of_distribution"


def main() -> None:
    """Do what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--work", type=Path, default=Path("work"))
    parser.add_argument("--only", default="", help="questions, comma-separated; all without it")
    parser.add_argument(
        "--tune", default="children-adults,adults-children,histology", help="questions that are fine-tuned too"
    )
    parser.add_argument("--collect", action="store_true", help="do nothing, print what is there")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, str]] = []
    for question in QUESTIONS:
        if given.only and question.name not in given.only.split(","):
            continue
        for tuned in (False, True)[: 1 + (question.name in given.tune.split(","))]:
            folder = given.work / folder_of(question, tuned=tuned)
            if not given.collect:
                folder = study(question, given.data.resolve(), given.work, tuned=tuned)
            rows += rows_of(folder, question) if (folder / "curves.csv").exists() else []
    with CSV.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    print(table(rows))


if __name__ == "__main__":
    main()
