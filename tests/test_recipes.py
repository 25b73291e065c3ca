"""Recipes: the command line beats the recipe, the recipe beats the official default."""

from __future__ import annotations

import dataclasses

import pytest

from remedis.errors import UsageError
from remedis.options.pretrain import Pretrain
from remedis.recipes.pretraining import RECIPES, Pretraining, resolve

OFFICIAL = {
    "learning_rate": 0.3, "warmup_epochs": 10, "weight_decay": 1e-6, "batch_norm_decay": 0.9, "train_batch_size": 512,
    "train_epochs": 100, "train_steps": 0, "optimizer": "lars", "momentum": 0.9, "temperature": 0.1,
    "hidden_norm": True, "head_proj_mode": "nonlinear", "head_proj_dim": 128, "num_nlh_layers": 1, "global_bn": True,
    "width_multiplier": 1, "resnet_depth": 50, "use_bit": False, "image_size": 224, "color_jitter_strength": 1.0,
    "use_elastic_deform": False, "equalize_histogram": False, "use_blur": True, "rotation_range": 0.0,
    "max_contrast_distort": 0.8, "max_brightness_distort": 0.8, "multi_instance": False,
}  # fmt: skip
"""Flags and defaults of google-research/medical-ai-research-foundations run.py that decide a pretraining's result."""


def test_without_a_recipe_every_official_flag_has_its_official_default() -> None:
    settings = dataclasses.asdict(resolve(None, {}))
    assert {name: settings[name] for name in OFFICIAL} == OFFICIAL


def test_the_readmes_example_is_the_recipe_cifar10() -> None:
    settings = resolve("cifar10", {})
    example = {
        "train_batch_size": 512, "train_epochs": 1000, "learning_rate": 1.0, "weight_decay": 1e-4, "temperature": 0.5,
        "image_size": 32, "resnet_depth": 18, "use_blur": False, "color_jitter_strength": 0.5,
    }  # fmt: skip
    assert {name: getattr(settings, name) for name in example} == example


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_every_number_of_a_recipe_has_a_reason_and_is_a_setting(name: str) -> None:
    known = {field.name for field in dataclasses.fields(Pretraining)}
    assert set(RECIPES[name]) <= known
    assert all(len(choice.reason) > 15 for choice in RECIPES[name].values())
    assert resolve(name, {}).loss_scale == 2.0


def test_the_command_line_beats_the_recipe_and_what_was_not_given_does_not() -> None:
    settings = resolve("cxr", {"rotation_range": 5.0, "use_blur": None, "flip": True})
    assert (settings.rotation_range, settings.use_blur, settings.flip) == (5.0, False, True)


def test_a_flipped_chest_is_no_chest() -> None:
    assert not resolve("cxr", {}).flip


def test_every_setting_is_an_option() -> None:
    options = {field.name for field in dataclasses.fields(Pretrain)}
    assert {field.name for field in dataclasses.fields(Pretraining)} <= options


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"temperature": 0.0}, "--temperature is 0.0, a number above 0"),
        ({"learning_rate": float("nan")}, "--learning-rate is nan"),
        ({"train_batch_size": 1}, "--train-batch-size is 1, at least 2"),
        ({"rotation_range": 200.0}, "--rotation-range is 200.0, at most 180"),
        ({"optimizer": "lasr"}, "--optimizer is 'lasr', did you mean lars"),
        ({"crop_law": "keras"}, "--crop-law is 'keras'"),
    ],
)
def test_impossible_settings_are_refused_in_words(given: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        resolve(None, given)


def test_an_unknown_recipe_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="did you mean cifar10"):
        resolve("cifar", {})
