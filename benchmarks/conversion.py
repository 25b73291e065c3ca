"""How exact is a conversion, and what does it cost? Prints the tables of docs/how-we-know-the-numbers.md.

    python tests/savedmodels/make.py --only r50x1-hub-scaled-after-64 --out originals    # in TensorFlow's environment
    python benchmarks/conversion.py originals/r50x1-hub-scaled-after-64 … --tensorflow .venv-tf/bin/python

Each SavedModel is converted by `remedis models convert --witness tensorflow` in a process of its own, whose peak memory
is read, and loaded in another. Writes benchmarks/results/conversion.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CSV = Path(__file__).parent / "results" / "conversion.csv"
MEASURE = (
    "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss); sys.exit(done.returncode)"
)
LOAD = (
    "import time; start = time.perf_counter(); import remedis; import torch; ready = time.perf_counter(); "
    "remedis.load({folder!r}); print(ready - start, time.perf_counter() - ready)"
)


def converted(original: Path, out: Path, tensorflow: str | None) -> dict[str, object]:
    """Convert one SavedModel and return what its proof says and what it cost."""
    command = [sys.executable, "-m", "remedis", "models", "convert", str(original), "--out", str(out)]
    environment = dict(os.environ)
    if tensorflow:
        command += ["--witness", "tensorflow"]
        environment["REMEDIS_TF_PYTHON"] = tensorflow
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *command], stdout=subprocess.PIPE, text=True, check=True, env=environment
    )
    seconds = time.perf_counter() - start
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD.format(folder=str(out))], stdout=subprocess.PIPE, text=True, check=True
    )
    imported, opened = (float(number) for number in loaded.stdout.split())
    proof = json.loads((out / "proof.json").read_text(encoding="utf-8"))
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))["remedis"]
    rows = [row for row in proof["rows"] if row["output"] in ("map", "embedding")]
    second = proof["second_witness"] or {"relative": {}}
    return {
        "original": original.name,
        "network": config["network"],
        "parameters": config["parameters"],
        "float64": max(row["relative"] for row in rows),
        "ours_float32": max(row["ours_float32"] for row in rows),
        "graph_float32": max(row["original_float32"] for row in rows),
        "tensorflow_float32": max(second["relative"].values(), default=""),
        "seconds": round(seconds, 1),
        "peak_gib": round(int(done.stdout.split()[-1]) / 2**20, 2),
        "import_seconds": round(imported, 2),
        "load_seconds": round(opened, 2),
    }


def main() -> None:
    """Convert what was named, print the table, write the CSV."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("originals", nargs="+", type=Path, help="folders of SavedModels")
    parser.add_argument("--tensorflow", help="a Python with TensorFlow, the second witness")
    options = parser.parse_args()
    rows = []
    for original in options.originals:
        with tempfile.TemporaryDirectory() as scratch:
            rows.append(converted(original, Path(scratch) / "ckpt", options.tensorflow))
        print(json.dumps(rows[-1]), file=sys.stderr)
    facts = {"machine": platform.machine(), "python": platform.python_version()}
    CSV.parent.mkdir(exist_ok=True)
    with CSV.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], *facts])
        writer.writeheader()
        writer.writerows({**row, **facts} for row in rows)
    print("| network | ours and the graph, float64 | ours, float32 | TensorFlow, float32 | peak memory | loading |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        theirs = f"{row['tensorflow_float32']:.1e}" if row["tensorflow_float32"] else "not run"
        print(
            f"| {row['network']} ({row['original']}) | {row['float64']:.1e} | {row['ours_float32']:.1e} | {theirs} "
            f"| {row['peak_gib']} GiB | {row['load_seconds']} s |"
        )


if __name__ == "__main__":
    main()
