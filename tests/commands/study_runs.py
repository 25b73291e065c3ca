"""What the tests of `remedis study` share: two small sites, vectors of two encoders, pictures to fine-tune on."""

from __future__ import annotations

import random
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from embed_runs import command, environment
from PIL import Image

import planted_studies as planting
from remedis.data import manifest
from remedis.options.study import Study


@dataclass(frozen=True)
class Given:
    """What studies of these tests are made of: two sites and vectors of them in files."""

    folder: Path
    here: Path
    there: Path
    one: str
    two: str

    def options(self, out: Path, **changes: Any) -> Study:
        """Return the options of a small study."""
        options = {
            "manifest": (self.here,), "ood": (self.there,), "external": (self.one, self.two), "label": ("sick",),
            "label_fractions": (0.5,), "draws": 2, "bootstrap": 20, "device": "cpu", "workers": 0, **changes,
        }  # fmt: skip
        return Study(out=out, **options)

    def words(self, out: Path) -> list[object]:
        """Return the same as words of a command."""
        return [
            "study", "--manifest", self.here, "--ood", self.there, "--external", self.one, "--external", self.two,
            "--label", "sick", "--label-fractions", "0.5", "--draws", "2", "--bootstrap", "20", "--device", "cpu",
            "--workers", "0", "--out", out,
        ]  # fmt: skip


def two_sites(folder: Path) -> Given:
    """Write two sites of 60 and 50 patients and the vectors of two encoders."""
    sites = [planting.site(folder, name, count, seed=2) for name, count in (("here", 60), ("there", 50))]
    for name, width in (("one", 2), ("two", 4)):
        vectors = [planting.planted(each, 2.0, width=width, seed=width) for each in sites]
        planting.write_vectors(folder / f"{name}.npz", sites, vectors)
    return Given(folder, sites[0].path, sites[1].path, f"one={folder}/one.npz", f"two={folder}/two.npz")


def pictures(folder: Path, name: str, count: int) -> Path:
    """Write pictures of 12 px whose brightness is their label."""
    noise = np.random.default_rng(len(name))
    (folder / name).mkdir()
    for row in range(count):
        pixels = noise.integers(0, 120, (12, 12)) + 100 * (row % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{row}.png")
    table = pa.table({
        "image": [f"{row}.png" for row in range(count)],
        "patient_id": [f"{name}{row}" for row in range(count)],
        "bright": [row % 2 for row in range(count)],
    })  # fmt: skip
    manifest.write(table, folder / f"{name}.parquet", {"root": name, "data_set": name})
    return folder / f"{name}.parquet"


TUNING = {
    "encoders": ("resnet18-cifar",), "image_size": 8, "methods": ("finetune",), "label": ("bright",), "train_steps": 2,
    "train_batch_size": 8, "bootstrap": 20, "draws": 1, "label_fractions": (0.5,), "device": "cpu", "workers": 0,
    "precision": "fp32",
}  # fmt: skip


def words_of(options: dict[str, Any]) -> list[str]:
    found = []
    for name, value in options.items():
        found += [f"--{name.replace('_', '-')}", ",".join(map(str, value)) if isinstance(value, tuple) else str(value)]
    return found


def killed_until_done(words: list[object], *, seed: int, seconds: float, kills: int) -> int:
    """Start again and again and kill at a random instant, then once without; return how many kills met work."""
    instants = random.Random(seed)
    met = 0
    for _ in range(kills):
        process = subprocess.Popen(
            command(*words), env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            process.wait(instants.uniform(0.3, 1.0) * seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            met += 1
        assert process.wait() in (0, -signal.SIGKILL)
    subprocess.run(command(*words), env=environment(), check=True, capture_output=True)
    return met
