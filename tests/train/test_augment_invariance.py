"""A view depends on its image, key and settings alone, bit for bit: not on batch, order, padding, split or threads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from augmentation_inputs import batch, noise, some_keys
from torch import Tensor

from remedis.train.augment import Augmentation, augment, centre_view

SETTINGS = {
    "default": Augmentation(40),
    "everything": Augmentation(40, rotation_range=45.0, use_elastic_deform=True, equalize_histogram=True),
    "turned, bilinear": Augmentation(33, rotation_range=180.0, interpolation="bilinear"),
    "torchvision": Augmentation(16, crop_law="torchvision"),
}
SIZES = [(37, 50), (64, 64), (20, 90), (91, 33), (40, 40), (5, 7), (64, 33), (1, 1), (33, 64)]
PICTURES = noise(*SIZES, *SIZES)
KEYS = some_keys(len(PICTURES))


@pytest.fixture
def threads() -> Iterator[None]:
    """Set the number of threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def views(chosen: list[int], how: Augmentation, more_rows: int = 0, more_columns: int = 0) -> Tensor:
    images, heights, widths = batch([PICTURES[i] for i in chosen], more_rows=more_rows, more_columns=more_columns)
    return augment(images, heights, widths, KEYS[chosen], how)


EVERY = list(range(len(PICTURES)))


@pytest.mark.parametrize("name", SETTINGS)
def test_views_are_the_same_alone(name: str) -> None:
    together = views(EVERY, SETTINGS[name])
    for i in EVERY:
        assert torch.equal(views([i], SETTINGS[name])[0], together[i])


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("seed", range(3))
def test_views_are_the_same_in_any_order_and_company(name: str, seed: int) -> None:
    together = views(EVERY, SETTINGS[name])
    chosen = torch.randperm(len(EVERY), generator=torch.Generator().manual_seed(seed))[: 5 + 4 * seed].tolist()
    assert torch.equal(views(chosen, SETTINGS[name]), together[chosen])


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(("more_rows", "more_columns"), [(1, 0), (0, 3), (37, 38), (170, 11)])
def test_views_are_the_same_whatever_the_padding(name: str, more_rows: int, more_columns: int) -> None:
    together = views(EVERY, SETTINGS[name])
    assert torch.equal(views(EVERY, SETTINGS[name], more_rows, more_columns), together)


def test_views_are_the_same_however_the_batch_is_split_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    together = views(EVERY, SETTINGS["everything"])
    for pixels in (1, 30000, 2**24):
        monkeypatch.setitem(augment.__globals__["_PIXELS_AT_ONCE"], "cpu", pixels)
        assert torch.equal(views(EVERY, SETTINGS["everything"]), together)


@pytest.mark.usefixtures("threads")
def test_views_are_the_same_with_any_number_of_threads() -> None:
    torch.set_num_threads(1)
    together = views(EVERY, SETTINGS["everything"])
    torch.set_num_threads(3)
    assert torch.equal(views(EVERY, SETTINGS["everything"]), together)


def test_evaluation_views_are_the_same_alone_and_with_padding() -> None:
    how = Augmentation(40)
    together = centre_view(*batch(PICTURES), how)
    assert torch.equal(centre_view(*batch(PICTURES, more_rows=50, more_columns=9), how), together)
    for i in EVERY:
        assert torch.equal(centre_view(*batch([PICTURES[i]]), how)[0], together[i])
