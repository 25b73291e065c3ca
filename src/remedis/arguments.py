"""From the words of a command line to an options dataclass, and from the dataclass to its help.

tyro parses and prints the help; before it, the words are brought into one form (`--train_batch_size`, `A,B`,
`--x False`, `-x=False`, `--nox`) and checked, so that every mistake becomes one line with the nearest spelling.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import inspect
import io
import itertools
import re
import textwrap
import types
import typing
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from remedis.errors import UsageError, nearest

Options = TypeVar("Options")

_IS_OPTION = re.compile(r"-{1,2}[^\W\d_]|--.")  # -name is --name, as Google's programs read it; -1 is a number
_TRUTHS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}


def parse(options_class: type[Options], verb: str, words: list[str]) -> Options:
    """Return the options that `words` say.

    Raises:
        UsageError: An option is unknown, lacks its value or has a wrong one.
    """
    import tyro

    normal = normalised(options_class, words)
    _refuse_missing(options_class, verb, normal)
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stdout(complaint), contextlib.redirect_stderr(complaint):
            parsed: Any = tyro.cli(_annotated(options_class, rare=True), prog=f"remedis {verb}", args=normal)
    except SystemExit as error:
        raise UsageError(f"{_one_line(complaint.getvalue())}; see remedis {verb} --help") from error
    return options_class(**{field.name: getattr(parsed, field.name) for field in dataclasses.fields(parsed)})


def _refuse_missing(options_class: type, verb: str, words: list[str]) -> None:
    """Name everything that is needed and was not given, in the order of the help."""
    given = {word[2:].partition("=")[0] for word in words if word.startswith("--")}
    bare = sum(not word.startswith("--") for word in words)
    missing = []
    for name, field in _fields(options_class).items():
        if not _is_required(field):
            continue
        if field.metadata.get("positional"):
            bare -= 1
            missing += [name.upper()] if bare < 0 else []
        elif name not in given:
            missing.append(f"--{name}")
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise UsageError(f"{', '.join(missing)} {are} needed; see remedis {verb} --help")


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def help_text(options_class: type, verb: str, *, rare: bool) -> str:
    """Return what `remedis VERB --help` prints; the rare options too where they are asked for."""
    import tyro

    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
        tyro.cli(
            _annotated(options_class, rare=rare),
            prog=f"remedis {verb}",
            description=inspect.cleandoc(options_class.__doc__ or ""),
            args=["--help"],
        )
    hidden = not rare and any(field.metadata.get("rare") for field in dataclasses.fields(options_class))
    return text.getvalue().rstrip() + ("\nmore: --help-all\n" if hidden else "\n")


def normalised(options_class: type, words: Iterable[str]) -> list[str]:
    """Return the words in the one form that the parser knows, every option as `--name=value`.

    Raises:
        UsageError: An option is unknown, lacks its value, or a switch has a value that is neither true nor false.
    """
    kinds = _kinds(options_class)
    queue, result = list(words), []
    while queue:
        word = queue.pop(0)
        if not _IS_OPTION.match(word):
            result.append(word)
            continue
        name, has_value, value = _spell(word)
        positive = re.sub(r"^no-?", "", name)
        negated = name not in kinds and positive != name and kinds.get(positive) is bool
        if negated:
            name = positive
        if name not in kinds:
            known = [f"--{known}" for known in kinds]
            raise UsageError(f"there is no option --{name}, {nearest(f'--{name}', known)}")
        if kinds[name] is bool:
            result.append(_switch(name, value if has_value else None, queue, negated=negated))
            continue
        if not has_value:
            value = _take_value(name, queue)
        result += _assignments(options_class, name, value)
    return result


def _spell(word: str) -> tuple[str, bool, str]:
    name, equals, value = word.removeprefix("-").removeprefix("-").partition("=")
    return name.replace("_", "-"), bool(equals), value


def _switch(name: str, value: str | None, queue: list[str], *, negated: bool) -> str:
    """Return `--name=True` or `--name=False`; a bare True or False after the switch belongs to it."""
    if value is None and queue and queue[0].lower() in ("true", "false"):
        value = queue.pop(0)
    if value is not None and value.lower() not in _TRUTHS:
        raise UsageError(f"--{name} is {value!r}, True or False was expected")
    state = _TRUTHS[value.lower()] if value is not None else True
    return f"--{name}={state != negated}"


def _take_value(name: str, queue: list[str]) -> str:
    if not queue or (queue[0].startswith("--") and len(queue[0]) > 2):
        raise UsageError(f"--{name} needs a value")
    return queue.pop(0)


def _assignments(options_class: type, name: str, value: str) -> list[str]:
    """Return one `--name=value`, or one for each part of a comma-separated list."""
    field = _fields(options_class)[name]
    hint = _hints(options_class)[field.name]
    if _is_tuple(hint) and field.metadata.get("comma", True):
        parts = [part.strip() for part in value.split(",") if part.strip()]
        if not parts:
            raise UsageError(f"--{name} is empty, a comma-separated list was expected")
        return [f"--{name}={part}" for part in parts]
    return [f"--{name}={value}"]


@cache
def _fields(options_class: type) -> dict[str, dataclasses.Field[Any]]:
    # a name that Python keeps for itself ends with an underscore (PEP 8), which nobody types: from_ is --from
    return {field.name.rstrip("_").replace("_", "-"): field for field in dataclasses.fields(options_class)}


@cache
def _hints(options_class: type) -> dict[str, Any]:
    return typing.get_type_hints(options_class)


@cache
def _kinds(options_class: type) -> dict[str, type]:
    """Return for each option, by its name on the command line, `bool` for a switch and `str` for all others."""
    hints = _hints(options_class)
    return {
        name: bool if bool in (hints[field.name], *_members(hints[field.name])) else str
        for name, field in _fields(options_class).items()
        if not field.metadata.get("positional")
    }


def _members(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else ()


def _is_tuple(hint: Any) -> bool:
    return any(get_origin(each) is tuple for each in (hint, *_members(hint)))


def _annotated(options_class: type, *, rare: bool) -> type:
    """Return a twin of the class that tells tyro what is positional, repeatable or hidden, and each field's help."""
    hints, texts = _hints(options_class), field_docs(options_class)
    members: list[Any] = []
    for field in dataclasses.fields(options_class):
        if field.metadata.get("rare") and not rare:
            continue
        annotation = _annotation(hints[field.name], field, texts.get(field.name, ""))
        twin = dataclasses.field(default=field.default, default_factory=field.default_factory)
        members.append((field.name, annotation, twin))
    return dataclasses.make_dataclass(options_class.__name__, members, kw_only=True, frozen=True)


def _annotation(hint: Any, field: dataclasses.Field[Any], text: str) -> Any:
    from tyro import conf

    markers: list[Any] = []
    if field.metadata.get("positional"):
        markers.append(conf.Positional)
    if _is_tuple(hint):
        markers.append(conf.UseAppendAction)
    if bool in (hint, *_members(hint)):
        markers.append(conf.FlagConversionOff)
    markers.append(
        conf.arg(
            name=field.name.rstrip("_") if field.name.endswith("_") else None,
            help=text,
            metavar=field.metadata.get("metavar") or _metavar(hint, field),
            help_behavior_hint="(required)" if _is_required(field) else _default_hint(field),
        )
    )
    return Annotated[(hint, *markers)]


def _default_hint(field: dataclasses.Field[Any]) -> str:
    if field.default in (None, False, (), dataclasses.MISSING):
        return ""
    return f"(default: {field.default})"


def _metavar(hint: Any, field: dataclasses.Field[Any]) -> str:
    if field.metadata.get("positional"):
        return field.name.upper()
    if bool in (hint, *_members(hint)):
        return ""
    names: dict[Any, str] = {int: "N", float: "X", str: "TEXT", Path: "PATH"}
    for member in (*_members(hint), hint):
        if get_origin(member) is Literal:
            return "|".join(str(value) for value in get_args(member))
        if get_origin(member) is tuple:
            return "A,B,…" if field.metadata.get("comma", True) else "TEXT"
        if member in names:
            return names[member]
    return "VALUE"


@cache
def field_docs(options_class: type) -> dict[str, str]:
    """Return the docstring that follows each field in the class's source, the parents' included, as one line each."""
    docs: dict[str, str] = {}
    for parent in reversed(options_class.__mro__):
        if dataclasses.is_dataclass(parent):
            docs |= _docs_in(parent)
    return docs


def _docs_in(options_class: type) -> dict[str, str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(options_class)))
    body = typing.cast(ast.ClassDef, tree.body[0]).body
    docs = {}
    for statement, following in itertools.pairwise(body):
        is_field = isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)
        if is_field and isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
            name = typing.cast(ast.Name, typing.cast(ast.AnnAssign, statement).target).id
            docs[name] = " ".join(str(following.value.value).split())
    return docs


def _one_line(complaint: str) -> str:
    """Return tyro's message without its frame (on a terminal) or its title and rules (elsewhere)."""
    groups: list[list[str]] = [[]]
    for line in complaint.splitlines():
        bare = re.sub(r"[│╭╮╰╯]", "", line).strip()
        if re.match(r"─|-{3}", bare):
            groups.append([])
        elif bare:
            groups[-1].append(bare)
    texts = [" ".join(group) for group in groups if group]
    text = texts[1] if "╭" not in complaint and len(texts) > 1 else texts[0]
    return text.partition(" Got errors:")[0].replace("{None}|", "").replace(", 'None'", "").rstrip(". ")
