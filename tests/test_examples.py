"""The examples: programs and notebooks give the same commands, each of which the command line understands; all run."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from remedis import cli
from remedis.arguments import parse

FOLDER = Path(__file__).parents[1] / "examples"
NAMES = ("chexpert", "camelyon")
Words = list[str]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.chdir(tmp_path)
    yield importlib.import_module("steps")
    for name in ("steps", *NAMES):
        sys.modules.pop(name, None)


def cells(name: str) -> list[str]:
    notebook = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def commands_of_program(name: str, steps: ModuleType, monkeypatch: pytest.MonkeyPatch, *given: str) -> list[Words]:
    found: list[Words] = []
    monkeypatch.setattr(steps, "remedis", lambda *words: found.append([str(word) for word in words]))
    monkeypatch.setattr(sys, "argv", [name, *given])
    sys.modules.pop(name, None)
    importlib.import_module(name).main()
    return found


def commands_of_notebook(
    name: str, steps: ModuleType, monkeypatch: pytest.MonkeyPatch, folder: str | None
) -> list[Words]:
    found: list[Words] = []
    monkeypatch.setattr(steps, "remedis", lambda *words: found.append([str(word) for word in words]))
    names: dict[str, object] = {}
    for cell in cells(name):
        exec(compile(cell, f"{name}.ipynb", "exec"), names)
        if "FOLDER" in names and folder is not None:
            names["FOLDER"] = folder
    return found


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folder", [None, "data"])
def test_program_and_notebook_give_the_same_commands_and_each_is_understood(
    name: str, folder: str | None, steps: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = commands_of_program(name, steps, monkeypatch, *([folder] if folder else []))
    notebook = commands_of_notebook(name, steps, monkeypatch, folder)
    assert [understood(words) for words in notebook] == [understood(words) for words in program]
    assert [words[0] for words in program][-3:] == ["finetune", "predict", "evaluate"]


def understood(words: Words) -> object:
    """Return what the command line makes of a command."""
    verb, rest = cli.split_verb(words)
    module, _, options = cli.VERBS[verb].options.partition(":")
    return parse(getattr(importlib.import_module(f"remedis.options.{module}"), options), verb, rest)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_program_runs_on_simulated_images(name: str, steps: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [name, "--work", "work"])
    sys.modules.pop(name, None)
    importlib.import_module(name).main()
    assert (Path("work") / f"{name}-evaluation" / "results.csv").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_on_simulated_images(name: str, steps: ModuleType) -> None:
    names: dict[str, object] = {}
    for cell in cells(name):
        exec(compile(cell, f"{name}.ipynb", "exec"), names)
    assert (Path("work") / f"{name}-evaluation" / "results.csv").exists()
