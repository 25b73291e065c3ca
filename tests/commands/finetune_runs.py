"""What the tests of `remedis finetune` and of its predictions share: small images with labels, and quick options."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from remedis import cli
from remedis.data.manifest import write

SMALL = ["--image-size", "8", "--train-batch-size", "4", "--train-steps", "2", "--encoder", "resnet18-cifar"]
SMALL += ["--workers", "0", "--precision", "fp32", "--train-summary-steps", "0", "--learning-rate-scaling", "none"]
HEAD = [*SMALL, "--fine-tune-after-block", "4"]  # quick where it does not matter what is trained


def bright_images(folder: Path, count: int = 24, *, split: bool = True) -> Path:
    """Write images whose brightness is their label and their manifest; return the manifest's path."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for row in range(count):
        blocks = rng.integers(0, 90, (4, 4, 3)) + 120 * (row % 2)
        Image.fromarray(blocks.astype(np.uint8)).resize((12, 10 + row % 4)).save(folder / f"{row:02}.png")
    columns = {
        "image": [f"{row:02}.png" for row in range(count)],
        "patient_id": [f"p{row // 2}" for row in range(count)],
        "bright": [None if row % 6 == 5 else str(row % 2) for row in range(count)],
        "kind": ["abc"[row % 3] for row in range(count)],
        "same": ["x"] * count,
        "late": [str(int(row >= count // 2)) for row in range(count)],
    }
    if split:
        columns["split"] = ["train"] * (count // 2) + ["val"] * (count // 4) + ["test"] * (count // 4)
    write(pa.table(columns), folder / "m.parquet", {"root": ".", "data_set": "bright"})
    return folder / "m.parquet"


def finetune(*words: object) -> int:
    return cli.run(["finetune", *(str(word) for word in words)])


def predict(*words: object) -> int:
    return cli.run(["predict", *(str(word) for word in words), "--workers", "0"])
