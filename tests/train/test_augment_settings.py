"""The settings of the augmentations: the official defaults, and what is refused."""

from __future__ import annotations

import math
from typing import Any

import pytest

from remedis.errors import UsageError
from remedis.train.augmentation import Augmentation


def test_the_defaults_are_the_official_ones() -> None:
    how = Augmentation(224)
    assert (how.crop_law, how.area, how.aspect, how.flip) == ("tensorflow", (0.08, 1.0), (3 / 4, 4 / 3), True)
    assert (how.rotation_range, how.use_elastic_deform, how.equalize_histogram) == (0.0, False, False)
    assert (how.color_distort, how.color_jitter_strength, how.use_blur) == (True, 1.0, True)
    assert (how.max_brightness_distort, how.max_contrast_distort) == (0.8, 0.8)
    assert (how.max_saturation_distort, how.max_hue_distort) == (0.8, 0.2)
    assert (how.jitter_probability, how.grey_probability) == (0.8, 0.2)


STRENGTH = "color_jitter_strength × "
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "negative contrast": (
        {"color_jitter_strength": 1.3},
        STRENGTH + "max_contrast_distort: found 1.04, expected 0 to 1; change it",
    ),
    "negative saturation": ({"max_saturation_distort": 1.1}, STRENGTH + "max_saturation_distort: found 1.1"),
    "hue of more than half a turn": (
        {"max_hue_distort": 0.51},
        STRENGTH + "max_hue_distort: found 0.51, expected 0 to 0.5",
    ),
    "negative strength": ({"color_jitter_strength": -0.1}, STRENGTH + "max_brightness_distort: found -0.08"),
    "no pixel": ({"size": 0}, "size: found 0, expected at least 1"),
    "an unknown law": ({"crop_law": "tensorflwo"}, "crop_law: there is no 'tensorflwo'; did you mean tensorflow?"),
    "an unknown interpolation": ({"interpolation": "cubic"}, "interpolation: there is no 'cubic'"),
    "areas the wrong way round": ({"area": (0.9, 0.2)}, "area: found 0.9, expected 0 to 0.2"),
    "more than the image": ({"area": (0.5, 1.5)}, "area: found 1.5, expected 0 to 1"),
    "no area": ({"area": (0.0, 0.0)}, "area (0.0, 0.0) and aspect (0.75, 1.3333333333333333) leave no crop"),
    "no aspect": ({"aspect": (0.0, 1.0)}, "area (0.08, 1.0) and aspect (0.0, 1.0) leave no crop"),
    "aspects the wrong way round": ({"aspect": (2.0, 1.0)}, "aspect: found 2, expected 0 to 1"),
    "more than half a turn": ({"rotation_range": 181}, "rotation_range: found 181, expected 0 to 180"),
    "a negative turn": ({"rotation_range": -1}, "rotation_range: found -1"),
    "a probability above one": ({"jitter_probability": 1.1}, "jitter_probability: found 1.1"),
    "a negative probability": ({"grey_probability": -0.1}, "grey_probability: found -0.1"),
    "a field that folds": ({"elastic_strength": 0.1}, "elastic_strength: found 0.1, expected 0 to 0.0625"),
    "knots at one place": ({"elastic_smoothness": 0.0, "elastic_strength": 0.0}, "elastic_smoothness: found 0,"),
    "no number": ({"rotation_range": math.nan}, "rotation_range: found nan"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_drawn_is_refused_by_name(name: str) -> None:
    options, message = REFUSED[name]
    with pytest.raises(UsageError) as refusal:
        Augmentation(**{"size": 32, **options})
    assert str(refusal.value).startswith(message)


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.25])
def test_strengths_up_to_the_limit_are_taken(strength: float) -> None:
    assert Augmentation(32, color_jitter_strength=strength).color_jitter_strength == strength
