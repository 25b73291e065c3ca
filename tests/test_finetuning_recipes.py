"""Recipes of fine-tuning against their published numbers, and what overrides what."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import numpy as np
import pytest

from remedis.errors import UsageError
from remedis.options import finetune as options_module
from remedis.options.finetune import FineTune as Options
from remedis.recipes.finetuning import RECIPES, FineTuning, hyper_rule, resolve
from remedis.train.schedule import Schedule

PUBLISHED = {
    19_999: (500, [100, 200, 300, 400], 0.0),
    20_000: (10_000, [500, 3000, 6000, 9000], 0.1),
    499_999: (10_000, [500, 3000, 6000, 9000], 0.1),
    500_000: (20_000, [500, 6000, 12_000, 18_000], 0.1),
}
"""Images: steps, ends of warm-up and plateaus, mixup: Big Transfer (arXiv:1912.11370), section 3.3, and the program."""


@pytest.mark.parametrize("images", PUBLISHED)
def test_bit_hyper_rule_is_the_published_one(images: int) -> None:
    steps, ends, mixup = PUBLISHED[images]
    settings = resolve("bit-hyperrule", {}, images=images, pixels=1000.0 * 1000)
    assert (settings.train_steps, settings.mixup) == (steps, mixup)
    assert (settings.optimizer, settings.momentum, settings.weight_decay) == ("sgd", 0.9, 0.0)
    assert (settings.train_batch_size, settings.learning_rate) == (512, 0.003)
    assert settings.zero_init_logits_layer
    rate = Schedule(
        settings.learning_rate, settings.train_batch_size, round(settings.warmup_share * steps), steps,
        settings.learning_rate_scaling, settings.decay_at,
    )  # fmt: skip
    assert settings.schedule == "steps"
    rising = [rate.at(step) for step in range(ends[0])]
    np.testing.assert_allclose(rising, 0.003 * np.arange(ends[0]) / ends[0], rtol=1e-12)
    for fall, (start, stop) in enumerate(zip(ends, [*ends[1:], steps], strict=True)):
        last = min(stop, steps - 1)  # the program falls after the step that it names
        plateau = [rate.at(step) for step in (start + (fall > 0), (start + stop) // 2, last)]
        np.testing.assert_allclose(plateau, 0.003 / 10**fall, rtol=1e-12)
    assert rate.at(steps) == 0.0


@pytest.mark.parametrize(("side", "size", "area"), [(95, 128, (128 / 160) ** 2), (96, 480, (480 / 512) ** 2)])
def test_bit_hyper_rule_takes_the_resolution_from_the_images(side: int, size: int, area: float) -> None:
    settings = resolve("bit-hyperrule", {}, images=1000, pixels=float(side * side))
    assert settings.image_size == size
    assert settings.crop_area == pytest.approx(area, rel=1e-12)


def test_chexpert_is_the_papers_and_a_chest_is_not_mirrored() -> None:
    settings = resolve("chexpert", {})
    found = (settings.optimizer, settings.learning_rate, settings.train_batch_size, settings.train_epochs)
    assert found == ("adam", 1e-4, 16, 3)  # arXiv:1901.07031, section 4
    assert (settings.image_size, settings.flip, settings.learning_rate_scaling) == (448, False, "none")


def test_camelyon_is_the_official_notebooks() -> None:
    settings = resolve("camelyon", {})
    found = (settings.optimizer, settings.learning_rate, settings.train_batch_size, settings.image_size)
    assert found == ("lars", 0.1, 64, 224)
    assert settings.rotation_range == 180.0


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_number_of_a_recipe_has_a_reason_and_is_a_setting(name: str) -> None:
    known = {field.name for field in dataclasses.fields(FineTuning)}
    whole = {**RECIPES[name], **(hyper_rule(1000, 10.0) if name == "bit-hyperrule" else {})}
    assert set(whole) <= known
    assert all(len(choice.reason) > 12 for choice in whole.values())


def test_the_command_line_beats_the_recipe_and_what_was_not_given_does_not() -> None:
    given: dict[str, Any] = {"train_steps": 7, "mixup": None, "image_size": 32, "label": ("a",)}
    settings = resolve("bit-hyperrule", given, images=30_000, pixels=10.0)
    assert (settings.train_steps, settings.mixup, settings.image_size) == (7, 0.1, 32)
    assert resolve(None, {}) == FineTuning()


def test_every_setting_is_an_option_but_the_places_of_falls() -> None:
    options = {field.name for field in dataclasses.fields(Options)}
    assert {field.name for field in dataclasses.fields(FineTuning)} - options == {"decay_at"}


def test_what_options_say_of_defaults_and_recipes_is_true() -> None:
    said = {
        name: _said(name) for name in ("train_epochs", "train_batch_size", "learning_rate", "patience", "crop_area")
    }
    found = FineTuning()
    for name, text in said.items():
        assert f"{getattr(found, name):g}" in text, name


def _said(name: str) -> str:
    return inspect.getsource(options_module).split(f"    {name}: ")[1].split('"""')[1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"learning_rate": 0.0}, "--learning-rate is 0.0, a number above 0"),
        ({"learning_rate": float("nan")}, "--learning-rate is nan"),
        ({"fine_tune_after_block": 5}, "--fine-tune-after-block is 5, at most 4"),
        ({"fine_tune_after_block": -2}, "--fine-tune-after-block is -2, at least -1"),
        ({"crop_area": 0.0}, "--crop-area is 0.0, at least 0.01"),
        ({"crop_area": 1.5}, "--crop-area is 1.5, at most 1"),
        ({"mixup": -0.1}, "--mixup is -0.1, at least 0"),
        ({"warmup_share": 2.0}, "--warmup-share is 2.0, at most 1"),
        ({"train_batch_size": 0}, "--train-batch-size is 0, at least 1"),
        ({"optimizer": "adamm"}, "--optimizer is 'adamm', did you mean adam"),
        ({"schedule": "step"}, "--schedule is 'step', did you mean steps"),
        ({"class_weights": "balance"}, "--class-weights is 'balance', did you mean balanced"),
    ],
    ids=lambda value: value.split(" is ")[0] if isinstance(value, str) else None,
)
def test_impossible_settings_are_refused_in_words(given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve(None, given)


def test_an_unknown_recipe_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="there is no recipe 'chexprt', did you mean chexpert"):
        resolve("chexprt", {})
