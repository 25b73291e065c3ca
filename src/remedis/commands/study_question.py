"""From the options of `remedis study`, and a small file, to the question that is asked."""

from __future__ import annotations

import dataclasses
import tomllib
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from remedis.data.files import sha256
from remedis.data.foreign_embeddings import vectors_of
from remedis.data.inputs import open_any
from remedis.data.manifest import Manifest
from remedis.errors import InputError, UsageError, nearest
from remedis.evaluate.targets import values_of
from remedis.models.load import open_or_random
from remedis.options.study import Study
from remedis.study.question import (
    ADAPTED,
    FINETUNE,
    IN,
    OUT,
    PROBE,
    SCENARIOS,
    DataSet,
    EncoderAsked,
    Question,
    data_sets,
)

FRACTIONS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
DRAWS, BOOTSTRAP = 10, 1000
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path"}


def with_file(options: Study) -> Study:
    """Return the options with what the file says where the command line says nothing.

    Paths in the file start from the file's folder; an encoder that is no folder there is a name.

    Raises:
        InputError: The file is missing or no TOML.
        UsageError: It has a name that is no option, or a value of another kind.
    """
    if options.file is None:
        return options
    try:
        said = tomllib.loads(options.file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("there is no such file; a study's TOML file was expected", where=options.file) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"TOML was expected ({error})", where=options.file) from error
    known = get_type_hints(Study)
    chosen: dict[str, Any] = {}
    for key, value in said.items():
        name = key.replace("-", "_")
        if name not in known or name in ("file", "out", "plan_only"):
            raise UsageError(f"there is no option {key!r}, {nearest(name, known)}", where=options.file)
        given = _value(name, known[name], value, options.file)
        if getattr(options, name) in (None, ()):  # the command line says nothing
            chosen[name] = given
    return dataclasses.replace(options, **chosen)


def _value(name: str, hint: Any, value: Any, file: Path) -> Any:
    """Return an option's value as its type wants it."""
    if get_origin(hint) is tuple:
        items = value if isinstance(value, list) else [value]
        return tuple(_path(name, _one(name, get_args(hint)[0], item, file), file) for item in items)
    return _one(name, hint, value, file)


def _one(name: str, hint: Any, value: Any, file: Path) -> Any:
    kind = hint
    if get_origin(hint) in (Union, types.UnionType):
        kind = next(each for each in get_args(hint) if each is not type(None))
    if get_origin(kind) is Literal:
        if value not in get_args(kind):
            raise UsageError(f"{name} is {value!r}, one of {', '.join(get_args(kind))} was expected", where=file)
        return value
    fits = isinstance(value, str if kind is Path else (int, float) if kind is float else kind)
    if not fits or (isinstance(value, bool) and kind is not bool):
        raise UsageError(f"{name} is {value!r}, {_WORDS[kind]} was expected", where=file)
    return kind(value)


def _path(name: str, item: Any, file: Path) -> Any:
    """Return what may be a path, from the file's folder."""
    if name in ("manifest", "ood"):
        return file.parent / item
    if name == "external":
        encoder, sign, path = item.partition("=")
        return f"{encoder}{sign}{file.parent / path}" if path else item
    return str(file.parent / item) if name == "encoders" and (file.parent / item).is_dir() else item


def question_of(options: Study) -> Question:
    """Return what the options ask, with every input opened and checked.

    Raises:
        RemedisError: An input or an option cannot be used.
    """
    for name in ("manifest", "label"):
        if not getattr(options, name):
            raise UsageError(f"--{name} is missing; a study needs --manifest, --encoders, --label, or a file with them")
    if not options.encoders and not options.external:
        raise UsageError("--encoders is missing; name one encoder or more, comma-separated")
    seed, repeats = options.seed or 0, at_least_one(options.repeat_splits, 1, "--repeat-splits")
    encoders = _encoders(options, seed)
    baseline = options.baseline or encoders[0].name
    names = [each.name for each in encoders]
    if baseline not in names:
        raise UsageError(f"--baseline {baseline} is none of the encoders, {nearest(baseline, names)}")
    named = _unlike([*options.manifest, *options.ood])
    opened = [(name, open_any(Path(name))) for name in named]
    here, there = opened[: len(options.manifest)], opened[len(options.manifest) :]
    _refuse_unknown_classes([manifest for _, manifest in opened], options)
    made = data_sets(
        here, there, list(dict.fromkeys(options.label)), positive=options.positive, exclude=options.exclude_class,
        repeats=repeats, seed=seed,
    )  # fmt: skip
    methods = tuple(each for each in (PROBE, FINETUNE) if each in (options.methods or (PROBE,)))
    _refuse_unusable(encoders, made, methods, baseline)
    fractions = options.label_fractions or FRACTIONS
    return Question(
        made, encoders, baseline, methods, _fractions(fractions, "--label-fractions"),
        _fractions(options.target_fractions or fractions, "--target-fractions"),
        at_least_one(options.draws, DRAWS, "--draws"), _scenarios(options), repeats, seed,
    )  # fmt: skip


def _unlike(paths: list[Path]) -> list[str]:
    names = [str(path) for path in paths]
    places = [path.resolve() for path in paths]
    twice = next((name for name, place in zip(names, places, strict=True) if places.count(place) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice; each manifest stands once, in --manifest or in --ood")
    return names


def _refuse_unusable(
    encoders: Sequence[EncoderAsked], made: Sequence[DataSet], methods: Sequence[str], baseline: str
) -> None:
    for encoder in encoders if FINETUNE in methods else ():
        if encoder.external and PROBE not in methods:
            raise UsageError(
                f"--external {encoder.name}: embeddings cannot be fine-tuned, and --methods asks for nothing else; add "
                "probe to --methods, or name a network with --encoders"
            )
        if encoder.external and encoder.name == baseline:
            raise UsageError(
                f"the baseline {baseline} is embeddings from elsewhere, which cannot be fine-tuned, so fine-tuning "
                "would be compared with nothing; name a network as --baseline, or leave finetune out of --methods"
            )
    for encoder in encoders:
        for data_set in made:
            if encoder.external:
                vectors_of(Path(encoder.external), data_set.manifest)


def _refuse_unknown_classes(opened: Sequence[Manifest], options: Study) -> None:
    if not options.exclude_class:
        return
    known = {text for each in opened for label in options.label for text in values_of(each.table, label)[0]}
    for name in options.exclude_class:
        if name not in known:
            raise UsageError(f"--exclude-class {name}: no label has this class, {nearest(name, known)}")


def _encoders(options: Study, seed: int) -> tuple[EncoderAsked, ...]:
    found = []
    for name in dict.fromkeys(options.encoders):
        opened = open_or_random(name, size=options.image_size or 224, seed=seed)
        found.append(EncoderAsked(name, "", opened.hash, opened.network, opened.facts.trained))
    for pair in options.external:
        name, sign, file = pair.partition("=")
        if not sign or not name or not Path(file).is_file():
            raise UsageError(f"--external {pair}: NAME=FILE with a file that is there was expected")
        found.append(EncoderAsked(name, file, sha256(Path(file)), "embeddings from elsewhere", True))
    names = [each.name for each in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"two encoders are called {twice}; give the external one another name")
    return tuple(found)


def _fractions(given: tuple[float, ...], option: str) -> tuple[float, ...]:
    for fraction in given:
        if not 0 < fraction <= 1:
            raise UsageError(f"{option} has {fraction:g}, shares above 0 and at most 1 were expected")
    return tuple(sorted({*given, 1.0}))


def _scenarios(options: Study) -> tuple[str, ...]:
    asked = options.scenarios or (SCENARIOS if options.ood else (IN,))
    if not options.ood and {OUT, ADAPTED} & set(asked):
        raise UsageError("out_of_distribution and adapted need another site; name its manifest with --ood")
    return tuple(each for each in SCENARIOS if each in asked)


def at_least_one(given: int | None, otherwise: int, option: str) -> int:
    """Return a count as given, or what it is without.

    Raises:
        UsageError: It is below 1.
    """
    if given is not None and given < 1:
        raise UsageError(f"{option} is {given}, at least 1 was expected")
    return otherwise if given is None else given
