"""What does the line give on real images, and what do trivial features alone? Prints the tables of docs/results.md.

    python benchmarks/results.py FOLDER --encoder bit-r50x1 --seed 0 --work work

FOLDER holds the unpacked data sets (the page says what they are and where they come from). Every step is a `remedis`
command, shown on stderr; what is there already is not made again. Writes benchmarks/results/results.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import trivial_features

CSV = Path(__file__).parent / "results" / "results.csv"
FEATURES = ("size", "look", "size,look")


@dataclass(frozen=True)
class Job:
    """One data set, what is asked of it, and how."""

    name: str
    folder: str
    label: str
    index: tuple[str, ...] = ()
    probe: tuple[str, ...] = ()
    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    parts: tuple[str, ...] = field(default=("",))


JOBS = (
    Job("cxr-pneumonia", "cxr-pneumonia", "pneumonia"),
    Job("cxr-hannover", "cxr-hannover", "in_icu"),
    Job("fundus-dr", "fundus-dr", "maculopathy"),
    Job(
        "histology-crc", "histology-crc", "cell_type",
        index=("--split-by", "block=stain03:test,stain04:test"), probe=("--cluster", "field"),
    ),
    Job(
        "white-cells, bccd → jiangxi", "white-cells", "cell_type",
        probe=("--exclude-class", "basophil"), train=("site=bccd",), test=("site=jiangxi",),
    ),
    Job(
        "white-cells, jiangxi → bccd", "white-cells", "cell_type",
        probe=("--exclude-class", "basophil"), train=("site=jiangxi",), test=("site=bccd",),
    ),
)  # fmt: skip
READ_ONLY = (("dicom", "files.csv", ("--image-column", "file")), ("cxr-originals", "labels.csv", ()))


def remedis(*words: object, allowed: tuple[int, ...] = (0,)) -> dict[str, object]:
    """Run one command and return what it says with --json."""
    line = [str(word) for word in words]
    sys.stderr.write(f"$ remedis {shlex.join(line)}\n")
    done = subprocess.run(
        [sys.executable, "-m", "remedis", *line, "--json"], stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode not in allowed:
        raise SystemExit(f"status {done.returncode}")
    return dict(json.loads(done.stdout))


def embedded(manifest: Path, name: str, where: tuple[str, ...], options: argparse.Namespace) -> Path:
    """Embed the rows of a manifest for which `where` holds."""
    out = options.work / f"emb-{name}"
    conditions = [word for condition in where for word in ("--where", condition)]
    remedis("embed", manifest, "--encoder", options.work / "encoder", "--out", out, *conditions, allowed=(0, 1))
    return out


def trivial(manifest: Path, name: str, where: tuple[str, ...], features: str, options: argparse.Namespace) -> Path:
    """Write the trivial features of the same rows."""
    out = options.work / f"emb-{name}-{features.replace(',', '-')}"
    if not out.exists():
        trivial_features.write(manifest, out, tuple(features.split(",")), where)
    return Path(out)


def probed(job: Job, source: Path, other: Path | None, options: argparse.Namespace) -> list[dict[str, str]]:
    """Probe and return the rows of results.csv."""
    out = options.work / f"probe-{source.name}-{job.label}"
    test = ("--test", other) if other else ()
    remedis("probe", source, "--label", job.label, *test, *job.probe, "--out", out)
    with (out / "results.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(job: Job, options: argparse.Namespace) -> list[dict[str, str]]:
    """Return all results of one job, the encoder's and those of trivial features."""
    folder = options.folder / job.folder
    manifest = options.work / f"{job.folder}.parquet"
    if not manifest.exists():
        remedis("index", "folder", folder, "--labels", folder / "labels.csv", *job.index, "--out", manifest)
    found: list[dict[str, str]] = []
    makers = {"encoder": lambda name, where: embedded(manifest, name, where, options)}
    for features in FEATURES:
        makers[features] = lambda name, where, features=features: trivial(manifest, name, where, features, options)
    for make in makers.values():
        source = make(job.folder + "".join(f"-{each.partition('=')[2]}" for each in job.train), job.train)
        other = (
            make(job.folder + "".join(f"-{each.partition('=')[2]}" for each in job.test), job.test)
            if job.test
            else None
        )
        found += [{**row, "job": job.name} for row in probed(job, source, other, options)]
    return found


def table(rows: list[dict[str, str]], metric: str) -> str:
    """Return one metric of all jobs as Markdown."""
    lines = [
        "| data | label | tested | encoder, logistic | kNN | size alone | mean and spread | both |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in dict.fromkeys(row["job"] for row in rows):
        own = [row for row in rows if row["job"] == name and row["metric"] == metric and row["class"] in ("", "macro")]
        trivial_rows = [row for row in own if row["encoder"].startswith("trivial:") and row["method"] == "logistic"]
        first = next(row for row in own if not row["encoder"].startswith("trivial:"))
        ours = [row for row in own if row["encoder"] == first["encoder"]]
        cells = [figure(row) for row in (*sorted(ours, key=lambda row: row["method"] != "logistic"), *trivial_rows)]
        lines.append(
            f"| {name} | {first['label']} | {first['n']} images, {first['n_patients']} units | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(lines)


def figure(row: dict[str, str]) -> str:
    """Return a value with its interval."""
    value, low, high = (float(row[name]) for name in ("value", "low", "high"))
    return f"{value:.3f} ({low:.3f}–{high:.3f})"


def main() -> None:
    """Run every job and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", default="bit-r50x1")
    parser.add_argument("--seed", default="0")
    parser.add_argument("--work", type=Path, default=Path("work"))
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    remedis("models", "init", options.encoder, "--seed", options.seed, "--out", options.work / "encoder")
    rows = [row for job in JOBS for row in run(job, options)]
    for metric in ("auroc", "average_precision"):
        sys.stdout.write(f"\n## {metric}\n\n{table(rows, metric)}\n")
    for name, labels, more in READ_ONLY:
        folder, manifest = options.folder / name, options.work / f"{name}.parquet"
        if not manifest.exists():
            remedis("index", "folder", folder, "--labels", folder / labels, *more, "--out", manifest)
        out = options.work / f"emb-{name}"
        said = remedis("embed", manifest, "--encoder", options.work / "encoder", "--out", out, allowed=(0, 1))
        sys.stdout.write(f"\n{name}: {said['images']} pictures embedded, {said['rejected']} rejected\n")
        with (out / "_rejected.csv").open(newline="", encoding="utf-8") as file:
            reasons = {row["image"]: row["reason"].rpartition(": ")[2] for row in csv.DictReader(file)}
        sys.stdout.write("".join(f"- {image}: {reason}\n" for image, reason in reasons.items()))
    CSV.parent.mkdir(exist_ok=True)
    with CSV.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["job", *(name for name in rows[0] if name != "job")], lineterminator="\n")
        writer.writeheader()
        names = ("encoder", "dataset")  # of the machine's folders the last part alone
        writer.writerows({**row, **{name: Path(row[name]).name for name in names}} for row in rows)


if __name__ == "__main__":
    main()
