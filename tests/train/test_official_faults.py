"""Faults of the official program that concern the training as a whole: what it does wrong, and that ours does not.

Faults of one part have their test beside that part's: F1, F3, F5, F9 (command line), F2, F4, F11, F13, F17 (views), F7,
F25 (processes), F12, F27 (optimisers), F20, F21 (loss), F24 (order, schedule), F29 (no labels), F10 (blocks that are
fine-tuned). F23, F26 change nothing.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from remedis.data.inputs import open_any
from remedis.data.loader import View
from remedis.data.manifest import Manifest
from remedis.models import checkpoint
from remedis.models.architectures import architecture
from remedis.models.contract import Contract
from remedis.models.encoder import Encoder
from remedis.models.load import load, random_encoder
from remedis.recipes.pretraining import Pretraining
from remedis.train.augmentation import Augmentation
from remedis.train.folder import RunFolder
from remedis.train.order import Order
from remedis.train.pretrain import Plan, Pretrain
from remedis.train.schedule import Schedule
from remedis.train.simclr import Objective
from remedis.train.views import Views
from remedis.train.watch import Watch, labels_of

SIZE = 16


def _task(manifest: Manifest, folder: RunFolder, encoder: Encoder, labels: Tensor | None = None) -> Pretrain:
    settings = Pretraining(optimizer="momentum", learning_rate=0.1, train_batch_size=4, image_size=SIZE)
    order = Order(len(manifest), 4, seed=0)
    views = Views(manifest, order, Augmentation(size=SIZE), profile="dicom-display")
    plan = Plan(settings, Schedule(0.1, 4, 0, 4), 0, Objective(0.1), "cpu", 1, labels, 2)
    return Pretrain(encoder, views, plan, None, folder)


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    made = RunFolder(tmp_path / "run", keep=5)
    made.claim({"a": 1}, {})
    return made


def _encoder(name: str = "resnet18-cifar") -> Encoder:
    return random_encoder(architecture(name), Contract(size=SIZE), seed=0)


def test_f6_a_pretrained_bit_network_is_exported(small_manifest: Manifest, folder: RunFolder) -> None:
    """The program's export of a BiT network is a TypeError."""
    encoder = _encoder("bit-r26x1")
    task = _task(small_manifest, folder, encoder)
    task.begin(0)
    task.step(0)
    folder.publish(1, task.write, numbered=True)
    opened = load(folder.path / "step-000001")
    x = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    assert torch.equal(opened(x), encoder.eval()(x))


def test_f18_bit_scales_its_input_once(small_manifest: Manifest, folder: RunFolder) -> None:
    """The program maps [0, 1] to [-1, 1] before a module that does so itself: the first kernel sees [-3, 1]."""
    encoder, seen = _encoder("bit-r26x1"), []
    stem = encoder.backbone.stem.conv  # type: ignore[union-attr]
    stem.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].aminmax()))
    task = _task(small_manifest, folder, encoder)
    task.begin(0)
    task.step(0)
    low, high = (float(value) for value in seen[0])
    assert -1 <= low < -0.5
    assert 0.5 < high <= 1


def test_f8_f14_two_classes_are_evaluated_and_accuracies_are_not_always_one(small_manifest: Manifest) -> None:
    """With fewer than five classes the program's evaluation crashes; while pretraining it always reports 1.0."""
    labels = labels_of(small_manifest.table, "finding")
    rows = (np.arange(6), np.arange(6, 12))
    watch = Watch(small_manifest, labels, rows, View("dicom-display", SIZE, "squash"), held_out=True, workers=0)
    constant = nn.Linear(512, 2)
    nn.init.zeros_(constant.weight)
    encoder = _encoder()
    found = watch.look(encoder, encoder.backbone, constant, bfloat16=False)
    assert found["linear_accuracy"] == 0.5  # three of six are of the class that it always says


def test_f15_the_accuracy_on_labels_is_that_of_the_labels(small_manifest: Manifest, folder: RunFolder) -> None:
    """The program's labels are zeros while it pretrains, so its accuracy is 1 at every step."""
    labels = torch.tensor([0, 1] * 6)
    task = _task(small_manifest, folder, _encoder(), labels)
    with torch.no_grad():
        task._model.classifier.weight.zero_()  # type: ignore[union-attr]
        task._model.classifier.bias.copy_(torch.tensor([1.0, 0.0]))  # type: ignore[union-attr]
    task.begin(0)
    rows = Order(12, 4, seed=0).at(0).units
    assert float(task.step(0)["label_accuracy"]) == float((labels[torch.from_numpy(rows)] == 0).float().mean())


def test_f16_grey_images_without_labels_are_trained_on(tmp_path: Path, folder: RunFolder) -> None:
    """The program takes images of three channels with one label each."""
    (tmp_path / "grey").mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (20, 18), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "grey" / f"{number}.png")
    task = _task(open_any(tmp_path / "grey"), folder, _encoder())
    task.begin(0)
    assert np.isfinite(float(task.step(0)["loss"]))


def test_f22_a_numbered_checkpoint_that_is_there_stays(small_manifest: Manifest, folder: RunFolder) -> None:
    """The program deletes an export of the same step and writes it anew, though it says it does not."""
    encoder = _encoder()
    folder.publish(4, partial(checkpoint.write, encoder), numbered=True)
    before = (folder.path / "step-000004" / "model.safetensors").stat()
    other = random_encoder(architecture("resnet18-cifar"), Contract(size=SIZE), seed=1)
    folder.publish(4, partial(checkpoint.write, other), numbered=True)
    after = (folder.path / "step-000004" / "model.safetensors").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert load(folder.path / "step-000004").hash == encoder.hash


def test_f28_hosts_do_not_read_the_same_images(small_manifest: Manifest) -> None:
    """Each of the program's hosts shuffles and reads the whole data set."""
    order = Order(len(small_manifest), 12, seed=0)
    shares = [set(order.at(0).share(rank, 4).units) for rank in range(4)]
    assert len(set.union(*shares)) == sum(len(share) for share in shares) == 12
