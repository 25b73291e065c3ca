"""Small folders of TensorFlow Datasets, and ways to change what their JSON files say."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from references import written_tfrecord as written


def png(width: int = 6, height: int = 4, seed: int = 0) -> bytes:
    """Return a PNG file of random pixels."""
    file = io.BytesIO()
    random = np.random.default_rng(seed)
    Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


def record(number: int, **more: Any) -> dict[str, Any]:
    """Return a record with a picture and a label."""
    return {"image": [png(6 + number, seed=number)], "label": [number % 2]} | more


FEATURES: dict[str, Any] = {"image": written.IMAGE, "label": written.class_label(2)}
SPLITS = {"train": [[record(0), record(1)], [record(2)]], "test": [[record(3)]]}


def a_set(folder: Path, **changes: Any) -> Path:
    """Write a data set of two shards of train and one of test; return its folder."""
    given = {"splits": SPLITS, "features": FEATURES, "labels": {"label": ["benign", "malignant"]}} | changes
    return written.data_set(folder / "cells/1.0.0", **given)


def change(path: Path, **entries: Any) -> None:
    """Set entries of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def change_splits(folder: Path, **entries: Any) -> None:
    """Set entries of every split in `dataset_info.json`."""
    info = json.loads((folder / "dataset_info.json").read_text())
    change(folder / "dataset_info.json", splits=[each | entries for each in info["splits"]])


TRAIN = [f"cells-train.tfrecord-0000{number}-of-00002" for number in (0, 1)]
TEST = "cells-test.tfrecord-00000-of-00001"
