"""Writes docs/reference/cli.md from the options' classes: `python docs/make_reference.py`. A test holds the page against it."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from pathlib import Path
from typing import Any

from remedis import arguments, cli

PAGE = Path(__file__).parent / "reference" / "cli.md"


def cli_reference() -> str:
    """Return the page: every verb with what it does, an example, and a table of its options."""
    parts = [
        "# Command line\n\nMade by `docs/make_reference.py` from the code; `remedis VERB --help` says the same.\n\n"
        "`--train-batch-size` and `--train_batch_size` are one; lists are comma-separated; switches take `True` or `False` "
        "and `--no-…`. With every verb: "
        + ", ".join(f"`{flag}` ({text})" for flag, text in cli.GLOBAL_FLAGS.items())
        + "."
    ]
    parts += [_verb(name, verb) for name, verb in cli.VERBS.items()]
    parts.append(_STATUSES)
    return "\n\n".join(parts) + "\n"


def _verb(name: str, verb: cli.Verb) -> str:
    module, _, class_name = verb.options.partition(":")
    options = getattr(importlib.import_module(f"remedis.options.{module}"), class_name)
    text, _, example = inspect.cleandoc(options.__doc__ or "").partition("example: ")
    docs = arguments.field_docs(options)
    rows = [_row(field, docs[field.name]) for field in dataclasses.fields(options)]
    table = "\n".join(["| option | meaning |", "|---|---|", *rows])
    return f"## remedis {name}\n\n{text.strip()}\n\n    {example.strip()}\n\n{table}"


def _row(field: dataclasses.Field[Any], text: str) -> str:
    name = field.name.upper() if field.metadata.get("positional") else f"--{field.name.rstrip('_').replace('_', '-')}"
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    shown = field.default not in (None, False, (), dataclasses.MISSING)
    default = " **Required.**" if required else f" Default: `{field.default}`." if shown else ""
    return f"| `{name}` | {text.replace('|', chr(92) + '|')}{default} |"


_STATUSES = """## Exit status

| status | meaning |
|---|---|
| 0 | done |
| 1 | done in part; stopped after work had begun (full disk, lost connection: finished parts are kept); or a check said no |
| 2 | refused before anything was written: usage, input, a licence |
| 130 | interrupted; what was finished is kept |
| 143 | ended by SIGTERM; what was finished is kept |

An error is one line on stderr: `remedis: error: WHERE: what was found, what was expected; what to do`. `--debug` adds the traceback."""


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(cli_reference(), encoding="utf-8")
