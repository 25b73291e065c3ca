"""Views of fine-tuning: decided by seed, epoch and image alone, and without colours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from skimage.transform import resize

from remedis.data.manifest import Manifest
from remedis.data.readers import read_source
from remedis.recipes.finetuning import FineTuning
from remedis.train.batches import Batches, Shown, augmentation
from remedis.train.order import Order
from remedis.train.step_images import StepImages

SETTINGS = FineTuning(rotation_range=10.0)


def _steps(
    manifest: Manifest, *, start: int = 0, stop: int = 3, seed: int = 5, settings: FineTuning = SETTINGS, **how: Any
) -> list[Shown]:
    images = StepImages(manifest, Order(len(manifest), 6, seed), 16, profile="dicom-display", **how)
    return list(Batches(images, augmentation(16, settings), seed=seed, device="cpu").steps(start, stop))


def _same(one: list[Shown], other: list[Shown]) -> bool:
    return len(one) == len(other) and all(
        torch.equal(a.views, b.views) and torch.equal(a.rows, b.rows) for a, b in zip(one, other, strict=True)
    )


def test_every_image_is_seen_once_an_epoch_and_differently_in_the_next(small_manifest: Manifest) -> None:
    steps = _steps(small_manifest, stop=4)
    assert steps[0].views.shape == (6, 3, 16, 16)
    rows = torch.cat([step.rows for step in steps])
    assert sorted(rows[:12].tolist()) == sorted(rows[12:].tolist()) == list(range(12))
    views = torch.cat([step.views for step in steps])
    first, second = (torch.argsort(part) for part in (rows[:12], rows[12:]))
    assert not torch.equal(views[:12][first], views[12:][second])
    assert not _same(steps, _steps(small_manifest, stop=4, seed=6))


@pytest.mark.parametrize("how", [{"cache": True}, {"workers": 1}], ids=["cache", "worker"])
def test_how_images_are_read_changes_nothing(small_manifest: Manifest, how: dict[str, Any]) -> None:
    assert _same(_steps(small_manifest, stop=2), _steps(small_manifest, stop=2, **how))


def test_going_on_gives_what_an_unbroken_run_has(small_manifest: Manifest) -> None:
    assert _same(_steps(small_manifest)[1:], _steps(small_manifest, start=1))


def test_processes_share_the_views_of_one(small_manifest: Manifest) -> None:
    whole = _steps(small_manifest, stop=1)[0]
    shares = [_steps(small_manifest, stop=1, share=(rank, 2))[0] for rank in range(2)]
    assert torch.equal(torch.cat([share.views for share in shares]), whole.views)
    assert torch.equal(torch.cat([share.rows for share in shares]), whole.rows)


def test_without_chance_a_view_is_the_whole_image_squashed(small_manifest: Manifest) -> None:
    settings = replace(SETTINGS, crop_area=1.0, flip=False, rotation_range=0.0)
    shown = _steps(small_manifest, stop=1, settings=settings)[0]
    for row, view in zip(shown.rows.tolist(), shown.views, strict=True):
        pixels = read_source(small_manifest.sources(range(row, row + 1))[0], "dicom-display").pixels
        expected = resize(pixels / 255, (16, 16), order=1, anti_aliasing=False)
        assert np.abs(view.permute(1, 2, 0).numpy() - expected).mean() < 0.06


def test_f17_views_keep_their_colours(small_manifest: Manifest) -> None:
    how = augmentation(16, replace(SETTINGS, use_elastic_deform=True, equalize_histogram=True))
    assert (how.color_distort, how.use_blur) == (False, False)
    assert (how.use_elastic_deform, how.equalize_histogram, how.rotation_range) == (True, True, 10.0)
    assert augmentation(16, replace(SETTINGS, crop_area=0.3, flip=False)).area == (0.3, 1.0)
    assert not augmentation(16, replace(SETTINGS, flip=False)).flip
