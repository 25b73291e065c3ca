"""The reference page names every option and every key, and no other."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from remedis.options.report import Report

TEXT = (Path(__file__).parents[2] / "docs" / "reference" / "report.md").read_text(encoding="utf-8")


def keys_of(first: str) -> set[str]:
    """The names in the first column of the table whose head begins with `first`."""
    table = TEXT[TEXT.index(f"| {first} |") :].split("\n\n")[0]
    return {name for line in table.splitlines()[2:] for name in re.findall(r"`([^`]+)`", line.split("|")[1])}


def test_every_option_is_described() -> None:
    fields = {field.name for field in dataclasses.fields(Report)}
    expected = {"folder": "FOLDER", "out": "--out PAGE.html", "images": "--no-images", "root": "--root FOLDER"}
    assert keys_of("option") == {expected.get(name, f"--{name}") for name in fields}


def test_every_key_of_the_json_is_described(page: Callable[[str], Any]) -> None:
    data = page("binary").data
    assert keys_of("key") == set(data)
    own = {"label", "kind", "classes", "positive", "n", "units", "unit_name"}
    for key in set(data["labels"][0]) - own:
        assert f"`{key}`" in TEXT
