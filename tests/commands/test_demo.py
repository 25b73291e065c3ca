"""The demo: every command parses, what one reads another has written, and a small one runs to its pages."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from remedis.arguments import parse
from remedis.commands import demo
from remedis.errors import UsageError
from remedis.options.demo import Demo


def test_every_command_parses_and_reads_what_was_made_before(tmp_path: Path) -> None:
    made: set[str] = set()
    for verb, words in demo.steps(Demo(out=tmp_path)):
        module, _, name = demo._VERBS[verb].options.partition(":")
        parse(getattr(importlib.import_module(f"remedis.options.{module}"), name), verb, words)
        out = words[words.index("--out") + 1]
        inputs = [word for word in words if word.startswith(str(tmp_path)) and word != out]
        for path in inputs:
            assert any(Path(path).is_relative_to(folder) for folder in made), (verb, path)
        assert out not in made
        made.add(out)
    assert {str(tmp_path / name) for name in ("at-home.html", "elsewhere.html", "pretraining.html")} <= made


def test_before_and_after_differ_in_nothing_but_the_encoder(tmp_path: Path) -> None:
    def of(verb: str, when: str) -> list[list[str]]:
        found = [words for name, words in demo.steps(Demo(out=tmp_path)) if name == verb and f"-{when}-" in words[-1]]
        return [[word.replace(f"-{when}-", "-") for word in words] for words in found]

    assert len(of("probe", "before")) == 2
    assert of("probe", "before") == of("probe", "after")
    for before, after in zip(of("embed", "before"), of("embed", "after"), strict=True):
        differing = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
        assert differing == [(str(tmp_path / "encoder"), str(tmp_path / "run/last"))]


def test_too_few_images_are_refused() -> None:
    with pytest.raises(UsageError, match="--number is 10, at least 60"):
        demo.run(Demo(number=10))


@pytest.mark.slow
def test_a_small_demo_ends_with_its_pages(tmp_path: Path) -> None:
    result = demo.run(Demo(out=tmp_path, number=120, unlabelled=64, steps=2))
    for page in result.data["pages"].values():
        assert "imulated" in Path(page).read_text(encoding="utf-8")
