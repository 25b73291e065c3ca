"""What is drawn for a view against the laws that the sources state."""

from __future__ import annotations

import itertools
import math
from dataclasses import fields, replace

import numpy as np
import pytest
import scipy.stats
import torch
from augmentation_inputs import some_keys

from remedis.train.augmentation import Augmentation
from remedis.train.draws import Draws, Stream, draw
from remedis.train.keys import normals, uniforms

EVERYTHING = Augmentation(64, rotation_range=30.0, use_elastic_deform=True, equalize_histogram=True)
COUNT = 8000


def drawn(how: Augmentation = EVERYTHING, count: int = COUNT) -> Draws:
    return draw(torch.full((count,), 80), torch.full((count,), 70), some_keys(count), how)


def is_uniform(numbers: torch.Tensor, low: float, high: float) -> bool:
    return bool(scipy.stats.kstest(numbers.numpy(), "uniform", args=(low, high - low)).pvalue > 0.01)


@pytest.mark.parametrize(
    ("name", "probability"),
    [("equalised", 0.5), ("flipped", 0.5), ("jittered", 0.8), ("greyed", 0.2), ("blurred", 0.5)],
)
def test_each_operation_is_as_frequent_as_stated(name: str, probability: float) -> None:
    chosen = int(getattr(drawn(), name).sum())
    assert scipy.stats.binomtest(chosen, COUNT, probability).pvalue > 0.01


@pytest.mark.parametrize(
    ("name", "off"),
    [
        ("equalised", {"equalize_histogram": False}),
        ("flipped", {"flip": False}),
        ("jittered", {"color_distort": False}),
        ("greyed", {"color_distort": False}),
        ("blurred", {"use_blur": False}),
    ],
)
def test_each_operation_can_be_switched_off(name: str, off: dict[str, bool]) -> None:
    changed = drawn(replace(EVERYTHING, **off))
    assert not getattr(changed, name).any()


@pytest.mark.parametrize(("name", "probability"), [("jittered", 0.3), ("greyed", 0.9)])
def test_probabilities_are_options(name: str, probability: float) -> None:
    chosen = drawn(replace(EVERYTHING, jitter_probability=0.3, grey_probability=0.9))
    assert scipy.stats.binomtest(int(getattr(chosen, name).sum()), COUNT, probability).pvalue > 0.01


def test_angles_are_uniform_in_both_directions() -> None:
    assert is_uniform(drawn().angles, -math.radians(30), math.radians(30))


def test_fault_f4_rotation_is_drawn_in_pretraining() -> None:
    # officially the range reaches the fine-tuning's preprocessing only, where it crashes
    assert (drawn(count=100).angles != 0).all()
    assert (drawn(replace(EVERYTHING, rotation_range=0.0), count=100).angles == 0).all()


def test_sigmas_are_uniform_and_each_views_own() -> None:
    sigmas = drawn().sigmas
    assert is_uniform(sigmas, 0.1, 2.0)
    assert len(sigmas.unique(dim=0)) == COUNT  # officially one for the whole batch


@pytest.mark.parametrize("strength", [1.0, 0.5])
@pytest.mark.parametrize(("place", "low", "high"), [(0, -0.8, 0.8), (1, -0.8, 0.8), (2, -0.8, 0.8), (3, -0.2, 0.2)])
def test_distortions_are_uniform_within_strength_times_maximum(
    strength: float, place: int, low: float, high: float
) -> None:
    factors = drawn(replace(EVERYTHING, color_jitter_strength=strength)).factors[:, place]
    middle = 0.0 if place == 3 else 1.0
    assert is_uniform(factors, middle + strength * low, middle + strength * high)


def test_each_maximum_is_an_option_of_its_own() -> None:
    how = replace(
        EVERYTHING,
        max_brightness_distort=0.1,
        max_contrast_distort=0.2,
        max_saturation_distort=0.3,
        max_hue_distort=0.4,
    )
    factors = drawn(how).factors
    for place, most in enumerate((0.1, 0.2, 0.3)):
        assert is_uniform(factors[:, place], 1 - most, 1 + most)
    assert is_uniform(factors[:, 3], -0.4, 0.4)


def test_brightness_is_at_least_nothing() -> None:
    factors = drawn(replace(EVERYTHING, max_brightness_distort=1.5)).factors[:, 0]
    assert is_uniform(factors, 0.0, 2.5)


def test_every_order_of_the_four_is_as_likely() -> None:
    orders, counts = drawn().order.unique(dim=0, return_counts=True)
    assert sorted(orders.tolist()) == [list(order) for order in itertools.permutations(range(4))]
    assert scipy.stats.chisquare(counts.numpy()).pvalue > 0.01


def test_bends_are_normal_with_the_strength_as_deviation() -> None:
    bends = drawn(count=500).bends
    assert bends.shape == (500, 2, 5, 5)  # knots a quarter of the side apart, both ends included
    assert scipy.stats.kstest(bends.numpy().ravel() / 0.02, "norm").pvalue > 0.01
    assert drawn(replace(EVERYTHING, elastic_smoothness=0.5), count=2).bends.shape == (2, 2, 3, 3)


def test_parameters_are_independent_of_each_other() -> None:
    views = drawn()
    columns = [views.angles, views.sigmas, *views.factors.T, views.crops[:, 0], views.order[:, 0]]
    columns += [getattr(views, name) for name in ("equalised", "flipped", "jittered", "greyed", "blurred")]
    correlation = np.corrcoef(np.stack([np.asarray(column, np.float64) for column in columns]))
    # among 78 correlations of 8000 pairs one above 0.05 is seen once in 1500 times
    assert np.abs(correlation - np.eye(len(columns))).max() < 0.05


CHANGES = {
    "equalised": {"equalize_histogram": False},
    "bends": {"use_elastic_deform": False},
    "angles": {"rotation_range": 3.0},
    "crops": {"crop_law": "torchvision"},
    "flipped": {"flip": False},
    "jittered": {"jitter_probability": 0.5},
    "factors": {"color_jitter_strength": 0.5},
    "greyed": {"grey_probability": 0.9},
    "blurred": {"use_blur": False},
}


@pytest.mark.parametrize("changed", CHANGES)
def test_an_operation_more_or_less_moves_no_others_numbers(changed: str) -> None:
    before, after = drawn(count=200), drawn(replace(EVERYTHING, **CHANGES[changed]), count=200)  # type: ignore[arg-type]
    differ = [
        field.name
        for field in fields(Draws)
        if not torch.equal(getattr(before, field.name), getattr(after, field.name))
    ]
    assert differ == [changed]


def test_no_two_operations_share_a_stream() -> None:
    assert len(set(Stream)) == len(Stream)
    keys = some_keys(3)
    numbers = torch.cat([uniforms(keys, stream, 4) for stream in Stream])
    assert len(numbers.unique()) == numbers.numel()


def test_a_parts_draws_are_those_of_the_whole() -> None:
    whole = drawn(count=50)
    part = draw(torch.full((7,), 80), torch.full((7,), 70), some_keys(50)[10:17], EVERYTHING)
    for field in fields(Draws):
        assert torch.equal(getattr(whole.of(slice(10, 17)), field.name), getattr(part, field.name))


def test_logarithms_and_cosines_do_not_depend_on_how_many_are_taken() -> None:
    keys = some_keys(5000)
    together = normals(keys, 1, 33)
    for i in (0, 1, 2, 3, 777, 4999):
        assert torch.equal(normals(keys[i : i + 1], 1, 33)[0], together[i])
