"""Small images and small tasks for the tests of training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from remedis.data.inputs import open_any
from remedis.data.manifest import Manifest, write


@pytest.fixture(scope="session")
def small_manifest(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    """Twelve images of several sizes, of eight patients, two classes."""
    folder = tmp_path_factory.mktemp("small-images")
    return small_images(folder, 12)


def small_images(folder: Path, count: int) -> Manifest:
    rng = np.random.default_rng(0)
    names = [f"{number:02}.png" for number in range(count)]
    for number, name in enumerate(names):
        height, width = 20 + number % 5, 24 - number % 3
        blocks = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((width, height), Image.Resampling.BILINEAR).save(folder / name)
    table = pa.table({
        "image": names,
        "patient_id": [f"p{number * 2 // 3}" for number in range(count)],
        "finding": [str(number % 2) for number in range(count)],
    })  # fmt: skip
    write(table, folder / "m.parquet", {"root": ".", "data_set": "small"})
    return open_any(folder / "m.parquet")
