"""Five findings of chest X-rays: index, fine-tune, predict, evaluate.

python examples/chexpert.py --work work                                        # simulated images, a quick look
python examples/chexpert.py CheXpert-v1.0-small --work work --encoder cxr-50x1-remedis-m
"""

from __future__ import annotations

import argparse
from pathlib import Path

from steps import remedis, settings, simulated

LABELS = "atelectasis,cardiomegaly,consolidation,edema,pleural_effusion"
POLICIES = "atelectasis=ones,cardiomegaly=multiclass,consolidation=ignore,edema=ones,pleural_effusion=multiclass"
"""What becomes of an uncertain cell, a finding each: the CheXpert paper's choice (arXiv:1901.07031), save that it
labels consolidation's with an earlier model. `multiclass` makes a third class, which the recipe learns and does not
score."""


def main() -> None:
    """Run the steps; what is there already goes on or is made again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="CheXpert's folder; simulated images without it")
    parser.add_argument("--work", type=Path, default=Path("work"))
    parser.add_argument("--encoder", default="resnet18-cifar", help="what to start from")
    given = parser.parse_args()
    manifest, labels = given.work / "chexpert.parquet", LABELS
    if given.folder:
        remedis("index", "chexpert", given.folder, "--uncertain", POLICIES, "--out", manifest)
    else:
        labels = "effusion,cardiomegaly,consolidation"
        manifest = simulated(given.work, labels, 200)
    run, scores = given.work / "chexpert-run", given.work / "chexpert-scores.parquet"
    remedis(
        "finetune", manifest, "--recipe", "chexpert", "--encoder", given.encoder, "--label", labels,
        *settings(given.folder), "--out", run,
    )  # fmt: skip
    remedis("predict", manifest, "--model", run, "--out", scores)
    remedis("evaluate", scores, "--per", "study", "--aggregate", "max", "--out", given.work / "chexpert-evaluation")


if __name__ == "__main__":
    main()
