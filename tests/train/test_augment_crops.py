"""Random crops against TensorFlow's and torchvision's samplers, and against the law one attempt at a time."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import scipy.stats
import torch
import torchvision
from augmentation_inputs import figures, some_keys
from make_augmentation_figures import SIZES

from references.augmentations import tensorflow_crop
from remedis.train.augmentation import Augmentation, CropLaw
from remedis.train.crops import crops
from remedis.train.keys import uniforms

STREAM = 4
MEASURED = {"top": 0, "left": 1, "height": 2, "width": 3}


def drawn(height: int, width: int, count: int, law: CropLaw = "tensorflow") -> torch.Tensor:
    sides = torch.full((count,), height), torch.full((count,), width)
    return crops(*sides, some_keys(count), STREAM, Augmentation(32, crop_law=law))


def areas(boxes: torch.Tensor, height: int, width: int) -> np.ndarray:
    return (boxes[:, 2] * boxes[:, 3] / (height * width)).numpy()


@pytest.mark.parametrize("area", [(0.08, 1.0), (0.3, 0.32)])
@pytest.mark.parametrize(
    # of 20 × 260 one attempt in fifty is good
    ("height", "width"),
    [(1, 1), (2, 3), (7, 50), (64, 64), (256, 256), (97, 31), (300, 20), (1, 40), (20, 260), (12, 9)],
)
def test_the_crop_is_the_first_good_attempt_of_tensorflows_kernel(
    height: int, width: int, area: tuple[float, float]
) -> None:
    count = 200
    sides = torch.full((count,), height), torch.full((count,), width)
    boxes = crops(*sides, some_keys(count), STREAM, Augmentation(32, area=area)).tolist()
    numbers = uniforms(some_keys(count), STREAM, 400).reshape(count, 100, 4).numpy()
    for box, attempts in zip(boxes, numbers, strict=True):
        tried = (tensorflow_crop(height, width, attempt, area) for attempt in attempts)
        expected = next((found for found in tried if found is not None), (0, 0, height, width))
        assert tuple(box) == expected


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("measured", [*MEASURED, "area"])
def test_crops_are_distributed_as_tensorflows(height: int, width: int, measured: str) -> None:
    official = torch.from_numpy(figures()[f"crops_{height}_{width}"].astype(np.float64))
    ours = drawn(height, width, 6000)
    if measured == "area":
        pair = areas(ours, height, width), areas(official, height, width)
    else:
        pair = ours[:, MEASURED[measured]].numpy(), official[:, MEASURED[measured]].numpy()
    assert scipy.stats.ks_2samp(*pair).pvalue > 0.01


def test_crops_of_a_square_have_the_official_mean_area() -> None:
    # 0.4222 of 20,000 draws of the official sampler, deviation 0.225: 40,000 of ours are within 0.005 of its true mean
    area = areas(drawn(256, 256, 40000), 256, 256)
    assert area.mean() == pytest.approx(0.4222, abs=0.005)
    assert area.min() >= 0.1  # not 0.08: at least a tenth of the image is covered
    assert np.quantile(area, [0.1, 0.5]) == pytest.approx([0.143, 0.387], abs=0.01)


def test_a_wide_image_is_never_covered_whole() -> None:
    area = areas(drawn(256, 512, 20000), 256, 512)
    assert 0.64 < area.max() < 0.67  # 4/3 of 256² in 256 × 512


def test_the_last_offset_is_never_drawn() -> None:
    boxes = drawn(24, 24, 20000).numpy()
    for offset, side in ((0, 2), (1, 3)):
        below = boxes[boxes[:, side] < 24]
        assert (below[:, offset] + below[:, side]).max() == 23
        assert boxes[boxes[:, side] == 24][:, offset].max() == 0


def test_an_image_without_a_crop_is_taken_whole() -> None:
    # of 2 × 300 no crop of aspect below 4/3 covers a tenth
    assert drawn(2, 300, 50).unique(dim=0).tolist() == [[0, 0, 2, 300]]


@cache
def torchvisions(height: int, width: int) -> np.ndarray:
    """Return (2000, 4) top, left, height, width of torchvision's random crops."""
    torch.manual_seed(3)
    image = torch.empty(3, height, width)
    get = torchvision.transforms.RandomResizedCrop.get_params
    return np.array([get(image, [0.08, 1.0], [3 / 4, 4 / 3]) for _ in range(2000)])


@pytest.mark.parametrize(("height", "width"), [(256, 256), (64, 200), (40, 400), (12, 9), (1, 1)])
@pytest.mark.parametrize("measured", MEASURED)
def test_the_other_law_is_torchvisions(height: int, width: int, measured: str) -> None:
    theirs = torchvisions(height, width)
    ours = drawn(height, width, 6000, "torchvision").numpy()
    assert scipy.stats.ks_2samp(ours[:, MEASURED[measured]], theirs[:, MEASURED[measured]]).pvalue > 0.01


@pytest.mark.parametrize(("height", "width"), [(10, 1000), (1000, 10)])
def test_torchvisions_law_falls_back_to_the_middle(height: int, width: int) -> None:
    torch.manual_seed(0)
    impossible = torchvision.transforms.RandomResizedCrop.get_params(
        torch.empty(3, height, width), [1.0, 1.0], [3 / 4, 4 / 3]
    )
    count = 5
    sides = torch.full((count,), height), torch.full((count,), width)
    how = Augmentation(32, crop_law="torchvision", area=(1.0, 1.0))
    assert crops(*sides, some_keys(count), STREAM, how).unique(dim=0).tolist() == [list(impossible)]


def test_images_of_several_sizes_are_cropped_each_as_alone() -> None:
    keys = some_keys(40)
    heights, widths = torch.randint(2, 90, (2, 40), generator=torch.Generator().manual_seed(0))
    how = Augmentation(32)
    together = crops(heights, widths, keys, STREAM, how)
    for i in range(40):
        alone = crops(heights[i : i + 1], widths[i : i + 1], keys[i : i + 1], STREAM, how)
        assert torch.equal(together[i : i + 1], alone)
    assert (together[:, :2] >= 0).all()
    assert (together[:, 0] + together[:, 2] <= heights).all()
    assert (together[:, 1] + together[:, 3] <= widths).all()


def test_area_and_aspect_keep_to_what_is_asked_for() -> None:
    how = Augmentation(32, area=(0.5, 0.6), aspect=(1.5, 2.0))
    boxes = crops(torch.full((2000,), 400), torch.full((2000,), 600), some_keys(2000), STREAM, how)
    area, aspect = areas(boxes, 400, 600), (boxes[:, 3] / boxes[:, 2]).numpy()
    assert 0.5 <= area.min() < 0.505
    assert 0.595 < area.max() <= 0.6
    assert 1.49 < aspect.min() < 1.51  # widths are rounded to whole pixels
    assert 1.9 < aspect.max() < 2.01
