"""What the tests of `remedis embed` share: small pictures, runs in processes of their own, and what came out."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.dataset as ds
from PIL import Image

from remedis import cli
from remedis.data import manifest


def make_pictures(folder: Path, count: int, *, side: int = 40, seed: int = 0) -> Path:
    """Write `count` random PNG files and the manifest of them; return the manifest's path."""
    random = np.random.default_rng(seed)
    images = folder / "pictures"
    images.mkdir(parents=True)
    names = [f"{number:04}.png" for number in range(count)]
    for name in names:
        pixels = random.integers(0, 256, (side, side + 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(images / name)
    table = pa.table({"image": names, "label": [number % 2 for number in range(count)]})
    path = folder / "m.parquet"
    manifest.write(table, path, {"root": "pictures", "data_set": "random"})
    return path


def embed(*words: object) -> int:
    """Run `remedis embed` and return its status."""
    return cli.run(["embed", *(str(word) for word in words)])


def command(*words: object) -> list[str]:
    """Return the words that start `remedis` in a process of its own."""
    return [sys.executable, "-m", "remedis", *(str(word) for word in words)]


def environment(**more: str) -> dict[str, str]:
    """Return the environment with one thread for torch, so that bytes can be compared."""
    return {**os.environ, "OMP_NUM_THREADS": "1", **more}


def started(*words: object, **more: str) -> subprocess.Popen[str]:
    """Start `remedis` in a process of its own."""
    return subprocess.Popen(
        command(*words), env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def rows_of(folder: Path) -> tuple[list[str], npt.NDArray[np.float32]]:
    """Return the images and embeddings as any Arrow program finds them."""
    table = ds.dataset(folder).to_table()
    vectors = table["embedding"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return table["image"].to_pylist(), vectors.reshape(table.num_rows, -1)
