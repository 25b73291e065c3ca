"""The docs are true: every command in them runs and says what they show, links lead on, references match the code."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from remedis import cli

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"(?P<before><!-- not run: [^>]+-->\n)?```(?P<kind>\w*)\n(?P<body>.*?)```", re.DOTALL)
_VARIES = re.compile(r"images/s|files/s|steps/s|threads|MiB")  # lines with times, rates or what the machine has


def blocks(page: Path, kind: str) -> Iterator[str]:
    """Yield the bodies of a page's blocks of one kind, those that are marked as not run left out."""
    for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        if match["kind"] == kind and not match["before"]:
            yield match["body"]


def test_every_shell_block_is_run_or_says_why_not() -> None:
    for page in PAGES:
        for match in _BLOCK.finditer(page.read_text(encoding="utf-8")):
            if "remedis " in match["body"] and match["kind"] in ("sh", "bash", "shell"):
                assert match["before"], f"{page.name}: {match['body'][:60]!r}"


def sessions(page: Path) -> list[tuple[str, list[str]]]:
    """Return each command of a page's `console` blocks with the lines that the page shows under it."""
    found: list[tuple[str, list[str]]] = []
    for body in blocks(page, "console"):
        for line in body.splitlines():
            if line.startswith("$ "):
                found.append((line[2:], []))
            elif line.strip():
                found[-1][1].append(line)
    return found


def masked(line: str) -> str:
    """Return a line without its numbers: figures differ in the last digit between processors."""
    return " ".join(re.sub(r"[0-9a-f]{12}|[0-9][0-9.,:e-]*", "#", line).split())


@pytest.mark.parametrize("page", [page for page in PAGES if sessions(page)], ids=lambda page: page.name)
def test_commands_run_and_say_what_the_page_shows(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    for command, shown in sessions(page):
        words = shlex.split(command, comments=True)
        assert words[0] == "remedis", command
        spoken = io.StringIO()
        with contextlib.redirect_stdout(spoken), contextlib.redirect_stderr(spoken):
            status = cli.run(words[1:])
        said = spoken.getvalue()
        assert status == (1 if "check" in words else 0) or status == 0, f"{command}: {said}"
        heard = {masked(line) for line in said.splitlines()}
        missing = [line for line in shown if masked(line) not in heard and not _VARIES.search(line) and line != "…"]
        assert not missing, f"{command}\n{missing}\n{said}"


def test_links_lead_to_files() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
            if not re.match(r"[a-z]+:", target) and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(ROOT)}: {target}")
    assert not broken


def test_the_reference_of_the_command_line_is_the_codes() -> None:
    spec = importlib.util.spec_from_file_location("make_reference", ROOT / "docs" / "make_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.PAGE.read_text(encoding="utf-8") == module.cli_reference(), "run python docs/make_reference.py"


def test_every_guide_is_reached_from_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    unreached = [
        page.relative_to(ROOT).as_posix()
        for page in PAGES
        if page.parent != ROOT and page.relative_to(ROOT).as_posix() not in text
    ]
    assert not unreached


def test_the_changelog_and_the_package_agree_on_the_version() -> None:
    import remedis

    assert f"## {remedis.__version__} " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"version: {remedis.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert os.path.commonpath([ROOT, Path(remedis.__file__)]) == str(ROOT)
