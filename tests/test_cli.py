"""The command line: every mistake is one line with status 2, spelling is forgiving, help leaves torch out."""

from __future__ import annotations

import dataclasses
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from remedis import arguments, cli
from remedis.console import Result
from remedis.errors import UsageError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Example:
    """An example of options."""

    manifest: Path = dataclasses.field(metadata={"positional": True})
    """A manifest."""

    label: tuple[str, ...] = ()
    """Columns."""

    where: tuple[str, ...] = dataclasses.field(default=(), metadata={"comma": False})
    """Conditions."""

    train_batch_size: int | None = None
    """Images a batch."""

    use_blur: bool = True
    """Blur the views."""

    global_bn: bool | None = dataclasses.field(default=None, metadata={"rare": True})
    """Synchronise."""

    range: str | None = None
    """Two numbers."""


def parse(*words: str) -> Example:
    return arguments.parse(Example, "example", list(words))


def test_underscores_and_hyphens_are_the_same() -> None:
    assert parse("m", "--train_batch_size", "8") == parse("m", "--train-batch-size=8")
    assert parse("m", "--train_batch_size", "8").train_batch_size == 8


def test_lists_are_split_at_commas_and_may_be_repeated() -> None:
    assert parse("m", "--label", "a,b", "--label", "c").label == ("a", "b", "c")


def test_conditions_keep_their_commas() -> None:
    assert parse("m", "--where", "x=a,b", "--where", "y!=c").where == ("x=a,b", "y!=c")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--use-blur", "False"], False),
        (["--use_blur=false"], False),
        (["--no-use-blur"], False),
        (["--use-blur"], True),
        (["--use-blur", "True"], True),
        ([], True),
    ],
)
def test_switches_take_words_and_negations(words: list[str], expected: bool) -> None:
    assert parse("m", *words).use_blur is expected


def test_a_switch_that_was_not_given_is_none() -> None:
    assert parse("m").global_bn is None
    assert parse("m", "--no-global-bn").global_bn is False


def test_a_negative_number_is_a_value() -> None:
    assert parse("m", "--range", "-1,1").range == "-1,1"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["m", "--lable", "a"], "there is no option --lable, did you mean --label?"),
        (["m", "--label"], "--label needs a value"),
        (["m", "--use-blur=maybe"], "--use-blur is 'maybe', True or False was expected"),
        (["m", "--train-batch-size", "many"], "Error parsing --train-batch-size"),
        ([], "MANIFEST is needed; see remedis example --help"),
        (["m", "n"], "Unrecognized options: n; see remedis example --help"),
    ],
)
def test_mistakes_are_one_line(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(*words)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not {"│", "─", "---"} & {*str(caught.value), *str(caught.value).split()}


def test_help_hides_rare_options_until_they_are_asked_for() -> None:
    short = arguments.help_text(Example, "example", rare=False)
    assert "--global-bn" not in short
    assert "--help-all" in short
    assert "--global-bn" in arguments.help_text(Example, "example", rare=True)


@pytest.mark.parametrize("name", sorted(cli.VERBS))
def test_every_verb_has_options_with_help_and_a_command(name: str) -> None:
    verb = cli.VERBS[name]
    module, _, class_name = verb.options.partition(":")
    options = getattr(importlib.import_module(f"remedis.options.{module}"), class_name)
    undocumented = {field.name for field in dataclasses.fields(options)} - set(arguments.field_docs(options))
    assert not undocumented
    assert "example" in (options.__doc__ or "")
    text = arguments.help_text(options, name, rare=True)
    assert f"usage: remedis {name}" in text
    assert callable(importlib.import_module(f"remedis.commands.{verb.run}").run)


def test_an_unknown_verb_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["embedd"]) == 2
    assert "did you mean embed" in capsys.readouterr().err
    assert cli.run(["models", "psuh"]) == 2
    assert "did you mean models push" in capsys.readouterr().err


def test_json_prints_the_result_for_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    status = cli._finish(Result(text="words", data={"a": 1}, exit_status=1), {"--json"})
    assert status == 1
    assert json.loads(capsys.readouterr().out) == {"a": 1}


def test_errors_of_the_system_are_one_line_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["embed", "no-such-file.parquet", "--encoder", "no-such-encoder", "--out", "x"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.startswith("remedis: error: no-such-file.parquet: ")


def test_help_imports_neither_torch_nor_anything_else_that_is_slow() -> None:
    program = (
        "import sys; from remedis import cli; status = cli.run(['--help']); "
        "slow = {'torch', 'numpy', 'pyarrow', 'tyro', 'rich'} & set(sys.modules); "
        "sys.exit(str(slow) if slow else status)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "not a diagnostic device" in done.stdout
