"""What the tests of fine-tuning share: networks of a few thousand weights, small labelled images, and tasks of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torch import Tensor, nn

from remedis.console import QUIET
from remedis.data.inputs import open_any
from remedis.data.manifest import Manifest, write
from remedis.evaluate.targets import Target, target
from remedis.models.bit import NormReLU, Stage, StdConv2d, Stem
from remedis.models.contract import Contract
from remedis.models.encoder import Encoder
from remedis.models.resnet import Basic, conv
from remedis.models.staged import Part, Staged, fill_like_simclr
from remedis.recipes.finetuning import FineTuning
from remedis.train import labels as label_matrices
from remedis.train.batches import Shown
from remedis.train.finetune import FineTune, Plan
from remedis.train.finetune_job import Job, Life, Machine, Outcome, finetune
from remedis.train.folder import RunFolder
from remedis.train.judge import Judge
from remedis.train.schedule import Schedule

SIZE = 16


class TinyBiT(Staged):
    """The parts of a BiT, few and narrow; its map keeps 2 x 2 places, for norms of one channel a group."""

    def __init__(self) -> None:
        super().__init__(64, 2.0, -1.0)
        self.stem = Stem(3, 32)
        widths = [32, 128, 128, 128, 128]
        self.stages = nn.Sequential(*(Stage(widths[i], widths[i + 1], 1, 2 if i == 1 else 1) for i in range(4)))
        self.norm = NormReLU(128)
        self.width = 128

    def parts(self) -> Iterator[Part]:
        yield "stem", self.stem
        for number, stage in enumerate(self.stages, start=1):
            yield f"stage{number}", stage
        yield "map", self.norm

    def blocks(self) -> list[list[nn.Module]]:
        return [[self.stem], *([stage] for stage in self.stages)]

    def initialise(self, generator: torch.Generator) -> None:
        for module in self.modules():
            if isinstance(module, StdConv2d):
                fill_like_simclr(module.weight, generator)


class TinyResNet(Staged):
    """Four of ResNet's blocks, 8 channels wide, with their batch norms."""

    def __init__(self) -> None:
        super().__init__(8)
        self.conv1, self.bn1 = conv(3, 8, 3), nn.BatchNorm2d(8)
        self.layers = nn.ModuleList(Basic(8, 8, 1 if i == 0 else 2, first=True) for i in range(4))

    def parts(self) -> Iterator[Part]:
        yield "stem", lambda x: torch.relu(self.bn1(self.conv1(x)))
        for number, layer in enumerate(self.layers, start=1):
            yield f"stage{number}", layer
        yield "map", nn.Identity()

    def blocks(self) -> list[list[nn.Module]]:
        return [[self.conv1, self.bn1], *([layer] for layer in self.layers)]

    def initialise(self, generator: torch.Generator) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fill_like_simclr(module.weight, generator)


def tiny(kind: type[Staged] = TinyBiT, *, seed: int = 0) -> Encoder:
    """Return an encoder whose every weight has a gradient: norms are no identities."""
    backbone = kind()  # type: ignore[call-arg]
    generator = torch.Generator().manual_seed(seed)
    backbone.initialise(generator)
    shaken(backbone, generator)
    return Encoder(backbone, Contract(size=SIZE, profile="dicom-display"), "tiny", network=f"tiny-{kind.__name__}")


def shaken(backbone: nn.Module, generator: torch.Generator) -> None:
    """Move norms' weights away from ones and zeros, where parts of a network get no gradient."""
    with torch.no_grad():
        for weight in backbone.parameters():
            if weight.ndim == 1:
                weight.add_(0.3 * torch.rand(weight.shape, generator=generator))


def labelled_images(folder: Path, count: int = 24) -> Manifest:
    """Write images whose brightness is their label, of two patients three images each, split 2 : 1 : 1.

    `bright` is binary and unknown in one row of six, `kind` has three classes.
    """
    rng = np.random.default_rng(0)
    for row in range(count):
        blocks = rng.integers(0, 90, (5, 5, 3)) + 120 * (row % 2)
        Image.fromarray(blocks.astype(np.uint8)).resize((16, 14 + row % 4)).save(folder / f"{row:02}.png")
    half, quarter = count // 2, count // 4
    table = pa.table({
        "image": [f"{row:02}.png" for row in range(count)],
        "patient_id": [f"p{row // 3}" for row in range(count)],
        "split": ["train"] * half + ["val"] * quarter + ["test"] * quarter,
        "bright": [None if row % 6 == 5 else str(row % 2) for row in range(count)],
        "kind": ["abc"[row % 3] for row in range(count)],
    })  # fmt: skip
    write(table, folder / "m.parquet", {"root": ".", "data_set": "bright"})
    return open_any(folder / "m.parquet")


SETTINGS = FineTuning(
    learning_rate=0.05, learning_rate_scaling="none", train_batch_size=4, train_steps=6, image_size=SIZE, patience=0,
    weight_decay=1e-3, crop_area=0.5,
)  # fmt: skip


def job_of(manifest: Manifest, encoder: Encoder | None = None, *, labels: str = "bright", **settings: Any) -> Job:
    """Return a job on the given split, evaluated after every second step and saved after every third."""
    targets = tuple(target(manifest.table, label) for label in labels.split(","))
    count = len(manifest)
    return Job(
        encoder or tiny(), manifest, targets, np.arange(count // 2), np.arange(count // 2, count * 3 // 4),
        replace(SETTINGS, **settings), "dicom-display", 0, Machine(), Life(evaluation_steps=2, checkpoint_steps=3),
    )  # fmt: skip


def trained(job: Job, folder: Path) -> Outcome:
    """Run a job in a folder."""
    return finetune(job, RunFolder(folder, keep=5), {"verb": "finetune"}, QUIET)


IMAGES = 8
BRIGHT = Target("bright", ("0", "1"), np.array([0, 1, 1, -1, 0, -1, 1, 0]), {})
KIND = Target("kind", ("a", "b", "c"), np.array([0, -1, 2, 1, -1, 0, 2, 1]), {})


class Given:
    """Batches of random numbers in double precision: this process's share of the same eight images at every step."""

    seconds_waited = 0.0

    def __init__(self, share: tuple[int, int] = (0, 1)) -> None:
        rank, world = share
        self._part = slice(rank * IMAGES // world, (rank + 1) * IMAGES // world)

    def steps(self, start: int, stop: int) -> Iterator[Shown]:
        for step in range(start, stop):
            views = torch.rand(
                IMAGES, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(step), dtype=torch.float64
            )
            yield Shown(views[self._part], torch.arange(IMAGES)[self._part])


def double_task(
    kind: type[Staged] = TinyBiT,
    *,
    share: tuple[int, int] = (0, 1),
    plan: dict[str, Any] | None = None,
    judge: Judge | None = None,
    folder: Path = Path("nowhere"),
    **settings: Any,
) -> FineTune:
    """Return a task of eight images and two labels, all of it in double precision (set the default before)."""
    made = replace(SETTINGS, **settings)
    encoder = tiny(kind)
    encoder.backbone.double()
    labels = label_matrices.matrix((BRIGHT, KIND), np.arange(IMAGES), made.class_weights)
    whole = Plan(made, Schedule(0.05, IMAGES, 0, 4, "none"), 4, 0, labels, "cpu", **(plan or {}))
    return FineTune(encoder, Given(share), whole, judge, RunFolder(folder, keep=1))  # type: ignore[arg-type]


def stepped(task: FineTune, steps: int = 1) -> dict[str, Tensor]:
    """Do some steps and return loss, last gradients, weights and running statistics."""
    task.begin(0)
    for step in range(steps):
        loss = task.step(step)["loss"]
    found = {"loss": loss, **{f"weight {name}": value.clone() for name, value in task._model.state_dict().items()}}
    for name, weight in task._model.named_parameters():
        if weight.grad is not None:
            found[f"gradient {name}"] = weight.grad.clone()
    return found


def furthest(one: dict[str, Tensor], other: dict[str, Tensor]) -> float:
    """Return the largest relative distance of two tensors of the same name."""
    assert one.keys() == other.keys()
    distances = [
        float((one[name] - other[name]).norm() / other[name].norm().clamp(min=1e-12))
        for name in one if other[name].is_floating_point()
    ]  # fmt: skip
    return max(distances)
