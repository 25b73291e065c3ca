"""Tumour in patches of lymph nodes: index, fine-tune, predict, evaluate.

python examples/camelyon.py --work work                                        # simulated images, a quick look
python examples/camelyon.py patch_camelyon/2.0.0 --work work --encoder path-50x1-remedis-m
"""

from __future__ import annotations

import argparse
from pathlib import Path

from steps import remedis, settings, simulated


def main() -> None:
    """Run the steps; what is there already goes on or is made again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="TensorFlow Datasets' folder, or HDF5 files'; simulated without it")
    parser.add_argument("--work", type=Path, default=Path("work"))
    parser.add_argument("--encoder", default="resnet18-cifar", help="what to start from")
    given = parser.parse_args()
    manifest, label = given.work / "camelyon.parquet", "label"
    if given.folder and (Path(given.folder) / "dataset_info.json").exists():
        remedis("index", "tfds", given.folder, "--out", manifest)
    elif given.folder:
        remedis("index", "patch-camelyon", given.folder, "--out", manifest)
    else:  # there is no simulated pathology: a nodule in a small picture stands for the tumour in a patch
        label = "nodule"
        manifest = simulated(given.work, label, 200)
    run, scores = given.work / "camelyon-run", given.work / "camelyon-scores.parquet"
    remedis(
        "finetune", manifest, "--recipe", "camelyon", "--encoder", given.encoder, "--label", label,
        *settings(given.folder), "--out", run,
    )  # fmt: skip
    remedis("predict", manifest, "--model", run, "--out", scores)
    remedis("evaluate", scores, "--out", given.work / "camelyon-evaluation")


if __name__ == "__main__":
    main()
