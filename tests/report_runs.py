"""A pretraining's folder written by hand, as `remedis pretrain` leaves it, with values that are known."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from pathlib import Path
from typing import Any

from PIL import Image

from remedis.options.pretrain import Pretrain
from remedis.recipes.pretraining import resolve

BATCH, IMAGES, EPOCHS = 64, 1000, 20
PLANNED = 313  # floor(1000 · 20 / 64) + 1
WIDTH = 128


def line(step: int, **values: Any) -> dict[str, Any]:
    """One line of the log at a step of a training that goes well."""
    done = step / PLANNED
    return {
        "step": step, "loss": 9.0 - 4.0 * done, "contrast_accuracy": 0.6 * done, "contrast_entropy": 4.0 - done,
        "label_loss": 1.1 - 0.5 * done, "label_accuracy": 0.3 + 0.4 * done, "gradient_norm": 5.0 - done,
        "weight_norm": 90.0 + done, "embedding_norm": 10.0 + done, "embedding_rank": 40.0 + 10.0 * done,
        "learning_rate": 0.1 * math.sin(math.pi * done), "images_per_second": 32.0, "waiting": 0.05, **values,
    }  # fmt: skip


def look(step: int, accuracy: float, n: int = 200, **values: Any) -> dict[str, Any]:
    """One look at the watched rows."""
    return {"step": step, "knn_accuracy": accuracy, "label": "cell_type", "n": n, **values}


def png(side: int = 40) -> bytes:
    """A picture as small as a grid of views can be."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), (200, 30, 90)).save(file, format="PNG")
    return file.getvalue()


LINES = [line(step) for step in (*range(1, PLANNED, 12), PLANNED)]
LOOKS = [
    look(80, 0.4, linear_accuracy=0.45),
    look(160, 0.55, linear_accuracy=0.6),
    look(313, 0.7, linear_accuracy=0.72),
]


def run_folder(
    folder: Path,
    lines: list[dict[str, Any]] | None = None,
    *,
    given: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
    card: dict[str, Any] | None = None,
    views: bytes | None = b"",
) -> Path:
    """Write a run.

    Args:
        folder: Where.
        lines: Of the log; training and looks of a finished run without it.
        given: Options of the command line.
        facts: Replaces keys of run.json; None as a value removes one.
        card: Of `last`; None for no checkpoint.
        views: The picture; None for none, empty for a small one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    options = {field.name: None if field.default is dataclasses.MISSING else field.default
               for field in dataclasses.fields(Pretrain)}  # fmt: skip
    options |= {
        "manifest": "cells.parquet",
        "out": "run",
        "train_epochs": EPOCHS,
        "train_batch_size": BATCH,
        "where": [],
    }
    options |= given or {}
    job = dataclasses.asdict(resolve(options["recipe"], options)) | {
        "encoder_hash": "ab" * 32, "network": "bit-r26x1", "manifest_hash": "cd" * 32, "images": IMAGES,
        "splits": options["splits"], "profile": "dicom-display", "precision": "fp32", "seed": options["seed"],
    }  # fmt: skip
    whole = {
        "job": job, "verb": "pretrain", "options": options, "command": ["pretrain"], "processes": 1, "threads": 2,
        "versions": {"remedis": "0.1.0", "torch": "2.9.0"}, "complete": True, "steps": PLANNED, "rejected": 0,
    } | (facts or {})  # fmt: skip
    write(folder / "run.json", {key: value for key, value in whole.items() if value is not None})
    found = sorted([*LINES, *LOOKS], key=lambda each: each["step"]) if lines is None else lines
    if found:
        (folder / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in found))
    if card is not None or lines is None:
        own = {"name": "bit-r26x1 pretrained on white-cells", "width": WIDTH, "parameters": 13938496, "notes": [],
               "weights_sha256": "ef" * 32, "licence": "Apache-2.0", "extra": {"seen": ["white-cells"]}}  # fmt: skip
        write(folder / "last" / "config.json", {"remedis": own | (card or {})})
    if views is not None:
        (folder / "views.png").write_bytes(views or png())
    return folder


def write(path: Path, value: Any) -> None:
    """Write JSON."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value))
