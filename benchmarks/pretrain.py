"""How fast is a pretraining step, beside lightly's SimCLR and beside the network alone? Writes results/pretrain.csv.

    python benchmarks/pretrain.py FOLDER --lightly LIGHTLY_VENV/bin/python

FOLDER holds images, some thousands of 64 pixels. Each side runs as a process of its own, in turns,
several times, with the same network (BiT R26x1), size, batch and number of threads; the first step of each is left
out. Compare ratios of one run only.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

CSV = Path(__file__).parent / "results" / "pretrain.csv"
SRC = Path(__file__).parent.parent / "src"
PROGRAM = """
import json, resource, sys
from pathlib import Path
from remedis.cli import run
status = run(sys.argv[1:])
usage = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print("PEAK", sum(usage) / 1024)
"""


def ours(folder: Path, precision: str, options: argparse.Namespace) -> dict[str, object]:
    """Run `remedis pretrain` and return its rates and peak memory."""
    with tempfile.TemporaryDirectory() as scratch:
        words = ["--quiet", "pretrain", folder, "--out", f"{scratch}/run", "--recipe", "cxr", "--encoder", "bit-r26x1"]
        words += ["--image-size", options.size, "--train-batch-size", options.batch, "--train-steps", options.steps + 1]
        words += ["--optimizer", "adamw", "--learning-rate", "1e-3", "--temperature", "0.2", "--precision", precision]
        words += ["--use-elastic-deform", "False", "--equalize-histogram", "False", "--label", "", "--workers", 1]
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *(str(word) for word in words)],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        lines = [json.loads(line) for line in Path(scratch, "run", "metrics.jsonl").read_text().splitlines()]
    return {
        "images_per_second": [line["images_per_second"] for line in lines[1:]],
        "peak_mib": float(done.stdout.rsplit("PEAK", 1)[1]),
    }


def lightly(folder: Path, precision: str, options: argparse.Namespace) -> dict[str, object]:
    """Run lightly's SimCLR and return the same."""
    program = Path(__file__).with_name("pretrain_lightly.py")
    words = [
        options.lightly,
        program,
        folder,
        "--batch",
        options.batch,
        "--steps",
        options.steps,
        "--precision",
        precision,
    ]
    environment = {**os.environ, "PYTHONPATH": str(SRC)}
    done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def network(precision: str, options: argparse.Namespace) -> dict[str, object]:
    """Return the rate of forward and backward passes alone: the limit of what a loop around them can reach."""
    from remedis.models.bit import BiT
    from remedis.train.memory import keep_freed

    keep_freed()
    made = BiT(26)
    made.initialise(torch.Generator().manual_seed(0))
    views, rates = torch.rand(2 * options.batch, 3, options.size, options.size), []
    for _ in range(options.steps + 1):
        start = time.monotonic()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            embeddings = made(views)
        embeddings.float().square().mean().backward()
        made.zero_grad(set_to_none=True)
        rates.append(options.batch / (time.monotonic() - start))
    return {"images_per_second": rates[1:], "peak_mib": 0.0}


def main() -> None:
    """Run all sides in turns and print their medians beside each other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lightly", help="Python of an environment with lightly", required=True)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--turns", type=int, default=2)
    options = parser.parse_args()
    found: dict[tuple[str, str], list[dict[str, object]]] = {}
    for _ in range(options.turns):
        for precision in ("fp32", "bf16"):
            found.setdefault(("remedis", precision), []).append(ours(options.folder, precision, options))
            found.setdefault(("lightly", precision), []).append(lightly(options.folder, precision, options))
            found.setdefault(("network alone", precision), []).append(network(precision, options))
    CSV.parent.mkdir(exist_ok=True)
    base = _median(found["lightly", "fp32"])
    with CSV.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        names = ["side", "precision", "images_per_second", "lowest", "highest", "against_lightly_fp32", "peak_mib"]
        writer.writerow([*names, "threads", "bf16_instructions"])
        for (side, precision), runs in found.items():
            rates = [rate for run in runs for rate in run["images_per_second"]]  # type: ignore[attr-defined]
            peak = max(float(run["peak_mib"]) for run in runs)  # type: ignore[arg-type]
            row = [side, precision, f"{_median(runs):.1f}", f"{min(rates):.1f}", f"{max(rates):.1f}"]
            row += [f"{_median(runs) / base:.2f}", f"{peak:.0f}" if peak else "", torch.get_num_threads()]
            writer.writerow([*row, torch.cpu._is_avx512_bf16_supported()])
            print(*row)


def _median(runs: list[dict[str, object]]) -> float:
    return statistics.median(rate for run in runs for rate in run["images_per_second"])  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
