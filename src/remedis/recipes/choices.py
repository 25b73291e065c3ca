"""What recipes are made of: values with reasons, and how they become settings that a run can hold to."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from remedis.errors import UsageError, nearest


class Choice(NamedTuple):
    """A value and why it is that."""

    value: Any
    reason: str


Recipe = Mapping[str, Choice]


@dataclass(frozen=True)
class Limits:
    """Which numbers settings may have; words are limited by their type.

    Attributes:
        at_least: Smallest value of a field.
        at_most: Largest value of a field.
        above_zero: Fields that are finite and above 0.
    """

    at_least: Mapping[str, float] = field(default_factory=dict)
    at_most: Mapping[str, float] = field(default_factory=dict)
    above_zero: tuple[str, ...] = ()


Settings = TypeVar("Settings")


def find(name: str | None, recipes: Mapping[str, Recipe]) -> Recipe:
    """Return the recipe of that name; an empty one for None.

    Raises:
        UsageError: There is none; names those there are.
    """
    if name is None:
        return {}
    if name not in recipes:
        raise UsageError(f"there is no recipe {name!r}, {nearest(name, recipes)}")
    return recipes[name]


def resolved(kind: type[Settings], recipe: Recipe, given: Mapping[str, Any], limits: Limits) -> Settings:
    """Return settings: what was given beats the recipe, the recipe beats the default.

    Args:
        kind: The settings' dataclass.
        recipe: Fields to choices.
        given: Options by their field's name; None is not given. Names that are no setting are passed over.
        limits: What is possible.

    Raises:
        UsageError: A value is impossible.
    """
    known = {each.name for each in dataclasses.fields(kind)}  # type: ignore[arg-type]
    chosen = {name: choice.value for name, choice in recipe.items()}
    chosen |= {name: value for name, value in given.items() if name in known and value is not None}
    settings = kind(**chosen)
    check(settings, limits)
    return settings


def check(settings: Any, limits: Limits) -> None:
    """Refuse settings that no run can hold to.

    Raises:
        UsageError: Names the option, what was found and what was expected.
    """
    for name, hint in get_type_hints(type(settings)).items():
        if get_origin(hint) is Literal and getattr(settings, name) not in get_args(hint):
            value = getattr(settings, name)
            raise UsageError(f"{_option(name)} is {value!r}, {nearest(str(value), get_args(hint))}")
    for name, least in limits.at_least.items():
        _refuse_unless(settings, name, getattr(settings, name) >= least, f"at least {least}")
    for name, most in limits.at_most.items():
        _refuse_unless(settings, name, getattr(settings, name) <= most, f"at most {most}")
    for name in limits.above_zero:
        _refuse_unless(settings, name, 0 < getattr(settings, name) < float("inf"), "a number above 0")


def _refuse_unless(settings: Any, name: str, holds: bool, expected: str) -> None:
    if not holds:
        raise UsageError(f"{_option(name)} is {getattr(settings, name)}, {expected} was expected")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")
