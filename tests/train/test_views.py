"""Views depend on seed, epoch, image and view, and on nothing about how they were made."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from remedis.data.manifest import Manifest
from remedis.train import step_images
from remedis.train.augmentation import Augmentation
from remedis.train.order import Order
from remedis.train.views import Pairs, Views

HOW = Augmentation(size=16, rotation_range=20.0)


def _steps(
    manifest: Manifest, *, batch: int = 6, start: int = 0, stop: int = 3, patients: bool = False, **how: object
) -> list[Pairs]:
    bags = np.arange(len(manifest)) * 2 // 3 if patients else None
    units = int(bags.max()) + 1 if bags is not None else len(manifest)
    made = Views(manifest, Order(units, batch, seed=5, patients=bags), HOW, profile="dicom-display", **how)  # type: ignore[arg-type]
    return list(made.steps(start, stop))


def _same(one: list[Pairs], other: list[Pairs]) -> bool:
    names = ("first", "second", "ids", "rows")
    return len(one) == len(other) and all(
        torch.equal(getattr(a, name), getattr(b, name)) for a, b in zip(one, other, strict=True) for name in names
    )


def test_two_views_of_each_image(small_manifest: Manifest) -> None:
    pairs = _steps(small_manifest)[0]
    assert pairs.first.shape == pairs.second.shape == (6, 3, 16, 16)
    assert not torch.equal(pairs.first, pairs.second)
    assert torch.equal(pairs.ids, pairs.rows)


@pytest.mark.parametrize("patients", [False, True])
def test_no_view_depends_on_reading_ahead_or_on_the_cache(
    small_manifest: Manifest, monkeypatch: pytest.MonkeyPatch, patients: bool
) -> None:
    plain = _steps(small_manifest, patients=patients)
    assert _same(plain, _steps(small_manifest, patients=patients, cache=True))
    monkeypatch.setattr(step_images, "IMAGES_A_READING", 4)
    assert _same(plain, _steps(small_manifest, patients=patients))


def test_going_on_gives_the_views_that_an_unbroken_run_has(small_manifest: Manifest) -> None:
    assert _same(_steps(small_manifest)[1:], _steps(small_manifest, start=1))


def test_processes_share_the_views_of_one(small_manifest: Manifest) -> None:
    whole = _steps(small_manifest, stop=1)[0]
    shares = [_steps(small_manifest, stop=1, share=(rank, 2))[0] for rank in range(2)]
    assert torch.equal(torch.cat([s.first for s in shares]), whole.first)
    assert torch.equal(torch.cat([s.second for s in shares]), whole.second)


def test_paired_patients_are_their_own_ids(small_manifest: Manifest) -> None:
    pairs = _steps(small_manifest, patients=True)[0]
    assert (pairs.rows * 2 // 3 == pairs.ids).all()


def test_worker_processes_give_the_same(small_manifest: Manifest) -> None:
    assert _same(_steps(small_manifest, stop=1), _steps(small_manifest, stop=1, workers=1))
