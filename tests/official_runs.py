"""What the tests of `remedis run` share: command lines, data sets of a few images, and a spy in training's place."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from remedis import arguments, cli
from remedis.commands import pretrain
from remedis.commands.official_settings import understood
from remedis.console import Result
from remedis.data.manifest import Manifest
from remedis.options.pretrain import Pretrain
from remedis.options.run import OfficialRun

CLASSES = ("akiec", "bcc", "bkl")


def parse(*words: str) -> OfficialRun:
    """Return the options of a command line."""
    return arguments.parse(OfficialRun, "run", list(words))


def wished(*words: str) -> Pretrain:
    """Return what a command line becomes."""
    return understood(parse("--model_dir=run", *words))


def picture(seed: int, side: int = 40) -> Image.Image:
    """Return a square of random pixels."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8))


def png(seed: int) -> bytes:
    """Return such a square as a PNG file."""
    file = io.BytesIO()
    picture(seed).save(file, "PNG")
    return file.getvalue()


def a_folder(place: Path, name: str, count: int = 8, *, labels: bool = True) -> Path:
    """Write a folder of images, with or without labels.csv."""
    folder = place / name
    (folder / "images").mkdir(parents=True)
    names = [f"images/{number:03}.png" for number in range(count)]
    for number, path in enumerate(names):
        picture(number).save(folder / path)
    if labels:
        parts = ["train"] * (count - 2) + ["val", "test"]
        lines = [
            f"{path},{CLASSES[number % 3]},{part}" for number, (path, part) in enumerate(zip(names, parts, strict=True))
        ]
        (folder / "labels.csv").write_text("image,dx,split\n" + "\n".join(lines) + "\n")
    return folder


class Spy:
    """Stands in for the training and keeps what it was given."""

    def __init__(self) -> None:
        self.calls: list[tuple[Manifest, Pretrain]] = []

    def __call__(self, manifest: Manifest, options: Pretrain, console: object = None) -> Result:
        self.calls.append((manifest, options))
        return Result(text="trained")


def spy_on_training(monkeypatch: pytest.MonkeyPatch) -> Spy:
    """Put a spy in the place of the training and return it."""
    found = Spy()
    monkeypatch.setattr(pretrain, "run_on", found)
    return found


def trained_on(spy: Spy, place: Path, dataset: str) -> Manifest:
    """Run the command on a data set below `place` and return the manifest that its training was given."""
    assert cli.run(["run", f"--dataset={dataset}", f"--data_dir={place}", f"--model_dir={place / 'run'}"]) == 0
    ((manifest, options),) = spy.calls
    assert options.manifest.absolute() == manifest.root
    return manifest
